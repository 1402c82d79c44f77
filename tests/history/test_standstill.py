"""Counters that stand still are not measured; pods that rest are idle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from controlplane.prometheus import PrometheusServer, Series
from descheduler_profiling.history.store import HistoryStore
from history.fleet import AGENT, DB, PODS, WEB, cadvisor, read
from history.world import DAY, NOW, STEP, times

Start = Callable[..., PrometheusServer]
AT = times(DAY)
ON_N2 = [pod for pod, (_, _, on) in PODS.items() if on == "n2"]
ON_N1 = [pod for pod in PODS if pod not in ON_N2]


def frozen(series: list[Series], since: float) -> list[Series]:
    """CPU counters that are reported again and again as they were at a time."""

    def stopped(one: Series) -> Series:
        values = np.asarray(one.values, np.float64).copy()
        if one.name.endswith("seconds_total"):
            values[since <= AT] = values[since <= AT][0]
        return replace(one, values=values)

    return [stopped(one) for one in series]


@pytest.mark.parametrize("hours", [0.5, 3])
@pytest.mark.parametrize("kept", [False, True], ids=["read at once", "cycle by cycle"])
def test_a_node_whose_counters_all_stand_still_is_not_measured(
    prometheus_server: Start, hours: float, kept: bool
) -> None:
    since = NOW - hours * 3600
    server = prometheus_server([*cadvisor(AT, pods=ON_N1), *frozen(cadvisor(AT, pods=ON_N2), since)])
    store = HistoryStore(None)
    for now in (*range(int(since), NOW, 600), NOW) if kept else (NOW,):
        made = read(server, "cpu", now=now, previous=store)
    history = made.histories["cpu"]
    assert history.complete, history.problems
    assert history.standing_still == ("n2",)
    for workload, cores in ((DB, 2.0), (WEB, 1.0), (AGENT, 0.1)):
        row = history.values[history.keys.index(workload)]
        quiet = np.abs(history.start + STEP * np.arange(len(row)) - since) > 400
        np.testing.assert_allclose(row[quiet], cores, rtol=1e-2, err_msg="the replicas of n1 alone tell")
    assert {pod for pod in PODS if pod not in history.pod_level} == (set(ON_N2) if hours > 1 else set())


def test_a_workload_that_is_on_such_a_node_alone_has_a_gap_and_no_zeros(prometheus_server: Start) -> None:
    alone = [("shop", "web-bbbb4"), ("kube-system", "agent-cccc4")]
    made = read(prometheus_server(frozen(cadvisor(AT, pods=alone), NOW - 7200)), "cpu").histories["cpu"]
    assert made.standing_still == ("n2",)
    assert np.isnan(made.values[:, -20:]).all()
    assert np.isfinite(made.values[:, :-30]).all()


@pytest.mark.parametrize("resting", [ON_N2[:1], ON_N2[:2]], ids=["one", "two"])
def test_pods_that_rest_among_busy_ones_are_idle(prometheus_server: Start, resting: list[tuple[str, str]]) -> None:
    busy = [pod for pod in PODS if pod not in resting]
    server = prometheus_server([*cadvisor(AT, pods=busy), *frozen(cadvisor(AT, pods=resting), NOW - 7200)])
    history = read(server, "cpu").histories["cpu"]
    assert history.standing_still == ()
    assert [history.pod_level[pod] for pod in resting] == [0.0] * len(resting)


def test_memory_that_moves_tells_a_broken_counter_from_idle_pods(prometheus_server: Start) -> None:
    alone = [("shop", "db-1"), ("shop", "web-bbbb4")]
    moving = [
        replace(one, values=1e9 + 4096 * (np.arange(len(AT)) % 7)) if one.name.endswith("bytes") else one
        for one in cadvisor(AT, times=0.0, pods=alone)
    ]
    history = read(prometheus_server([*cadvisor(AT, pods=ON_N1), *moving]), "cpu").histories["cpu"]
    assert history.standing_still == ("n2",)
    np.testing.assert_allclose(history.values[history.keys.index(DB)], 2.0, rtol=1e-2)


def test_a_node_that_was_never_heard_of_otherwise_is_idle(prometheus_server: Start) -> None:
    alone = [("shop", "db-1"), ("shop", "web-bbbb4")]
    idle = cadvisor(AT, times=0.0, pods=alone)
    history = read(prometheus_server([*cadvisor(AT, pods=[("kube-system", "agent-cccc2")]), *idle]), "cpu").histories[
        "cpu"
    ]
    assert history.standing_still == ()
    assert [history.pod_level[pod] for pod in alone] == [0.0, 0.0]
