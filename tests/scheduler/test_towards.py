"""Directions: as few good nodes are named as it takes that the scheduler will choose one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from builders import cluster, node, owner, pod, spec, workload
from descheduler.contract import Landing, Scenario, land
from descheduler.model.labels import Labels
from descheduler.model.landing_mode import LandingMode
from descheduler.model.owners import OwnerRef
from descheduler.model.pods import NodeAffinity
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.selectors import NodeSelectorTerm, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import Workload
from descheduler.scheduler import prepare

WEB = workload("ReplicaSet", "web")


def crowded(more: int = 0, of: object = None) -> ClusterSnapshot:
    """`web` alone on n0; n1 is fuller than n2, n3 is full; `more` empty nodes after them."""
    cpus = {"n1": "8", "n2": "4", "n3": "11"}
    pods = [
        pod("web-0", node="n0", of=of or spec("2")),  # type: ignore[arg-type]
        *(pod(f"other-{n}", cpu=cpu, node=n) for n, cpu in cpus.items()),
    ]
    return cluster([node(f"n{i}", cpu="12") for i in range(4 + more)], pods, workloads=[WEB])


def landed(
    snapshot: ClusterSnapshot, *wished: int, good: Sequence[int] | None = None, risk: float = 0.2, **rest: object
) -> Landing | Blocked:
    state = Scenario({}, prepare(snapshot).what_if(), mode=LandingMode.DIRECTED)
    web = snapshot.pod_index["default", "web-0"]
    state.remove(web)
    fine = range(len(snapshot.nodes)) if good is None else good
    return land(
        snapshot,
        state,
        web,
        0,
        lambda nodes: sum((nodes == n for n in fine), nodes < 0),
        risk,
        Reason.DESTINATION_HOT,
        wished,
        **rest,  # type: ignore[arg-type]
    )


def test_one_node_is_named_and_that_is_where_the_pod_comes_up() -> None:
    there = landed(crowded(), 1)
    assert isinstance(there, Landing)
    assert (there.nodes, there.towards, there.share) == ((1,), (1,), 1.0)
    assert there.direction == "uid-ReplicaSet-web"


def test_a_wish_without_room_or_that_is_not_good_is_passed_over() -> None:
    for wished, good in ((3, None), (1, (0, 2, 3))):
        there = landed(crowded(), wished, good=good)
        assert isinstance(there, Landing)
        assert there.towards == (2,)


def test_where_the_scheduler_looks_at_a_part_of_the_nodes_several_are_named() -> None:
    """Of 1,000 nodes it scores about 420: one that is named may not be among them, one of several is."""
    there = landed(crowded(996), 1)
    assert isinstance(there, Landing)
    assert 1 < len(there.towards) <= 8
    assert set(there.nodes) & set(there.towards)
    assert there.share >= 0.8
    surer = landed(crowded(996), 1, risk=0.02)
    assert isinstance(surer, Landing)
    assert len(surer.towards) > len(there.towards)


def test_beside_the_best_node_those_are_named_first_that_the_scheduler_likes_less() -> None:
    """Of all that are named it takes the one that it likes most: the empty ones would win over n2, n1 does not."""
    snapshot = crowded(996)
    at = snapshot.node_index
    there = landed(snapshot, at["n2"])
    assert isinstance(there, Landing)
    assert there.towards[:2] == (at["n2"], at["n1"])
    assert there.others
    assert not set(there.others) & set(there.towards)


def test_what_the_pod_prefers_itself_is_weighed_against_it() -> None:
    """Its own preference of weight 100 for n2 ties with ours for n1; together with the emptier n2 it wins."""
    fast = NodeSelectorTerm((Requirement("disk", Operator.IN, ("fast",)),))
    wants = NodeAffinity(preferred=((100, fast),))
    snapshot = crowded(of=replace(spec("2"), node_affinity=wants))
    nodes = tuple(
        replace(n, labels=Labels({**n.labels, "disk": "fast"})) if n.name == "n2" else n for n in snapshot.nodes
    )
    snapshot = cluster(nodes, snapshot.pods, workloads=[WEB])
    refused = landed(snapshot, 1, good=(1,))
    assert isinstance(refused, Blocked)
    assert (refused.reason, refused.detail) == (
        Reason.DESTINATION_HOT,
        "directed to 1 node, it would land on a good one with probability 0%",
    )
    assert isinstance(landed(snapshot, 1, good=(1, 2)), Landing)


def test_nodes_that_its_controller_s_pods_are_directed_to_already_stay_named() -> None:
    there = landed(crowded(), 1, named=(2,))
    assert isinstance(there, Landing)
    assert there.towards == (2, 1)
    assert there.nodes[0] == 2  # the emptier of the two


def of(owners: tuple[OwnerRef, ...], *workloads: Workload) -> ClusterSnapshot:
    """`web-0` names these owners."""
    snapshot = crowded()
    pods = [replace(p, owners=owners) if p.name == "web-0" else p for p in snapshot.pods]
    return cluster(snapshot.nodes, pods, workloads=workloads)


@pytest.mark.parametrize(
    "claimed",
    [
        of((), WEB),
        of((owner("ReplicaSet", "web"),)),
        of((owner("ReplicaSet", "web"),), replace(WEB, namespace="other")),
        of((owner("ReplicaSet", "web"),), replace(WEB, uid="another")),
        of((replace(owner("CloneSet", "web", "apps.kruise.io/v1alpha1"), uid=WEB.uid),), WEB),
    ],
    ids=["nobody", "gone", "of another namespace", "of another uid", "of a kind that is not read"],
)
def test_a_pod_is_directed_by_a_controller_that_is_there_alone(claimed: ClusterSnapshot) -> None:
    """Directions are given by uid, and whoever writes a pod writes what uid it names."""
    there = landed(claimed, 1)
    assert not isinstance(there, Landing) or there.towards == ()
    assert isinstance(landed(of((owner("ReplicaSet", "web"),), WEB), 1), Landing)


@pytest.mark.parametrize("risk", [0.5, 1.0])
def test_whatever_the_risk_nothing_moves_without_a_good_node(risk: float) -> None:
    for mode in (LandingMode.DIRECTED, LandingMode.PREDICTED, LandingMode.STEERED):
        snapshot = crowded(4)
        state = Scenario({}, prepare(snapshot).what_if(), mode=mode)
        web = snapshot.pod_index["default", "web-0"]
        state.remove(web)
        found = land(snapshot, state, web, 0, lambda nodes: nodes < 0, risk, Reason.DESTINATION_HOT)
        assert isinstance(found, Blocked)
