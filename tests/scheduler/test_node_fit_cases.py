"""What the sigs descheduler's nodeFit gets wrong: it evicts in each of these cases, with no place to go."""

from __future__ import annotations

import numpy as np

from builders import cluster, node, pod, spec
from descheduler.model.pods import HostPort
from descheduler.model.selectors import NodeSelectorTerm, Operator, Requirement
from descheduler.model.storage import Claim, Volume
from descheduler.scheduler import Predicate, WhatIf, prepare
from scheduler.asking import HOST, ZONE, spread, term, together, verdicts


def moves(state: WhatIf, pods: list[int], source: int) -> list[int]:
    """Pods that find a place off the source, one after another, each seeing those before it."""
    moved = []
    for p in pods:
        trial = state.fork()
        trial.remove(p)
        able = [n for n in np.flatnonzero(trial.fits(p)).tolist() if n != source]
        if able:
            trial.place(p, able[0])
            state = trial
            moved.append(p)
    return moved


def test_ten_pods_and_one_free_slot() -> None:
    snapshot = cluster(
        [node("hot", cpu="80"), node("cold", cpu="8")], [pod(f"p-{i}", cpu="8", node="hot") for i in range(10)]
    )
    hot = snapshot.node_index["hot"]
    assert len(moves(prepare(snapshot).what_if(), list(range(10)), hot)) == 1


def test_a_pod_larger_than_every_cold_node() -> None:
    snapshot = cluster([node("hot"), node("c-0", cpu="16"), node("c-1", cpu="16")], [pod("p", cpu="20", node="hot")])
    assert verdicts(snapshot) == {
        "hot": Predicate.OK,
        "c-0": Predicate.RESOURCES,
        "c-1": Predicate.RESOURCES,
    }


def test_zone_anti_affinity_with_the_blocker_on_another_node_of_the_zone() -> None:
    wants = spec(anti_affinity=together(term(ZONE, {"app": "db"})))
    nodes = [node("hot", zone="a"), node("cold", zone="b"), node("full", zone="b")]
    blocker = pod("db-0", node="full", labels={"app": "db"})
    assert verdicts(cluster(nodes, [pod("p", of=wants, node="hot"), blocker]))["cold"] is Predicate.ANTI_AFFINITY


def test_anti_affinity_of_a_running_pod_against_the_candidate() -> None:
    guard = pod("x-0", of=spec(anti_affinity=together(term(HOST, {"app": "web"}))), node="cold")
    snapshot = cluster([node("hot"), node("cold")], [pod("p", node="hot", labels={"app": "web"}), guard])
    assert verdicts(snapshot)["cold"] is Predicate.ANTI_AFFINITY_OF_OTHERS


def test_pod_affinity_that_nothing_elsewhere_satisfies() -> None:
    wants = spec(affinity=together(term(HOST, {"app": "db"})))
    friend = pod("db-0", node="hot", labels={"app": "db"})
    snapshot = cluster([node("hot"), node("cold")], [pod("p", of=wants, node="hot"), friend])
    assert verdicts(snapshot)["cold"] is Predicate.AFFINITY


def test_topology_spread_rejects_the_only_target() -> None:
    web = {"app": "web"}
    wants = spec(spread=(spread(web),))
    nodes = [node("hot", zone="a"), node("cold", zone="b"), node("third", zone="c", cpu="0")]
    others = [pod("w-0", node="cold", labels=web, cpu="1"), pod("w-1", node="hot", labels=web)]
    snapshot = cluster(nodes, [pod("p", of=wants, node="hot", labels=web), *others])
    assert verdicts(snapshot)["cold"] is Predicate.SPREAD


def test_host_port_taken_on_the_only_target() -> None:
    of = spec(host_ports=(HostPort(443),))
    snapshot = cluster([node("hot"), node("cold")], [pod("p", of=of, node="hot"), pod("x", of=of, node="cold")])
    assert verdicts(snapshot)["cold"] is Predicate.PORTS


def test_volume_in_another_zone() -> None:
    volume = Volume("pv", (NodeSelectorTerm((Requirement(ZONE, Operator.IN, ("a",)),)),))
    snapshot = cluster(
        [node("hot", zone="a"), node("cold", zone="b")],
        [pod("p", node="hot", claims=("data",))],
        claims={("default", "data"): Claim("default", "data", "pv")},
        volumes={"pv": volume},
    )
    assert verdicts(snapshot)["cold"] is Predicate.VOLUME


def test_all_replicas_wanting_one_place_when_one_leaves_room_for_another() -> None:
    # Two pods may not share a node: the second must see that the first has already been promised the target.
    web = {"app": "web"}
    of = spec(anti_affinity=together(term(HOST, web)))
    nodes = [node("hot-a"), node("hot-b"), node("cold")]
    pods = [pod("w-0", of=of, node="hot-a", labels=web), pod("w-1", of=of, node="hot-b", labels=web)]
    state = prepare(cluster(nodes, pods)).what_if()
    cold = state.placement.snapshot.node_index["cold"]
    assert [state.fits(p, np.array([cold]))[0] for p in (0, 1)] == [True, True]
    state.remove(0)
    state.place(0, cold)
    assert not state.fits(1, np.array([cold]))[0]
