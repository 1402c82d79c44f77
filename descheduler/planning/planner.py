"""From what was seen and a policy to a plan: the same for a dry run and for acting.

Strategies propose, the prover judges, best worth for its cost first; a run of proposals is accepted together or not at
all. What was refused is taken off the table and the
strategies are asked again on the state reached so far, so that a pod held by its budget does not leave a node hot when
its neighbour may go. Rounds are few and bounded; everything is ordered, so the same input gives the same plan.

Strategies of a lower order come first, in rounds of their own, and those after them see the state that they leave: so
nobody cures what an earlier move has cured already.

What the policy wants reported alone is asked last, and judged like the others on a state that nobody else sees: the
plan says what would be done, and does nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from descheduler.contract import RebalanceView, Run, Scenario, Strategy, StrategyArgs, order_of, ranked
from descheduler.model.errors import StrategyError
from descheduler.model.fence import fenced, in_words
from descheduler.model.moves import ActionKind, Finding, FindingKey, Observation, Proposal, Tried
from descheduler.model.plan import LeverRow
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning.apart import waves_of
from descheduler.planning.conformance import fault
from descheduler.planning.context import PlanningContext
from descheduler.planning.crossings import Crossings
from descheduler.planning.levers import LIMITS, Held, levers
from descheduler.planning.problems import Problem, ProblemKind
from descheduler.planning.proofs import Accepted
from descheduler.planning.prover import Prover
from descheduler.planning.sources import missing
from descheduler.planning.trials import Trial, Trials

OVER = frozenset({Reason.CYCLE_LIMIT, Reason.HOUR_LIMIT})
"""Limits of the whole cycle: once one is reached, asking again would change nothing."""
_NAMED = 4  # pods that are named of what would be done
MOST_BEYOND = 128
"""Runs over the limit of the cycle that are proved all the same, for the report; those after them are not."""


@dataclass(frozen=True, slots=True)
class ChosenStrategy:
    """A use of a strategy that the policy makes; with `trials` when the ledger says that its moves miss. What it
    proposes is only told where it is `reported`.

    All that is said of it goes by its `name`, the strategy's own unless given: a policy may use a strategy twice.
    """

    strategy: Strategy[Any]
    args: StrategyArgs
    trials: tuple[Trial, ...] = ()
    name: str = ""
    reported: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.strategy.name)


@dataclass(frozen=True, slots=True)
class Refused:
    """A proposal or observation that came to nothing; `tried` as in an observation."""

    finding: Finding
    blocked: Blocked
    pods: tuple[int, ...] = ()
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was decided, with all that it rests on; a plan document is made of it.

    `waves` has the wave of each of `accepted`, from 0. `observed` are the findings that strategies left alone, `final`
    is the state with the whole plan done.
    """

    context: PlanningContext
    findings: Mapping[FindingKey, Finding]
    accepted: tuple[Accepted, ...]
    waves: tuple[int, ...]
    refused: tuple[Refused, ...]
    observed: Mapping[FindingKey, Refused]
    final: Scenario
    problems: tuple[Problem, ...]
    without_history: tuple[Blocked, ...] = ()  # the strategies that did not run for want of it, in `by`
    chosen: tuple[ChosenStrategy, ...] = ()  # the uses of strategies that the policy asks for
    levers: tuple[LeverRow, ...] = ()  # limits that held findings back, and what larger ones would bring

    @property
    def view(self) -> RebalanceView:
        """What strategies were shown at first."""
        return self.context.view


def decide(context: PlanningContext, chosen: Sequence[ChosenStrategy]) -> Outcome:
    """Make the plan. Raises nothing for bad data or a failing strategy: both are part of the outcome."""
    rounds = _Rounds(context, {one.name: one.trials for one in chosen})
    if not context.stops:
        rounds.run([one for one in chosen if not one.reported])
        rounds.rehearse([one for one in chosen if one.reported])
    accepted = tuple(rounds.prover.accepted)
    waves = waves_of(context.budgets, accepted, context.settings.landing, context.evicting)
    return Outcome(
        context=context,
        findings=rounds.findings,
        accepted=accepted,
        waves=tuple(waves),
        refused=tuple(rounds.refused),
        observed={key: seen for found in rounds.observed.values() for key, seen in found.items()},
        final=rounds.prover.state,
        problems=(*context.problems, *rounds.problems, *_unplaceable(rounds.prover.state)),
        without_history=tuple(rounds.without_history),
        chosen=tuple(chosen),
        levers=levers(rounds.prover, rounds.held),
    )


@dataclass(frozen=True, slots=True)
class _Answers:
    """What one strategy answered in one round."""

    by: ChosenStrategy
    proposals: list[Proposal]
    observed: dict[FindingKey, Refused]


