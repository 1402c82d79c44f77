"""Evicted pods on their way out: until a pod has ended its room is taken, though it is being deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from descheduler.model.plan import PodMove
from descheduler.model.snapshot import ClusterSnapshot


class Departures:
    """Follows evicted pods until they are gone, or have finished: then the scheduler gives their room to others."""

    def __init__(self) -> None:
        self._there: dict[str, PodMove] = {}  # by uid
        self._until = 0.0

    def add(self, moves: Iterable[PodMove], before: ClusterSnapshot, now: float, patience: float) -> None:
        """They were evicted by `now`, and may take their grace period, as it was `before`, and `patience` seconds."""
        for move in moves:
            position = before.pod_index.get((move.namespace, move.pod))
            grace = before.pods[position].spec.grace_seconds if position is not None else 0
            self._there[move.uid] = move
            self._until = max(self._until, now + grace + patience)

    @property
    def waiting(self) -> Mapping[str, PodMove]:
        """Those that were still there when somebody looked last, by uid."""
        return self._there

    def overdue(self, now: float) -> bool:
        """Whether some of them should be gone by now, on the clock by which they were added."""
        return bool(self._there) and now >= self._until

    def look(self, snapshot: ClusterSnapshot, _: float) -> None:
        """Take in what the cluster is like now."""
        self._there = {uid: move for uid, move in self._there.items() if _holds_room(snapshot, move)}


def _holds_room(snapshot: ClusterSnapshot, move: PodMove) -> bool:
    position = snapshot.pod_index.get((move.namespace, move.pod))
    return position is not None and snapshot.pods[position].uid == move.uid and not snapshot.pods[position].terminal
