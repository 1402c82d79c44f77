"""Evictions side by side, but those under one budget one after the other.

The API server takes a disruption off a PodDisruptionBudget's status by optimistic concurrency, and sleeps half a second
after each conflict before it tries again, up to 20 times (kubernetes pkg/registry/core/pod/storage/eviction.go,
EvictionsRetry). Evictions under one budget that are sent at once only conflict; one after the other they do not. They
still may with the disruption controller, so a request that takes as long as only a conflict makes it is held to be
asleep there: the next of its lane is sent, and it does not count among those at work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import TypeVar

#: Seconds after which a request is taken to wait out a conflict: far more than an eviction takes, less than the sleep.
HELD = 0.15

T = TypeVar("T")


def most_at_once(parallel: int) -> int:
    """How many requests may be under way, those that the server sleeps on included: what a pool must have room for."""
    return 4 * parallel - 3  # whoever asks for one gets one after the other


def in_lanes(
    pool: Executor,
    parallel: int,
    items: Iterable[T],
    lane_of: Callable[[T], Hashable],
    work: Callable[[T], None],
    steady: Callable[[], float],
) -> None:
    """Do the work on every item, `parallel` at once; lanes take turns, each in the order of its items.

    Raises what the work raises; what is not begun then is not done.
    """
    lanes: dict[Hashable, deque[T]] = {}
    for item in items:
        lanes.setdefault(lane_of(item), deque()).append(item)
    free = deque(lanes)
    running: set[Future[None]] = set()
    heads: dict[Hashable, tuple[Future[None], float]] = {}  # what the next of a lane waits for, and since when
    while free or running:
        while free and len(heads) < parallel and len(running) < most_at_once(parallel):
            lane = free.popleft()
            head = pool.submit(work, lanes[lane].popleft())
            running.add(head)
            heads[lane] = head, steady()
        done, running = wait(running, HELD, FIRST_COMPLETED)
        for future in done:
            future.result()
        for lane, (head, since) in list(heads.items()):
            if head in done or steady() - since >= HELD:
                del heads[lane]
                if lanes[lane]:
                    free.append(lane)