class _Rounds:
    """One plan in the making: what strategies answered, and what came of it."""

    def __init__(self, context: PlanningContext, trials: Mapping[str, Sequence[Trial]]) -> None:
        self.prover = Prover(context)
        self._crossings = Crossings(context.view.snapshot)
        self.findings: dict[FindingKey, Finding] = {}
        self.refused: list[Refused] = []
        self.held: list[Held] = []
        self.observed: dict[int, dict[FindingKey, Refused]] = {}  # what each strategy left alone when it was asked last
        self.problems: list[Problem] = []
        self.without_history: list[Blocked] = []
        self._context = context
        self._trials = Trials(trials, context.view)
        self._tabled = np.ones(len(context.view.snapshot.pods), np.bool_)  # [P] nothing with them was refused
        self._granted: list[Proposal] = []
        self._beyond = 0  # runs that a limit of the whole cycle refused
        self._closed: Blocked | None = None  # the limit of the cycle that not one pod more goes through

    def run(self, chosen: Sequence[ChosenStrategy]) -> None:
        """Those of one order together, the lowest first, each on the state that those before it leave."""
        for _, group in groupby(sorted(self._ready(chosen), key=_order), _order):
            self._tabled[:] = True
            self._tabled[[move.pod for proposal in self._granted for move in proposal.moves]] = False
            self._settle(list(group))

    def rehearse(self, chosen: Sequence[ChosenStrategy]) -> None:
        """Ask these after all others: what would be done about their findings is told, and nothing is."""
        real, held = self.prover, list(self.held)
        self.prover = real.fork()
        self.run(chosen)
        would: dict[FindingKey, list[Accepted]] = {}
        for one in self.prover.accepted[len(real.accepted) :]:
            would.setdefault(one.proposal.finding.key, []).append(one)
        snapshot = self._context.view.snapshot
        self.observed[id(self)] = {key: _told(snapshot, accepted) for key, accepted in would.items()}
        self.prover, self.held = real, held

    def _settle(self, ready: list[ChosenStrategy]) -> None:
        """Ask, judge, and ask those of whom something was refused again, without what was refused.

        Those after them see the rest: whoever moves already cannot move once more, whoever was refused may.
        """
        for _ in range(self._context.settings.rounds):
            answers = self._ask(ready)
            self.observed.update({id(one.by): one.observed for one in answers})
            proposals = [proposal for one in answers for proposal in one.proposals]
            refused = self._judge(proposals)
            granted = [proposal for proposal in proposals if id(proposal) not in refused]
            self._granted += granted
            # A pod that is removed stands in the state as before, and is not to be removed once more.
            removed = [move.pod for one in granted if one.kind is ActionKind.REMOVE for move in one.moves]
            self._tabled[removed] = False
            again = {id(p) for p in proposals if id(p) in refused and self._trials.refusal((p,)) is None}
            if not again or self._beyond:
                break
            ready = [one.by for one in answers if any(id(proposal) in again for proposal in one.proposals)]
            self._tabled[[pod for one in refused.values() for pod in one.pods]] = False

    def _ready(self, chosen: Sequence[ChosenStrategy]) -> list[ChosenStrategy]:
        """Strategies that may run: with the history that they need."""
        ready: list[ChosenStrategy] = []
        for one in chosen:
            name = one.name
            lacking = missing(one.strategy.signals, self._context.sources.usable)
            if not lacking:
                ready.append(one)
                continue
            blocked = Blocked(Reason.DATA_MISSING, name, f"no usable history of {', '.join(lacking)}")
            self.without_history.append(blocked)
            finding = Finding(name, Subject(SubjectKind.STRATEGY, name), "", 0.0, 0.0, f"strategy {name} did not run")
            self.refused.append(Refused(finding, blocked))
        return ready

    def _view(self, one: ChosenStrategy) -> RebalanceView:
        """What a strategy is shown in this round."""
        view = self._context.view_of(one.name)
        return replace(
            view,
            movable=view.movable & self._tabled,
            removable=view.removable & self._tabled,
            releasable=view.releasable & self._tabled,
            start=self.prover.state,
            granted=tuple(self._granted),
            use=one.name,
        )

    def _ask(self, chosen: Sequence[ChosenStrategy]) -> list[_Answers]:
        """What the strategies say now; one that raises is named, and the others go on."""
        out: list[_Answers] = []
        for one in chosen:
            answers = _guarded(one, self._view(one))
            if isinstance(answers, StrategyError):
                self._add(Problem(ProblemKind.STRATEGY, str(answers), one.name))
                continue
            found = _Answers(one, [], {})
            for answer in _by_name_of_use(one, answers):
                finding = answer.finding
                self.findings.setdefault(finding.key, finding)
                if isinstance(answer, Observation):
                    self._report(answer.blocked, finding)
                    found.observed[finding.key] = Refused(finding, answer.blocked, answer.pods, answer.tried)
                else:
                    found.proposals.append(answer)
            out.append(found)
        return out

    def _unproved(self, proposal: Proposal, why: str) -> Blocked:
        """The refusal of a proposal that the proof could not be done for; the others are judged all the same."""
        blocked = Blocked(Reason.STRATEGY_FAILED, str(proposal.finding.subject), f"no proof: {why}")
        self._report(blocked, proposal.finding)
        return blocked

    def _report(self, blocked: Blocked, finding: Finding) -> None:
        """What went wrong with one object is a problem, and that object's alone."""
        if blocked.reason is Reason.STRATEGY_FAILED:
            text = f"{finding.strategy}: {finding.subject}: {blocked.detail}"
            self._add(Problem(ProblemKind.OBJECT, text, finding.strategy))

    def _add(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def _judge(self, proposals: Sequence[Proposal]) -> dict[int, Refused]:
        """Judge all, in the order of their rank, what is on trial after the others; what was refused, by identity of
        the proposal."""
        refused: dict[int, Refused] = {}
        known = {(one.reason, one.run[0].finding.key) for one in self.held}  # of which this round has other ways only
        runs = ranked(proposals, self._context.view.costs)
        others = [run for run in runs if not self._trials.concern(run)]
        for run in (*others, *self._trials.surest_first(runs, self.prover.share)):
            found = self._judge_run(run)
            if found is not None:
                self.refused.append(found)
                reason = found.blocked.reason
                if reason in LIMITS and (reason, found.finding.key) not in known:
                    self.held.append(Held(run, reason))
                refused.update(dict.fromkeys(map(id, run), found))
        return refused

    def _judge_run(self, run: Run) -> Refused | None:
        """Accept all of a run, or say which of it was refused first, and change nothing."""
        paused = self._trials.refusal(run)
        if paused is not None:
            return Refused(run[0].finding, paused, tuple(move.pod for one in run for move in one.moves))
        only = run[0] if len(run) == 1 and run[0].kind is ActionKind.REMOVE else None
        if only is not None and self._closed is not None:
            return Refused(only.finding, self._closed, tuple(move.pod for move in only.moves))
        # One removal is accepted or changes nothing, so that it needs no copy of all that is accepted.
        prover, accepted = self.prover if only is not None else self.prover.fork(), list[Accepted]()
        hopeless = self._beyond >= MOST_BEYOND
        for proposal in run:
            verdict = (hopeless and prover.beyond(proposal, OVER)) or self._verdict(prover, proposal)
            if isinstance(verdict, Blocked):
                over = verdict.reason in OVER
                self._beyond += over
                if over and only is not None and len(only.moves) == 1:
                    self._closed = verdict
                concerned = run if over else (proposal,)  # who is too many is all of it
                pods = tuple(move.pod for one in concerned for move in one.moves)
                return Refused(proposal.finding, verdict, pods)
            accepted += verdict
        self.prover = prover
        self._crossings.note(accepted)
        self._trials.spend(run)
        return None

    def _verdict(self, prover: Prover, proposal: Proposal) -> tuple[Accepted, ...] | Blocked:
        """The prover's, if no pod then crosses one that the plan moves already."""
        verdict = fenced(partial(prover.judge, proposal), partial(self._unproved, proposal))
        return verdict if isinstance(verdict, Blocked) else self._crossings.met(verdict) or verdict


def _told(snapshot: ClusterSnapshot, accepted: Sequence[Accepted]) -> Refused:
    """What would have been done about one finding."""
    finding = accepted[0].proposal.finding
    pods = tuple(move.pod for one in accepted for move in one.proposal.moves)
    who = ", ".join(snapshot.pods[pod].key for pod in pods[:_NAMED])
    more = f" and {len(pods) - _NAMED} more" if len(pods) > _NAMED else ""
    notes = "; ".join(dict.fromkeys(one.proposal.note for one in accepted if one.proposal.note))
    done = {one.kind for one in accepted}
    verb = "move" if done == {ActionKind.MOVE} else "disrupt"
    text = f"it would {verb} {who}{more}{f' ({notes})' if notes else ''}"
    return Refused(finding, Blocked(Reason.REPORT_ONLY, finding.strategy, text), pods)


def _order(one: ChosenStrategy) -> int:
    return order_of(one.strategy)


def _unplaceable(state: Scenario) -> Iterator[Problem]:
    """Pods of which it could not be said where they might go."""
    return (Problem(ProblemKind.OBJECT, text) for text in state.problems)


def _guarded(one: ChosenStrategy, view: RebalanceView) -> list[Proposal | Observation] | StrategyError:
    # A strategy is foreign code: whatever it raises or answers must not take the others down with it.
    try:
        answers = list(one.strategy.propose(view, one.args))
    except Exception as error:  # noqa: BLE001
        return StrategyError(one.name, f"raised {in_words(error)}")
    wrong = next((text for a in answers if (text := fault(a, view.snapshot))), "")
    return StrategyError(one.name, wrong) if wrong else answers


def _by_name_of_use(one: ChosenStrategy, answers: Sequence[Proposal | Observation]) -> Iterator[Proposal | Observation]:
    """The answers with findings that go by the name of the use; a strategy knows its own name only."""
    if one.name == one.strategy.name:
        yield from answers
        return
    renamed: dict[int, Finding] = {}  # by identity: proposals that answer the same finding go on sharing it
    for answer in answers:
        finding = renamed.setdefault(id(answer.finding), replace(answer.finding, strategy=one.name))
        yield replace(answer, finding=finding)
