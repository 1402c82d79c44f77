"""What LowNodeUtilization and HighNodeUtilization evict, and when they stop."""

from __future__ import annotations

import pytest

from builders import budget, owner, pod, spec, workload
from descheduler.backtest.peers import HighNodeUtilization, LowNodeUtilization
from worlds import gone, machines, replicas, using, walked


def test_a_hot_node_loses_pods_until_what_is_left_is_under_the_target() -> None:
    pods = [pod(f"{name}-1", node="hot") for name in "abcd"]
    done = walked(
        using(machines("hot", "idle"), pods, dict.fromkeys(("a-1", "b-1", "c-1", "d-1"), 2.0), steps=1), low()
    )
    assert len(gone(done)) == 1


@pytest.mark.parametrize(("each", "why"), [(1.8, "nothing is hot"), (2.0, "nobody is cool enough")])
def test_it_does_nothing_without_a_node_over_and_a_node_under(each: float, why: str) -> None:
    pods = [pod(f"{name}-1", node="first") for name in "abcd"] + [pod("other-1", node="second")]
    used = {**dict.fromkeys(("a-1", "b-1", "c-1", "d-1"), each), "other-1": 5.0 if each == 2.0 else 1.0}
    assert not gone(walked(using(machines("first", "second"), pods, used, steps=1), low())), why


def test_it_goes_by_use_and_by_requests_only_when_told_to() -> None:
    pods = [pod("small-1", cpu="1", node="busy"), pod("big-1", cpu="8", node="asked"), pod("idle-1", node="third")]
    world = using(machines("busy", "asked", "third"), pods, {"small-1": 8.0, "big-1": 1.0}, steps=1)
    assert gone(walked(world, low())) == ["small-1"]
    assert gone(walked(world, low(metrics=False))) == ["big-1"]


def test_the_less_important_go_first_whatever_they_use() -> None:
    pods = [pod("low-1", node="hot", priority=-5), *(pod(f"{name}-1", node="hot") for name in "abc")]
    used = {"low-1": 0.1, "a-1": 3.0, "b-1": 3.0, "c-1": 3.0}
    found = gone(walked(using(machines("hot", "idle"), pods, used, steps=1), low()))
    assert found[0] == "low-1"
    assert len(found) == 2


def test_it_stops_when_the_room_of_all_cool_nodes_together_is_used_up() -> None:
    pods = [pod(f"a{i}-1", node=name) for i, name in enumerate(("first", "second", "third"))] + [
        pod(f"b{i}-1", node=name) for i, name in enumerate(("first", "second", "third"))
    ]
    used = {one.name: 4.5 for one in pods}
    done = walked(using(machines("first", "second", "third", "idle"), pods, used, steps=1), low())
    assert len(gone(done)) == 2  # 7.5 cores of room, 4.5 for each: the third would have none


def test_what_no_evictor_touches_stays_and_its_neighbour_goes() -> None:
    pods = [
        pod("agent-1", node="hot", owners=[owner("DaemonSet", "agent")]),
        pod("bare", node="hot", owners=()),
        pod("disk-1", node="hot", of=spec(local_storage=True)),
        pod("vital-1", node="hot", priority=2_000_001_000),
        pod("web-1", node="hot", priority=100),
    ]
    used = {one.name: 1.7 for one in pods}
    assert gone(walked(using(machines("hot", "idle"), pods, used, steps=1), low())) == ["web-1"]


def test_a_budget_refuses_and_the_next_pod_is_tried() -> None:
    pods = [
        *replicas("web", {"1": "hot", "2": "hot"}, labels={"app": "web"}, priority=-1),
        *replicas("api", {"1": "hot", "2": "hot"}),
    ]
    used = {one.name: 2.4 for one in pods}
    guard = budget("web", {"app": "web"}, allowed=1)
    found = gone(walked(using(machines("hot", "idle"), pods, used, [guard], steps=1), low()))
    assert sorted(name.partition("-")[0] for name in found) == ["web"]
    used = {one.name: 3.5 for one in pods}  # two must go, and the budget has one
    found = gone(walked(using(machines("hot", "idle"), pods, used, [guard], steps=1), low()))
    assert sorted({name.partition("-")[0] for name in found}) == ["api", "web"]
    assert len([name for name in found if name.startswith("web")]) == 1


def test_node_fit_keeps_pods_that_no_other_node_has_room_for() -> None:
    pods = [pod("big-1", cpu="9", node="hot"), pod("idle-1", cpu="3", node="idle")]
    world = using(machines("hot", "idle"), pods, {"big-1": 8.0}, steps=1)
    assert not gone(walked(world, low()))
    assert gone(walked(world, low(node_fit=False))) == ["big-1"]


def test_the_landing_is_the_schedulers() -> None:
    """It puts the pod where least is requested, though that node is as hot as the one that it came from."""
    pods = [pod("a-1", cpu="5", node="hot"), pod("b-1", cpu="4", node="hot"), pod("idle-1", cpu="6", node="idle")]
    pods.append(pod("warm-1", cpu="1", node="warm"))
    world = using(machines("hot", "idle", "warm"), pods, {"a-1": 4.5, "b-1": 4.5, "warm-1": 7.0}, steps=1)
    done = walked(world, low())
    assert [done.cluster.name(move.target) for move in done.cluster.moves] == ["warm"]


def test_high_node_utilization_empties_nodes_that_little_is_requested_of() -> None:
    pods = [pod("a-1", cpu="1", node="low"), pod("b-1", cpu="5", node="full"), pod("c-1", cpu="4", node="half")]
    shown = [workload("ReplicaSet", name) for name in "abc"]
    world = using(machines("low", "full", "half"), pods, {}, workloads=shown, steps=1)
    assert gone(walked(world, HighNodeUtilization(thresholds={"cpu": 0.2}))) == ["a-1"]
    assert not gone(walked(world, HighNodeUtilization(thresholds={"cpu": 0.05})))


def low(**rest: bool) -> LowNodeUtilization:
    return LowNodeUtilization(thresholds={"cpu": 0.45}, targets={"cpu": 0.75}, **rest)  # type: ignore[arg-type]
