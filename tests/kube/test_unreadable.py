"""One object that makes no sense is told, stops what it touches, and hides nothing else."""

from __future__ import annotations

import pytest

from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.selectors import LabelSelector
from kube.wire_objects import Json, container, meta, node, pod


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (container(requests={"cpu": "9e99999"}), "spec.containers[main].resources.requests.cpu"),
        (container(requests={"memory": "99999999999Ti"}), "spec.containers[main].resources.requests.memory"),
        (container(requests={"cpu": "-1"}), "spec.containers[main].resources.requests.cpu"),
        (container(limits={"cpu": "much"}), "spec.containers[main].resources.limits.cpu"),
        (container(requests={"cpu": {}}), "spec.containers[main].resources"),
        (container() | {"image": 7}, "$.spec.containers[0].image"),
    ],
)
def test_a_pod_with_an_absurd_field_stays_but_may_not_move_and_its_node_is_not_ready(bad: Json, field: str) -> None:
    found = snapshot_from_objects(
        {"pods": [pod("bad", bad, node="n1"), pod("good", node="n2")], "nodes": [node("n1"), node("n2")]}, 0.0
    )
    bad_pod, good_pod = found.pods
    assert field in bad_pod.problem
    assert bad_pod.node == "n1"
    assert not good_pod.problem
    assert [(n.name, n.ready) for n in found.nodes] == [("n1", False), ("n2", True)]
    assert len(found.problems) == 1
    assert found.problems[0].startswith("Pod shop/bad: ")
    assert field in found.problems[0]


def test_a_node_with_absurd_capacity_is_not_ready_and_takes_part_in_no_sum() -> None:
    found = snapshot_from_objects({"nodes": [node("n1", cpu="1e400"), node("n2")]}, 0.0)
    assert [(n.name, n.ready, n.allocatable != ()) for n in found.nodes] == [("n1", False, False), ("n2", True, True)]
    assert "status.allocatable.cpu" in found.problems[0]


def test_a_budget_that_cannot_be_read_protects_its_namespace() -> None:
    selector = {"matchExpressions": [{"key": "app", "operator": "Like", "values": ["web"]}]}
    (budget,) = snapshot_from_objects(
        {"poddisruptionbudgets": [{"metadata": meta("b", "shop"), "spec": {"selector": selector}}]}, 0.0
    ).budgets
    assert budget.selector == LabelSelector()
    assert budget.stale
    assert budget.allowed == 0


def test_the_columns_of_a_snapshot_with_broken_objects_can_be_built() -> None:
    found = snapshot_from_objects(
        {"pods": [pod("bad", container(requests={"cpu": "9e9999"}))], "nodes": [node("n1", memory="oops")]}, 0.0
    )
    assert found.columns.requested.min() >= 0
    assert not found.columns.node_ready.any()
