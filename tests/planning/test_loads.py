"""Loads of nodes: the quantile of the summed series, in every state."""

from __future__ import annotations

import numpy as np
import pytest

from builders import cluster, key, node, pod
from descheduler.contract import NodeLoads
from descheduler_profiling.build import build
from histories import history, peaking
from planning.cases import hot_node, outcome

HOUR = 3600.0


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("horizon", [300.0, 900.0, HOUR, 6 * HOUR])
def test_the_hottest_point_is_the_top_of_the_curve(q: float, horizon: float) -> None:
    view = outcome(*hot_node()).view
    loads = view.loads["cpu"]
    nodes = np.arange(len(view.snapshot.nodes), dtype=np.int32)
    steps = int(horizon // loads.profiles.step)
    expected = loads.curve(loads.of_nodes(), nodes, q)[:, :steps].max(axis=1)
    np.testing.assert_allclose(loads.hottest(loads.of_nodes(), nodes, q, horizon), expected, rtol=1e-5)


def test_moving_a_pod_away_and_back_changes_nothing() -> None:
    view = outcome(*hot_node()).view
    state = view.what_if()
    every = np.arange(len(view.snapshot.nodes), dtype=np.int32)
    before = state.vectors("cpu", every)
    at = view.snapshot.pod_index[("default", "web-0")]
    state.remove(at)
    state.place(at, 1)
    state.remove(at)
    state.place(at, 0)
    np.testing.assert_allclose(state.vectors("cpu", every), before, atol=1e-4)


def test_peaks_at_different_hours_do_not_add_up() -> None:
    snapshot = cluster([node("n1", cpu="8")], [pod("day-1", cpu="1", node="n1"), pod("night-1", cpu="1", node="n1")])
    series = {
        key("ReplicaSet", "day"): peaking(0.2, 3.0, minutes_ahead=120, minutes=240),
        key("ReplicaSet", "night"): peaking(0.2, 3.0, minutes_ahead=840, minutes=240),
    }
    profiles = build(history("cpu", series))
    loads = NodeLoads("cpu", snapshot, profiles, floor=0.0)
    node_peak = float(profiles.peak(loads.of_nodes(), 0.95, 24 * HOUR)[0])
    single = [float(profiles.peak(profiles.vectors[r], 0.95, 24 * HOUR)) for r in range(2)]
    assert node_peak < 0.75 * sum(single)


def test_a_pod_without_history_counts_with_its_request_and_lowers_the_coverage() -> None:
    snapshot = cluster([node("n1", cpu="8")], [pod("web-1", cpu="1", node="n1"), pod("new-1", cpu="3", node="n1")])
    loads = NodeLoads("cpu", snapshot, build(history("cpu", {key("ReplicaSet", "web"): 0.5})), floor=0.0)
    assert loads.covered[0] == pytest.approx(0.25)
    level = float(loads.hottest(loads.of_nodes(), np.array([0], np.int32), 0.95, HOUR)[0]) * 8
    assert level == pytest.approx(3.5, abs=0.2)


def test_an_empty_node_is_covered_and_cool() -> None:
    snapshot = cluster([node("n1"), node("n2")], [pod("web-1", node="n1")])
    loads = NodeLoads("cpu", snapshot, build(history("cpu", {key("ReplicaSet", "web"): 0.5})), floor=0.0)
    assert loads.covered[1] == 1.0
    assert loads.tops(0.95, 86_400.0)[1] == 0.0
