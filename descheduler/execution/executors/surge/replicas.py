"""Changing how many replicas a target has, one move at a time, so that exactly the pods that are meant leave.

A ReplicaSet takes away first what is not ready, then what costs least. So one replica is taken away only while every
other pod is ready, and while no other pod is marked; moves of one target wait for one another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from msgspec.structs import replace

from descheduler.apiwrite.conflicts import until_written
from descheduler.execution.executors.protocol import ActingTools, DisruptionAnswer, DisruptionVerdict
from descheduler.execution.executors.surge.book import Book, Entry
from descheduler.execution.executors.surge.pods import LEAST, mark, pod_of, unmark
from descheduler.execution.executors.surge.rules import BY
from descheduler.execution.executors.surge.target import Situation, Target, look
from descheduler.model.errors import ClusterError
from descheduler.model.plan import PodMove
from descheduler.model.reasons import Blocked, Reason

T = TypeVar("T")
_PATIENCE = 30.0
"""Seconds that other pods may take to be ready, or the controller to take a pod away, before the answer is no."""
_LOOK = 0.5  # seconds between two looks, at most
_PASSED_OVER = "another pod left in its place"
_ATTEMPTS = 20  # at writing what its controllers write too
_GONE = DisruptionAnswer(DisruptionVerdict.GONE)
_DONE = DisruptionAnswer(DisruptionVerdict.DISRUPTED)


@dataclass(frozen=True, slots=True)
class _NotYet:
    """Why a replica cannot be taken away at this moment."""

    why: str


class Replicas:
    """Its methods are called from several threads, and raise ClusterError's kinds and LeadershipLost."""

    def __init__(self, tools: ActingTools) -> None:
        self._tools = tools
        self._writer = tools.writer
        self._book = Book(tools.writer, tools.namespace)
        self._locks: dict[Target, threading.Lock] = {}

    def try_out(self, target: Target, move: PodMove) -> DisruptionAnswer:
        """What would be said to one replica more, and whether the right pod would leave; nothing is changed."""
        seen = look(self._writer.transport, target)
        pod = None if seen is None else seen.pod(move.uid)
        if seen is None or pod is None:
            return _GONE
        entry = self._book.read(target)
        if entry is None or not entry.claims:
            why = seen.unfit or _hindrance(seen, pod.controller, move.uid)
            if why:
                return _refused(Blocked(Reason.EXECUTOR, BY, f"{target}: {why}"))
        self._writer.scale(target.path, seen.uid, seen.replicas, seen.replicas + 1, dry_run=True)
        return _DONE

    def more(self, target: Target, moves: Sequence[PodMove]) -> Situation | Blocked:
        """Have one replica more for each move, once; what there was right before, or why that may not be."""
        with self._lock(target):
            return _written(lambda: self._more(target, moves))

    def one_less(self, target: Target, move: PodMove) -> DisruptionAnswer:
        """Take away the replica that the move has too many, in such a way that its pod goes; waits until it does."""
        clock = self._tools.clock
        with self._lock(target):
            deadline = clock.steady() + _PATIENCE
            while True:
                try:
                    answer = _written(lambda: self._one_less(target, move))
                except ClusterError as error:
                    if error.refused or clock.steady() >= deadline:
                        raise
                    answer = _NotYet(str(error))  # asking again changes nothing that was changed already
                if answer is None:
                    answer = self._gone(target, move)
                if isinstance(answer, DisruptionAnswer):
                    return answer
                if clock.steady() >= deadline:
                    blocked = Blocked(Reason.EXECUTOR, BY, f"{target}: {answer.why}")
                    return DisruptionAnswer(DisruptionVerdict.REFUSED, blocked, retryable=True)
                self._pause()

    def left(self, target: Target | None, move: PodMove) -> bool:
        """Whether the pod is gone, or its replica was taken away so that it will be."""
        pod = pod_of(self._writer.transport, move.namespace, move.pod, move.uid)
        if pod is None or target is None or pod.marked_for != move.uid:
            return pod is None
        entry = self._book.read(target)
        if entry is None or move.uid in entry.claims:
            return False
        seen = look(self._writer.transport, target)
        if seen is None or seen.replicas != entry.wanted:
            return False
        answer = self._gone(target, move)
        return isinstance(answer, DisruptionAnswer) and answer.disrupted

    def give_back(self, target: Target, moves: Sequence[PodMove], astray: Collection[str]) -> None:
        """Take away what there still is for these moves: marks, replicas (`astray` pods first), and the entry.

        Raises ClusterError when the controller does not follow: then somebody has to look again.
        """
        with self._lock(target):
            _written(lambda: self._give_back(target, moves, astray))

    def _more(self, target: Target, moves: Sequence[PodMove]) -> Situation | Blocked:
        seen = look(self._writer.transport, target)
        if seen is None:
            return Blocked(Reason.CHANGED, str(target), "it is gone")
        pods = {pod.uid: pod for pod in seen.pods}
        gone = next((move for move in moves if move.uid not in pods), None)
        if gone is not None:
            return Blocked(Reason.CHANGED, f"{gone.namespace}/{gone.pod}", "the pod is gone")
        replica_sets = {pods[move.uid].controller for move in moves}
        entry = self._book.read(target)
        if entry is not None and entry.uid != seen.uid:
            entry = None  # of another one of that name, which is gone with its pods
        if entry is None or not entry.claims:
            if seen.unfit:
                return Blocked(Reason.EXECUTOR, BY, f"{target}: {seen.unfit}")
        elif not entry.explains(seen.replicas):
            return _meddled(target, seen)
        if len(replica_sets) > 1 or (entry is not None and entry.replica_set not in replica_sets):
            return Blocked(Reason.EXECUTOR, BY, f"{target}: its pods are of several revisions")
        known = entry or Entry(str(target), seen.uid, replica_sets.pop(), seen.replicas, seen.replicas)
        uids = [move.uid for move in moves]
        entry = replace(
            known,
            replicas=known.replicas if known.explains(seen.replicas) else seen.replicas,
            was=seen.replicas,
            claims=_with(known.claims, uids),
            pods=_with(known.pods, uids),
        )
        self._book.write(target, entry)
        self._scale(target, seen, entry)
        return seen

    def _one_less(self, target: Target, move: PodMove) -> DisruptionAnswer | _NotYet | None:
        """None once the replica is taken away, and the pod has to go."""
        seen = look(self._writer.transport, target)
        entry = self._book.read(target)
        pod = None if seen is None else seen.pod(move.uid)
        if seen is None or pod is None:
            ours = entry is not None and move.uid in entry.pods and move.uid not in entry.claims
            return _DONE if ours else _GONE
        if entry is None or entry.uid != seen.uid or move.uid not in entry.pods:
            return _refused(Blocked(Reason.CHANGED, str(target), "there is no replica more for the move"))
        if not entry.explains(seen.replicas):
            return _refused(_meddled(target, seen))
        if move.uid in entry.claims:
            why = _hindrance(seen, entry.replica_set, move.uid)
            if why:
                return _NotYet(why)
            mark(self._writer, pod, move.uid)
            entry = replace(entry, claims=_without(entry.claims, [move.uid]), was=seen.replicas)
            self._book.write(target, entry)
        elif _passed_over(seen, entry):
            entry = _claimed_again(seen, entry, move.uid)
            self._book.write(target, entry)
            self._scale(target, seen, entry)
            return _NotYet(_PASSED_OVER)
        self._scale(target, seen, entry)
        return None

    def _give_back(self, target: Target, moves: Sequence[PodMove], astray: Collection[str]) -> None:
        transport, mine = self._writer.transport, frozenset(move.uid for move in moves)
        entry = self._book.read(target)
        if entry is None or mine.isdisjoint(entry.pods):
            return
        for move in moves:
            unmark(self._writer, move.namespace, move.pod, move.uid, mine)
        seen = look(transport, target)
        if seen is None or seen.uid != entry.uid or not entry.explains(seen.replicas):
            there = entry.replicas if seen is None else seen.replicas
            entry = replace(entry, claims=(), replicas=there, was=there)  # that number is somebody else's
        else:
            less = replace(entry, claims=_without(entry.claims, mine), was=seen.replicas)
            if seen.replicas > less.wanted:
                self._mark_last(seen, entry, seen.replicas - less.wanted, sorted(mine), astray)
                self._book.write(target, less)
                self._scale(target, seen, less)
            entry = less
            self._settle(target, entry)
        again = look(transport, target)
        for pod in again.of(entry.replica_set) if again is not None else ():
            if pod.marked_for in mine:
                unmark(self._writer, pod.namespace, pod.name, pod.uid, mine)
        left = _without(entry.pods, mine)
        self._book.write(target, replace(entry, pods=left) if left else None)

    def _mark_last(
        self, seen: Situation, entry: Entry, count: int, mine: Sequence[str], astray: Collection[str]
    ) -> None:
        """Mark as many of the new pods to leave: those that are no use first, then the newest."""
        pods = [pod for pod in seen.of(entry.replica_set) if pod.uid not in entry.pods]
        pods.sort(key=lambda pod: pod.created, reverse=True)
        pods.sort(key=lambda pod: (pod.marked_for not in mine, pod.uid not in astray, pod.ready))
        for pod in pods[:count]:
            mark(self._writer, pod, mine[0])

    def _scale(self, target: Target, seen: Situation, entry: Entry) -> None:
        if seen.replicas != entry.wanted:
            self._writer.scale(target.path, seen.uid, seen.replicas, entry.wanted)

    def _gone(self, target: Target, move: PodMove) -> DisruptionAnswer | _NotYet:
        """Wait until the pod is; not yet, where another one left in its place."""
        clock = self._tools.clock
        deadline = clock.steady() + _PATIENCE
        while pod_of(self._writer.transport, move.namespace, move.pod, move.uid) is not None:
            seen, entry = look(self._writer.transport, target), self._book.read(target)
            if seen is not None and entry is not None and seen.pod(move.uid) and _passed_over(seen, entry):
                return _NotYet(_PASSED_OVER)
            if clock.steady() >= deadline:
                blocked = Blocked(Reason.EXECUTOR, BY, f"{target}: its controller takes no pod away")
                return DisruptionAnswer(DisruptionVerdict.UNKNOWN, blocked, retryable=True)
            self._pause()
        return _DONE

    def _settle(self, target: Target, entry: Entry) -> None:
        """Wait until there are no more pods than wanted."""
        clock = self._tools.clock
        deadline = clock.steady() + _PATIENCE
        while True:
            seen = look(self._writer.transport, target)
            if seen is None or len(seen.of(entry.replica_set)) <= seen.replicas:
                return
            if clock.steady() >= deadline:
                raise ClusterError(f"{target}: its controller takes no pod away, though it has one too many")
            self._pause()

    def _lock(self, target: Target) -> threading.Lock:
        return self._locks.setdefault(target, threading.Lock())

    def _pause(self) -> None:
        self._tools.clock.sleep(min(_LOOK, self._tools.limits.observe_every))


