"""How much of what runs has history, by number and by pool."""

from __future__ import annotations

import pytest

from builders import NOW, cluster, key, node, pod
from descheduler.doctor.coverage import coverage_of
from descheduler.model.workloads import WorkloadKey
from descheduler.planning.context import PoolRule
from descheduler_profiling.build import build
from histories import history

FAST = PoolRule("fast", {"pool": "fast"})
NODES = [node("n1"), node("n2", labels={"pool": "fast"}, gpu=8)]
WEB, DB = key("ReplicaSet", "web"), key("ReplicaSet", "db")
PODS = [
    pod("web-1", cpu="3", node="n1"),
    pod("db-1", cpu="1", node="n1"),
    pod("db-2", cpu="1", node="n2"),
    pod("train-1", cpu="1", gpu=8, node="n2"),
]


def test_pools_are_judged_by_requests_and_all_pods_by_number() -> None:
    found = coverage_of(cluster(NODES, PODS), build(history("cpu", {WEB: 1.0})), [FAST], of_gpus=False)
    assert (found.pods, found.share) == (4, 0.25)
    assert found.pools == {"fast": 0.0, "default": 0.75}


def test_signals_of_gpus_are_asked_of_the_pods_that_have_some() -> None:
    made = build(history("gpu", {key("ReplicaSet", "train"): 0.5}))
    found = coverage_of(cluster(NODES, PODS), made, [FAST], of_gpus=True)
    assert (found.pods, found.share, found.pools) == (1, 1.0, {"fast": 1.0})


def test_a_signal_of_nodes_covers_the_pods_that_run_on_them() -> None:
    made = build(history("load", {WorkloadKey("", "Node", "n1"): 1.0}))
    assert coverage_of(cluster(NODES, PODS), made, [FAST], of_gpus=False).pools == {"fast": 0.0, "default": 1.0}


@pytest.mark.parametrize(("pods", "share"), [(1, 1.0), (0, 0.0)], ids=["an old one beside it", "all are young"])
def test_a_pod_that_just_began_counts_where_no_other_runs(pods: int, share: float) -> None:
    young = pod("db-9", node="n1", created=NOW - 60)
    found = coverage_of(cluster(NODES, [young, *PODS[:pods]]), build(history("cpu", {WEB: 1.0})), [], of_gpus=False)
    assert (found.pods, found.share) == (1, share)


def test_nothing_runs_and_nothing_is_known() -> None:
    assert coverage_of(cluster(NODES), build(history("cpu", {WEB: 1.0})), [], of_gpus=False).share == 1.0
    assert coverage_of(cluster(NODES, PODS), build(history("cpu", {})), [], of_gpus=False).share == 0.0
