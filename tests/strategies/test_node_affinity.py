"""RemovePodsViolatingNodeAffinity: pods whose node is not, or not any more, what their spec asks for."""

from __future__ import annotations

import pytest

from builders import budget, cluster, node, pod, spec
from descheduler.model.labels import Labels
from descheduler.model.pods import NodeAffinity, PodSpec
from descheduler.model.reasons import Reason
from descheduler.model.selectors import NodeSelectorTerm, Operator, Requirement
from descheduler.planning import ChosenStrategy
from descheduler_strategies.node_affinity import PREFERRED_TYPE, REQUIRED_TYPE, RemovePodsViolatingNodeAffinity
from strategies.balancing import made


def affinity(*types: str, **arguments: object) -> ChosenStrategy:
    given = {"nodeAffinityType": list(types or (REQUIRED_TYPE,)), **arguments}
    return ChosenStrategy(RemovePodsViolatingNodeAffinity(), RemovePodsViolatingNodeAffinity.Args.model_validate(given))


def on(key: str, *values: str) -> NodeSelectorTerm:
    return NodeSelectorTerm((Requirement(key, Operator.IN, values),))


def requiring(*terms: NodeSelectorTerm) -> PodSpec:
    return spec(node_affinity=NodeAffinity(required=terms))


def preferring(*weighted: tuple[int, NodeSelectorTerm], cpu: str = "100m") -> PodSpec:
    return spec(cpu=cpu, node_affinity=NodeAffinity(preferred=weighted))


FAST = on("disk", "ssd")
SSD, HDD = {"disk": "ssd"}, {"disk": "hdd"}


def test_a_pod_whose_node_has_lost_the_label_leaves_for_one_that_has_it() -> None:
    nodes = [node("n0", labels=HDD), node("n1", labels=HDD), node("n2", labels=SSD)]
    pods = [pod("web-0", node="n0", of=requiring(FAST)), pod("web-1", node="n2", of=requiring(FAST))]
    found = made(cluster(nodes, pods), affinity())
    assert found.landed == {"web-0": "n2"}
    assert made(found.after(), affinity()).gone == []
    (finding,) = found.document.findings
    assert finding.text == (
        "n0 is not selected by the node selector and required affinity of 1 pod of default/ReplicaSet/web"
    )


def test_a_node_selector_counts_as_much_as_affinity() -> None:
    nodes = [node("n0", labels=HDD), node("n1", labels=SSD)]
    chosen = spec(node_selector=Labels(SSD))
    found = made(cluster(nodes, [pod("web-0", node="n0", of=chosen), pod("web-1", node="n1", of=chosen)]), affinity())
    assert found.landed == {"web-0": "n1"}


def test_any_term_will_do_and_a_term_by_name_counts() -> None:
    nodes = [node("n0", labels=HDD), node("n1", labels=SSD)]
    by_name = NodeSelectorTerm(fields=(Requirement("metadata.name", Operator.IN, ("n0",)),))
    pods = [pod("either-0", node="n0", of=requiring(FAST, by_name)), pod("none-0", node="n0", of=requiring(FAST))]
    assert made(cluster(nodes, pods), affinity()).gone == ["none-0"]


def test_without_a_place_elsewhere_it_stays() -> None:
    nodes = [node("n0", labels=HDD), node("n1", labels=HDD)]
    found = made(cluster(nodes, [pod("web-0", node="n0", of=requiring(FAST))]), affinity())
    assert found.gone == []
    assert found.document.findings[0].refused == {"NoPlace": 1}


def test_what_is_preferred_moves_only_who_is_expected_on_a_better_node() -> None:
    nodes = [node("n0", labels=HDD), node("n1", labels=SSD)]
    snapshot = cluster(nodes, [pod("web-0", node="n0", of=preferring((10, FAST)))])
    found = made(snapshot, affinity(PREFERRED_TYPE))
    assert found.landed == {"web-0": "n1"}
    assert made(found.after(), affinity(PREFERRED_TYPE)).gone == []
    assert made(snapshot, affinity(REQUIRED_TYPE)).gone == []


def test_a_better_node_without_room_moves_nobody() -> None:
    nodes = [node("n0", labels=HDD), node("n1", labels=SSD, cpu="2"), node("n2", labels=HDD)]
    pods = [pod("web-0", node="n0", of=preferring((10, FAST), cpu="4"))]
    found = made(cluster(nodes, pods), affinity(PREFERRED_TYPE))
    assert found.gone == []  # it fits on n2, which is no better: evicting it would be for nothing, again and again
    assert {one.blocked.reason for one in found.outcome.refused} <= {Reason.NO_GAIN, Reason.WOULD_STAY}


def test_nobody_leaves_the_best_node_and_the_heavier_preference_wins() -> None:
    nodes = [node("n0", labels={"zone": "a"}), node("n1", labels={"zone": "b"}), node("n2", labels={"zone": "c"})]
    wishes = preferring((1, on("zone", "a")), (50, on("zone", "b")))
    pods = [pod("good-0", node="n1", of=wishes), pod("less-0", node="n0", of=wishes)]
    assert made(cluster(nodes, pods), affinity(PREFERRED_TYPE)).landed == {"less-0": "n1"}


def test_both_types_are_told_apart() -> None:
    nodes = [node("n0", labels=HDD), node("n1", labels=SSD)]
    both = spec(node_affinity=NodeAffinity((FAST,), ((10, FAST),)))
    pods = [pod("web-0", node="n0", of=both), pod("web-1", node="n0", of=preferring((10, FAST)))]
    found = made(cluster(nodes, pods), affinity(REQUIRED_TYPE, PREFERRED_TYPE))
    assert found.landed == {"web-0": "n1", "web-1": "n1"}
    assert sorted(one.resource for one in found.document.findings) == ["", PREFERRED_TYPE]


def test_a_budget_holds_a_pod_back_and_the_finding_counts_it() -> None:
    nodes = [node("n0", labels=HDD), node("n1", labels=SSD)]
    pods = [pod("web-0", node="n0", of=requiring(FAST), labels={"app": "web"})]
    found = made(cluster(nodes, pods, [budget("web", {"app": "web"}, allowed=0)]), affinity())
    assert found.gone == []
    assert found.document.findings[0].refused == {"DisruptionBudget": 1}


def test_the_types_must_be_given() -> None:
    with pytest.raises(ValueError, match="nodeAffinityType"):
        RemovePodsViolatingNodeAffinity.Args.model_validate({})
    with pytest.raises(ValueError, match="nodeAffinityType"):
        affinity("sometimes")
