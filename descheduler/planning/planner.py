"""From a snapshot, its profiles and a policy to a plan: the same for a dry run and for acting.

Strategies propose, the trial judges, best worth for its cost first. What was refused is taken off the table and the
strategies are asked again on the state reached so far, so that a pod held by its budget does not leave a node hot when
its neighbour may go. Rounds are few and bounded; everything is ordered, so the same input gives the same plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import NodeLoads, RebalanceView, Scenario, Strategy, StrategyArgs
from descheduler.gangs import Units
from descheduler.model.errors import StrategyError
from descheduler.model.landing import LandingMode
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.freshness import FreshnessRules
from descheduler.planning.apart import apart
from descheduler.planning.budgets.budgets import Budgets, DisruptionLimits
from descheduler.planning.budgets.match import match_budgets
from descheduler.planning.conformance import fault
from descheduler.planning.costs import CostModel, PodCosts, pod_costs
from descheduler.planning.filters.filters import Filters, build_filters
from descheduler.planning.filters.rules import FilterRules, LedgerView
from descheduler.planning.prover import Accepted, ProofRules, Prover
from descheduler.planning.sources import Sources, judge_sources, missing
from descheduler.policy.history import HistoryPolicy
from descheduler.policy.planning import CostPolicy, FreshnessPolicy, LimitsPolicy, ProofPolicy
from descheduler.policy.protections import Protections
from descheduler.scheduler import Scoring, prepare
from descheduler.topology import TopologyRules, read_topology
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History

OVER = frozenset({Reason.CYCLE_LIMIT, Reason.HOUR_LIMIT})
Key = tuple[str, str, str]
"""Of a finding: strategy, subject, resource."""
SIGNAL_OF = {"cpu": "cpu", "memory": "memory"}
"""The history signal that measures the use of a schedulable resource."""


@dataclass(frozen=True, slots=True)
class PoolRule:
    """A named group of nodes; the first pool whose selector matches holds the node."""

    name: str
    selector: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ChosenStrategy:
    """A strategy that the policy runs; `paused` when the ledger says that its moves miss."""

    strategy: Strategy[Any]
    args: StrategyArgs
    paused: Blocked | None = None


@dataclass(frozen=True, slots=True)
class PlanningSettings:
    """All that the policy says about planning, as plain values; what is left out is as in an empty policy."""

    filters: FilterRules = field(default_factory=lambda: FilterRules.of(Protections()))
    limits: DisruptionLimits = field(default_factory=lambda: DisruptionLimits.of(LimitsPolicy()))
    costs: CostModel = field(default_factory=lambda: CostModel.of(CostPolicy()))
    proof: ProofRules = field(default_factory=lambda: ProofRules.of(ProofPolicy()))
    freshness: FreshnessRules = field(default_factory=lambda: FreshnessRules.of(FreshnessPolicy(), HistoryPolicy()))
    pools: tuple[PoolRule, ...] = ()
    scoring: Mapping[str, Scoring] = field(default_factory=dict)  # by scheduler name
    topology: TopologyRules = field(default_factory=TopologyRules)
    rounds: int = 3
    policy_hash: str = ""
    executor: str = "evict"
    landing: LandingMode = LandingMode.PREDICTED


@dataclass(frozen=True, slots=True)
class PlanningInput:
    """What a plan is made from. `now` in unix seconds; `recent` counts moves of the last hour for the hourly limit."""

    snapshot: ClusterSnapshot
    units: Units
    profiles: Mapping[str, SignalProfiles]
    now: float
    ledger: LedgerView | None = None
    in_flight: tuple[int, ...] = ()
    recent: int = 0
    histories: Mapping[str, History] = field(default_factory=dict)  # what the profiles were built from


@dataclass(frozen=True, slots=True)
class Refused:
    """A proposal or observation that came to nothing."""

    finding: Finding
    blocked: Blocked
    pods: tuple[int, ...] = ()


@dataclass
class Outcome:
    """Everything that `document` writes down."""

    view: RebalanceView
    filters: Filters
    budgets: Budgets
    costs: PodCosts
    sources: Sources
    findings: dict[tuple[str, str, str], Finding]
    accepted: list[Accepted]
    waves: list[int]
    refused: list[Refused]
    observed: dict[tuple[str, str, str], Refused]
    final: Scenario
    problems: list[str]
    stops: tuple[str, ...]
    exhausted: bool = False  # a limit of the whole cycle is reached: asking again would change nothing


def decide(given: PlanningInput, chosen: Sequence[ChosenStrategy], settings: PlanningSettings) -> Outcome:
    """Make the plan. Raises nothing for bad data or a failing strategy: both are part of the outcome."""
    outcome = survey(given, settings)
    if not outcome.stops:
        _rounds(outcome, chosen, settings, given.in_flight)
    strangers = apart(outcome.accepted) if settings.landing is LandingMode.STEERED else None
    outcome.waves = outcome.budgets.waves([a.restarting for a in outcome.accepted], apart=strangers)
    return outcome


def survey(given: PlanningInput, settings: PlanningSettings) -> Outcome:
    """Everything that a plan is judged by, before anything is proposed."""
    sources = judge_sources(given.snapshot, given.profiles, settings.freshness, given.now)
    loads, sources = _loads(given.snapshot, sources, settings.freshness.min_coverage)
    matches = match_budgets(given.snapshot)
    filters = build_filters(
        given.snapshot,
        given.units,
        settings.filters,
        now=given.now,
        ledger=given.ledger,
        matches=matches,
        in_flight=given.in_flight,
    )
    costs = pod_costs(given.snapshot, settings.costs, filters.prefers_no_eviction)
    budgets = Budgets.of(
        given.snapshot,
        given.units,
        settings.limits,
        in_flight=given.in_flight,
        moved_last_hour=given.recent,
        matches=matches,
    )
    state = Scenario(loads, prepare(given.snapshot, scoring=settings.scoring).what_if(), mode=settings.landing)
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
        together=filters.together,
        start=state,
        topology=read_topology(given.snapshot, settings.topology),
        usage={name: given.histories[name] for name in sources.usable if name in given.histories},
    )
    return Outcome(
        view,
        filters,
        budgets,
        costs,
        sources,
        {},
        [],
        [],
        [],
        {},
        state,
        [*sources.problems, *view.topology.problems],
        sources.stops,
    )


def _loads(snapshot: ClusterSnapshot, sources: Sources, min_coverage: float) -> tuple[dict[str, NodeLoads], Sources]:
    """Loads of the resources whose history may be used; a signal that too few pods have is not."""
    loads: dict[str, NodeLoads] = {}
    usable, problems = dict(sources.usable), list(sources.problems)
    for resource, signal in SIGNAL_OF.items():
        if signal not in usable:
            continue
        made = NodeLoads(resource, snapshot, usable[signal], floor=0.05)
        if made.coverage >= min_coverage:
            loads[resource] = made
            continue
        del usable[signal]
        problems.append(f"history of {signal} covers {made.coverage:.0%} of the pods, {min_coverage:.0%} is wanted")
    return loads, replace(sources, usable=usable, problems=tuple(problems))


def assign_pools(snapshot: ClusterSnapshot, pools: Sequence[PoolRule]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Names of the pools, the last one being `default`, and each node's position among them [N]."""
    names = (*(pool.name for pool in pools), "default")
    out = np.full(len(snapshot.nodes), len(pools), np.int32)
    for i, node in enumerate(snapshot.nodes):
        for at, pool in enumerate(pools):
            if all(node.labels.get(k) == v for k, v in pool.selector.items()):
                out[i] = at
                break
    return names, out