def _hindrance(seen: Situation, replica_set: str, leaving: str) -> str:
    """Why another pod than the one that is to leave could go."""
    there = seen.of(replica_set)
    if len(there) != seen.replicas:
        return f"it has {len(there)} pods and wants {seen.replicas}"
    others = [pod for pod in there if pod.uid != leaving]
    unready = [pod.name for pod in others if not pod.ready]
    if unready:
        return f"{', '.join(unready[:3])} would go first, for it is not ready"
    cheapest = next((pod.name for pod in others if pod.cost <= LEAST), "")
    return f"{cheapest} would go as soon, for it has the least pod-deletion-cost" if cheapest else ""


def _passed_over(seen: Situation, entry: Entry) -> bool:
    """Whether there are no more pods than wanted, though one that was to leave is still among them: the controller,
    which may hear of replicas before it hears of a mark, took another, or another one ended by itself."""
    return seen.replicas == entry.wanted and len(seen.of(entry.replica_set)) <= entry.wanted


def _claimed_again(seen: Situation, entry: Entry, uid: str) -> Entry:
    """The entry in which the pod has one replica too many once more: that of a pod which was to leave and has left
    already, or else a further one."""
    served = next((claim for claim in entry.claims if seen.pod(claim) is None), uid)
    return replace(entry, claims=_with(_without(entry.claims, [served]), [uid]), was=seen.replicas)


def _meddled(target: Target, seen: Situation) -> Blocked:
    return Blocked(Reason.CHANGED, str(target), f"somebody else set its replicas to {seen.replicas} meanwhile")


def _refused(blocked: Blocked) -> DisruptionAnswer:
    return DisruptionAnswer(DisruptionVerdict.REFUSED, blocked)


def _written(change: Callable[[], T]) -> T:
    """What a change answers that begins anew when somebody else wrote meanwhile."""
    answers: list[T] = []
    until_written(lambda: answers.append(change()), attempts=_ATTEMPTS)
    return answers[-1]


def _with(uids: Sequence[str], more: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*uids, *more)))


def _without(uids: Sequence[str], less: Collection[str]) -> tuple[str, ...]:
    return tuple(uid for uid in uids if uid not in less)
