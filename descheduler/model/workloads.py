"""Workloads: the controllers that own pods, and the key under which a workload's history is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from descheduler.model.labels import Labels
from descheduler.model.selectors import LabelSelector

DEFAULT_BACKOFF_LIMIT = 6
"""Of a Job that does not say (batch/v1 defaults)."""


class FailureAction(StrEnum):
    """What a Job does about a pod that failed (batch/v1 podFailurePolicy), the mildest first."""

    IGNORE = "Ignore"
    COUNT = "Count"
    FAIL_INDEX = "FailIndex"
    FAIL_JOB = "FailJob"


@dataclass(frozen=True, slots=True, order=True)
class WorkloadKey:
    """Names the topmost controller of a pod (or the pod itself, kind `Pod`), stable over restarts and rollouts."""

    namespace: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class OwnerRef:
    """metadata.ownerReferences[]: `controller` marks the one that manages the object."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False

    @property
    def group(self) -> str:
        """The API group that the reference names, empty for core."""
        return self.api_version.rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class Workload:
    """One controller object: ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, CronJob.

    `replicas` is what is asked for (`parallelism` for a Job); `ready` what its status reports. The Job fields are
    0/None elsewhere; `failed` and `backoff_limit` say how much of the failure budget is left, `backoff_limit_per_index`
    how many failures each index of an Indexed Job may have, `deadline` (unix seconds) when it is stopped at the latest,
    `on_eviction` the gravest that it may do about a pod that is evicted, `managed_by` who runs it if not the Job
    controller.
    """

    kind: str
    api_version: str
    namespace: str
    name: str
    uid: str
    labels: Labels = field(default_factory=Labels)
    annotations: Labels = field(default_factory=Labels)
    owners: tuple[OwnerRef, ...] = ()
    replicas: int = 0
    ready: int = 0
    selector: LabelSelector | None = None
    suspended: bool = False
    backoff_limit: int | None = None
    failed: int = 0
    on_eviction: FailureAction = FailureAction.COUNT
    backoff_limit_per_index: int | None = None
    deadline: float | None = None
    managed_by: str = ""

    @property
    def evictions_left(self) -> int | None:
        """How many of its pods may still be evicted before a Job, or an index of it, fails; None: any number."""
        if self.kind != "Job" or self.on_eviction is FailureAction.IGNORE:
            return None
        return self.failures_left if self.on_eviction is FailureAction.COUNT else 0

    @property
    def failures_left(self) -> int:
        """How many more pods of a Job may fail before it fails."""
        limit = DEFAULT_BACKOFF_LIMIT if self.backoff_limit is None else self.backoff_limit
        return max(0, limit - self.failed)

    @property
    def key(self) -> WorkloadKey:
        return WorkloadKey(self.namespace, self.kind, self.name)

    @property
    def controller(self) -> OwnerRef | None:
        return next((o for o in self.owners if o.controller), None)