def _rounds(
    outcome: Outcome, chosen: Sequence[ChosenStrategy], settings: PlanningSettings, in_flight: tuple[int, ...]
) -> None:
    """Ask, judge, and ask those of whom something was refused again, without what was refused."""
    ready = _ready(outcome, chosen)
    movable = outcome.view.movable.copy()
    trial = Prover(outcome.view, outcome.budgets, settings.proof, settings.costs.margin, in_flight)
    granted: tuple[Proposal, ...] = ()
    observed: dict[int, dict[Key, Refused]] = {}  # what each strategy left alone when it was asked last
    for _ in range(settings.rounds):
        view = replace(outcome.view, start=trial.state, movable=movable, granted=granted)
        answers = _ask(outcome, view, ready)
        observed.update({id(said.by): said.observed for said in answers})
        proposals = [proposal for said in answers for proposal in said.proposals]
        refused = _judge(outcome, trial, proposals)
        granted += tuple(proposal for proposal in proposals if id(proposal) not in refused)
        if not refused or outcome.exhausted:
            break
        ready = [said.by for said in answers if any(id(proposal) in refused for proposal in said.proposals)]
        movable = movable.copy()
        movable[[move.pod for one in refused.values() for move in one.moves]] = False
    outcome.observed = {key: seen for found in observed.values() for key, seen in found.items()}
    outcome.accepted = trial.accepted
    outcome.final = trial.state


