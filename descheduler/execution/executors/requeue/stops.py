"""Stopping one target, waiting until its pods are gone, and starting it again: whatever happens in between, it is
started again, by whoever finds our mark on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from descheduler.apiwrite.conflicts import until_written
from descheduler.apiwrite.writer import read_pod
from descheduler.execution.executors.protocol import ActingTools
from descheduler.execution.executors.requeue import commands
from descheduler.execution.executors.requeue.fitness import held, unfit
from descheduler.execution.executors.requeue.queue_units import enqueue, units_of
from descheduler.execution.executors.requeue.switches import WORKLOAD, Target
from descheduler.execution.executors.requeue.target import Seen, look, turn
from descheduler.kube.client.backoff import Backoff
from descheduler.model.errors import ClusterError
from descheduler.model.plan import PodMove

T = TypeVar("T")
_LOOK = 0.5  # seconds between two looks, at most
_TRIES = 5  # at starting what is stopped, where the server does not answer
_ATTEMPTS = 20  # at writing what its controllers write too
_PROMPT = 3.0  # seconds within which Volcano's controller does what it took up


class Stops:
    """Its methods raise ClusterError's kinds, those that write LeadershipLost."""

    def __init__(self, tools: ActingTools, timeout: float) -> None:
        self._tools = tools
        self._timeout = timeout

    def against(self, target: Target) -> str:
        """Why it is not stopped as it is now, empty where it may be."""
        return self._against(target, look(self._tools.writer.transport, target))

    def stop(self, target: Target, key: str) -> str:
        """Stop it for the intent of that key, once; or say why it is not."""
        return _written(lambda: self._stop(target, key))

    def start(self, target: Target, key: str) -> None:
        """Start it, if it is stopped for the intent of that key; what somebody else has stopped stays so. Where it
        was asked to be restarted, it is asked no more.

        It insists for a while where the server does not answer.
        """
        backoff = Backoff(self._tools.rng, first=0.5, longest=5.0, jitter=(1.0, 1.25))
        for left in reversed(range(_TRIES)):
            try:
                return _written(lambda: self._start(target, key))
            except ClusterError as error:
                if error.refused or not left:
                    raise
            self._tools.clock.sleep(backoff.failure())
        return None

    def until_gone(self, target: Target, moves: Sequence[PodMove]) -> bool:
        """Wait until its pods are gone and Kueue has given back what they had, or for as long as that may take;
        whether any of them has gone or is going."""
        clock, left, acted = self._tools.clock, list(moves), False
        deadline = clock.steady() + self._timeout
        while True:
            left, acted = self._left(left, acted)
            if not left and self._given_back(target):
                return True
            if self._tools.closed() is not None:
                deadline = min(deadline, clock.steady() + self._tools.limits.finish_on_stop)
            if clock.steady() >= deadline:
                return acted
            clock.sleep(min(_LOOK, self._tools.limits.observe_every))

    def taken_up(self, target: Target, move: PodMove) -> bool:
        """Whether a Command for it was taken up, so that this pod is gone or going; else it is there no more."""
        if commands.withdraw(self._tools.writer, target):
            return False
        clock = self._tools.clock
        deadline = clock.steady() + _PROMPT
        while True:
            there = read_pod(self._tools.writer.transport, move.namespace, move.pod)
            if there is None or there.uid != move.uid or there.deletion_timestamp is not None:
                return True
            if clock.steady() >= deadline:
                return False
            clock.sleep(min(_LOOK, self._tools.limits.observe_every))

    def _left(self, moves: list[PodMove], acted: bool) -> tuple[list[PodMove], bool]:
        """Those of the pods that are there, as far as it takes to see that some are; and whether any is going."""
        while moves:
            try:
                there = read_pod(self._tools.writer.transport, moves[-1].namespace, moves[-1].pod)
            except ClusterError:
                return moves, acted  # the next look may see; the deadline bounds how many there are
            if there is not None and there.uid == moves[-1].uid:
                return moves, acted or there.deletion_timestamp is not None
            moves, acted = moves[:-1], True
        return moves, acted

    def _given_back(self, target: Target) -> bool:
        if target.switch is not WORKLOAD:
            return True
        try:
            seen = look(self._tools.writer.transport, target)
        except ClusterError:
            return False
        return seen is None or not seen.looks.holds("QuotaReserved")

    def _stop(self, target: Target, key: str) -> str:
        seen = look(self._tools.writer.transport, target)
        if seen is not None and seen.off and seen.looks.marked_for == key:
            return ""
        why = self._against(target, seen)
        if why or seen is None:
            return why
        if target.switch.commanded:
            commands.ask(self._tools.writer, target, key)
            return ""
        after = turn(self._tools.writer, target, seen, key, off=True)
        if after.off:
            return ""
        turn(self._tools.writer, target, after, off=False)  # of a version that knows no such field
        return f"{target}: its version cannot be stopped"

    def _start(self, target: Target, key: str) -> None:
        writer = self._tools.writer
        if target.switch.commanded:
            commands.withdraw(writer, target)
            return
        seen = look(writer.transport, target)
        if seen is None or seen.looks.marked_for != key:
            return
        units = units_of(writer.transport, target)
        for unit in units if seen.off else ():
            enqueue(writer, unit)
        turn(writer, target, seen, off=None if units else False)

    def _against(self, target: Target, seen: Seen | None) -> str:
        why = "it is gone" if seen is None else unfit(target.switch, seen.looks)
        if not why and target.switch is not WORKLOAD:
            why = held(target.switch, [unit.phase for unit in units_of(self._tools.writer.transport, target)])
        return f"{target}: {why}" if why else ""


def _written(change: Callable[[], T]) -> T:
    """What a change answers that begins anew when somebody else wrote meanwhile."""
    answers: list[T] = []
    until_written(lambda: answers.append(change()), attempts=_ATTEMPTS)
    return answers[-1]
