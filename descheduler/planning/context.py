"""All that a plan is made by, before anything is proposed: what was seen, what the policy says, and what follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from descheduler.contract import NodeLoads, RebalanceView, Scenario
from descheduler.gangs import Units
from descheduler.model.arrays import Mask, Positions
from descheduler.model.landing_mode import LandingMode
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.freshness import FreshnessRules
from descheduler.planning.budgets.charging import Budgets
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.budgets.match import Matches, match_budgets
from descheduler.planning.costs import CostModel, PodCosts, pod_costs
from descheduler.planning.executor_rules import ExecutorTraits, OrderRule
from descheduler.planning.filters.build import Filters, build_filters
from descheduler.planning.filters.rules import FilterRules, LedgerView
from descheduler.planning.in_flight import in_flight
from descheduler.planning.landing_choice import LandingChoice
from descheduler.planning.problems import Problem, ProblemKind
from descheduler.planning.proofs import ProofRules
from descheduler.planning.sources import Sources, judge_sources, named
from descheduler.planning.ways import Ways
from descheduler.policy.history import HistoryPolicy
from descheduler.policy.planning import CostPolicy, FreshnessPolicy, LimitsPolicy, ProofPolicy
from descheduler.policy.protections import Protections
from descheduler.scheduler import Scoring, prepare
from descheduler.topology import TopologyRules, read_topology
from descheduler_profiling.history.outside_queries import OUTSIDE
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History

SIGNAL_OF = {"cpu": "cpu", "memory": "memory"}
"""The history signal that measures the use of a schedulable resource."""


@dataclass(frozen=True, slots=True)
class PoolRule:
    """A named group of nodes; the first pool whose selector matches holds the node."""

    name: str
    selector: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PlanningSettings:
    """All that the policy says about planning, as plain values; what is left out is as in an empty policy."""

    filters: FilterRules = field(default_factory=lambda: FilterRules.of(Protections()))
    own_filters: Mapping[str, FilterRules] = field(default_factory=dict)  # of uses of strategies that have their own
    limits: DisruptionLimits = field(default_factory=lambda: DisruptionLimits.of(LimitsPolicy()))
    costs: CostModel = field(default_factory=lambda: CostModel.of(CostPolicy()))
    proof: ProofRules = field(default_factory=lambda: ProofRules.of(ProofPolicy()))
    freshness: FreshnessRules = field(default_factory=lambda: FreshnessRules.of(FreshnessPolicy(), HistoryPolicy()))
    pools: tuple[PoolRule, ...] = ()
    scoring: Mapping[str, Scoring] = field(default_factory=dict)  # by scheduler name
    topology: TopologyRules = field(default_factory=TopologyRules)
    rounds: int = 3
    policy_hash: str = ""
    executors: tuple[ExecutorTraits, ...] = (ExecutorTraits(),)  # the gentlest first
    executor_rules: tuple[OrderRule, ...] = ()  # which of them may move which pods; empty: all of them all
    landing: LandingMode = LandingMode.PREDICTED
    landing_choice: LandingChoice = field(default_factory=LandingChoice)  # and why
    relied_on: frozenset[str] | None = None  # signals whose absence is a problem; None: that of any


@dataclass(frozen=True, slots=True)
class PlanningInput:
    """What a plan is made from. `now` in unix seconds; `moved_last_hour` counts towards the hourly limit, `moved_by`
    towards those of executors, by their names."""

    snapshot: ClusterSnapshot
    units: Units
    profiles: Mapping[str, SignalProfiles]
    now: float
    ledger: LedgerView | None = None
    in_flight: tuple[int, ...] = ()
    moved_last_hour: int = 0
    moved_by: Mapping[str, int] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)  # what the profiles were built from


@dataclass(frozen=True, slots=True)
class PlanningContext:
    """What proposals are judged by. Nothing in it changes: whoever makes a plan charges a fork of the budgets."""

    given: PlanningInput
    settings: PlanningSettings
    view: RebalanceView
    filters: Filters
    budgets: Budgets
    costs: PodCosts
    ways: Ways
    sources: Sources
    problems: tuple[Problem, ...]
    own: Mapping[str, Filters] = field(default_factory=dict)  # by the name of a use that has protections of its own
    evicting: Budgets | None = None  # by which who is removed is judged, where moves spare budgets

    def filters_of(self, use: str) -> Filters:
        """What stops pods for one use of a strategy."""
        return self.own.get(use, self.filters)

    def fits_on(self, use: str) -> Mask | None:
        """[N] the nodes of which one must be able to take a pod that the use moves; None: it does not matter which."""
        rules = self.settings.own_filters.get(use, self.settings.filters)
        return None if rules.fits_on is None else nodes_of(self.given.snapshot, rules.fits_on)

    def view_of(self, use: str) -> RebalanceView:
        """What that use is shown, and judged by."""
        own = self.own.get(use)
        if own is None:
            return self.view
        return replace(
            self.view,
            movable=own.movable,
            blocked=own.blocked,
            removable=own.removable,
            kept=own.kept,
            releasable=own.releasable,
            held=own.held,
            together=own.together,
        )

    @property
    def movable(self) -> Mask:
        """[P] pods that some use may move."""
        found: Mask = np.logical_or.reduce([self.view.movable, *(own.movable for own in self.own.values())])
        return found

    @property
    def stops(self) -> tuple[str, ...]:
        """Why nothing may be executed at all; empty when it may."""
        return self.sources.stops


def survey(given: PlanningInput, settings: PlanningSettings) -> PlanningContext:
    """Work out everything that a plan is judged by."""
    given = replace(given, in_flight=in_flight(given.snapshot, given.in_flight))
    sources = judge_sources(given.snapshot, given.profiles, settings.freshness, given.now, settings.relied_on)
    loads, sources = _loads(given.snapshot, sources, settings.freshness.min_coverage)
    ways = Ways(given.snapshot, given.units, settings.executors, settings.executor_rules)
    matches = match_budgets(given.snapshot)
    spared = matches.sparing(ways.in_full((matches.count > 0) | matches.unmatched), given.snapshot.budgets)
    filters, own = _filters(given, settings, spared)
    costs = pod_costs(given.snapshot, settings.costs, filters.prefers_no_eviction)
    costs = ways.spared(costs, filters.movable)
    charging = partial(
        Budgets.of,
        given.snapshot,
        given.units,
        settings.limits,
        in_flight=given.in_flight,
        moved_last_hour=given.moved_last_hour,
    )
    budgets = charging(matches=spared)
    evicting = None if spared is matches else charging(matches=matches)
    state = prepare(given.snapshot, scoring=settings.scoring).what_if()
    pools, pool_of = assign_pools(given.snapshot, settings.pools)
    view = RebalanceView(
        snapshot=given.snapshot,
        units=given.units,
        loads=loads,
        movable=filters.movable,
        costs=costs.total,
        pools=pools,
        pool_of=pool_of,
        blocked=filters.blocked,
        removable=filters.removable,
        kept=filters.kept,
        releasable=filters.releasable,
        held=filters.held,
        together=filters.together,
        start=Scenario(loads, state, mode=settings.landing),
        topology=read_topology(given.snapshot, settings.topology),
        selected_nodes=nodes_of(given.snapshot, settings.filters.node_selector),
        usage={name: given.histories[name] for name in sources.usable if name in given.histories},
    )
    lines = named(view.topology.problems, "more lines about the topology")
    links = tuple(Problem(ProblemKind.TOPOLOGY, text) for text in lines)
    gangs = tuple(Problem(ProblemKind.OBJECT, text) for text in named(given.units.problems))
    problems = (*sources.problems, *gangs, *links)
    return PlanningContext(given, settings, view, filters, budgets, costs, ways, sources, problems, own, evicting)


def _filters(given: PlanningInput, settings: PlanningSettings, matches: Matches) -> tuple[Filters, dict[str, Filters]]:
    """Those of the policy, and those of uses that have their own: built once for all that have the same."""
    built = {
        rules: build_filters(
            given.snapshot,
            given.units,
            rules,
            now=given.now,
            ledger=given.ledger,
            matches=matches,
            in_flight=given.in_flight,
        )
        for rules in dict.fromkeys((settings.filters, *settings.own_filters.values()))
    }
    return built[settings.filters], {use: built[rules] for use, rules in settings.own_filters.items()}


def _loads(snapshot: ClusterSnapshot, sources: Sources, min_coverage: float) -> tuple[dict[str, NodeLoads], Sources]:
    """Loads of the resources whose history may be used; a signal that too few pods have is not."""
    loads: dict[str, NodeLoads] = {}
    usable, problems = dict(sources.usable), list(sources.problems)
    for resource, signal in SIGNAL_OF.items():
        if signal not in usable:
            continue
        made = NodeLoads(resource, snapshot, usable[signal], floor=0.05, outside=usable.get(OUTSIDE[resource]))
        if made.coverage >= min_coverage:
            loads[resource] = made
            continue
        del usable[signal]
        text = f"history of {signal} covers {made.coverage:.0%} of the pods, {min_coverage:.0%} is wanted"
        problems.append(Problem(ProblemKind.SIGNAL, text, signal))
    return loads, replace(sources, usable=usable, problems=tuple(problems))


def nodes_of(snapshot: ClusterSnapshot, selector: LabelSelector | None) -> Mask:
    """[N] nodes whose labels match; all without a selector."""
    return np.array([selector is None or selector.matches(node.labels) for node in snapshot.nodes], np.bool_)


def assign_pools(snapshot: ClusterSnapshot, pools: Sequence[PoolRule]) -> tuple[tuple[str, ...], Positions]:
    """Names of the pools, the last one being `default`, and each node's position among them [N]."""
    names = (*(pool.name for pool in pools), "default")
    out = np.full(len(snapshot.nodes), len(pools), np.int32)
    for i, node in enumerate(snapshot.nodes):
        for at, pool in enumerate(pools):
            if all(node.labels.get(k) == v for k, v in pool.selector.items()):
                out[i] = at
                break
    return names, out
