"""Workloads: the controllers that own pods, and the key under which a workload's history is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from descheduler.model.labels import Labels
from descheduler.model.owners import OwnerRef as OwnerRef
from descheduler.model.owners import controller_of
from descheduler.model.selectors import LabelSelector
from descheduler.model.templates import PodTemplate

BUILT_IN = {
    **{("apps", kind): f"{kind.lower()}s" for kind in ("ReplicaSet", "Deployment", "StatefulSet", "DaemonSet")},
    **{("batch", kind): f"{kind.lower()}s" for kind in ("Job", "CronJob")},
}
"""Keys of the kinds of controllers that are read of every cluster, by API group and kind."""
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
        return "/".join(filter(None, (self.namespace, self.kind, self.name)))  # nodes have no namespace


@dataclass(frozen=True, slots=True)
class Ordinals:
    """How a StatefulSet makes its pods (apps/v1 StatefulSetSpec): `start` is the lowest ordinal, revisions are names of
    ControllerRevisions, empty where its status does not tell."""

    start: int = 0
    ordered: bool = True  # podManagementPolicy OrderedReady: a pod is made when those below it are ready
    on_delete: bool = False  # updateStrategy OnDelete
    partition: int = 0  # ordinals that count from `start` below it keep the current revision
    current_revision: str = ""
    update_revision: str = ""


@dataclass(frozen=True, slots=True)
class Workload:
    """One controller object: ReplicaSet, Deployment, StatefulSet, DaemonSet, Job, CronJob.

    `replicas` is what is asked for (`parallelism` for a Job); `ready` what its status reports. `template` is what it
    makes pods from, None where that is not read. `generation` is what was written last, `observed_generation` what its
    controller has seen of it (0: it does not tell). `rolling`: a Deployment that goes on replacing old pods, being
    neither paused nor past its deadline. `ordinals` are a StatefulSet's. The Job fields are
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
    deleting: bool = False  # has a deletion timestamp
    sized: bool = True  # its spec says `replicas`; False: they are what the API would make of nothing
    present: int = 0  # how many pods its status says there are
    left: int | None = None  # of a Job: how many pods must still succeed; 0: it has ended, None: it does not say
    template: PodTemplate | None = None
    generation: int = 0
    observed_generation: int = 0
    rolling: bool = False
    ordinals: Ordinals | None = None
    replaces_ending: bool = False  # of a Job: a pod that still ends is replaced already
    paused: bool = False  # of a Deployment: it makes no new ReplicaSets
    updated: int | None = None  # of a Deployment: how many of its pods are of the newest revision
    enforcers: tuple[str, ...] = ()  # who wrote `replicas`, and would set them back (`model.enforcers`)
    problem: str = ""  # why it cannot be read; then nothing but its name and its owners is known

    @property
    def behind(self) -> bool:
        """Its controller has not acted yet on what was written last."""
        return 0 < self.observed_generation < self.generation

    @property
    def wanted(self) -> int:
        """How many pods it wants to have now."""
        if self.suspended:
            return 0
        return self.replicas if self.left is None else min(self.replicas, self.left)

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
        return controller_of(self.owners)
