"""RemovePodsViolatingNodeTaints: who leaves a node for its taints, and to where."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import cluster, node, owner, pod, spec
from descheduler.model.nodes import VACATING, Taint
from descheduler.model.pods import Toleration
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler_strategies.node_taints import RemovePodsViolatingNodeTaints
from strategies.balancing import UNLIMITED, Made, made

GPU = Taint("gpu", "true", "NoSchedule")
SOFT = Taint("gpu", "true", "PreferNoSchedule")


def taints(**arguments: object) -> ChosenStrategy:
    return ChosenStrategy(RemovePodsViolatingNodeTaints(), RemovePodsViolatingNodeTaints.Args.model_validate(arguments))


def tolerating(*tolerations: Toleration) -> object:
    return spec(tolerations=tolerations)


def plan(snapshot: ClusterSnapshot, **arguments: object) -> Made:
    return made(snapshot, taints(**arguments))


def world(taint: Taint, *others: Taint) -> ClusterSnapshot:
    """`web-0` on a node with the taint; `n1` and `n2` have the `others`, and none."""
    return cluster([node("n0", taints=[taint]), node("n1", taints=others), node("n2")], [pod("web-0", node="n0")])


def test_whoever_does_not_tolerate_leaves_and_whoever_does_stays() -> None:
    pods = [pod("web-0", node="n0"), pod("job-0", node="n0", of=tolerating(Toleration("gpu", "Exists")))]
    pods += [pod("far-0", node="n1")]
    found = plan(cluster([node("n0", taints=[GPU]), node("n1")], pods))
    assert found.landed == {"web-0": "n1"}
    (finding,) = found.document.findings
    assert finding.text == "gpu=true:NoSchedule of n0 is not tolerated by 1 pod of default/ReplicaSet/web"
    assert (finding.value, finding.threshold, finding.after, finding.outcome) == (1.0, 0.0, 0.0, "cured")


@pytest.mark.parametrize(
    ("toleration", "stays"),
    [
        (Toleration("gpu", "Equal", "true", "NoSchedule"), True),
        (Toleration("gpu", "Equal", "true"), True),
        (Toleration("", "Exists"), True),
        (Toleration("gpu", "Equal", "false"), False),
        (Toleration("gpu", "Exists", "", "NoExecute"), False),
        (Toleration("other", "Exists"), False),
    ],
)
def test_tolerations_are_read_as_the_scheduler_reads_them(toleration: Toleration, *, stays: bool) -> None:
    pods = [pod("web-0", node="n0", of=tolerating(toleration))]
    found = plan(cluster([node("n0", taints=[GPU]), node("n1")], pods))
    assert found.gone == ([] if stays else ["web-0"])


def test_no_execute_is_not_looked_at_and_a_softer_taint_only_when_asked() -> None:
    assert plan(world(Taint("gpu", "true", "NoExecute"))).gone == []
    assert plan(world(SOFT)).gone == []
    assert plan(world(SOFT), includePreferNoSchedule=True).landed == {"web-0": "n2"} | plan(world(GPU)).landed


def test_nobody_goes_to_a_node_that_has_such_a_taint_too() -> None:
    assert plan(world(SOFT, SOFT), includePreferNoSchedule=True).landed == {"web-0": "n2"}
    tainted = cluster([node("n0", taints=[SOFT]), node("n1", taints=[SOFT])], [pod("web-0", node="n0")])
    found = plan(tainted, includePreferNoSchedule=True)
    assert found.gone == []
    assert [one.blocked.reason for one in found.outcome.refused] == [Reason.WOULD_STAY]


def test_our_own_taint_moves_nobody() -> None:
    assert plan(world(VACATING), includePreferNoSchedule=True).gone == []


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ({"excludedTaints": ["gpu"]}, []),
        ({"excludedTaints": ["gpu=true"]}, []),
        ({"excludedTaints": ["gpu=false"]}, ["web-0"]),
        ({"includedTaints": ["gpu"]}, ["web-0"]),
        ({"includedTaints": ["gpu=true"]}, ["web-0"]),
        ({"includedTaints": ["gpu=false", "other"]}, []),
        ({"includedTaints": []}, []),
        ({"namespaces": {"include": ["default"]}}, ["web-0"]),
        ({"namespaces": {"exclude": ["default"]}}, []),
        ({"labelSelector": {"matchLabels": {"app": "web"}}}, ["web-0"]),
        ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}}, []),
        ({"labelSelector": {}}, ["web-0"]),
    ],
)
def test_arguments_choose_taints_and_pods(arguments: dict[str, object], gone: list[str]) -> None:
    nodes = [node("n0", taints=[GPU]), node("n1")]
    assert plan(cluster(nodes, [pod("web-0", node="n0", labels={"app": "web"})]), **arguments).gone == gone


def test_taints_are_included_or_excluded() -> None:
    with pytest.raises(ValueError, match="give one of includedTaints and excludedTaints"):
        taints(includedTaints=["a"], excludedTaints=["b"])


def test_a_cordoned_node_is_left_but_one_that_is_not_ready_is_not() -> None:
    cordon = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
    pods = [pod("web-0", node="n0")]
    assert plan(cluster([node("n0", taints=[cordon], unschedulable=True), node("n1")], pods)).gone == ["web-0"]
    assert plan(cluster([node("n0", taints=[GPU], ready=False), node("n1")], pods)).gone == []


def test_where_there_is_no_place_it_stays_and_the_reason_is_said() -> None:
    found = plan(cluster([node("n0", taints=[GPU]), node("n1", cpu="1")], [pod("web-0", node="n0", cpu="2")]))
    assert found.gone == []
    (finding,) = found.document.findings
    assert finding.refused == {"NoPlace": 1}


def test_pods_of_low_priority_go_first_under_a_limit() -> None:
    pods = [pod(f"p{i}-0", node="n0", priority=10 - i) for i in range(3)]
    limited = replace(UNLIMITED, limits=DisruptionLimits(per_cycle=2, per_workload=None))
    found = made(cluster([node("n0", taints=[GPU]), node("n1")], pods), taints(), settings=limited)
    assert found.gone == ["p2-0", "p1-0"]


def test_after_the_plan_there_is_nothing_left_to_do() -> None:
    pods = [pod(f"web-{i}", node=f"n{i % 2}") for i in range(6)]
    found = plan(cluster([node("n0", taints=[GPU]), node("n1", taints=[SOFT]), node("n2")], pods))
    assert sorted(found.gone) == ["web-0", "web-2", "web-4"]
    assert plan(found.after()).gone == []


def test_pods_that_are_made_for_their_node_are_no_finding() -> None:
    owners = (owner("DaemonSet", "agent"),), (owner("Node", "n0", "v1"),)
    pods = [pod(f"p{i}-0", node="n0", owners=mine) for i, mine in enumerate(owners)]
    assert plan(cluster([node("n0", taints=[GPU]), node("n1")], pods)).document.findings == ()


def test_more_workloads_than_are_told_one_by_one_are_told_together() -> None:
    pods = [pod(f"p{i:03d}-0", node="n0", cpu="10m", memory="1Mi") for i in range(105)]
    found = plan(cluster([node("n0", taints=[GPU], pods=300), node("n1", pods=300)], pods))
    texts = [one.text for one in found.document.findings]
    assert len(texts) == 101
    assert texts[-1] == "gpu=true:NoSchedule of n0 is not tolerated by 5 pods of 5 further workloads"
    assert len(found.gone) == 105
