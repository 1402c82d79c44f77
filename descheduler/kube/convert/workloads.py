"""Workloads, budgets, priorities and namespaces: wire to model."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.kube.convert.admission_wire import NamespaceWire
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.job_failures import on_eviction
from descheduler.kube.convert.managed_fields import enforcers_of_replicas
from descheduler.kube.convert.pods import convert_template
from descheduler.kube.convert.selectors import label_selector
from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import (
    BudgetWire,
    PriorityClassWire,
    WorkloadSpecWire,
    WorkloadWire,
)
from descheduler.model.bounds import INT32
from descheduler.model.budgets import DisruptionBudget, PriorityClass
from descheduler.model.fence import Unreadable, shortened
from descheduler.model.labels import Labels
from descheduler.model.quantity import part_of
from descheduler.model.templates import PodTemplate
from descheduler.model.workloads import DEFAULT_BACKOFF_LIMIT, Ordinals, Workload

MAKES_PODS = frozenset({"ReplicaSet", "StatefulSet", "Job"})
"""Built-in kinds whose template pods are made from; the others make workloads, or pods that nobody moves."""

_ENDED = ("Complete", "Failed", "SuccessCriteriaMet", "FailureTarget")
"""Conditions of a Job that makes no more pods (batch/v1 JobConditionType)."""

_JOB_CONTROLLER = "kubernetes.io/job-controller"  # spec.managedBy of the Job controller itself (batch/v1 types.go)


@dataclass(frozen=True, slots=True)
class Namespace:
    """`ending`: it is being deleted, and the API server makes nothing new in it."""

    name: str
    labels: Labels
    ending: bool = False


def convert_namespace(wire: NamespaceWire, intern: Interner) -> Namespace:
    meta = wire.metadata
    ending = meta.deletion_timestamp is not None or wire.status.phase == "Terminating"
    return Namespace(intern.text(meta.name), intern.labels(meta.labels), ending)


def convert_budget(wire: BudgetWire, intern: Interner) -> DisruptionBudget:
    spec, status = wire.spec, wire.status
    with under("spec.selector"):
        selector = label_selector(spec.selector)
    return DisruptionBudget(
        namespace=intern.text(wire.metadata.namespace),
        name=wire.metadata.name,
        selector=selector,
        min_available=_written(spec.min_available, "minAvailable"),
        max_unavailable=_written(spec.max_unavailable, "maxUnavailable"),
        unhealthy_policy=spec.unhealthy_pod_eviction_policy or "IfHealthyBudget",
        allowed=status.disruptions_allowed,
        current_healthy=status.current_healthy,
        desired_healthy=status.desired_healthy,
        expected=status.expected_pods,
        generation=wire.metadata.generation,
        observed_generation=status.observed_generation,
        disrupting=tuple(sorted(status.disrupted_pods or ())),
    )


def _written(value: int | str | None, field: str) -> str:
    with under(f"spec.{field}"):
        return written(value)


def convert_priority_class(wire: PriorityClassWire, _intern: Interner) -> PriorityClass:
    return PriorityClass(wire.metadata.name, wire.value, wire.global_default)


def convert_workload(wire: WorkloadWire, intern: Interner, *, kind: str, api_version: str) -> Workload | None:
    """One controller object; None for a ReplicaSet that is scaled to nothing (the remains of a rollout)."""
    meta, spec, status = wire.metadata, wire.spec, wire.status
    if kind == "ReplicaSet" and spec.replicas == 0 and status.replicas == 0:
        return None
    with under("spec.selector"):
        selector = label_selector(spec.selector)
    replicas, ready = _scale(wire, kind)
    return Workload(
        kind=kind,
        api_version=api_version,
        namespace=intern.text(meta.namespace),
        name=meta.name,
        uid=meta.uid,
        labels=intern.labels(meta.labels),
        annotations=intern.annotations(meta.annotations),
        owners=intern.owners(meta.owner_references),
        replicas=replicas,
        ready=ready,
        selector=selector,
        suspended=bool(spec.suspend),
        backoff_limit=_backoff_limit(spec) if kind == "Job" else None,
        failed=status.failed,
        on_eviction=on_eviction(spec.pod_failure_policy),
        backoff_limit_per_index=spec.backoff_limit_per_index if kind == "Job" else None,
        deadline=_deadline(wire) if kind == "Job" else None,
        deleting=meta.deletion_timestamp is not None,
        sized=(spec.parallelism if kind == "Job" else spec.replicas) is not None,
        present=status.active if kind == "Job" else status.replicas,
        left=_left(wire) if kind == "Job" else None,
        template=_template(wire, kind, intern),
        generation=meta.generation,
        observed_generation=status.observed_generation,
        rolling=kind == "Deployment" and not spec.paused and not _stalled(wire),
        ordinals=_ordinals(wire, intern) if kind == "StatefulSet" else None,
        managed_by=_manager(spec),
        replaces_ending=kind == "Job" and _replaces_ending(spec),
        paused=kind == "Deployment" and spec.paused,
        updated=status.updated_replicas if kind == "Deployment" else None,
        enforcers=tuple(map(intern.text, enforcers_of_replicas(meta.managed_fields))),
    )


def _template(wire: WorkloadWire, kind: str, intern: Interner) -> PodTemplate | None:
    found = wire.spec.template
    return None if found is None or kind not in MAKES_PODS else convert_template(found, intern)


def _stalled(wire: WorkloadWire) -> bool:
    """A Deployment made no progress for as long as it may take (condition Progressing, ProgressDeadlineExceeded)."""
    return any(c.type == "Progressing" and c.status == "False" for c in wire.status.conditions or ())


def _ordinals(wire: WorkloadWire, intern: Interner) -> Ordinals:
    spec, status = wire.spec, wire.status
    strategy = spec.update_strategy
    rolling = strategy.rolling_update if strategy is not None else None
    return Ordinals(
        start=spec.ordinals.start if spec.ordinals is not None else 0,
        ordered=spec.pod_management_policy != "Parallel",
        on_delete=strategy is not None and strategy.type == "OnDelete",
        partition=(rolling.partition or 0) if rolling is not None else 0,
        current_revision=intern.text(status.current_revision),
        update_revision=intern.text(status.update_revision),
    )


def _scale(wire: WorkloadWire, kind: str) -> tuple[int, int]:
    spec, status = wire.spec, wire.status
    match kind:
        case "DaemonSet":
            return status.desired_number_scheduled, status.number_ready
        case "Job":
            return _or(spec.parallelism, 1), status.ready or 0
        case "CronJob":
            return 0, 0
        case _:
            return _or(spec.replicas, 1), status.ready_replicas


def _or(value: int | None, absent: int) -> int:
    return absent if value is None else value


def _backoff_limit(spec: WorkloadSpecWire) -> int:
    # A limit for each index stands in for the one of the whole Job, which is then the largest number unless given.
    return _or(spec.backoff_limit, DEFAULT_BACKOFF_LIMIT if spec.backoff_limit_per_index is None else 2**31 - 1)


def _left(wire: WorkloadWire) -> int | None:
    """How many pods of a Job must still succeed; None: it does not say."""
    spec, status = wire.spec, wire.status
    if any(c.type in _ENDED and c.status == "True" for c in status.conditions or ()):
        return 0
    if spec.completions is not None:
        return max(0, spec.completions - status.succeeded)
    return 0 if status.succeeded else None  # a work queue: after the first success no pod is made any more


def _deadline(wire: WorkloadWire) -> float | None:
    seconds, start = wire.spec.active_deadline_seconds, wire.status.start_time
    return start.timestamp() + seconds if seconds is not None and start is not None else None


def _replaces_ending(spec: WorkloadSpecWire) -> bool:
    # pkg/apis/batch/v1/defaults.go: with a failure policy a Job waits until the pod has failed
    default = "TerminatingOrFailed" if spec.pod_failure_policy is None else "Failed"
    return (spec.pod_replacement_policy or default) == "TerminatingOrFailed"


def _manager(spec: WorkloadSpecWire) -> str:
    return "" if spec.managed_by in (None, _JOB_CONTROLLER) else spec.managed_by or ""


def written(value: int | str | None) -> str:
    """A number or a percentage as text, empty when absent. Raises Unreadable when it is neither, or absurd."""
    text = "" if value is None else str(value)
    share = part_of(text, 100)
    if text and (share is None or share > INT32):
        raise Unreadable("", f"{shortened(text)!r} is neither a number of pods nor a percentage")
    return text
