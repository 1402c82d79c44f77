"""The pipeline, station by station: observe, profile, decide. Commands and controller differ in what they put in.

Nothing here writes to a cluster; acting begins where a plan document ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

import numpy as np

from descheduler.execution.executors.registry import ChosenExecutor, choose
from descheduler.learning.ledger import Ledger
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Blocked
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.observe import Observed
from descheduler.observe.sharing import with_shares
from descheduler.observe.stages import UNWATCHED, Stages
from descheduler.planning import Outcome, PlanningSettings, build_document, decide, survey
from descheduler.planning.document.evidence import with_evidence
from descheduler.planning.executor_rules import ExecutorLimits, ExecutorTraits
from descheduler.planning.filters.rules import LedgerView
from descheduler.planning.problems import Problem, ProblemKind
from descheduler.planning.settings import chosen, input_of, settings_of
from descheduler.planning.trials import Trial
from descheduler.policy import Policy
from descheduler.policy.telling import setting_rows
from descheduler_profiling.executors import ChunkRunner, Counted, Local
from descheduler_profiling.history.defaults import CEILING, REFIT
from descheduler_profiling.history.outside_queries import RESOURCE
from descheduler_profiling.history.plausible import JITTER
from descheduler_profiling.history.pods_here import machines
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.refresh import brought_up_to_date
from descheduler_profiling.refresh import settled as fits_settled
from descheduler_profiling.settings import Likeness, ProfileSettings

LIMIT = {"gpu": 1.0}
"""Signals that cannot exceed a bound whatever the forecast says."""

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What the controller remembers between cycles; a single run has none."""

    ledger: LedgerView | None = None
    in_flight: frozenset[str] = frozenset()  # uids of pods whose replacement is not ready yet
    moved_last_hour: int = 0
    moved_by: Mapping[str, int] = field(default_factory=dict)  # the same by the executor that did it
    trials: Mapping[str, tuple[Trial, ...]] = field(default_factory=dict)  # by strategy that is paused
    unproved: str = ""  # why landing cannot be directed, though it is installed

    @classmethod
    def of(cls, ledger: Ledger, now: float, unproved: str = "") -> Self:
        """What follows at `now` (unix seconds) from what was moved before."""
        return cls(
            ledger=ledger,
            in_flight=ledger.in_flight(now),
            moved_last_hour=ledger.moved_within(_HOUR, now),
            moved_by=ledger.moved_by(_HOUR, now),
            trials=ledger.trials(now),
            unproved=unproved,
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """A plan, and what the controller goes by that its document holds as texts alone.

    `problems` by kind; `without_history` has the strategies that did not run for want of it, in `by`. `unreadable`: all
    objects that cannot be read, a line each, of which the plan names the first.
    """

    plan: PlanDocument
    problems: tuple[Problem, ...] = ()
    without_history: tuple[Blocked, ...] = ()
    unreadable: tuple[str, ...] = ()

    @property
    def tells(self) -> bool:
        """Whether past moves can be judged by it: a plan that lacks data proves nothing about its findings."""
        return not self.plan.acting_blocked and all(one.kind is ProblemKind.OBJECT for one in self.problems)


def profile(
    observed: Observed,
    previous: Mapping[str, SignalProfiles] | None = None,
    *,
    refit: float = REFIT,
    race: bool = False,
    runner: ChunkRunner | None = None,
    stages: Stages = UNWATCHED,
) -> dict[str, SignalProfiles]:
    """Profiles of every signal; `runner` is where they are fitted, by default on all cores that are granted.

    `previous` ones are brought up to date, which is many times faster than to fit anew; each is due to be fitted again
    (`settled`) when its fit is about `refit` seconds old. `race` lets models race for the forecasts of single
    workloads: plans do without, people look at them, and what is published is made of them. `stages` hears how far
    it is.
    """
    stages.begin("forecasting")
    histories = with_shares(observed.histories, observed.snapshot)
    steps = sum(-(-len(history.keys) // ProfileSettings().chunk) for history in histories.values())
    runner = Counted(runner or Local(), lambda done: stages.at(done, steps))
    return {
        signal: brought_up_to_date(
            history, profile_settings(observed.snapshot, signal, race=race), (previous or {}).get(signal), refit, runner
        )
        for signal, history in sorted(histories.items())
    }


def settled(
    observed: Observed, profiles: Mapping[str, SignalProfiles], *, race: bool = False, runner: ChunkRunner | None = None
) -> dict[str, SignalProfiles]:
    """The profiles, with those fitted anew whose turn it is: for the next cycle, once this one's plan is made."""
    runner = runner or Local()
    histories = with_shares(observed.histories, observed.snapshot)
    return {
        signal: fits_settled(one, histories[signal], profile_settings(observed.snapshot, signal, race=race), runner)
        for signal, one in profiles.items()
    }


def profile_settings(snapshot: ClusterSnapshot, signal: str, *, race: bool = True) -> ProfileSettings:
    """How the profiles of a signal are built."""
    largest = machines(snapshot.nodes, RESOURCE.get(signal, signal)).max(initial=0.0) * JITTER
    absurd = min(largest or CEILING, CEILING)  # of what was kept or recorded before anybody looked at it so
    return ProfileSettings(limit=LIMIT.get(signal), absurd=absurd, likeness=_likeness(snapshot, signal), select=race)


def _likeness(snapshot: ClusterSnapshot, signal: str) -> dict[WorkloadKey, Likeness]:
    """What tells which workloads are alike: request of one replica, kind and image, as its first pod has them. Of
    nodes it is their size."""
    if signal in RESOURCE:
        sizes = machines(snapshot.nodes, RESOURCE[signal]).tolist()
        keys = (WorkloadKey("", "Node", node.name) for node in snapshot.nodes)
        return {key: Likeness(request=size, kind=key.kind) for key, size in zip(keys, sizes, strict=True)}
    columns = snapshot.columns
    column, unit = columns.resource(signal), 1000.0 if signal == "cpu" else 1.0
    workloads, first = np.unique(columns.pod_workload, return_index=True)
    specs = columns.pod_spec[first]
    requests = columns.spec_requests[specs, column] / unit if column >= 0 else np.zeros(len(specs))
    images = [spec.images[0] if spec.images else "" for spec in columns.specs]
    limits = [dict(spec.bounds).get(signal, math.inf) / unit for spec in columns.specs]
    return {
        (key := columns.workloads[at]): Likeness(request, key.kind, images[spec], limits[spec])
        for at, request, spec in zip(workloads.tolist(), requests.tolist(), specs.tolist(), strict=True)
    }


def planning_settings(policy: Policy, snapshot: ClusterSnapshot, unproved: str = "") -> PlanningSettings:
    """All that the policy says about planning, what its executors can and cannot do included. Raises ExecutorError.

    `unproved` says why landing cannot be directed, though it is installed.
    """
    traits = [_traits(one, snapshot) for one in executors_of(policy)]
    return settings_of(policy, snapshot, traits, unproved)


def _traits(one: ChosenExecutor, snapshot: ClusterSnapshot) -> ExecutorTraits:
    executor, args = one.executor, one.args
    limits = ExecutorLimits(args.at_once, args.per_cycle, args.per_hour)
    return ExecutorTraits(executor.name, executor.landing, one.filter(snapshot), executor.manner, limits)


def executors_of(policy: Policy) -> tuple[ChosenExecutor, ...]:
    """The executors that the policy names, the gentlest first. Raises ExecutorError."""
    return tuple(executor_of(policy, name) for name in policy.acting.named)


def executor_of(policy: Policy, name: str) -> ChosenExecutor:
    """The named executor, with its arguments in the policy. Raises ExecutorError."""
    return choose(name, policy.acting.executors.get(name))


def outcome_of(
    observed: Observed, policy: Policy, profiles: Mapping[str, SignalProfiles], memory: Memory | None = None
) -> Outcome:
    """The decision with everything behind it, for those who explain it."""
    memory = memory or Memory()
    given = input_of(
        policy,
        observed.snapshot,
        profiles,
        observed.now,
        ledger=memory.ledger,
        in_flight=memory.in_flight,
        moved_last_hour=memory.moved_last_hour,
        moved_by=memory.moved_by,
        histories=observed.histories,
    )
    settings = planning_settings(policy, observed.snapshot, memory.unproved)
    return decide(survey(given, settings), chosen(policy, memory.trials))


def decide_on(
    observed: Observed, policy: Policy, profiles: Mapping[str, SignalProfiles], memory: Memory | None = None
) -> Decision:
    """From what was seen to the plan, as people read it: with what the policy says, and how sure the forecasts are.
    Same input, same plan."""
    outcome = outcome_of(observed, policy, profiles, memory)
    made = decision_of(outcome)
    told = with_evidence(made.plan, outcome, partial(profile_settings, observed.snapshot))
    return replace(made, plan=replace(told, settings=setting_rows(policy)))


def decision_of(outcome: Outcome) -> Decision:
    """The same from the outcome."""
    given = outcome.context.given
    unreadable = (*given.snapshot.problems, *given.units.problems)
    return Decision(build_document(outcome), outcome.problems, outcome.without_history, unreadable)


def plan(observed: Observed, policy: Policy, profiles: Mapping[str, SignalProfiles] | None = None) -> PlanDocument:
    """The plan document by itself; profiles are made for it unless they are given."""
    return decide_on(observed, policy, profile(observed) if profiles is None else profiles).plan
