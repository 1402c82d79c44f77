"""Waiting for the pods that surge adds: until they are ready on nodes that the plan wants.

Pods of one owner are alike, so those that are added for several moves of a wave are counted together: each unit takes
as many as it has moves. What comes up where it should not is taken back, and the unit stays.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from descheduler.execution.executors.protocol import ActingTools
from descheduler.execution.executors.surge.pods import SurgePod
from descheduler.execution.executors.surge.rules import BY
from descheduler.execution.executors.surge.target import Situation, Target, look
from descheduler.model.errors import ClusterError
from descheduler.model.plan import Action, PodMove
from descheduler.model.reasons import Blocked, Reason

_LOOK = 0.5  # seconds between two looks, at most
_HOPELESS = 15.0
"""Seconds after which a pod that is not made, or finds no node, is given up: longer, and nodes are added for it."""


@dataclass(slots=True)
class _Site:
    """One target at which pods are added: those that were `known`, for which `moves` (uids), and where they belong."""

    replica_set: str
    known: frozenset[str]
    moves: set[str] = field(default_factory=set)
    chosen: set[str] = field(default_factory=set)  # nodes that landings are directed to
    sources: set[str] = field(default_factory=set)
    predicted: set[str] = field(default_factory=set)
    taken: dict[str, str] = field(default_factory=dict)  # uid of a new pod -> of the pod that it replaces
    astray: dict[str, str] = field(default_factory=dict)

    def wants(self, node: str) -> bool:
        """As landings are judged afterwards (`learning.landings`)."""
        return node in self.chosen if self.chosen else node not in self.sources - self.predicted

    def new(self, seen: Situation) -> list[SurgePod]:
        """Pods that nobody took yet."""
        old = (*self.known, *self.taken, *self.astray)
        return [pod for pod in seen.of(self.replica_set) if pod.uid not in old]


class Arrivals:
    """Safe to share between threads. `wait` raises nothing: what the server does not say now it may say later."""

    def __init__(self, tools: ActingTools, timeout: float) -> None:
        self._tools = tools
        self._timeout = timeout
        self._sites: dict[Target, _Site] = {}
        self._lock = threading.Lock()

    def expect(self, target: Target, action: Action, moves: Sequence[PodMove], before: Situation) -> None:
        """As many pods will come as there are moves; `before` is the target as it was then."""
        with self._lock:
            if target not in self._sites:
                (replica_set, *_) = (pod.controller for pod in before.pods if pod.uid == moves[0].uid)
                self._sites[target] = _Site(replica_set, frozenset(pod.uid for pod in before.pods))
            site = self._sites[target]
            site.moves |= {move.uid for move in moves}
            site.chosen |= {node for move in moves for node in move.towards}
            site.sources |= {*(move.source for move in moves), *action.steer}
            site.predicted |= {move.destination for move in moves}

    def wait(self, target: Target, moves: Sequence[PodMove]) -> Blocked | None:
        """Until they are ready; or why they will not be."""
        clock = self._tools.clock
        began = clock.steady()
        hopeful = began
        while True:
            text = ""
            try:
                seen = look(self._tools.writer.transport, target)
            except ClusterError as error:
                text = str(error)
            else:
                if seen is None:
                    return Blocked(Reason.CHANGED, str(target), "it is gone")
                verdict = self._judge(target, moves, seen)
                if verdict is None or isinstance(verdict, Blocked):
                    return verdict
                text = verdict
                if not self._hopeless(target, seen):
                    hopeful = clock.steady()
            now = clock.steady()
            if (closed := self._tools.closed()) is not None:
                return closed
            if now - began >= self._timeout or now - hopeful >= _HOPELESS:
                return Blocked(Reason.EXECUTOR, BY, f"{target}: no new pod is ready within {now - began:.0f} s: {text}")
            clock.sleep(min(_LOOK, self._tools.limits.observe_every))

    def astray(self, target: Target, moves: Sequence[PodMove]) -> frozenset[str]:
        """New pods that came up where they should not, for these moves."""
        with self._lock:
            site = self._sites.get(target)
            uids = {move.uid for move in moves}
            return frozenset(new for new, old in site.astray.items() if old in uids) if site else frozenset()

    def forget(self, target: Target, moves: Sequence[PodMove]) -> None:
        """These moves are over, one way or the other."""
        with self._lock:
            site = self._sites.get(target)
            if site is not None:
                site.moves -= {move.uid for move in moves}
                if not site.moves:
                    del self._sites[target]

    def _judge(self, target: Target, moves: Sequence[PodMove], seen: Situation) -> Blocked | str | None:
        """None when all are there, a text while they may come."""
        with self._lock:
            site = self._sites[target]
            new = site.new(seen)
            ready = [pod for pod in new if pod.ready and site.wants(pod.node)]
            if len(ready) >= len(moves):
                site.taken.update({pod.uid: move.uid for pod, move in zip(ready, moves, strict=False)})
                return None
            wrong = [pod for pod in new if pod.node and not site.wants(pod.node)]
            if wrong:
                site.astray.update({pod.uid: move.uid for pod, move in zip(wrong, moves, strict=False)})
                where = f"not on {', '.join(sorted(site.chosen))}" if site.chosen else "which is to be left"
                return Blocked(Reason.EXECUTOR, BY, f"{target}: a new pod came up on {wrong[0].node}, {where}")
            waits = next((pod.waits for pod in new if pod.waits), "")
            return waits or (seen.failure if not new else "") or f"{len(ready)} of {len(moves)} are ready"

    def _hopeless(self, target: Target, seen: Situation) -> bool:
        """Whether nothing is under way: the pod is not made, or finds no node."""
        with self._lock:
            new = self._sites[target].new(seen)
        return all(pod.waits for pod in new) if new else bool(seen.failure)
