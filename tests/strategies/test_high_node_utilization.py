"""HighNodeUtilization: nodes are emptied wholly or left alone, onto others that are in use and stay so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from builders import budget, cluster, node, owner, pod, spec, workload
from descheduler.model.landing_mode import LandingMode
from descheduler.model.nodes import Node
from descheduler.model.pods import Pod, Toleration
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from strategies.balancing import PACKING, UNLIMITED, high, made


def ten(*names: str, **rest: object) -> list[Node]:
    """Nodes of ten cores."""
    return [node(name, cpu="10", memory="64Gi", **rest) for name in names]  # type: ignore[arg-type]


def web(count: int, on: str, cpu: str = "1", name: str = "web", **rest: object) -> list[Pod]:
    return [pod(f"{name}-{on}{i}", cpu=cpu, node=on, **rest) for i in range(count)]  # type: ignore[arg-type]


def little_used(*more: Pod) -> ClusterSnapshot:
    """Two pods on a, which go onto b, where five are; c is empty."""
    return cluster(ten("a", "b", "c"), [*web(2, "a"), *web(5, "b"), *more])


def test_a_node_of_which_little_is_used_is_emptied() -> None:
    plan = made(little_used(), high(), settings=PACKING)
    assert plan.landed == {"web-a0": "b", "web-a1": "b"}
    (action,) = plan.document.actions
    assert (action.strategy, action.note, action.cordon) == ("HighNodeUtilization", "empties a", ())
    (finding,) = plan.document.findings
    assert (finding.value, finding.threshold, finding.after) == (2.0, 0.0, 0.0)
    assert finding.text == "a is in use for little: 20 % of cpu requested"


def test_the_scheduler_would_fill_empty_nodes_so_nothing_is_done() -> None:
    plan = made(little_used(), high(), settings=UNLIMITED)
    assert not plan.gone
    seen = next(iter(plan.outcome.observed.values()))
    assert seen.blocked.reason in (Reason.NO_GAIN, Reason.WOULD_STAY)
    assert "MostAllocated" in seen.blocked.detail


@pytest.mark.parametrize("landing", [LandingMode.DIRECTED, LandingMode.RESERVED])
def test_where_the_plan_chooses_nodes_it_needs_no_such_scheduler(landing: LandingMode) -> None:
    snapshot = replace(little_used(), workloads={w.key: w for w in [workload("ReplicaSet", "web", 7)]})
    plan = made(snapshot, high(), settings=replace(UNLIMITED, landing=landing))
    assert set(plan.landed.values()) == {"b"}


class TestWhollyOrNotAtAll:
    def test_a_pod_that_may_not_move_keeps_all(self) -> None:
        held = web(1, "a", name="held", of=spec(cpu="100m", local_storage=True))
        plan = made(little_used(*held), high(), settings=PACKING)
        assert not plan.gone
        assert plan.left_alone == {"a": Reason.LOCAL_STORAGE}

    def test_so_does_one_of_an_excluded_namespace(self) -> None:
        plan = made(
            little_used(*web(1, "a", "100m", "dns", namespace="kube-system")),
            high(evictableNamespaces={"exclude": ["kube-system"]}),
            settings=PACKING,
        )
        assert plan.left_alone == {"a": Reason.NAMESPACE_EXCLUDED}

    def test_and_one_that_finds_no_place(self) -> None:
        snapshot = cluster(ten("a", "b"), [*web(2, "a"), *web(9, "b")])
        plan = made(snapshot, high(), settings=PACKING)
        assert not plan.gone
        assert plan.left_alone == {"a": Reason.NO_PLACE}

    def test_pods_of_daemon_sets_and_static_pods_may_stay(self) -> None:
        agent = pod("agent-x", node="a", owners=(owner("DaemonSet", "agent"),))
        mirror = pod(
            "proxy-a", node="a", owners=(owner("Node", "a", "v1"),), annotations={"kubernetes.io/config.mirror": "x"}
        )
        plan = made(little_used(agent, mirror), high(), settings=PACKING)
        assert sorted(plan.gone) == ["web-a0", "web-a1"]

    def test_a_budget_lets_them_go_one_after_the_other(self) -> None:
        guarded = cluster(
            ten("a", "b"), [*web(2, "a", labels={"app": "web"}), *web(5, "b")], [budget("web", {"app": "web"}, 1)]
        )
        plan = made(guarded, high(), settings=PACKING)
        assert len(plan.gone) == 2
        assert len({action.wave for action in plan.document.actions}) == 2

    def test_a_budget_that_lets_nobody_go_keeps_all(self) -> None:
        pods = [*web(1, "a", labels={"app": "db"}, name="db"), *web(1, "a"), *web(5, "b")]
        guarded = cluster(ten("a", "b"), pods, [budget("db", {"app": "db"}, 0)])
        assert not made(guarded, high(), settings=PACKING).gone


class TestWhichNodes:
    def test_the_cheapest_first(self) -> None:
        pods = [*web(2, "a"), *web(1, "b"), *web(5, "c")]
        plan = made(cluster(ten("a", "b", "c"), pods), high(maxNodes=1), settings=PACKING)
        assert plan.gone == ["web-b0"]

    def test_all_of_them_may_be_little_used(self) -> None:
        """The original does nothing then."""
        plan = made(cluster(ten("a", "b", "c"), [*web(1, "a"), *web(2, "b"), *web(3, "c")]), high(), settings=PACKING)
        assert sorted(plan.gone) == ["web-a0", "web-b0", "web-b1"]
        assert set(plan.landed.values()) == {"c"}

    def test_who_was_filled_is_not_emptied_in_the_same_plan(self) -> None:
        pods = [*web(1, "a"), *web(2, "b")]
        plan = made(cluster(ten("a", "b"), pods), high(), settings=PACKING)
        assert plan.landed == {"web-a0": "b"}
        assert not made(plan.after(), high(), settings=PACKING).gone

    def test_no_more_than_number_of_nodes_are_left_alone(self) -> None:
        snapshot = little_used()  # a and c
        assert made(snapshot, high(numberOfNodes=1), settings=PACKING).gone
        assert not made(snapshot, high(numberOfNodes=2), settings=PACKING).gone

    def test_a_cordoned_node_is_emptied_and_takes_nobody(self) -> None:
        nodes = [*ten("a", unschedulable=True), *ten("b")]
        assert made(cluster(nodes, [*web(2, "a"), *web(5, "b")]), high(), settings=PACKING).gone
        nodes = [*ten("a"), *ten("b", unschedulable=True)]
        assert not made(cluster(nodes, [*web(2, "a"), *web(5, "b")]), high(), settings=PACKING).gone

    def test_a_node_is_not_judged_by_gpus_that_it_has_not(self) -> None:
        """The original evicts every pod of a node without GPUs."""
        nodes = [node("gpu1", cpu="32", gpu=8), node("gpu2", cpu="32", gpu=8), node("cpu", cpu="10")]
        pods = [pod(f"train-{i}", cpu="1", gpu=1, node=f"gpu{1 + (i > 1)}") for i in range(6)]
        plan = made(cluster(nodes, [*pods, *web(9, "cpu")]), high(thresholds={"nvidia.com/gpu": 40}), settings=PACKING)
        assert sorted(plan.gone) == ["train-0", "train-1"]

    def test_all_resources_that_it_has_must_be_little_used(self) -> None:
        thresholds = {"cpu": 30, "nvidia.com/gpu": 30}
        nodes = [node("gpu1", cpu="10", gpu=8), *ten("b")]
        busy = [*web(2, "gpu1"), pod("train-0", cpu="0", gpu=4, node="gpu1"), *web(5, "b")]
        assert not made(cluster(nodes, busy), high(thresholds=thresholds), settings=PACKING).gone
        assert made(cluster(nodes, [*web(2, "gpu1"), *web(5, "b")]), high(thresholds=thresholds), settings=PACKING).gone


def test_only_pods_that_request_what_counts() -> None:
    nodes = [node("gpu1", cpu="32", gpu=8), node("gpu2", cpu="32", gpu=8)]
    pods = [pod(f"train-{i}", cpu="1", gpu=1, node=f"gpu{1 + (i > 1)}") for i in range(6)]
    gpus = high(thresholds={"nvidia.com/gpu": 40}, evictionModes=["OnlyThresholdingResources"])
    plan = made(cluster(nodes, [*pods, *web(1, "gpu1")]), gpus, settings=PACKING)
    assert sorted(plan.gone) == ["train-0", "train-1"]


def test_a_node_that_keeps_others_is_not_in_use_for_what_counts() -> None:
    """Or pods with GPUs would go to and fro between two nodes that have others, too."""
    nodes = [node("gpu1", cpu="32", gpu=8), node("gpu2", cpu="32", gpu=8)]
    pods = [pod(f"train-{i}", cpu="1", gpu=1, node="gpu2") for i in range(3)]
    gpus = high(thresholds={"nvidia.com/gpu": 80}, evictionModes=["OnlyThresholdingResources"])
    assert not made(cluster(nodes, [*pods, *web(1, "gpu1"), *web(1, "gpu2")]), gpus, settings=PACKING).gone


def test_a_node_that_is_not_judged_and_empty_takes_nobody() -> None:
    nodes = [node("gpu1", cpu="32", gpu=8), node("cpu", cpu="10")]
    plan = made(cluster(nodes, web(1, "gpu1")), high(thresholds={"nvidia.com/gpu": 40}), settings=PACKING)
    assert plan.left_alone == {"gpu1": Reason.NO_PLACE}


class TestCordon:
    def test_a_cordoned_node_takes_nobody_while_it_is_emptied(self) -> None:
        snapshot = cluster(ten("a", "b"), [*web(2, "a"), *web(5, "b")])
        assert not made(snapshot, high(), settings=UNLIMITED).gone  # the scheduler would put them back
        plan = made(snapshot, high(cordon=True), settings=UNLIMITED)
        assert set(plan.landed.values()) == {"b"}
        assert {action.cordon for action in plan.document.actions} == {("a",)}

    def test_whoever_is_emptied_later_finds_the_earlier_ones_cordoned_too(self) -> None:
        nodes = [*ten("a", "c"), *ten("b", pods=2)]  # b is full
        snapshot = cluster(nodes, [*web(1, "a"), *web(2, "b"), *web(5, "c")])
        plan = made(snapshot, high(cordon=True), settings=UNLIMITED)
        assert set(plan.landed.values()) == {"c"}
        assert [action.cordon for action in plan.document.actions] == [("a",), ("a", "b")]

    def test_nodes_that_are_empty_already_still_attract(self) -> None:
        assert not made(little_used(), high(cordon=True), settings=UNLIMITED).gone

    def test_who_tolerates_a_cordon_would_stay(self) -> None:
        tolerant = spec(cpu="1", tolerations=(Toleration(operator="Exists"),))
        snapshot = cluster(ten("a", "b"), [*web(2, "a", of=tolerant), *web(5, "b")])
        plan = made(snapshot, high(cordon=True), settings=UNLIMITED)
        assert plan.left_alone == {"a": Reason.WOULD_STAY}


@pytest.mark.parametrize(
    "arguments", [{"thresholds": {}}, {"evictionModes": ["All"]}, {"evictableNamespaces": {"include": ["a"]}}]
)
def test_arguments_that_make_no_sense(arguments: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        high(**arguments)
