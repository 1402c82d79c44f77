"""A node attaches no more volumes of a driver than it says, and a volume that several pods share counts once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import cluster, node, pod, spec
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.storage import Claim, ClaimTemplate, CsiNode, StorageClass, Volume
from descheduler.scheduler import Predicate, WhatIf, prepare
from scheduler.asking import at, verdicts

EBS, EFS = "ebs.csi.aws.com", "efs.csi.aws.com"
LAZY = StorageClass("lazy", "WaitForFirstConsumer", EBS, default=True)
OK, FULL = Predicate.OK, Predicate.VOLUME_LIMIT


def storing(name: str, *claims: str, node: str = "", **rest: object) -> Pod:
    return pod(name, node=node, claims=claims, **rest)  # type: ignore[arg-type]


def world(*pods: Pod, limit: int = 1, driver: str = EBS, unbound: tuple[str, ...] = ()) -> ClusterSnapshot:
    """Nodes a and b attach `limit` volumes of EBS each, c says nothing; a volume of `driver` behind every claim."""
    names = dict.fromkeys(claim for one in pods for claim in one.claims)
    claims = {
        ("default", name): Claim("default", name, "" if name in unbound else f"pv-{name}", "lazy") for name in names
    }
    return cluster(
        [node("a"), node("b"), node("c")],
        pods,
        claims=claims,
        volumes={f"pv-{name}": Volume(f"pv-{name}", csi_driver=driver, handle=f"vol-{name}") for name in names},
        storage_classes={"lazy": LAZY},
        csi_nodes={name: CsiNode(name, ((EBS, limit),)) for name in "ab"},
    )


def test_a_node_that_has_all_it_can_attach_takes_no_further_volume() -> None:
    snapshot = world(storing("p", "mine"), storing("x", "other", node="a"))
    assert verdicts(snapshot) == {"a": FULL, "b": OK, "c": OK}
    state = prepare(snapshot).what_if()
    assert "1 node(s) exceed max volume count" in state.explain_text(at(snapshot, "p"))


@pytest.mark.parametrize(
    "snapshot",
    [
        world(storing("p"), storing("x", "other", node="a")),  # it needs none
        world(storing("p", "mine"), storing("x", "mine", node="a")),  # the same one, attached already
        world(storing("p", "mine"), storing("x", "other", node="a"), limit=2),
        world(storing("p", "mine"), storing("x", "other", node="a"), driver=EFS),  # of which there is no limit
    ],
    ids=["none", "shared", "room", "another driver"],
)
def test_who_needs_no_further_one_may_come(snapshot: ClusterSnapshot) -> None:
    assert verdicts(snapshot)["a"] is OK


def test_a_limit_of_nothing_lets_nothing_in() -> None:
    assert verdicts(world(storing("p", "mine"), limit=0))["a"] is FULL


def test_claims_that_will_be_bound_and_volumes_that_will_be_made_count_too() -> None:
    crowd = storing("x", "other", node="a")
    assert verdicts(world(storing("p", "late"), crowd, unbound=("late",)))["a"] is FULL
    scratch = replace(spec(), ephemeral=(ClaimTemplate("scratch"),))
    assert verdicts(world(pod("p", of=scratch), crowd))["a"] is FULL
    assert verdicts(world(storing("p", "mine"), pod("x", of=scratch, node="a")))["a"] is FULL
    assert verdicts(world(pod("p", of=scratch), storing("x", node="a")))["a"] is OK


def room(state: WhatIf, name: str) -> list[bool]:
    found: list[bool] = state.fits(at(state.placement.snapshot, name)).tolist()
    return found


def test_volumes_move_with_their_pods() -> None:
    snapshot = world(storing("x", "other", node="a"), storing("y", "mine", node="b"))
    state = prepare(snapshot).what_if()
    x, y = at(snapshot, "x"), at(snapshot, "y")
    assert room(state, "x") == [True, False, True]
    before = state.fork()
    state.remove(y)
    assert room(state, "x") == [True, True, True]
    state.place(y, 2)
    state.remove(x)
    state.place(x, 1)
    assert room(state, "y") == [True, False, True]
    assert room(before, "x") == [True, False, True]


def test_a_shared_volume_stays_attached_until_its_last_user_leaves() -> None:
    snapshot = world(storing("p", "mine"), storing("x", "shared", node="a"), storing("y", "shared", node="a"))
    state = prepare(snapshot).what_if()
    state.remove(at(snapshot, "x"))
    assert not room(state, "p")[0]
    state.remove(at(snapshot, "y"))
    assert room(state, "p")[0]


def test_who_terminates_still_has_his_volume_attached() -> None:
    leaving = storing("x", "other", node="a", deleting=1.0)
    assert verdicts(world(storing("p", "mine"), leaving))["a"] is FULL
    snapshot = world(storing("p", "mine"), storing("x", "other", node="a"))
    state, x = prepare(snapshot).what_if(), at(snapshot, "x")
    state.remove(x)
    state.linger(x, 0)
    state.place(x, 2)
    assert not room(state, "p")[0]
    state.end(x, 0)
    assert room(state, "p")[0]
