"""Evictions side by side, but those under one budget one after the other.

The API server takes a disruption off a PodDisruptionBudget's status by optimistic concurrency, and sleeps half a second
after each conflict before it tries again, up to 20 times (kubernetes pkg/registry/core/pod/storage/eviction.go,
EvictionsRetry). Evictions under one budget that are under way together only conflict, however few they are; one after
the other they can only with the disruption controller.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self, TypeVar

T = TypeVar("T")


class Workers:
    """Threads that act, at most `parallel` at once. `budgets`: the one that covers a pod, by uid, where it is known."""

    def __init__(self, parallel: int, budgets: Mapping[str, str] | None = None) -> None:
        self.budgets = budgets or {}
        self._parallel = parallel
        self._pool = ThreadPoolExecutor(parallel, "evict")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._pool.shutdown()

    def each(self, items: Iterable[T], work: Callable[[T], None], queue_of: Callable[[T], Hashable]) -> None:
        """Do the work on every item, those of one queue one after the other. Raises what the work raises."""
        in_queues(self._pool, self._parallel, items, queue_of, work)


def in_queues(
    pool: Executor, parallel: int, items: Iterable[T], queue_of: Callable[[T], Hashable], work: Callable[[T], None]
) -> None:
    """Do the work on every item, at most `parallel` at once; queues take turns, each in the order of its items.

    Raises what the work raises; what is not begun then is not done.
    """
    queues: dict[Hashable, deque[T]] = {}
    for item in items:
        queues.setdefault(queue_of(item), deque()).append(item)
    free = deque(queues)
    running: dict[Future[None], Hashable] = {}
    while free or running:
        while free and len(running) < parallel:
            queue = free.popleft()
            running[pool.submit(work, queues[queue].popleft())] = queue
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            queue = running.pop(future)
            future.result()
            if queues[queue]:
                free.append(queue)
