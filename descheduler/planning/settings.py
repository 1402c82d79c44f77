"""From what the policy says to the plain values that planning works with."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping
from dataclasses import replace

from descheduler.contract import load
from descheduler.gangs import resolve
from descheduler.model.errors import PolicyError
from descheduler.model.landing import LandingMode
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.units import DisruptionMode
from descheduler.planning.budgets.budgets import DisruptionLimits
from descheduler.planning.context import PlanningInput, PlanningSettings, PoolRule
from descheduler.planning.costs import CostModel
from descheduler.planning.filters.rules import FilterRules, LedgerView
from descheduler.planning.filters.windows import Window
from descheduler.planning.planner import ChosenStrategy
from descheduler.planning.proofs import ProofRules
from descheduler.planning.sources import FreshnessRules
from descheduler.policy import Policy, policy_hash
from descheduler.policy.protections import Protections
from descheduler.policy.topology import TopologyPolicy
from descheduler.scheduler import Scoring
from descheduler.topology import LinkRow, TopologyRules
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History


def settings_of(policy: Policy, snapshot: ClusterSnapshot) -> PlanningSettings:
    """Plain values for one cycle on one cluster.

    Raises PolicyError when the policy names a priority class that the cluster does not have.
    """
    limits, proof, cost = policy.limits, policy.proof, policy.cost
    return PlanningSettings(
        filters=replace(_filters(policy.protections, snapshot), windows=_windows(policy)),
        limits=DisruptionLimits(
            per_node=limits.per_node,
            per_namespace=limits.per_namespace,
            per_workload=limits.per_workload,
            per_cycle=limits.per_cycle,
            per_hour=limits.per_hour,
        ),
        costs=CostModel(
            restart_seconds=cost.restart.total_seconds(),
            warm_up_seconds=cost.warm_up.total_seconds(),
            lost_work_seconds={kind: lost.total_seconds() for kind, lost in cost.lost_work.items()},
            stateful_seconds=cost.stateful.total_seconds(),
            margin=cost.margin,
        ),
        proof=ProofRules(
            max_load=dict(proof.max_load),
            quantile=proof.quantile,
            horizon_seconds=proof.horizon.total_seconds(),
            max_risk=proof.max_risk,
        ),
        freshness=FreshnessRules(
            max_age_seconds=policy.freshness.max_age.total_seconds(),
            by_kind={kind: age.total_seconds() for kind, age in policy.freshness.kinds.items()},
            history_max_age_seconds=policy.history.max_staleness.total_seconds(),
            min_coverage=policy.history.min_coverage,
        ),
        pools=tuple(PoolRule(pool.name, dict(pool.node_selector)) for pool in policy.pools),
        scoring={name: Scoring(strategy) for name, strategy in policy.schedulers.items()},
        topology=_topology(policy.topology),
        policy_hash=policy_hash(policy),
        executor=policy.acting.executor,
        landing=LandingMode.STEERED if policy.acting.steering else LandingMode.PREDICTED,
    )


def chosen(policy: Policy, paused: Mapping[str, str] | None = None) -> tuple[ChosenStrategy, ...]:
    """The strategies that the policy runs, in its order. Raises StrategyError for one that cannot be loaded."""
    paused = paused or {}
    return tuple(
        ChosenStrategy(
            load(choice.strategy),
            choice.args,
            Blocked(Reason.STRATEGY_PAUSED, choice.name, paused[choice.name]) if choice.name in paused else None,
        )
        for choice in policy.strategies
    )


def input_of(
    policy: Policy,
    snapshot: ClusterSnapshot,
    profiles: Mapping[str, SignalProfiles],
    now: float,
    *,
    ledger: LedgerView | None = None,
    in_flight: Collection[str] = (),
    moved_last_hour: int = 0,
    histories: Mapping[str, History] | None = None,
) -> PlanningInput:
    """What a plan under the policy is made from; `in_flight` are uids of pods whose replacement is not ready yet."""
    return PlanningInput(
        snapshot=snapshot,
        units=resolve(snapshot, when_unset=DisruptionMode(policy.gangs.when_unset)),
        profiles=profiles,
        now=now,
        ledger=ledger,
        in_flight=tuple(i for i, pod in enumerate(snapshot.pods) if pod.uid in in_flight) if in_flight else (),
        moved_last_hour=moved_last_hour,
        histories=histories or {},
    )


def _filters(protections: Protections, snapshot: ClusterSnapshot) -> FilterRules:
    selector, namespaces = protections.label_selector, protections.namespace_label_selector
    age = protections.min_pod_age
    return FilterRules(
        protect_system_critical=protections.system_critical,
        priority_threshold=_threshold(protections, snapshot),
        protect_local_storage=protections.local_storage,
        protect_persistent_volumes=protections.persistent_volumes.protect,
        protected_storage_classes=protections.persistent_volumes.storage_classes,
        protect_resource_claims=protections.resource_claims,
        protect_without_budget=protections.without_budget,
        label_selector=selector.selector() if selector else None,
        namespaces=_matching(protections.namespaces.include, snapshot),
        excluded_namespaces=_matching(protections.namespaces.exclude, snapshot),
        namespace_selector=namespaces.selector() if namespaces else None,
        min_replicas=protections.min_replicas,
        min_age_seconds=age.total_seconds() if age is not None else None,
        prefer_no_eviction_forbids=protections.no_eviction_policy == "Mandatory",
    )


def _topology(written: TopologyPolicy) -> TopologyRules:
    rows = tuple(LinkRow(row.model, row.matrix, row.flat, row.pcie, row.devices) for row in written.links)
    return TopologyRules(written.network, written.labels, rows)


def _windows(policy: Policy) -> tuple[Window, ...]:
    return tuple(Window(w.schedule, w.duration.total_seconds(), w.time_zone, w.namespaces) for w in policy.windows)


def _matching(patterns: tuple[str, ...], snapshot: ClusterSnapshot) -> tuple[str, ...]:
    """Names of namespaces, with `*` filled in; a pattern that matches none stays, so that it still includes nothing."""
    names = sorted({*snapshot.namespaces, *(pod.namespace for pod in snapshot.pods)}) if patterns else ()
    return tuple(dict.fromkeys(n for p in patterns for n in (fnmatch.filter(names, p) or [p])))


def _threshold(protections: Protections, snapshot: ClusterSnapshot) -> int | None:
    threshold = protections.priority_threshold
    if threshold is None or threshold.value is not None:
        return threshold.value if threshold else None
    found = snapshot.priority_classes.get(threshold.name or "")
    if found is None:
        raise PolicyError((f"protections.priorityThreshold.name: the cluster has no PriorityClass {threshold.name!r}",))
    return found.value