@dataclass(frozen=True, slots=True)
class _Answers:
    """What one strategy said."""

    by: ChosenStrategy
    proposals: list[Proposal]
    observed: dict[Key, Refused]


def _ready(outcome: Outcome, chosen: Sequence[ChosenStrategy]) -> list[ChosenStrategy]:
    """Strategies that may run: not paused, and with the history that they need."""
    ready: list[ChosenStrategy] = []
    for one in chosen:
        name = one.strategy.name
        lacking = missing(one.strategy.signals, outcome.sources.usable)
        blocked = one.paused
        if lacking and blocked is None:
            blocked = Blocked(Reason.DATA_MISSING, name, f"no usable history of {', '.join(lacking)}")
        if blocked is None:
            ready.append(one)
            continue
        finding = Finding(name, f"strategy/{name}", "", 0.0, 0.0, f"strategy {name} did not run")
        outcome.refused.append(Refused(finding, blocked))
    return ready


def _ask(outcome: Outcome, view: RebalanceView, chosen: Sequence[ChosenStrategy]) -> list[_Answers]:
    """What the strategies say now; one that raises is named, and the others go on."""
    out: list[_Answers] = []
    for one in chosen:
        answers = _guarded(one, view)
        if isinstance(answers, StrategyError):
            if str(answers) not in outcome.problems:
                outcome.problems.append(str(answers))
            continue
        said = _Answers(one, [], {})
        for answer in answers:
            finding = answer.finding
            key = (finding.strategy, finding.subject, finding.resource)
            outcome.findings.setdefault(key, finding)
            if isinstance(answer, Observation):
                said.observed[key] = Refused(finding, answer.blocked, answer.pods)
            else:
                said.proposals.append(answer)
        out.append(said)
    return out


def _guarded(one: ChosenStrategy, view: RebalanceView) -> list[Proposal | Observation] | StrategyError:
    # A strategy is foreign code: whatever it raises or answers must not take the others down with it.
    name = one.strategy.name
    try:
        answers = list(one.strategy.propose(view, one.args))
    except Exception as error:  # noqa: BLE001
        return StrategyError(name, f"raised {type(error).__name__}: {error}")
    wrong = next((text for a in answers if (text := fault(a, view.snapshot))), "")
    return StrategyError(name, wrong) if wrong else answers


def _judge(outcome: Outcome, trial: Prover, proposals: list[Proposal]) -> dict[int, Proposal]:
    """Judge all, best worth for its cost first; what was refused, by identity."""
    costs = outcome.view.costs

    def rank(proposal: Proposal) -> tuple[float, str, str, tuple[int, ...]]:
        pods = tuple(move.pod for move in proposal.moves)
        return (
            -proposal.worth / (float(costs[list(pods)].sum()) + 1.0),
            proposal.finding.strategy,
            proposal.finding.subject,
            pods,
        )

    refused: dict[int, Proposal] = {}
    for proposal in sorted(proposals, key=rank):
        verdict = trial.judge(proposal)
        if isinstance(verdict, Blocked):
            outcome.exhausted |= verdict.reason in OVER
            pods = tuple(move.pod for move in proposal.moves)
            outcome.refused.append(Refused(proposal.finding, verdict, pods))
            refused[id(proposal)] = proposal
    return refused
