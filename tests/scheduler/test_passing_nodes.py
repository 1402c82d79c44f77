"""Nodes on which a pod would not stay: about to be removed, or tolerated for some seconds only."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import cluster, node, pod, spec, workload
from descheduler.contract import Landing, Scenario, land
from descheduler.contract.relocate import land_all
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Move
from descheduler.model.nodes import Node, Taint
from descheduler.model.pods import Toleration
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import prepare

MODES = tuple(LandingMode)
PREFERRED_LESS = Taint("DeletionCandidateOfClusterAutoscaler", "1760000000", "PreferNoSchedule")
UNREACHABLE = Taint("node.kubernetes.io/unreachable", "", "NoExecute")


def seen(other: Node, *tolerations: Toleration) -> ClusterSnapshot:
    """`web` leaves the busy n1; `other` (n2) is empty, and n3 nearly."""
    web = pod("web-1", node="n1", of=replace(spec(cpu="2"), tolerations=tolerations))
    pods = [web, pod("busy-1", cpu="9", node="n1"), pod("full-1", cpu="1", node="n3")]
    return cluster([node("n1", cpu="12"), other, node("n3", cpu="12")], pods, workloads=[workload("ReplicaSet", "web")])


def leaving(snapshot: ClusterSnapshot, mode: LandingMode = LandingMode.PREDICTED) -> Scenario:
    state = Scenario({}, prepare(snapshot).what_if(), mode=mode)
    state.remove(snapshot.pod_index["default", "web-1"])
    return state


def landed(snapshot: ClusterSnapshot, mode: LandingMode = LandingMode.PREDICTED) -> Landing | Blocked:
    web = snapshot.pod_index["default", "web-1"]
    return land(snapshot, leaving(snapshot, mode), web, 0, lambda nodes: nodes >= 0, 0.2, Reason.DESTINATION_HOT)


going = replace(node("n2", cpu="12"), leaving="deletionTimestamp", drained=True)


@pytest.mark.parametrize("mode", MODES)
def test_a_node_that_is_about_to_go_is_no_good_landing(mode: LandingMode) -> None:
    found = landed(seen(going), mode)
    if mode.chosen:
        assert isinstance(found, Landing)
        assert found.nodes == (2,)
    else:  # the scheduler would put it there: nothing keeps it away
        assert isinstance(found, Blocked)
        assert (found.reason, found.by) == (Reason.NODE_LEAVING, "node/n2")


@pytest.mark.parametrize("mode", MODES)
def test_the_same_node_is_one_when_it_stays(mode: LandingMode) -> None:
    found = landed(seen(replace(going, leaving="", drained=False)), mode)
    assert isinstance(found, Landing)
    assert found.nodes[0] == 1


def test_a_taint_that_keeps_the_pod_away_does_no_harm_elsewhere() -> None:
    candidate = replace(going, taints=(PREFERRED_LESS,), drained=False)
    found = landed(seen(candidate))
    assert isinstance(found, Landing)
    assert found.nodes == (2,)
    assert found.candidates == 1


def test_steering_keeps_pods_away_from_it() -> None:
    snapshot = seen(going)
    web = snapshot.pod_index["default", "web-1"]
    start = Scenario({}, prepare(snapshot).what_if(), mode=LandingMode.STEERED)
    moved = land_all(
        snapshot, start, [Move(web, 0)], lambda _s, _p: lambda nodes: nodes >= 0,
        max_risk=0.2, bad=Reason.DESTINATION_HOT, more_avoided=3,
    )  # fmt: skip
    assert not isinstance(moved, Blocked)
    assert (moved.landed, moved.avoid) == ({web: 2}, (1,))


def for_a_while(seconds: int | None, key: str = UNREACHABLE.key) -> Toleration:
    return Toleration(key, "Exists", "", "NoExecute", seconds)


@pytest.mark.parametrize("mode", MODES)
def test_a_taint_that_is_tolerated_for_some_seconds_only_makes_no_good_landing(mode: LandingMode) -> None:
    tainted = node("n2", cpu="12", taints=[UNREACHABLE])
    found = landed(seen(tainted, for_a_while(300)), mode)
    if mode.chosen:
        assert isinstance(found, Landing)
        assert found.nodes == (2,)
    else:
        assert isinstance(found, Blocked)
        assert found.reason is Reason.NODE_LEAVING
    for_ever = landed(seen(tainted, for_a_while(None), for_a_while(300)), mode)
    assert isinstance(for_ever, Landing)
    assert 1 in for_ever.nodes
    elsewhere = landed(seen(node("n2", cpu="12"), for_a_while(300)), mode)  # every pod tolerates so by default
    assert isinstance(elsewhere, Landing)
    assert 1 in elsewhere.nodes


def test_nobody_is_told_that_such_a_node_has_room() -> None:
    snapshot = seen(going)
    web, state = snapshot.pod_index["default", "web-1"], leaving(snapshot)
    assert state.fits(web).tolist() == [True, False, True]
    assert state.possible(web).tolist() == [True, False, True]
    assert "1 node(s) are about to be removed" in state.explain(web)
