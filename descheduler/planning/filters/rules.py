"""What the policy and the ledger say about which pods may be touched, as plain values."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from descheduler.model.budgets import PriorityClass
from descheduler.model.errors import PolicyError
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked
from descheduler.model.selectors import LabelSelector
from descheduler.model.workloads import WorkloadKey
from descheduler.planning.filters.schedule import Window
from descheduler.policy.protections import QUOTA_NAMESPACES, PriorityThreshold, Protections
from descheduler.policy.selecting import NodeSelector
from descheduler.policy.windows import DisruptionWindow


@dataclass(frozen=True, slots=True)
class FilterRules:
    """Protections, as the sigs descheduler's DefaultEvictor has them (pkg/framework/plugins/defaultevictor).

    A pod's annotation `descheduler.alpha.kubernetes.io/evict`, with any value but "false", lifts the protections
    marked (o) when `honour_evict_annotation` is set. Mirror, terminating and never-evict pods, opt-outs, namespaces,
    gangs, budgets, cooldowns and windows are not lifted by it, nor may DaemonSet, finished and bare pods then move, but
    only be removed; upstream it lifts all.
    """

    protect_system_critical: bool  # (o) priority of 2000000000 and above
    priority_threshold: int | None  # (o) pods at or above it stay
    protect_local_storage: bool  # (o) any emptyDir or hostPath volume
    protect_persistent_volumes: bool  # (o) pods with persistent volume claims
    protected_storage_classes: tuple[str, ...]  # with the line above: only claims of these; empty: of all
    protect_resource_claims: bool  # (o) pods that hold devices by dynamic resource allocation
    protect_without_budget: bool  # (o) pods that no PodDisruptionBudget matches
    label_selector: LabelSelector | None  # (o) only pods that match
    namespaces: tuple[str, ...]  # only these; empty: all
    excluded_namespaces: tuple[str, ...]
    namespace_selector: LabelSelector | None  # only namespaces whose labels match
    min_replicas: int  # (o) running pods that a controller must have before one of them may move
    min_age_seconds: float | None  # (o) since status.startTime; an unknown start protects
    prefer_no_eviction_forbids: bool  # noEvictionPolicy: Mandatory; else they only are `Filters.prefers_no_eviction`
    protect_daemon_sets: bool = True  # (o) from being removed; they never move
    protect_failed_bare_pods: bool = True  # (o) failed pods that nobody makes again, from being removed
    node_selector: LabelSelector | None = None  # only pods on nodes that match
    fits_on: LabelSelector | None = None  # only pods that one of these nodes, beside their own, could take
    windows: tuple[Window, ...] = ()  # nothing moves outside them; empty: always open
    executor: Callable[[Pod], Blocked | None] | None = None  # None: it can move whatever may be moved
    protected_qos: frozenset[str] = frozenset({"LSE", "LSR"})  # (o) Koordinator classes with bound CPUs; SYSTEM always
    autoscaler_opt_outs: bool = True  # safe-to-evict "false", do-not-disrupt and their like opt out
    honour_evict_annotation: bool = True
    recreating_owners: tuple[str, ...] = ()  # "group/Kind" of owners that make their pods again
    quota_namespaces: tuple[str, ...] = QUOTA_NAMESPACES  # where Koordinator's quotas may claim pods of others

    @classmethod
    def of(
        cls,
        protections: Protections,
        windows: Iterable[DisruptionWindow] = (),
        nodes: NodeSelector | None = None,
        *,
        namespaces: Collection[str] = (),
        priority_classes: Mapping[str, PriorityClass] | None = None,
    ) -> Self:
        """The rules on a cluster with these namespaces and priority classes, for pods on `nodes` (None: all).

        Raises PolicyError when the policy names a priority class that the cluster does not have.
        """
        selector, of_namespaces = protections.label_selector, protections.namespace_label_selector
        age, volumes, fitting = protections.min_pod_age, protections.persistent_volumes, protections.node_selector
        return cls(
            protect_system_critical=protections.system_critical,
            priority_threshold=_threshold(protections.priority_threshold, priority_classes or {}),
            protect_local_storage=protections.local_storage,
            protect_persistent_volumes=volumes.protect,
            protected_storage_classes=volumes.storage_classes,
            protect_resource_claims=protections.resource_claims,
            protect_without_budget=protections.without_budget,
            label_selector=selector.selector() if selector else None,
            namespaces=_matching(protections.namespaces.include, namespaces),
            excluded_namespaces=_matching(protections.namespaces.exclude, namespaces),
            namespace_selector=of_namespaces.selector() if of_namespaces else None,
            min_replicas=protections.min_replicas,
            min_age_seconds=age.total_seconds() if age is not None else None,
            protect_daemon_sets=protections.daemon_sets,
            protect_failed_bare_pods=protections.failed_bare_pods,
            node_selector=nodes.selector() if nodes else None,
            fits_on=fitting.selector() if fitting else None,
            prefer_no_eviction_forbids=protections.no_eviction_policy == "Mandatory",
            recreating_owners=protections.recreating_owners,
            quota_namespaces=protections.quota_namespaces,
            windows=tuple(Window(w.schedule, w.duration.total_seconds(), w.time_zone, w.namespaces) for w in windows),
        )


def _matching(patterns: tuple[str, ...], names: Collection[str]) -> tuple[str, ...]:
    """Names of namespaces, with `*` filled in; a pattern that matches none stays, so that it still includes nothing."""
    return tuple(dict.fromkeys(n for p in patterns for n in (fnmatch.filter(sorted(names), p) or [p])))


def _threshold(threshold: PriorityThreshold | None, classes: Mapping[str, PriorityClass]) -> int | None:
    if threshold is None or threshold.value is not None:
        return threshold.value if threshold else None
    found = classes.get(threshold.name or "")
    if found is None:
        raise PolicyError((f"protections.priorityThreshold.name: the cluster has no PriorityClass {threshold.name!r}",))
    return found.value


class LedgerView(Protocol):
    """What the filters ask of the record of past moves."""

    @property
    def any_entries(self) -> bool:
        """False when nothing at all is held back, so that nobody need be asked about."""
        ...

    @property
    def successors(self) -> Collection[str]:
        """Uids of the pods that came of moves: of all others their workload alone is asked about."""
        ...

    def blocked(self, workload: WorkloadKey, pod_uid: str, now: float) -> Blocked | None:
        """COOLDOWN or QUARANTINED, if this pod or its workload is held back at `now` (unix seconds).

        Without a uid: whether all of the workload are.
        """
        ...
