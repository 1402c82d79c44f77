"""RemoveDuplicates: pods of one kind that crowd on a node while others that could take them have fewer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from builders import GPU, cluster, node, owner, pod, spec, workload
from descheduler.model.labels import Labels
from descheduler.model.nodes import Node, Taint
from descheduler.model.pods import Pod, PodSpec
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy
from descheduler_strategies.remove_duplicates import RemoveDuplicates
from strategies.balancing import Made, made

WEB = {"app": "web"}


def duplicates(**arguments: object) -> ChosenStrategy:
    return ChosenStrategy(RemoveDuplicates(), RemoveDuplicates.Args.model_validate(arguments))


def plan(nodes: Sequence[Node], pods: Sequence[Pod], **arguments: object) -> Made:
    return made(again(nodes, pods), duplicates(**arguments))


def again(nodes: Sequence[Node], pods: Sequence[Pod]) -> ClusterSnapshot:
    """With the controllers of the pods, by which the scheduler spreads what asks for no spreading."""
    found = {(one.kind, one.name): one for pod in pods for one in pod.owners}
    known = [workload(kind, name, 4, selector=LabelSelector.of(WEB)) for kind, name in found]
    return cluster(nodes, pods, workloads=known)


def nodes(count: int, **more: object) -> list[Node]:
    return [node(f"n{i}", **more) for i in range(count)]  # type: ignore[arg-type]


def web(number: int, at: str = "n0", **more: object) -> Pod:
    return pod(f"web-{number}", node=at, **{"labels": WEB, **more})  # type: ignore[arg-type]


def crowd(count: int, of: PodSpec | None = None, **more: object) -> list[Pod]:
    return [web(i, of=of, **more) for i in range(count)]


def after(found: Made) -> dict[str, int]:
    return dict(Counter(one.node for one in found.after().pods))


def test_a_node_keeps_no_more_than_an_even_share() -> None:
    found = plan(nodes(3), crowd(6))
    assert after(found) == {"n0": 2, "n1": 2, "n2": 2}
    assert plan(found.after().nodes, found.after().pods).gone == []
    (finding,) = found.document.findings
    assert (finding.value, finding.after, finding.outcome) == (4.0, 0.0, "cured")
    assert finding.text == "n0 should have 2 of a kind at most, and has 4 pods of default/ReplicaSet/web more"


def test_equal_nodes_hand_nothing_back_and_forth() -> None:
    """Five pods on two nodes are three and two, whichever has the three."""
    assert plan(nodes(2), [*crowd(3), web(3, "n1"), web(4, "n1")]).gone == []
    assert plan(nodes(3), [web(0, "n0"), web(1, "n1")]).gone == []


def test_only_nodes_that_could_ever_take_the_pods_share_them() -> None:
    tainted = node("n3", taints=[Taint("own", "", "NoSchedule")])
    found = plan([*nodes(2), node("n2", cpu="1"), tainted, node("n4", unschedulable=True)], crowd(4, of=spec(cpu="2")))
    assert after(found) == {"n0": 2, "n1": 2}


def test_with_no_other_node_they_stay() -> None:
    bound = spec(node_selector=Labels({"disk": "ssd"}))
    assert plan([node("n0", labels={"disk": "ssd"}), node("n1")], crowd(3, of=bound)).gone == []


def test_gpu_pods_are_shared_by_gpu_nodes_alone() -> None:
    some = [node("n0", gpu=8), node("n1", gpu=8), *(node(f"c{i}") for i in range(6))]
    found = plan(some, crowd(4, of=spec(gpu=1)))
    assert after(found) == {"n0": 2, "n1": 2}
    assert GPU in {name for name, _ in found.outcome.view.snapshot.pods[0].spec.requests}


def test_a_kind_is_the_owner_and_the_images() -> None:
    one, two = spec(images=("a:1",)), spec(images=("a:2",))
    assert plan(nodes(2), [web(0, of=one), web(1, of=two)]).gone == []
    assert len(plan(nodes(2), [web(0, of=one), web(1, of=one)]).gone) == 1
    assert plan(nodes(2), [pod("web-0", node="n0"), pod("api-0", node="n0")]).gone == []
    apart = [pod("web-0", node="n0"), pod("web-0", node="n0", namespace="other")]
    assert plan(nodes(2), apart).gone == []


def test_bare_pods_are_no_kind() -> None:
    assert plan(nodes(2), crowd(3, owners=())).document.findings == ()


@pytest.mark.parametrize(
    ("arguments", "gone"),
    [
        ({"excludeOwnerKinds": ["ReplicaSet"]}, 0),
        ({"excludeOwnerKinds": ["Job"]}, 2),
        ({"namespaces": {"include": ["default"]}}, 2),
        ({"namespaces": {"exclude": ["def*"]}}, 0),
    ],
)
def test_arguments_choose_kinds(arguments: dict[str, object], gone: int) -> None:
    assert len(plan(nodes(2), crowd(4), **arguments).gone) == gone


def test_pods_that_may_not_move_count_and_others_go_for_them() -> None:
    held = {"descheduler.alpha.kubernetes.io/evict": "false"}
    pods = [*crowd(2, annotations=held), web(2), web(3)]
    found = plan(nodes(2), pods)
    assert sorted(found.gone) == ["web-2", "web-3"]
    every = plan(nodes(2), crowd(4, annotations=held))
    assert every.document.findings[0].refused == {"OptedOut": 2}


def test_those_of_low_priority_go_first() -> None:
    pods = [web(i, priority=i % 2) for i in range(4)]
    assert sorted(plan(nodes(2), pods).gone) == ["web-0", "web-2"]


def test_owners_of_any_kind_have_kinds() -> None:
    pods = [pod(f"db-{i}", node="n0", labels=WEB, owners=(owner("StatefulSet", "db"),)) for i in range(2)]
    assert len(plan(nodes(2), pods).gone) == 1
