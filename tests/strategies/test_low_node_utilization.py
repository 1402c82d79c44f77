"""LowNodeUtilization: pods leave overutilized nodes, as few as do, for nodes that stay below their target."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from builders import cluster, node, pod, spec
from descheduler.model.landing_mode import LandingMode
from descheduler.model.nodes import Node, Taint
from descheduler.model.pods import Pod, Toleration
from descheduler.model.reasons import Reason
from descheduler_strategies.node_utilization import LowNodeUtilization
from strategies.balancing import UNLIMITED, low, made


def ten(*names: str, **rest: object) -> list[Node]:
    """Nodes of ten cores."""
    return [node(name, cpu="10", memory="64Gi", **rest) for name in names]  # type: ignore[arg-type]


def web(count: int, on: str, cpu: str = "1", name: str = "web", **rest: object) -> list[Pod]:
    return [pod(f"{name}-{on}{i}", cpu=cpu, node=on, **rest) for i in range(count)]  # type: ignore[arg-type]


def test_the_fewest_pods_leave_that_bring_a_node_to_its_target() -> None:
    plan = made(cluster(ten("a", "b"), [*web(4, "a"), *web(1, "a", "4", "big")]), low())
    assert plan.landed == {"big-a0": "b"}  # three small ones would do as well
    assert not plan.left_alone


def test_no_more_leaves_than_needed() -> None:
    plan = made(cluster(ten("a", "b"), web(7, "a")), low())
    assert len(plan.gone) == 2
    assert set(plan.landed.values()) == {"b"}


def test_a_node_at_its_target_is_left_alone() -> None:
    assert not made(cluster(ten("a", "b"), web(5, "a")), low()).gone


def test_a_node_of_odd_size_that_is_exactly_at_its_target_is_left_alone() -> None:
    for size, asked in (("3900m", "1950m"), ("7820m", "3910m"), ("1930m", "965m")):
        nodes = [node("a", cpu=size), node("b", cpu=size)]
        assert not made(cluster(nodes, web(1, "a", asked)), low()).gone
    assert made(cluster([node("a", cpu="3900m"), node("b", cpu="3900m")], web(2, "a", "976m")), low()).gone


def test_no_destination_is_filled_above_its_target() -> None:
    plan = made(cluster(ten("a", "b"), [*web(10, "a"), *web(2, "b")]), low())
    assert len(plan.gone) == 3  # b is at five of ten cores then, and a is still above
    assert plan.left_alone == {"a": Reason.NO_PLACE}


def test_a_node_that_cannot_be_brought_down_wholly_is_eased() -> None:
    held = web(8, "a", name="held", of=spec(cpu="1", local_storage=True))
    plan = made(cluster(ten("a", "b"), [*held, *web(2, "a")]), low())
    assert sorted(plan.gone) == ["web-a0", "web-a1"]
    assert plan.left_alone == {"a": Reason.NO_CURE}


def test_the_lowest_in_priority_and_quality_leaves_first() -> None:
    pods = [
        *web(2, "a", "2", "high", priority=100),
        *web(1, "a", name="guaranteed", of=replace(spec(cpu="2"), qos="Guaranteed")),
        *web(1, "a", "1", "burstable"),
    ]
    assert made(cluster(ten("a", "b"), pods), low()).gone == ["burstable-a0", "guaranteed-a0"]


def test_who_takes_nothing_of_what_is_too_much_stays() -> None:
    idle = web(5, "a", name="idle", of=replace(spec(cpu="0", memory="1Gi"), qos="BestEffort"))
    plan = made(cluster(ten("a", "b"), [*idle, *web(6, "a")]), low())
    assert len(plan.gone) == 1
    assert plan.gone[0].startswith("web")


def test_the_node_that_is_farthest_above_its_target_is_relieved_first() -> None:
    """Whatever the bytes of its memory."""
    nodes = [*ten("cpu", "cold"), node("memory", cpu="10", memory="640Gi")]
    pods = [*web(9, "cpu"), *web(7, "memory", name="large", of=spec(cpu="1", memory="40Gi"))]
    plan = made(cluster(nodes, pods), low(), settings=UNLIMITED)
    assert plan.gone[0].startswith("web-cpu")


class TestDoesNothing:
    def test_without_an_underutilized_node(self) -> None:
        plan = made(cluster(ten("a", "b"), [*web(8, "a"), *web(3, "b")]), low())
        assert not plan.gone
        assert plan.left_alone == {"a": Reason.NO_PLACE}

    def test_with_no_more_than_number_of_nodes(self) -> None:
        snapshot = cluster(ten("a", "b", "c"), web(8, "a"))
        assert made(snapshot, low(numberOfNodes=1)).gone
        few = made(snapshot, low(numberOfNodes=2))
        assert not few.gone
        assert few.left_alone == {"a": Reason.NO_CURE}

    def test_when_the_only_one_is_cordoned_or_not_ready(self) -> None:
        for away in ({"unschedulable": True}, {"ready": False}):
            nodes = [*ten("a"), *ten("b", **away)]
            assert not made(cluster(nodes, web(8, "a")), low()).gone

    def test_for_a_node_that_is_not_selected(self) -> None:
        snapshot = cluster(ten("a", "b"), web(8, "a"))
        view = made(snapshot).outcome.view
        for hidden in (0, 1):
            chosen = view.selected_nodes.copy()
            chosen[hidden] = False
            answers = list(LowNodeUtilization().propose(replace(view, selected_nodes=chosen), low().args))
            assert not [one for one in answers if hasattr(one, "moves")]


def test_a_cordoned_node_is_relieved_all_the_same() -> None:
    nodes = [*ten("a", unschedulable=True), *ten("b")]
    assert len(made(cluster(nodes, web(7, "a")), low()).gone) == 2


def test_pods_of_excluded_namespaces_stay_and_count() -> None:
    pods = [*web(4, "a", namespace="kube-system"), *web(4, "a", name="mine", namespace="mine")]
    plan = made(cluster(ten("a", "b"), pods), low(evictableNamespaces={"exclude": ["kube-system"]}))
    assert len(plan.gone) == 3
    assert all(name.startswith("mine") for name in plan.gone)


def test_eviction_limits_of_a_node_hold() -> None:
    snapshot = cluster(ten("a", "b", "c"), [*web(9, "a"), *web(9, "b", name="api")])
    plan = made(snapshot, low(evictionLimits={"node": 2}))
    assert len(plan.gone) == 4
    assert plan.left_alone == {"a": Reason.NODE_LIMIT, "b": Reason.NODE_LIMIT}
    assert not made(snapshot, low(evictionLimits={"node": 0})).gone


def test_who_tolerates_no_underutilized_node_stays_and_others_go() -> None:
    nodes = [*ten("a"), *ten("b", taints=[Taint("gpu", "true")])]
    pods = web(8, "a")
    assert made(cluster(nodes, pods), low()).left_alone == {"a": Reason.NO_PLACE}
    tolerant = web(3, "a", name="able", of=spec(cpu="1", tolerations=(Toleration("gpu", "Exists"),)))
    plan = made(cluster(nodes, [*pods[:5], *tolerant]), low())
    assert sorted(plan.gone) == ["able-a0", "able-a1", "able-a2"]


class TestResourcesThatNodesLack:
    def test_a_node_without_gpus_is_not_underutilized_by_them(self) -> None:
        nodes = [node("gpu1", cpu="32", gpu=8), node("cpu", cpu="32")]
        pods = [pod(f"train-{i}", cpu="1", gpu=1, node="gpu1") for i in range(8)]
        gpus = low(thresholds={"nvidia.com/gpu": 20}, targetThresholds={"nvidia.com/gpu": 50})
        assert made(cluster(nodes, pods), gpus).left_alone == {"gpu1": Reason.NO_PLACE}

    def test_one_with_gpus_takes_them(self) -> None:
        nodes = [node("gpu1", cpu="32", gpu=8), node("gpu2", cpu="32", gpu=8), node("cpu", cpu="32")]
        pods = [pod(f"train-{i}", cpu="1", gpu=1, node="gpu1") for i in range(8)]
        gpus = low(thresholds={"nvidia.com/gpu": 20}, targetThresholds={"nvidia.com/gpu": 50})
        plan = made(cluster(nodes, pods), gpus)
        assert len(plan.gone) == 4
        assert set(plan.landed.values()) == {"gpu2"}


class TestDeviations:
    def test_thresholds_lie_around_the_mean_of_all_nodes(self) -> None:
        pods = [*web(8, "a"), *web(2, "b"), *web(5, "c")]  # the mean is 50 %
        around = low(thresholds={"cpu": 10}, targetThresholds={"cpu": 10}, useDeviationThresholds=True)
        plan = made(cluster(ten("a", "b", "c"), pods), around)
        assert len(plan.gone) == 2  # to 60 %
        assert set(plan.landed.values()) == {"b"}

    def test_they_stay_between_nothing_and_all(self) -> None:
        pods = [*web(2, "a"), *web(1, "b")]
        around = low(thresholds={"cpu": 20}, targetThresholds={"cpu": 2}, useDeviationThresholds=True)
        plan = made(cluster(ten("a", "b", "c"), pods), around)  # c, empty, is at 0 % and below it
        assert plan.landed == {"web-a0": "c"}

    def test_pods_that_move_to_a_larger_node_lower_the_mean_and_nobody_is_above_it_then(self) -> None:
        nodes = [*ten("a", "b"), node("large", cpu="100", memory="64Gi")]
        pods = [*web(9, "a"), *web(5, "b"), *web(1, "large", "2")]
        around = low(thresholds={"cpu": 10}, targetThresholds={"cpu": 10}, useDeviationThresholds=True)
        first = made(cluster(nodes, pods), around)
        assert first.gone
        used = [sum(p.node == n for p in first.after().pods) for n in ("a", "b")]
        assert used[1] <= 5


def test_moves_say_what_they_do() -> None:
    document = made(cluster(ten("a", "b"), web(6, "a")), low()).document
    (finding,) = document.findings
    assert (finding.subject, finding.value, finding.threshold, finding.after) == ("node/a", 0.6, 0.5, 0.5)
    assert finding.text == "a is at 60 % of its cpu by requests, the target is 50 %"
    assert document.actions[0].note == "cpu 60 % → 50 %"


@pytest.mark.parametrize("landing", [LandingMode.DIRECTED, LandingMode.RESERVED, LandingMode.STEERED])
def test_whoever_decides_where_pods_land(landing: LandingMode) -> None:
    plan = made(cluster(ten("a", "b"), web(7, "a")), low(), settings=replace(UNLIMITED, landing=landing))
    assert len(plan.gone) == 2


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"thresholds": {}}, "thresholds"),
        ({"thresholds": {"cpu": 120}}, "less than or equal to 100"),
        ({"thresholds": {"cpu": True}}, "a number of percent"),
        ({"thresholds": {"memory": 20}}, "the same resources"),
        ({"thresholds": {"cpu": 60}}, "above its target"),
        ({"evictableNamespaces": {"include": ["a"]}}, "include"),
        ({"evictionLimits": {"node": -1}}, "evictionLimits.node"),
        ({"metricsUtilization": {}}, "needs a source"),
        ({"metricsUtilization": {"source": "Prometheus"}}, "needs prometheus.query"),
        ({"metricsUtilization": {"source": "Prometheus", "prometheus": {"query": "x"}}}, "MetricResource"),
        ({"metricsUtilization": {"source": "KubernetesMetrics", "metricsServer": True}}, "one of"),
        ({"metricsUtilization": {"source": "KubernetesMetrics", "prometheus": {"query": "x"}}}, "source Prometheus"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, object], wrong: str) -> None:
    with pytest.raises(ValidationError) as error:
        low(**arguments)
    assert wrong in str(error.value)


def test_metrics_server_tells_of_no_extended_resources() -> None:
    gpus = {"thresholds": {"nvidia.com/gpu": 20}, "targetThresholds": {"nvidia.com/gpu": 50}}
    with pytest.raises(ValidationError, match="cpu, memory, pods only"):
        low(**gpus, metricsUtilization={"metricsServer": True})
    assert low(**gpus)
