"""One wave: every unit of it is checked by the server first, then evicted whole.

| step                                         | what it is for                                               |
|----------------------------------------------|--------------------------------------------------------------|
| preflight: dryRun=All, units of several pods | a unit with one refusal is not begun                         |
| intents                                      | what is about to be done is written down, in one write       |
| taints, where the units steer                | their nodes become less welcome to the replacements          |
| openers: one pod of each unit                | a budget that closed meanwhile costs nothing yet             |
| the rest, in parallel                        | those under one budget one after the other (`lanes`)         |
| stragglers                                   | a unit that is begun is finished, against closed budgets too |
| taints away and intents closed, by the caller | but those of units that could not be finished in time       |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor as Pool
from dataclasses import dataclass, field
from random import Random

from descheduler.apiwrite.clock import Clock
from descheduler.execution.executors.eviction import EvictionAnswer, EvictionVerdict, PodEvictor
from descheduler.execution.intents import Intent, IntentStore
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.queues import in_lanes
from descheduler.execution.steering import Steering, is_certain, refusal
from descheduler.execution.unit_run import UnitRun
from descheduler.model.errors import ClusterError
from descheduler.model.plan import PodMove
from descheduler.model.reasons import Blocked, Reason

_LONGEST_RETRY = 10.0


@dataclass(frozen=True, slots=True)
class Tools:
    """What a wave works with. `stopping` says whether the process was asked to end; `budgets` by which budget each pod
    is covered, by uid, as far as that is known.
    """

    evictor: PodEvictor
    intents: IntentStore
    steering: Steering
    pool: Pool
    clock: Clock
    rng: Random
    limits: ExecutionLimits
    stopping: Callable[[], bool]
    budgets: Mapping[str, str] = field(default_factory=dict)


def run_wave(tools: Tools, plan: str, units: Sequence[UnitRun]) -> tuple[Intent, ...]:
    """Take the units through all stations but the last; what became of each is in it afterwards.

    Returns the intents to close once what was done is remembered. Raises LeadershipLost (whoever leads now resumes by
    the intents) and ClusterError when the intents cannot be written; the units then say how far they came.
    """
    _preflight(tools, [u for u in units if len(u.action.pods) > 1 or u.action.steer])
    units = [u for u in units if not u.hopeless]
    if not units or tools.stopping():
        return ()
    intents = {u.action.id: Intent.of(plan, u.action, tools.clock.wall()) for u in units}
    tools.intents.open(intents.values())
    _steer(tools, units)
    _open(tools, [u for u in units if not u.hopeless])
    _evict(tools, [(u, move) for u in units if u.begun for move in u.left])
    finish(tools, units)
    return tuple(intents[u.action.id] for u in units if u.settled)


def finish(tools: Tools, units: Iterable[UnitRun]) -> None:
    """Insist on every unit that is begun and not done, until the deadline."""
    began = tools.clock.steady()
    wait = tools.limits.budget_retry
    while broken := [u for u in units if u.begun and u.left]:
        for unit in broken:
            unit.raced = unit.raced or any(_over_budget(unit, move) for move in unit.left)
        allowed = tools.limits.finish_on_stop if tools.stopping() else tools.limits.finish
        if tools.clock.steady() - began >= allowed:
            return
        tools.clock.sleep(min(wait, _LONGEST_RETRY) * tools.rng.uniform(0.8, 1.2))
        wait *= 1.5
        _evict(tools, [(unit, move) for unit in broken for move in unit.left])


def _preflight(tools: Tools, units: Sequence[UnitRun]) -> None:
    """Let the server try every eviction without doing it; a unit is refused by the first pod that is.

    A single pod needs no trial: where its eviction is refused, nothing was done.
    """

    answers: dict[str, EvictionAnswer] = {}

    def ask(move: PodMove) -> None:
        answers[move.uid] = tools.evictor.evict(move, dry_run=True)

    moves = [move for unit in units for move in unit.action.pods]
    in_lanes(tools.pool, tools.limits.max_parallel, moves, lambda move: move.uid, ask)
    for unit in units:
        for move in unit.action.pods:
            unit.refused = unit.refused or _foretold(move, answers[move.uid])


def _foretold(move: PodMove, answer: EvictionAnswer) -> Blocked | None:
    if answer.verdict is EvictionVerdict.GONE:
        return Blocked(Reason.CHANGED, f"{move.namespace}/{move.pod}", "the pod is gone")
    return answer.blocked


def _steer(tools: Tools, units: Sequence[UnitRun]) -> None:
    """Taint the nodes that the units are steered away from; a unit is refused whose nodes could not all be tainted."""
    failed: dict[str, ClusterError] = {}

    def taint(node: str) -> None:
        try:
            tools.steering.taint(node)
        except ClusterError as error:
            failed[node] = error

    nodes = sorted({node for unit in units for node in unit.action.steer})
    in_lanes(tools.pool, tools.limits.max_parallel, nodes, lambda node: node, taint)
    for unit in units:
        for node in unit.action.steer:
            if node in failed:
                unit.refused = unit.refused or refusal(node, failed[node])
                unit.unsure = unit.unsure or not is_certain(failed[node])


def _open(tools: Tools, units: Sequence[UnitRun]) -> None:
    """Evict one pod of each unit; a unit whose first pod is refused stays untouched."""
    _evict(tools, [(u, u.action.pods[0]) for u in units])
    for unit in units:
        first, answer = unit.action.pods[0], unit.answers[unit.action.pods[0].uid]
        if len(unit.action.pods) == 1 and answer.verdict is EvictionVerdict.GONE and answer.attempts == 1:
            unit.evicted_at.clear()  # somebody else's doing
            unit.refused = _foretold(first, answer)
        elif not unit.begun:
            unit.refused = answer.blocked


def _evict(tools: Tools, pairs: Sequence[tuple[UnitRun, PodMove]]) -> None:
    def one(pair: tuple[UnitRun, PodMove]) -> None:
        unit, move = pair
        unit.record(move, tools.evictor.evict(move), tools.clock.wall())

    def lane(pair: tuple[UnitRun, PodMove]) -> str:
        return tools.budgets.get(pair[1].uid, pair[1].uid)

    in_lanes(tools.pool, tools.limits.max_parallel, pairs, lane, one)


def _over_budget(unit: UnitRun, move: PodMove) -> bool:
    answer = unit.answers.get(move.uid)
    return answer is not None and answer.blocked is not None and answer.blocked.reason is Reason.DISRUPTION_BUDGET


def interrupted(tools: Tools, intent: Intent) -> UnitRun:
    """The unit of an open intent, with what the cluster says of each pod. Raises ClusterError when it does not say."""
    unit = UnitRun(intent.action, resumed=True)
    for move in intent.action.pods:
        if not tools.evictor.is_there(move):
            unit.evicted_at[move.uid] = intent.at
    return unit
