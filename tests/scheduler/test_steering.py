"""Landings foreseen with our taint on some nodes are those of a cluster whose nodes carry it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import cluster, node, pod, spec
from descheduler.contract import Landing, Scenario, land
from descheduler.model.landing_mode import LandingMode
from descheduler.model.nodes import VACATING, Taint
from descheduler.model.pods import Toleration
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import prepare
from scheduler.clusters import random_cluster

LIKE_OURS = replace(VACATING, key="like-ours")


@given(st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_steering_a_node_is_like_tainting_it(rng: Random) -> None:
    snapshot = random_cluster(rng)
    steered = {n for n in range(len(snapshot.nodes)) if rng.random() < 0.5}
    left = {n for n in range(len(snapshot.nodes)) if rng.random() < 0.2}  # of a move that has just ended
    seen = prepare(_tainted(snapshot, left, VACATING)).what_if()
    tainted = prepare(_tainted(snapshot, steered, LIKE_OURS)).what_if()
    for one in range(len(snapshot.pods)):
        assert seen.likely(one, steered) == tainted.likely(one)
        assert (seen.fits(one) == tainted.fits(one)).all()


def _tainted(snapshot: ClusterSnapshot, nodes: set[int], taint: Taint) -> ClusterSnapshot:
    made = [
        replace(one, taints=(*one.taints, taint)) if position in nodes else one
        for position, one in enumerate(snapshot.nodes)
    ]
    return replace(snapshot, nodes=tuple(made))


def emptied(**more: object) -> ClusterSnapshot:
    """`web` alone on n1; n2 and n3 are fuller, so the scheduler would put it back on n1."""
    pods = [pod("web", cpu="2", node="n1", **more)]  # type: ignore[arg-type]
    pods += [pod(f"other-{i}", cpu="6", node=f"n{i}") for i in (2, 3)]
    return cluster([node(f"n{i}", cpu="12") for i in (1, 2, 3)], pods)


def landed(snapshot: ClusterSnapshot, *steered: int, steering: bool = True) -> Landing | Blocked:
    mode = LandingMode.STEERED if steering else LandingMode.PREDICTED
    state = Scenario({}, prepare(snapshot).what_if(), mode=mode)
    state.steer(steered)
    web = snapshot.pod_index["default", "web"]
    state.remove(web)
    return land(snapshot, state, web, 0, lambda nodes: nodes >= 0, 0.2, Reason.DESTINATION_HOT)


def test_a_pod_that_would_come_back_goes_elsewhere_with_steering() -> None:
    back = landed(emptied(), steering=False)
    assert isinstance(back, Blocked)
    assert back.reason is Reason.WOULD_STAY
    there = landed(emptied())
    assert isinstance(there, Landing)
    assert set(there.nodes) == {1, 2}


def test_what_an_action_avoids_is_avoided_too() -> None:
    there = landed(emptied(), 0, 1)
    assert isinstance(there, Landing)
    assert there.nodes == (2,)


def test_a_pod_that_tolerates_everything_is_not_moved_by_it() -> None:
    anything = Toleration(key="", operator="Exists", value="", effect="")
    stays = landed(emptied(of=replace(spec(cpu="2"), tolerations=(anything,))))
    assert isinstance(stays, Blocked)
    assert stays.reason is Reason.WOULD_STAY


def test_a_fork_keeps_what_is_steered_and_changes_nothing_for_others() -> None:
    snapshot = emptied()
    state = Scenario({}, prepare(snapshot).what_if(), mode=LandingMode.STEERED)
    state.steer((0, 1))
    fork = state.fork()
    fork.steer(())
    web = snapshot.pod_index["default", "web"]
    for one in (state, fork):
        one.remove(web)
    assert [n for n, _ in state.landing(web)] == [2]
    assert [n for n, _ in fork.landing(web)] == [0]
    assert [n for n, _ in state.fork().landing(web)] == [2]
