"""Servers with low limits, in their own words: what can be read in smaller pieces is, and the rest is said plainly."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from descheduler.model.errors import HistoryError
from descheduler_profiling.history.collect import collect
from descheduler_profiling.history.signals import builtin_signals
from descheduler_profiling.series import History
from history.world import DAY, NOW, Time
from peers.servers import Peer
from peers.world import asking, shop

WINDOW = 2 * DAY
CPU = builtin_signals()["cpu"]


COSTS = "--enable-feature=query-cost"
# Scrapes every 5 seconds: VictoriaMetrics counts whole blocks of up to 8,192 samples, however short the range.
SERIES = list(shop(WINDOW, every=5))


def read(peer: Peer) -> tuple[History, int]:
    """Two days in one piece, unless the server wants it otherwise; and in how many requests."""
    with asking(peer, max_samples=10**6) as client:
        history = collect(client, [CPU], now=NOW, window_seconds=WINDOW)["cpu"]
        return history, client.usage.requests


@pytest.mark.parametrize(
    ("kind", "limits"),
    [
        ("prometheus", ["--query.max-samples=2000"]),
        ("prometheus", ["query_max_samples_read=50000", COSTS]),
        ("victoriametrics", ["-search.maxSamplesPerQuery=100000", "-search.maxPointsPerTimeseries=100"]),
        ("thanos-store", ["--store.limits.request-samples=40000"]),
        ("cortex", ["max_fetched_chunks_per_query=400"]),
        ("cortex", ["max_fetched_data_bytes_per_query=400000"]),
        ("cortex", ['max_query_length="6h"']),
    ],
)
def test_limits_of_data_are_met_by_asking_for_less(start: Callable[..., Peer], kind: str, limits: list[str]) -> None:
    limited, requests = read(start(kind, SERIES, *limits))
    free, fewer = read(start(kind, SERIES))
    assert limited.complete, limited.problems
    assert requests > fewer, "the limit was not met"
    np.testing.assert_array_equal(limited.values, free.values)


@pytest.mark.parametrize(
    ("kind", "limits", "knob"),
    [
        ("prometheus", ["query_max_series=2", COSTS], "global.query_max_series"),
        ("victoriametrics", ["-search.maxUniqueTimeseries=2"], "-search.maxUniqueTimeseries"),
        ("victoriametrics", ["-search.maxResponseSeries=2"], "-search.maxResponseSeries"),
        ("thanos-store", ["--store.limits.request-series=2"], "--store.limits.request-series"),
        ("cortex", ["max_fetched_series_per_query=2"], "-querier.max-fetched-series-per-query"),
    ],
)
def test_limits_of_series_are_said_with_what_mends_them(
    start: Callable[..., Peer], kind: str, limits: list[str], knob: str
) -> None:
    history, requests = read(start(kind, SERIES, *limits))
    assert requests < 40
    assert not history.complete
    said = " ".join(history.problems)
    assert "selects too many series" in said
    assert knob in said
    assert "or select fewer with history.match" in said


@pytest.mark.parametrize(
    ("kind", "limits", "says"),
    [
        ("victoriametrics", ["-search.maxConcurrentRequests=1", "-search.maxQueueDuration=1ms"], 10.0),
        ("cortex", ["max_outstanding_requests_per_tenant=1"], 0.0),
    ],
)
def test_a_busy_server_is_waited_for(start: Callable[..., Peer], kind: str, limits: list[str], says: float) -> None:
    """429, once with Retry-After, and with the name of a limit that is none of the query's."""
    peer = start(kind, SERIES, *limits)
    passed = Time()
    with asking(peer, time=passed, max_concurrency=16, attempts=8) as client:
        with ThreadPoolExecutor(16) as pool:
            slow = "count(count_over_time(container_memory_working_set_bytes[1d:2s])) + {}"
            list(pool.map(lambda n: client.query(slow.format(n), NOW), range(16)))
        assert passed.now > says, "nobody was told to wait"
        assert collect(client, [CPU], now=NOW, window_seconds=WINDOW)["cpu"].complete


@pytest.mark.parametrize(
    ("partial_response", "says"), [("false", "does not answer now (422)"), ("true", "answers in part only")]
)
def test_a_store_that_is_away_is_no_answer(start: Callable[..., Peer], partial_response: str, says: str) -> None:
    """Thanos is asked not to answer with what it can reach; where it does all the same, it says so."""
    peer = start("thanos", SERIES)
    assert read(peer)[0].complete
    peer.lose_store()
    with asking(peer, params={"partial_response": partial_response}) as client, pytest.raises(HistoryError) as error:
        collect(client, [CPU], now=NOW, window_seconds=WINDOW)
    assert says in str(error.value)
