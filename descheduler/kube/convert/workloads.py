"""Workloads, budgets, priorities, namespaces and objects of optional APIs: wire to model."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.kube.convert.customs import pruned
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.job_failures import on_eviction
from descheduler.kube.convert.selectors import label_selector
from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import (
    BudgetWire,
    CustomWire,
    Object,
    PriorityClassWire,
    WorkloadSpecWire,
    WorkloadWire,
)
from descheduler.model.budgets import DisruptionBudget, PriorityClass
from descheduler.model.labels import Labels
from descheduler.model.objects import CustomObject
from descheduler.model.workloads import DEFAULT_BACKOFF_LIMIT, Workload

_JOB_CONTROLLER = "kubernetes.io/job-controller"  # spec.managedBy of the Job controller itself (batch/v1 types.go)


@dataclass(frozen=True, slots=True)
class NamespaceLabels:
    name: str
    labels: Labels


def convert_namespace(wire: Object, intern: Interner) -> NamespaceLabels:
    return NamespaceLabels(intern.text(wire.metadata.name), intern.labels(wire.metadata.labels))


def convert_budget(wire: BudgetWire, intern: Interner) -> DisruptionBudget:
    spec, status = wire.spec, wire.status
    with under("spec.selector"):
        selector = label_selector(spec.selector)
    return DisruptionBudget(
        namespace=intern.text(wire.metadata.namespace),
        name=wire.metadata.name,
        selector=selector,
        min_available=written(spec.min_available),
        max_unavailable=written(spec.max_unavailable),
        unhealthy_policy=spec.unhealthy_pod_eviction_policy or "IfHealthyBudget",
        allowed=status.disruptions_allowed,
        current_healthy=status.current_healthy,
        desired_healthy=status.desired_healthy,
        expected=status.expected_pods,
        generation=wire.metadata.generation,
        observed_generation=status.observed_generation,
        disrupting=tuple(sorted(status.disrupted_pods or ())),
    )


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
        managed_by=_manager(spec),
    )


def convert_custom(wire: CustomWire, intern: Interner, *, kind: str, api_version: str) -> CustomObject:
    """`kind` and `api_version` are those under which it was listed: items of built-in kinds do not carry them."""
    meta = wire.metadata
    return CustomObject(
        api_version=wire.api_version or api_version,
        kind=kind,
        namespace=intern.text(meta.namespace),
        name=meta.name,
        uid=meta.uid,
        labels=intern.labels(meta.labels),
        annotations=intern.annotations(meta.annotations),
        owners=intern.owners(meta.owner_references),
        generation=meta.generation,
        spec=pruned(wire.spec or {}),
        status=pruned(wire.status or {}),
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


def _deadline(wire: WorkloadWire) -> float | None:
    seconds, start = wire.spec.active_deadline_seconds, wire.status.start_time
    return start.timestamp() + seconds if seconds is not None and start is not None else None


def _manager(spec: WorkloadSpecWire) -> str:
    return "" if spec.managed_by in (None, _JOB_CONTROLLER) else spec.managed_by or ""


def written(value: int | str | None) -> str:
    """A number or a percentage as text, empty when absent."""
    return "" if value is None else str(value)
