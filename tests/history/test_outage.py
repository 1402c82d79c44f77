"""A back-fill from a real Prometheus through a proxy that breaks in the middle of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controlplane.prometheus import PrometheusServer
from descheduler.model.errors import HistoryError, HistoryUnreachable
from descheduler_profiling.history.collect import collect
from descheduler_profiling.history.signals import custom_signal
from descheduler_profiling.history.store import HistoryStore
from descheduler_profiling.series import History
from history.proxy import Fault, FaultyProxy, Request
from history.world import DAY, NOW, STEP, Time, client, gauge, times

DAYS = 2 * DAY
COLUMNS = DAYS // STEP
SIGNAL = custom_signal("load", 'load{pod!=""}')


@pytest.fixture
def server(prometheus_server: Callable[..., PrometheusServer]) -> PrometheusServer:
    at = times(DAYS)
    waves = [2 + np.sin(at / 5000 + i) for i in range(4)]
    return prometheus_server([gauge("load", at, wave, namespace="ns", pod=f"w-{i}") for i, wave in enumerate(waves)])


@pytest.fixture
def proxy(server: PrometheusServer) -> Iterator[FaultyProxy]:
    made = FaultyProxy(server.url)
    yield made
    made.close()


def read(url: str, store: HistoryStore | None = None, **options: Any) -> History:
    """One cycle, in chunks of some 50 columns."""
    settings = {"max_samples": 200, "attempts": 2, "timeout": 5.0, **options}
    with client(url, **settings) as asking:
        return collect(asking, [SIGNAL], now=NOW, window_seconds=DAYS, previous=store)["load"]


def ranges(nth: int, fault: Fault, upto: int = 10**9) -> Callable[[Request], Fault | None]:
    """A fault for the range queries from the nth on (the first reads the last hour), up to another."""
    count = 0

    def decide(request: Request) -> Fault | None:
        nonlocal count
        count += request.is_range
        return fault if request.is_range and nth <= count <= upto else None

    return decide


TRUNCATED = Fault("truncated")
DOWN = Fault("down")
THROTTLED = Fault("status", 429, "slow down")
TOO_MUCH = Fault("status", 422, '{"status":"error","errorType":"execution","error":"too many samples"}')


@pytest.mark.parametrize("fault", [DOWN, TRUNCATED, THROTTLED, TOO_MUCH], ids=["down", "truncated", "429", "422"])
def test_a_trouble_that_passes_leaves_no_trace(server: PrometheusServer, proxy: FaultyProxy, fault: Fault) -> None:
    proxy.decide = ranges(5, fault, upto=6)
    history = read(proxy.url, attempts=3)
    assert history.complete, history.problems
    np.testing.assert_array_equal(history.values, read(server.url).values)


def test_a_chunk_that_fails_all_its_attempts_is_tried_once_more_at_the_end(
    server: PrometheusServer, proxy: FaultyProxy
) -> None:
    proxy.decide = ranges(4, DOWN, upto=5)
    history = read(proxy.url, attempts=2, max_concurrency=1)
    assert history.complete, history.problems
    starts = [request.fields["start"] for request in proxy.ranges]
    assert starts[3] == starts[4] == starts[-1], "both attempts failed, and it came again after all others"
    np.testing.assert_array_equal(history.values, read(server.url).values)


def test_an_outage_in_the_middle_leaves_a_known_hole_that_the_next_cycle_fills(
    server: PrometheusServer, proxy: FaultyProxy, tmp_path: Path
) -> None:
    proxy.decide = ranges(5, DOWN)
    cut = read(proxy.url, HistoryStore(tmp_path))
    assert not cut.complete
    assert "steps of signal load could not be read" in cut.problems[0]
    assert "cannot be reached" in cut.problems[0]
    empty = np.isnan(cut.values).all(axis=0)
    assert 100 < empty.sum() < COLUMNS - 50
    assert str(int(empty.sum())) in cut.problems[0], "the hole is known to the step"

    proxy.decide = lambda _: None
    proxy.seen.clear()
    whole = read(proxy.url, HistoryStore(tmp_path))  # after a restart
    assert whole.complete, whole.problems
    np.testing.assert_array_equal(whole.values, read(server.url).values)
    refetched = sum(request.columns for request in proxy.ranges) - 12
    assert refetched == empty.sum(), "only the hole is asked for again"


def test_a_server_that_dies_in_the_middle_and_comes_back_is_read_to_the_end(
    server: PrometheusServer, proxy: FaultyProxy, tmp_path: Path
) -> None:
    truth = read(server.url)

    def die(_: Request) -> Fault | None:
        if len(proxy.ranges) == 4:
            server.kill()
        return DOWN if len(proxy.ranges) >= 4 else None  # what a proxy does whose server is gone

    proxy.decide = die
    cut = read(proxy.url, HistoryStore(tmp_path))
    assert not cut.complete
    proxy.decide = lambda _: DOWN
    while_away = read(proxy.url, HistoryStore(tmp_path))
    assert not while_away.complete, "what is known is shown, and not acted upon"
    np.testing.assert_array_equal(while_away.values, cut.values)
    assert "cannot be reached" in while_away.problems[0]
    with pytest.raises(HistoryUnreachable, match="cannot be reached"):
        read(proxy.url, HistoryStore(tmp_path / "nothing known"))
    server.restart()
    proxy.decide = lambda _: None
    whole = read(proxy.url, HistoryStore(tmp_path))
    assert whole.complete, whole.problems
    np.testing.assert_array_equal(whole.values, truth.values)


def test_an_outage_does_not_hammer_the_server(proxy: FaultyProxy) -> None:
    proxy.decide = ranges(5, DOWN)
    read(proxy.url)
    assert len(proxy.ranges) < 12
    assert proxy.most_at_once <= 2


@pytest.mark.parametrize("fault", [Fault("warning", body="store-3 is down"), Fault("partial")], ids=["thanos", "vm"])
def test_partial_answers_are_known_as_partial_and_asked_for_again(
    server: PrometheusServer, proxy: FaultyProxy, fault: Fault
) -> None:
    store = HistoryStore(None)
    proxy.decide = ranges(5, fault, upto=6)
    partial = read(proxy.url, store)
    assert not partial.complete
    assert "answers in part only" in partial.problems[0]
    assert fault.body in partial.problems[0]
    proxy.decide = lambda _: None
    proxy.seen.clear()
    whole = read(proxy.url, store)
    assert whole.complete, whole.problems
    assert 2 <= len(proxy.ranges) <= 4
    np.testing.assert_array_equal(whole.values, read(server.url).values)


def test_a_slow_server_is_asked_for_less_and_given_up_on(proxy: FaultyProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descheduler_profiling.history.prometheus.client._GRACE", 0.0)
    proxy.decide = ranges(4, Fault("slow"))
    history = read(proxy.url, timeout=1.0, max_concurrency=1)
    assert not history.complete
    assert "longer than 1 s" in history.problems[0]
    columns = [request.columns for request in proxy.ranges[3:]]
    assert columns[0] > columns[1] > columns[2] > columns[3]
    assert len(columns) < 8


TOO_MANY_SERIES = Fault(
    "status",
    422,
    '{"status":"error","errorType":"422","error":"the number of matching timeseries exceeds 300; either narrow down '
    'the search or increase -search.max* command-line flag values (most likely -search.maxUniqueTimeseries)"}',
)


def test_too_many_series_over_a_long_range_are_read_in_shorter_ones(
    server: PrometheusServer, proxy: FaultyProxy
) -> None:
    """A week has the pods of every rollout in it; an hour only those of that hour."""
    proxy.decide = lambda request: TOO_MANY_SERIES if request.is_range and request.columns > 100 else None
    history = read(proxy.url, max_samples=10**6)
    assert history.complete, history.problems
    np.testing.assert_array_equal(history.values, read(server.url).values)


def test_too_many_series_in_every_range_are_said_plainly_and_not_halved_for_ever(proxy: FaultyProxy) -> None:
    proxy.decide = ranges(2, TOO_MANY_SERIES)
    history = read(proxy.url, max_samples=10**6)
    assert not history.complete
    assert "selects too many series" in history.problems[0]
    assert "raise -search.maxUniqueTimeseries there, or select fewer with history.match" in history.problems[0]
    assert len(proxy.ranges) < 12


def test_a_server_that_is_busy_for_a_while_is_waited_for(server: PrometheusServer, proxy: FaultyProxy) -> None:
    proxy.decide = ranges(5, Fault("status", 429, "too many chunks, slow down", {"Retry-After": "20"}), upto=7)
    passed = Time()
    with client(proxy.url, time=passed, max_samples=200) as asking:
        history = collect(asking, [SIGNAL], now=NOW, window_seconds=DAYS)["load"]
    assert history.complete, history.problems
    assert 20.0 <= passed.now < 300.0
    columns = {request.columns for request in proxy.ranges[4:7]}
    assert min(columns) > 40, "it was not asked for less, but later"
    np.testing.assert_array_equal(history.values, read(server.url).values)


def test_a_server_that_stays_busy_leaves_a_history_that_is_not_acted_upon(proxy: FaultyProxy) -> None:
    proxy.decide = ranges(5, Fault("status", 429, "slow down", {"Retry-After": "60"}))
    passed = Time()
    with client(proxy.url, time=passed, max_samples=200) as asking:
        history = collect(asking, [SIGNAL], now=NOW, window_seconds=DAYS)["load"]
    assert not history.complete
    assert "asks us to wait (429, 60 s)" in history.problems[0]
    assert passed.now <= 600.0
    assert len(proxy.ranges) < 20


def test_a_query_that_is_refused_halfway_stops_there(proxy: FaultyProxy) -> None:
    forbidden = Fault("status", 403, '{"status":"error","error":"not for you"}')
    proxy.decide = ranges(5, forbidden)
    history = read(proxy.url)
    assert not history.complete
    assert "forbids the query" in history.problems[0]
    assert len(proxy.ranges) <= 6


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_server_does_the_history_is_whole_and_right_or_known_not_to_be(
    server: PrometheusServer, proxy: FaultyProxy, data: st.DataObject
) -> None:
    faults = [
        DOWN,
        TRUNCATED,
        THROTTLED,
        TOO_MUCH,
        Fault("warning", body="w"),
        Fault("status", 200, "<html>"),
        None,
        None,
    ]
    plan = data.draw(st.lists(st.sampled_from(faults), max_size=25))
    steps = iter(plan)
    proxy.decide = lambda _: next(steps, None)
    try:
        history = read(proxy.url)
    except HistoryError:
        return
    truth = read(server.url)
    if history.complete:
        assert not history.problems
        np.testing.assert_array_equal(history.values, truth.values)
    else:
        assert history.problems
        seen = np.isfinite(history.values)
        if history.keys == truth.keys:
            np.testing.assert_array_equal(history.values[seen], truth.values[seen])
