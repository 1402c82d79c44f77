"""Nodes that a policy selects: what it looks at, and what must be able to take a pod."""

from __future__ import annotations

from dataclasses import replace

from builders import cluster, node, pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import PlanningSettings
from descheduler.planning.filters.rules import FilterRules
from descheduler.policy.protections import Protections
from descheduler.policy.selecting import NodeSelector
from planning.cases import outcome, planned
from planning.test_uses import by_use, use

GENERAL = NodeSelector(match_labels={"pool": "general"})


def pools(n1: str = "general", n2: str = "general", n3: str = "batch") -> ClusterSnapshot:
    """Two pods on n1, which is cordoned; the pool of each node as given."""
    named = {"n1": n1, "n2": n2, "n3": n3}
    nodes = [node(name, unschedulable=name == "n1", labels={"pool": pool}) for name, pool in named.items()]
    return cluster(nodes, [pod(f"web-{i}", node="n1") for i in range(2)])


def looking_at(selector: NodeSelector | None, **protections: object) -> PlanningSettings:
    return PlanningSettings(filters=FilterRules.of(Protections.model_validate(protections), nodes=selector))


def test_pods_leave_selected_nodes_alone() -> None:
    assert by_use(planned(pools(), chosen=[use()], settings=looking_at(GENERAL)))
    elsewhere = outcome(pools(n1="batch"), chosen=[use()], settings=looking_at(GENERAL))
    assert not elsewhere.accepted
    assert elsewhere.context.filters.blocked(0) == Blocked(Reason.NOT_SELECTED, "node/n1", "nodeSelector")


def test_strategies_see_selected_nodes_alone_as_destinations() -> None:
    view = outcome(pools(), chosen=[], settings=looking_at(GENERAL)).view
    assert view.selected_nodes.tolist() == [True, True, False]
    assert view.destinations().tolist()[2] is False
    assert outcome(pools(), chosen=[], settings=looking_at(None)).view.selected_nodes.all()


def test_numbers_in_labels_can_be_compared() -> None:
    large = NodeSelector.model_validate({"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["16"]}]})
    nodes = [node(f"n{cores}", labels={"cores": cores}) for cores in ("8", "32")] + [node("none")]
    view = outcome(cluster(nodes, []), settings=looking_at(large)).view
    assert [n.name for n, seen in zip(view.snapshot.nodes, view.selected_nodes, strict=True) if seen] == ["n32"]


def test_a_pod_moves_only_while_a_node_that_its_protections_name_could_take_it() -> None:
    assert by_use(planned(pools(), chosen=[use()], settings=looking_at(None, node_selector=GENERAL)))
    for elsewhere in (pools(n2="batch"), pools(n1="general", n2="batch")):  # its own node does not count
        plan = planned(elsewhere, chosen=[use()], settings=looking_at(None, node_selector=GENERAL))
        assert not plan.actions
        assert {(row.reason, row.by) for row in plan.refusals} == {("NoPlace", "protections.nodeSelector")}
    full = pools()
    full = replace(full, nodes=tuple(replace(n, unschedulable=n.name != "n3") for n in full.nodes))
    assert not planned(full, chosen=[use()], settings=looking_at(None, node_selector=GENERAL)).actions
