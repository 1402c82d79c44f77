"""The same week of samples, whoever keeps it: the same history and the same profiles."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.build import build
from descheduler_profiling.history.collect import collect
from descheduler_profiling.history.signals import builtin_signals
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History
from descheduler_profiling.settings import ProfileSettings
from history.world import NOW
from peers.servers import STARTS, Peer
from peers.world import WEEK, asking, shop

WEB, DB = WorkloadKey("shop", "Deployment", "web"), WorkloadKey("shop", "StatefulSet", "db")
SIGNALS = ("cpu", "memory")
TOLERANCE = {"cpu": 0.03, "memory": 1e-6}
"""rate() of VictoriaMetrics counts from the sample before the window, that of Prometheus extrapolates to its edges."""


def read(peer: Peer) -> dict[str, History]:
    known = builtin_signals()
    with asking(peer) as client:
        return collect(client, [known[name] for name in SIGNALS], now=NOW, window_seconds=WEEK)


@pytest.fixture(scope="module")
def reference(start: Callable[..., Peer]) -> dict[str, History]:
    return read(start("prometheus", shop()))


@pytest.fixture(scope="module", params=[kind for kind in STARTS if kind != "prometheus"])
def other(request: pytest.FixtureRequest, start: Callable[..., Peer]) -> dict[str, History]:
    return read(start(request.param, shop()))


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_history_is_the_same(reference: dict[str, History], other: dict[str, History], signal: str) -> None:
    ours, theirs = reference[signal], other[signal]
    assert ours.complete, ours.problems
    assert theirs.complete, theirs.problems
    assert (theirs.keys, theirs.start, theirs.end, theirs.unit) == (ours.keys, ours.start, ours.end, ours.unit)
    assert ours.keys == (WEB, DB)
    assert theirs.values.shape == (2, 2016)
    np.testing.assert_array_equal(np.isnan(theirs.values), np.isnan(ours.values))
    apart = ~np.isclose(theirs.values, ours.values, rtol=TOLERANCE[signal])
    assert apart.sum() <= 1, "the column in which web was rolled out at the most"
    assert theirs.pod_level == pytest.approx(ours.pod_level, rel=TOLERANCE[signal], abs=1e-9)
    assert theirs.replicas.tolist() == ours.replicas.tolist()


@pytest.mark.parametrize("signal", SIGNALS)
def test_the_profiles_are_the_same(reference: dict[str, History], other: dict[str, History], signal: str) -> None:
    ours, theirs = profiles(reference[signal]), profiles(other[signal])
    rows = np.arange(len(ours.keys))
    assert theirs.keys == ours.keys
    np.testing.assert_allclose(theirs.confidence, ours.confidence, rtol=1e-3)
    for quantile in ours.quantiles:
        np.testing.assert_allclose(theirs.forecast(rows, quantile), ours.forecast(rows, quantile), rtol=0.05)


def profiles(history: History) -> SignalProfiles:
    return build(history, ProfileSettings())
