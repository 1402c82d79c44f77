"""Evicted pods on their way out: until a pod has ended its room is taken, though it is being deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from descheduler.model.plan import PodMove
from descheduler.model.snapshot import ClusterSnapshot

LONGEST_GRACE = 3600.0
"""Seconds. The API takes any grace period; one that is longer does not hold a plan up longer."""


class Departures:
    """Follows evicted pods until they are gone, or have finished: then the scheduler gives their room to others.

    They may take their grace period, an hour of it at most, and `patience` seconds more; `grace`: all the same one.
    Times are those of a steady clock.
    """

    def __init__(self, patience: float, grace: int | None = None) -> None:
        self._patience, self._grace = patience, grace
        self._there: dict[str, PodMove] = {}  # by uid
        self._ends = 0.0  # when the longest grace period is over
        self._since = 0.0  # when the last of them were evicted

    def add(self, moves: Iterable[PodMove], before: ClusterSnapshot, now: float) -> None:
        """They were evicted by `now`; their grace periods are those of `before`."""
        self._since = now
        for move in moves:
            position = before.pod_index.get((move.namespace, move.pod))
            own = before.pods[position].spec.grace_seconds if position is not None else 0
            grace = own if self._grace is None else self._grace
            self._there[move.uid] = move
            self._ends = max(self._ends, now + min(grace, LONGEST_GRACE))

    @property
    def waiting(self) -> Mapping[str, PodMove]:
        """Those that were still there when somebody looked last, by uid."""
        return self._there

    @property
    def keys(self) -> Iterable[str]:
        """The same as "namespace/name" each."""
        return (f"{move.namespace}/{move.pod}" for move in self._there.values())

    def in_time(self, now: float) -> bool:
        """Whether it is no wonder that some are still there."""
        return now < self._ends

    def overdue(self, now: float) -> bool:
        """Whether patience is over, though some are still there."""
        return bool(self._there) and now >= self._ends + self._patience

    def slow(self, now: float) -> bool:
        """Whether they take longer than patience lasts, whatever their grace periods are."""
        return bool(self._there) and now >= self._since + self._patience

    def forget(self) -> None:
        """Those that are still there are waited for no longer."""
        self._there = {}

    def look(self, snapshot: ClusterSnapshot, _: float) -> None:
        """Take in what the cluster is like now."""
        self._there = {uid: move for uid, move in self._there.items() if _holds_room(snapshot, move)}


def _holds_room(snapshot: ClusterSnapshot, move: PodMove) -> bool:
    position = snapshot.pod_index.get((move.namespace, move.pod))
    return position is not None and snapshot.pods[position].uid == move.uid and not snapshot.pods[position].terminal
