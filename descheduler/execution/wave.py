"""One wave: every unit of it is checked by the server first, then moved whole.

| step                                         | what it is for                                               |
|----------------------------------------------|--------------------------------------------------------------|
| preflight: dryRun=All, units of several pods | a unit with one refusal is not begun                         |
| intents, but for pods that are over          | what is about to be done is written down, in one write       |
| preparing, by the executor                   | the replacements land as planned                             |
| openers: one pod of each unit                | a budget that closed meanwhile costs nothing yet             |
| the rest, in parallel                        | those under one budget one after the other (`queues`)        |
| stragglers                                   | a unit that is begun is finished, against closed budgets too |
| releasing, intents closed, by the caller     | but those of units that could not be finished in time        |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from descheduler.execution.context import ExecutionContext
from descheduler.execution.executors.protocol import DisruptionAnswer, DisruptionVerdict
from descheduler.execution.intents import Intent
from descheduler.execution.queues import Workers
from descheduler.execution.unit_run import UnitRun
from descheduler.kube.client.backoff import Backoff
from descheduler.model.plan import PodMove
from descheduler.model.reasons import Blocked, Reason

__all__ = ["Workers", "finish", "run_wave"]


def run_wave(context: ExecutionContext, workers: Workers, plan: str, units: Sequence[UnitRun]) -> tuple[Intent, ...]:
    """Take the units through all stations but the last; what became of each is in it afterwards.

    Returns the intents to close once what was done is remembered. Raises LeadershipLost (whoever leads now resumes by
    the intents) and ClusterError when the intents cannot be written; the units then say how far they came.
    """
    _preflight(context, workers, [u for u in units if len(u.action.pods) > 1 or _holds(context, u)])
    units = [u for u in units if not u.hopeless]
    closed = context.closed if units else None
    if closed is not None:
        for unit in units:
            unit.refused = closed
    if not units or closed is not None:
        return ()
    intents = {u.action.id: Intent.of(plan, u.action, context.clock.wall()) for u in units if not u.quiet}
    announced = context.intents.open(intents.values())
    for unit in units:
        if not unit.quiet and intents[unit.action.id].key not in announced:
            unit.refused = Blocked(Reason.TOO_LARGE, unit.action.unit, f"{len(unit.action.pods)} pods")
    units = [u for u in units if not u.hopeless]
    for unit in units:
        unit.since = intents[unit.action.id].at if context.in_full(unit.action.executor) else 0.0
    _prepare(context, workers, [u for u in units if _holds(context, u)], intents)
    _open(context, workers, [u for u in units if not u.hopeless])
    _disrupt(context, workers, [(u, move) for u in units if u.begun for move in u.left])
    finish(context, workers, units)
    return tuple(intents[u.action.id] for u in units if u.settled and not u.quiet)


def finish(context: ExecutionContext, workers: Workers, units: Iterable[UnitRun], *, patient: bool = True) -> None:
    """Insist on every unit that is begun and not done, until the deadline, which is near where nobody is `patient`."""
    began = context.clock.steady()
    backoff = Backoff(context.rng, first=context.limits.budget_retry, longest=10.0, growth=1.5, jitter=(0.8, 1.2))
    while broken := [u for u in units if u.begun and u.left]:
        for unit in broken:
            unit.raced = unit.raced or any(_over_budget(unit, move) for move in unit.left)
        hurried = context.stopping() or not patient
        allowed = context.limits.finish_on_stop if hurried else context.limits.finish
        if context.clock.steady() - began >= allowed:
            return
        context.clock.sleep(backoff.failure())
        _disrupt(context, workers, [(unit, move) for unit in broken for move in unit.left])


def _holds(context: ExecutionContext, unit: UnitRun) -> bool:
    return context.mover(unit.action.executor).holds(unit.action)


def _preflight(context: ExecutionContext, workers: Workers, units: Sequence[UnitRun]) -> None:
    """Let the server try every disruption without doing it; a unit is refused by the first pod that is.

    A single pod for which nothing is prepared needs no trial: where its disruption is refused, nothing was done.
    """
    answers: dict[str, DisruptionAnswer] = {}

    def ask(pair: tuple[UnitRun, PodMove]) -> None:
        unit, move = pair
        answers[move.uid] = context.mover(unit.action.executor).disrupt(move, dry_run=True)

    pairs = [(unit, move) for unit in units for move in unit.action.pods]
    workers.each(pairs, ask, lambda pair: pair[1].uid)
    for unit, move in pairs:
        unit.refused = unit.refused or _foreseen(move, answers[move.uid])


def _foreseen(move: PodMove, answer: DisruptionAnswer) -> Blocked | None:
    if answer.verdict is DisruptionVerdict.GONE:
        return Blocked(Reason.CHANGED, f"{move.namespace}/{move.pod}", "the pod is gone")
    return answer.blocked


def _prepare(
    context: ExecutionContext, workers: Workers, units: Sequence[UnitRun], intents: Mapping[str, Intent]
) -> None:
    """Prepare the units; one that could not be is refused."""

    def prepare(unit: UnitRun) -> None:
        unit.refused = context.closed
        if unit.refused is not None:
            return
        failed = context.mover(unit.action.executor).prepare(intents[unit.action.id])
        if failed is not None:
            unit.refused, unit.unsure = failed.blocked, not failed.certain

    workers.each(units, prepare, lambda unit: unit.action.id)


def _open(context: ExecutionContext, workers: Workers, units: Sequence[UnitRun]) -> None:
    """Disrupt one pod of each unit; a unit whose first pod is refused stays untouched, and one that may not begin."""
    may_begin: list[UnitRun] = []

    def disrupt(unit: UnitRun) -> None:
        context.rate.take()  # whoever waited for the rate asks after it
        unit.refused = context.closed
        if unit.refused is None:
            may_begin.append(unit)
            _disrupt_one(context, unit, unit.action.pods[0])

    workers.each(units, disrupt, lambda unit: _queue(workers, unit.action.pods[0]))
    for unit in may_begin:
        first, answer = unit.action.pods[0], unit.answers[unit.action.pods[0].uid]
        if len(unit.action.pods) == 1 and answer.verdict is DisruptionVerdict.GONE and answer.attempts == 1:
            unit.disrupted_at.clear()  # somebody else's doing
            unit.refused = _foreseen(first, answer)
        elif not unit.begun:
            unit.refused = answer.blocked


def _disrupt(context: ExecutionContext, workers: Workers, pairs: Sequence[tuple[UnitRun, PodMove]]) -> None:
    def one(pair: tuple[UnitRun, PodMove]) -> None:
        context.rate.take()
        _disrupt_one(context, *pair)

    workers.each(pairs, one, lambda pair: _queue(workers, pair[1]))


def _disrupt_one(context: ExecutionContext, unit: UnitRun, move: PodMove) -> None:
    unit.record(move, context.mover(unit.action.executor).disrupt(move), context.clock.wall())


def _queue(workers: Workers, move: PodMove) -> str:
    """Pods under one budget wait for one another."""
    return workers.budgets.get(move.uid, move.uid)


def _over_budget(unit: UnitRun, move: PodMove) -> bool:
    answer = unit.answers.get(move.uid)
    return answer is not None and answer.blocked is not None and answer.blocked.reason is Reason.DISRUPTION_BUDGET
