"""Pods of one controller that are directed together prefer the nodes of all of them, and are proved so."""

from __future__ import annotations

from builders import cluster, node, owner, pod, workload
from descheduler.contract import Relocation, land_all
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Move
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning import PlanningSettings
from planning.cases import outcome

DIRECTED = PlanningSettings(landing=LandingMode.DIRECTED)


def together(kind: str, *wishes: tuple[int, ...]) -> Relocation | Blocked:
    """`web-0` and `web-1` leave n0 for these nodes alone; of n1, half full, and n2 the scheduler likes the latter."""
    nodes = [node(f"n{i}", cpu="16") for i in range(3)]
    pods = [pod(f"web-{i}", cpu="2", node="n0", owners=(owner(kind, "web"),)) for i in (0, 1)]
    snapshot = cluster(nodes, [*pods, pod("other", cpu="8", node="n1")], workloads=[workload(kind, "web", 2)])
    view = outcome(snapshot, settings=DIRECTED).view
    leaving = [snapshot.pod_index["default", one.name] for one in pods]
    moves = [Move(one, 0, to, only=True) for one, to in zip(leaving, wishes, strict=True)]
    return land_all(
        snapshot,
        view.what_if(),
        moves,
        lambda _state, _pod: lambda at: at >= 0,
        max_risk=0.2,
        bad=Reason.DESTINATION_HOT,
    )


def test_a_pod_is_not_promised_its_own_node_where_it_will_prefer_another_one_s_too() -> None:
    refused = together("ReplicaSet", (1,), (2,))
    assert isinstance(refused, Blocked)
    assert refused.reason is Reason.DESTINATION_HOT
    assert refused.detail.startswith("directed to 2 nodes")


def test_a_statefulset_s_pods_have_nodes_of_their_own() -> None:
    found = together("StatefulSet", (1,), (2,))
    assert isinstance(found, Relocation)
    assert list(found.landed.values()) == [1, 2]
    assert [one.towards for one in found.landings] == [(1,), (2,)]


def test_where_any_of_the_nodes_will_do_all_of_them_are_named_to_both() -> None:
    found = together("ReplicaSet", (1, 2), (2, 1))
    assert isinstance(found, Relocation)
    assert {frozenset(one.towards) for one in found.landings} == {frozenset((1, 2))}
    assert set(found.landed.values()) == {2}
