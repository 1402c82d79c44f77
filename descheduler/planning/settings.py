"""From what the policy says to the plain values that planning works with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial

from descheduler.contract import load
from descheduler.gangs import Units, resolve
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.units import DisruptionMode
from descheduler.observe.freshness import FreshnessRules
from descheduler.observe.signals import relied_on
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.context import PlanningInput, PlanningSettings, PoolRule
from descheduler.planning.costs import CostModel
from descheduler.planning.executor_rules import ExecutorChoice, ExecutorTraits, OrderRule, PodFilter
from descheduler.planning.filters.rules import FilterRules, LedgerView
from descheduler.planning.landing_choice import choose_landing
from descheduler.planning.planner import ChosenStrategy
from descheduler.planning.proofs import ProofRules
from descheduler.planning.trials import Trial
from descheduler.policy import Policy, policy_hash
from descheduler.policy.protections import Protections
from descheduler.policy.topology import TopologyPolicy
from descheduler.scheduler import Scoring
from descheduler.topology import LinkRow, TopologyRules
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History


def settings_of(
    policy: Policy,
    snapshot: ClusterSnapshot,
    executors: Sequence[ExecutorTraits] = (ExecutorTraits(),),
    unproved: str = "",
) -> PlanningSettings:
    """Plain values for one cycle on one cluster; `executors` are those that the policy names, in its order.

    `unproved`: why landing cannot be directed, though it is installed. Raises PolicyError when the policy names a
    priority class that the cluster does not have.
    """
    landing = choose_landing(policy.acting.landing, [one.landing for one in executors], snapshot, unproved)
    orders = order_rules(policy)
    rules = partial(_filter_rules, policy, snapshot, ExecutorChoice(snapshot, executors, orders).filter)
    return PlanningSettings(
        filters=rules(policy.protections),
        own_filters={one.name: rules(one.protections) for one in policy.strategies if one.protections is not None},
        limits=DisruptionLimits.of(policy.limits),
        costs=CostModel.of(policy.cost),
        proof=ProofRules.of(policy.proof),
        freshness=FreshnessRules.of(policy.freshness, policy.history),
        pools=pool_rules(policy),
        scoring={name: Scoring(strategy) for name, strategy in policy.schedulers.items()},
        topology=_topology(policy.topology),
        policy_hash=policy_hash(policy),
        executors=tuple(executors),
        executor_rules=orders,
        landing=landing.mode,
        landing_choice=landing,
        relied_on=frozenset(relied_on(policy)),
    )


def _filter_rules(
    policy: Policy, snapshot: ClusterSnapshot, executor: PodFilter | None, protections: Protections
) -> FilterRules:
    named = (*protections.namespaces.include, *protections.namespaces.exclude)
    namespaces = {*snapshot.namespaces, *(pod.namespace for pod in snapshot.pods)} if named else ()
    rules = FilterRules.of(
        protections,
        policy.windows,
        policy.node_selector,
        namespaces=namespaces,
        priority_classes=snapshot.priority_classes,
    )
    return replace(rules, executor=executor)


def order_rules(policy: Policy) -> tuple[OrderRule, ...]:
    """The executors of each pod; none where all may move all."""
    if not policy.acting.executor_rules:
        return ()
    return (*map(OrderRule.of, policy.acting.executor_rules), OrderRule(policy.acting.order))


def pool_rules(policy: Policy) -> tuple[PoolRule, ...]:
    """The policy's groups of nodes."""
    return tuple(PoolRule(pool.name, dict(pool.node_selector)) for pool in policy.pools)


def chosen(policy: Policy, trials: Mapping[str, tuple[Trial, ...]] | None = None) -> tuple[ChosenStrategy, ...]:
    """The strategies that the policy runs, in its order. Raises StrategyError for one that cannot be loaded."""
    trials = trials or {}
    return tuple(
        ChosenStrategy(load(choice.strategy), choice.args, trials.get(choice.name, ()), choice.name, choice.report_only)
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
    moved_by: Mapping[str, int] | None = None,
    histories: Mapping[str, History] | None = None,
) -> PlanningInput:
    """What a plan under the policy is made from; `in_flight` are uids of pods whose replacement is not ready yet."""
    mode = DisruptionMode(policy.gangs.when_unset)
    return PlanningInput(
        snapshot=snapshot,
        units=snapshot.once((Units, mode), partial(resolve, snapshot, mode)),
        profiles=profiles,
        now=now,
        ledger=ledger,
        in_flight=tuple(i for i, pod in enumerate(snapshot.pods) if pod.uid in in_flight) if in_flight else (),
        moved_last_hour=moved_last_hour,
        moved_by=moved_by or {},
        histories=histories or {},
    )


def _topology(written: TopologyPolicy) -> TopologyRules:
    rows = tuple(LinkRow(row.model, row.matrix, row.flat, row.pcie, row.devices) for row in written.links)
    return TopologyRules(written.network, written.labels, rows)
