"""Evictions under one budget go one after the other, others side by side."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from descheduler.execution.queues import in_queues


def test_a_queue_is_worked_off_one_by_one_and_queues_side_by_side() -> None:
    together = threading.Barrier(2, timeout=10)
    lock = threading.Lock()
    busy: set[str] = set()
    order: list[str] = []

    def work(item: str) -> None:
        queue = item[0]
        with lock:
            assert queue not in busy
            busy.add(queue)
            order.append(item)
        together.wait()  # one item of each queue is under way at the same time
        with lock:
            busy.discard(queue)

    with ThreadPoolExecutor(4) as pool:
        in_queues(pool, 4, ["a1", "a2", "a3", "b1", "b2", "b3"], lambda item: item[0], work)
    assert [item for item in order if item[0] == "a"] == ["a1", "a2", "a3"]
    assert [item for item in order if item[0] == "b"] == ["b1", "b2", "b3"]


def test_with_a_bound_of_one_nothing_overtakes() -> None:
    done: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        in_queues(pool, 1, range(6), lambda i: i % 2, done.append)
    assert [i for i in done if i % 2] == [1, 3, 5]
    assert sorted(done) == list(range(6))


def test_after_an_error_nothing_more_is_begun() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 2:
            raise ValueError("deposed")
        done.append(item)

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="deposed"):
        in_queues(pool, 1, range(6), lambda _: "one queue", work)
    assert done == [0, 1]
