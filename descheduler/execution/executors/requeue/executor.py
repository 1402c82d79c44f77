"""The executor `requeue`: a whole job is stopped, and started again once its pods are gone, by its own field.

A job of kube-queue is started by that, once its QueueUnit waits again (`queue_units`), and one of Volcano is restarted
by one Command (`commands`).

| step                                         | a crash after it leaves                                           |
|----------------------------------------------|-------------------------------------------------------------------|
| the intent                                   | nothing but the intent                                            |
| taints or directions (`guidance`)            | what the intent names; whoever resumes takes it away              |
| the job is stopped, with a mark, in one write | the mark: whoever resumes starts it and counts its pods as moved |
| it is started and the mark taken, in one write | an open intent; there is nothing to take away any more          |

A job that is released, so that others start, is started again only once these have a node, or after `timeout`: whoever
resumes does not wait.

A job that somebody else has stopped stays so. These fields know no PodDisruptionBudget, so the Eviction API is asked
of every pod before, by a trial that evicts nothing, and what it answers decides.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from pydantic import Field

from descheduler.contract.types import Duration
from descheduler.execution.executors.eviction import PodEvictor
from descheduler.execution.executors.protocol import (
    ActingTools,
    DisruptionAnswer,
    DisruptionVerdict,
    ExecutorArgs,
    NotPrepared,
    PodFilter,
    UnitMover,
)
from descheduler.execution.executors.requeue.rules import BY, requeue_filter
from descheduler.execution.executors.requeue.stops import Stops
from descheduler.execution.executors.requeue.switches import SWITCHING, Target
from descheduler.execution.executors.requeue.target import locate, look, marked
from descheduler.execution.guidance import Guidance
from descheduler.execution.intents import Intent
from descheduler.execution.seats import unseated
from descheduler.kube.client.answers import missing_right
from descheduler.model.errors import ClusterError, Conflict, Throttled
from descheduler.model.landing_mode import LandingMode
from descheduler.model.manners import Manner
from descheduler.model.plan import Action, PodMove
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.rights import Right
from descheduler.model.snapshot import ClusterSnapshot

_DONE = DisruptionAnswer(DisruptionVerdict.DISRUPTED)


class RequeueArgs(ExecutorArgs):
    """Moving by stopping a whole job and starting it again."""

    timeout: Duration = Field(default=timedelta(minutes=5), ge=timedelta(seconds=1), le=timedelta(hours=1))
    """How long the pods of a job may take to end, and, where it is released, those to start for whom it is; then it is
    started again all the same."""


class Requeue:
    """Moves jobs that Kueue or kube-queue queues, and jobs of kinds that can be suspended or restarted as a whole."""

    name: ClassVar[str] = "requeue"
    landing: ClassVar[LandingMode] = LandingMode.PREDICTED
    kinds: ClassVar[tuple[str, ...]] = ()
    rights: ClassVar[tuple[Right, ...]] = SWITCHING
    manner: ClassVar[Manner] = Manner(
        steps=(
            "stop the whole job",
            "wait until all its pods are gone",
            "start it again",
            "it makes all its pods anew",
        ),
        kept="its place in the queue, and how often it may still fail (Volcano: neither; kube-queue: not the place)",
        whole=True,
        releases=True,
        holds_back=True,
    )
    Args: ClassVar[type[ExecutorArgs]] = RequeueArgs

    def filter(self, _: RequeueArgs, snapshot: ClusterSnapshot) -> PodFilter | None:
        return requeue_filter(snapshot)

    def mover(self, tools: ActingTools, args: RequeueArgs) -> UnitMover:
        return _Requeueing(tools, args)


@dataclass(slots=True)
class _Unit:
    """One job under way."""

    intent: Intent
    target: Target
    lock: threading.Lock = field(default_factory=threading.Lock)
    asked: bool = False  # to be restarted, by a write of which nothing is known
    over: bool = False  # stopped and started

    @property
    def moves(self) -> tuple[PodMove, ...]:
        return self.intent.action.pods


class _Requeueing:
    def __init__(self, tools: ActingTools, args: RequeueArgs) -> None:
        self._tools = tools
        self._transport = tools.writer.transport
        self._guidance = Guidance(tools)
        self._evictor = PodEvictor(tools)
        self._patience = args.timeout.total_seconds()
        self._stops = Stops(tools, self._patience)
        self._units: dict[str, _Unit] = {}  # by the uid of each pod
        self._untouched: set[str] = set()  # uids of jobs of which nothing was asked, or nothing any more

    def holds(self, _: Action) -> bool:
        return True

    def prepare(self, intent: Intent) -> NotPrepared | None:
        try:
            found = self._ready(intent)
        except ClusterError as error:
            return NotPrepared(_refusal(error))
        if isinstance(found, Blocked):
            return NotPrepared(found)
        self._units.update({move.uid: found for move in intent.action.pods})
        return self._guidance.give(intent.action)

    def disrupt(self, move: PodMove, *, dry_run: bool = False) -> DisruptionAnswer:
        if dry_run:
            return self._evictor.evict(move, dry_run=True)
        try:
            unit = self._units.get(move.uid)
            return self._left_over(move) if unit is None else self._restart(unit)
        except ClusterError as error:
            return _answer(error)

    def disrupted(self, move: PodMove) -> bool:
        if not self._evictor.is_there(move):
            return True
        target = locate(self._transport, move)
        if target is not None and target.switch.commanded:
            return self._taken_up(target, move)
        seen = None if target is None else look(self._transport, target)
        return seen is not None and seen.off and bool(seen.looks.marked_for)

    def release(self, closing: Sequence[Intent], still_open: Sequence[Intent]) -> None:
        for intent in closing:
            for target in list(marked(self._transport, intent)):
                self._stops.until_gone(target, intent.action.pods)
                self._stops.start(target, intent.key)
        self._guidance.take(closing, still_open)

    def _taken_up(self, target: Target, move: PodMove) -> bool:
        if target.uid in self._untouched:
            return False
        if self._stops.taken_up(target, move):
            return True
        self._untouched.add(target.uid)
        return False

    def _ready(self, intent: Intent) -> _Unit | Blocked:
        """The job of the unit, which may be stopped now; or why not."""
        first = intent.action.pods[0]
        target = locate(self._transport, first)
        if target is None:
            return Blocked(Reason.CHANGED, f"{first.namespace}/{first.pod}", "it is gone, or nothing stops it")
        why = self._stops.against(target)
        return Blocked(Reason.EXECUTOR, BY, why) if why else _Unit(intent, target)

    def _restart(self, unit: _Unit) -> DisruptionAnswer:
        """Stop and start the whole job, once, whichever of its pods it is asked for."""
        with unit.lock:
            if unit.over:
                return _DONE
            answer = self._stop(unit)
            if answer is not None:
                return answer
            acted = self._stops.until_gone(unit.target, unit.moves)
            if acted:
                unseated(self._tools, unit.intent.action, self._patience)
            self._stops.start(unit.target, unit.intent.key)
            if not acted:
                text = f"{unit.target}: its controller took no pod away"
                return DisruptionAnswer(DisruptionVerdict.REFUSED, Blocked(Reason.EXECUTOR, BY, text))
            unit.over = True
            return _DONE

    def _stop(self, unit: _Unit) -> DisruptionAnswer | None:
        """Stop it, unless it is stopped already; or say why it is not."""
        if unit.asked:
            return None
        seen = look(self._transport, unit.target)
        if seen is None or seen.looks.marked_for != unit.intent.key:
            for move in unit.moves:
                answer = self._evictor.evict(move, dry_run=True)
                if answer.verdict is not DisruptionVerdict.DISRUPTED:
                    return answer if not answer.disrupted else _gone(move)
        try:
            why = self._stops.stop(unit.target, unit.intent.key)
        except ClusterError as error:
            unit.asked = unit.target.switch.commanded and not error.refused
            raise
        return DisruptionAnswer(DisruptionVerdict.REFUSED, Blocked(Reason.EXECUTOR, BY, why)) if why else None

    def _left_over(self, move: PodMove) -> DisruptionAnswer:
        """What is said of a pod of a unit that somebody else began: its job is not stopped a second time for it."""
        if self.disrupted(move):
            return _DONE
        text = "its job was started again while it was still there"
        blocked = Blocked(Reason.CHANGED, f"{move.namespace}/{move.pod}", text)
        return DisruptionAnswer(DisruptionVerdict.REFUSED, blocked)


def _gone(move: PodMove) -> DisruptionAnswer:
    blocked = Blocked(Reason.CHANGED, f"{move.namespace}/{move.pod}", "the pod is gone")
    return DisruptionAnswer(DisruptionVerdict.REFUSED, blocked)


def _refusal(error: ClusterError) -> Blocked:
    return missing_right(error) or Blocked(Reason.API_REFUSED, BY, str(error))


def _answer(error: ClusterError) -> DisruptionAnswer:
    """What an error of the server means for a job: every step can be done again."""
    verdict = DisruptionVerdict.REFUSED if error.refused else DisruptionVerdict.UNKNOWN
    return DisruptionAnswer(
        verdict, _refusal(error), retryable=isinstance(error, Conflict | Throttled) or not error.refused
    )
