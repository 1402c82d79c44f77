"""What the policy and the ledger say about which pods may be touched, as plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.selectors import LabelSelector
from descheduler.model.workloads import WorkloadKey
from descheduler.planning.filters.windows import Window


@dataclass(frozen=True, slots=True)
class FilterRules:
    """Protections, with the defaults of the sigs descheduler's DefaultEvictor (pkg/framework/plugins/defaultevictor).

    A pod's annotation `descheduler.alpha.kubernetes.io/evict`, with any value but "false", lifts the protections
    marked (o) when `honour_evict_annotation` is set. Mirror, DaemonSet, finished, terminating and never-evict pods,
    opt-outs, namespaces, gangs, budgets, cooldowns and windows are not lifted by it; upstream it lifts all.
    """

    protect_system_critical: bool = True  # (o) priority of 2000000000 and above
    priority_threshold: int | None = None  # (o) pods at or above it stay
    protect_local_storage: bool = True  # (o) any emptyDir or hostPath volume
    protect_persistent_volumes: bool = False  # (o) pods with persistent volume claims
    protected_storage_classes: tuple[str, ...] = ()  # with the line above: only claims of these; empty: of all
    protect_resource_claims: bool = False  # (o) pods that hold devices by dynamic resource allocation
    protect_without_budget: bool = False  # (o) pods that no PodDisruptionBudget matches
    protected_qos: frozenset[str] = frozenset({"LSE", "LSR"})  # (o) Koordinator classes with bound CPUs; SYSTEM always
    label_selector: LabelSelector | None = None  # (o) only pods that match
    namespaces: tuple[str, ...] = ()  # only these; empty: all
    excluded_namespaces: tuple[str, ...] = ()
    namespace_selector: LabelSelector | None = None  # only namespaces whose labels match
    min_replicas: int = 0  # (o) running pods that a controller must have before one of them may move
    min_age_seconds: float | None = None  # (o) since status.startTime; an unknown start protects
    autoscaler_opt_outs: bool = True  # safe-to-evict "false" and do-not-disrupt "true" opt out
    prefer_no_eviction_forbids: bool = (
        False  # noEvictionPolicy: Mandatory; else such pods are only `Filters.prefers_no_eviction`
    )
    honour_evict_annotation: bool = True
    windows: tuple[Window, ...] = ()  # nothing moves outside them; empty: always open
    executor: Callable[[Pod], Blocked | None] | None = None  # None: it can move whatever may be moved


class LedgerView(Protocol):
    """What the filters ask of the record of past moves."""

    @property
    def any_entries(self) -> bool:
        """False when nothing at all is held back, so that nobody need be asked about."""
        ...

    def blocked(self, workload: WorkloadKey, pod_uid: str, now: float) -> Blocked | None:
        """COOLDOWN or QUARANTINED, if this pod or its workload is held back at `now` (unix seconds)."""
        ...
