"""The yardstick: what somebody who knows the future would do."""

from __future__ import annotations

from builders import budget, pod
from descheduler.backtest.oracle import Oracle
from worlds import gone, machines, using, walked

HOURS = [3.0] * 12 + [6.0] * 36  # cool for an hour, then hot


def test_it_moves_one_pod_just_before_the_node_is_hot() -> None:
    pods = [pod("a-1", node="hot"), pod("b-1", node="hot"), pod("other-1", node="cool")]
    world = using(machines("hot", "cool"), pods, {"a-1": HOURS, "b-1": 3.0, "other-1": 1.0}, steps=48)
    done = walked(world, Oracle())
    assert len(gone(done)) == 1
    assert done.score.hot_minutes == 0
    assert 0 < done.cluster.moves[0].at - world.begin < 3600


def test_a_burst_that_is_over_soon_is_let_pass() -> None:
    pods = [pod("a-1", node="hot"), pod("b-1", node="hot")]
    burst = [3.0] * 6 + [6.0] * 2 + [3.0]
    assert not gone(walked(using(machines("hot", "cool"), pods, {"a-1": burst, "b-1": 3.0}, steps=24), Oracle()))


def test_it_chooses_the_node_that_stays_cool_for_the_whole_horizon() -> None:
    pods = [pod("a-1", node="hot"), pod("b-1", node="hot"), pod("late-1", node="late"), pod("even-1", node="even")]
    used = {"a-1": 5.0, "b-1": 5.0, "late-1": [0.5] * 24 + [7.0], "even-1": 2.0}
    done = walked(using(machines("hot", "late", "even"), pods, used, steps=48), Oracle())
    assert [done.cluster.name(move.target) for move in done.cluster.moves] == ["even"]


def test_where_the_scheduler_decides_it_leaves_alone_what_would_land_badly() -> None:
    pods = [pod("a-1", cpu="4", node="hot"), pod("b-1", cpu="4", node="hot"), pod("warm-1", cpu="1", node="warm")]
    pods.append(pod("idle-1", cpu="5", node="idle"))
    used = {"a-1": 5.0, "b-1": 5.0, "warm-1": 7.0, "idle-1": 0.5}
    world = using(machines("hot", "warm", "idle"), pods, used, steps=24)
    assert not gone(walked(world, Oracle(chooses=False)))
    assert len(gone(walked(world, Oracle()))) == 1


def test_budgets_bind_it_too() -> None:
    pods = [pod(f"a-{i}", node="hot", labels={"app": "a"}) for i in (1, 2)]
    used = {"a-1": 4.0, "a-2": 4.0}
    guarded = using(machines("hot", "cool"), pods, used, [budget("a", {"app": "a"}, allowed=0)], steps=12)
    assert not gone(walked(guarded, Oracle()))
    assert len(gone(walked(using(machines("hot", "cool"), pods, used, steps=12), Oracle()))) == 1
