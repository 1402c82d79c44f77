"""Evictions side by side, but those under one budget one after the other.

The API server takes a disruption off a PodDisruptionBudget's status by optimistic concurrency, and sleeps half a second
after each conflict before it tries again, up to 20 times (kubernetes pkg/registry/core/pod/storage/eviction.go,
EvictionsRetry). Evictions under one budget that are under way together only conflict, however few they are; one after
the other they can only with the disruption controller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TypeVar

T = TypeVar("T")


def in_lanes(
    pool: Executor, parallel: int, items: Iterable[T], lane_of: Callable[[T], Hashable], work: Callable[[T], None]
) -> None:
    """Do the work on every item, at most `parallel` at once; lanes take turns, each in the order of its items.

    Raises what the work raises; what is not begun then is not done.
    """
    lanes: dict[Hashable, deque[T]] = {}
    for item in items:
        lanes.setdefault(lane_of(item), deque()).append(item)
    free = deque(lanes)
    running: dict[Future[None], Hashable] = {}
    while free or running:
        while free and len(running) < parallel:
            lane = free.popleft()
            running[pool.submit(work, lanes[lane].popleft())] = lane
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            lane = running.pop(future)
            future.result()
            if lanes[lane]:
                free.append(lane)
