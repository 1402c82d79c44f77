"""Turns at one server, and the pauses that it asks for."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

import pytest

from descheduler.model.errors import HistoryUnreachable
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.sessions import Connection
from descheduler_profiling.history.prometheus.turns import LONGEST_QUIET, PATIENCE, Turns
from history.proxy import Fault, FaultyProxy, Request
from history.world import GOOD, Time, client


@pytest.fixture
def server() -> Iterator[FaultyProxy]:
    made = FaultyProxy("http://127.0.0.1:1")
    made.decide = lambda _: Fault("status", 200, GOOD)
    yield made
    made.close()


def busy(times: int, **headers: str) -> Callable[[Request], Fault]:
    """429 so many times, then an answer."""
    left = [Fault("status", 429, "too many chunks: slow down", headers)] * times
    return lambda _: left.pop() if left else Fault("status", 200, GOOD)


def test_all_requests_wait_when_one_is_told_to(server: FaultyProxy) -> None:
    passed = Time()
    server.decide = busy(1, **{"Retry-After": "30"})
    with client(server.url, time=passed, max_concurrency=4) as asking:
        asking.query("up", 1)
        assert passed.now == pytest.approx(30.0)
        server.decide = busy(1, **{"Retry-After": "20"})
        with ThreadPoolExecutor(4) as pool:
            assert len(list(pool.map(lambda at: asking.query("up", at), range(8)))) == 8
    assert passed.now >= 50.0


def test_one_that_is_in_the_queue_waits_too() -> None:
    passed = Time()
    turns = Turns(1, passed, passed.sleep)
    begun, at = threading.Event(), []

    def queued() -> None:
        begun.set()
        with turns.turn():
            at.append(passed.now)

    with turns.turn():
        thread = threading.Thread(target=queued)
        thread.start()
        begun.wait(5)
        turns.quiet(25.0, "busy")
    thread.join(5)
    assert at == [25.0]


def test_a_date_is_honoured_by_the_servers_clock_though_ours_is_wrong(server: FaultyProxy) -> None:
    passed = Time()
    server.decide = busy(1, **{"Retry-After": formatdate(time.time() + 40, usegmt=True)})
    ours = HistoryClient(
        Connection(server.url),
        rng=random.Random(1),
        sleep=passed.sleep,
        stopwatch=passed,
        clock=lambda: time.time() + 3600,
    )
    with ours as asking:
        asking.query("up", 1)
    assert passed.now == pytest.approx(40.0, abs=2.0)


def test_fewer_are_under_way_after_that_and_more_again_later() -> None:
    passed = Time()
    turns = Turns(8, passed, passed.sleep)
    turns.quiet(1.0, "busy")
    turns.quiet(1.0, "busy")
    assert turns.at_once == 2
    turns.answered()
    assert turns.at_once == 2, "one more for each round of answers, not for each answer"
    for _ in range(60):
        turns.answered()
    assert turns.at_once == 8
    for _ in range(10):
        turns.quiet(1.0, "busy")
    assert turns.at_once == 1


def test_patience_ends_and_begins_anew(server: FaultyProxy) -> None:
    passed = Time()
    server.decide = busy(10**6, **{"Retry-After": "100"})
    with client(server.url, time=passed) as asking:
        with pytest.raises(HistoryUnreachable, match="asks us to wait"):
            asking.query("up", 1)
        assert passed.now <= PATIENCE
        asked = len(server.seen)
        with pytest.raises(HistoryUnreachable, match="asks us to wait"):
            asking.query("up", 1)
        assert len(server.seen) == asked, "the quiet that it asked for is kept"
        passed.sleep(2 * PATIENCE)  # until the next cycle
        server.decide = busy(1, **{"Retry-After": "10"})
        assert asking.query("up", 1).samples == 1


def test_a_pause_of_an_hour_is_not_sat_out_and_does_not_last_for_ever(server: FaultyProxy) -> None:
    passed = Time()
    server.decide = busy(1, **{"Retry-After": "3600"})
    with client(server.url, time=passed) as asking:
        with pytest.raises(HistoryUnreachable, match="slow down"):
            asking.query("up", 1)
        assert passed.now == 0.0
        with pytest.raises(HistoryUnreachable, match="slow down"):
            asking.query("up", 1)
        assert len(server.seen) == 1
        passed.sleep(LONGEST_QUIET)
        assert asking.query("up", 1).samples == 1


@pytest.mark.parametrize(("headers", "seconds"), [({"Retry-After": "60"}, 60.0), ({}, 0.5)])
def test_503_is_waited_for_as_long_as_it_says(server: FaultyProxy, headers: dict[str, str], seconds: float) -> None:
    passed = Time()
    left = [Fault("status", 503, "overloaded", headers)]
    server.decide = lambda _: left.pop() if left else Fault("status", 200, GOOD)
    with client(server.url, time=passed) as asking:
        asking.query("up", 1)
    assert passed.now == pytest.approx(seconds, rel=0.5)
