"""When LowNodeLoad takes a node for hot, and whom it evicts then."""

from __future__ import annotations

from collections.abc import Sequence

from builders import pod
from descheduler.backtest.peers import LowNodeLoad
from descheduler.backtest.world import World
from descheduler.model.pods import Pod
from worlds import STEP, gone, machines, replicas, using, walked


def pair(of: str, other: str = "idle") -> list[Pod]:
    """Two replicas, of which one is on the hot node: a workload of one would be left alone."""
    return [*replicas(of, {"1": "hot", "2": other})]


def world(hot: Sequence[float] | float, steps: int = 6) -> World:
    pods = [*pair("a"), *pair("b"), *pair("c")]
    used = {"a-1": 3.0, "b-1": 3.0, "c-1": hot}
    return using(machines("hot", "idle"), pods, used, steps=steps)


def test_a_node_must_be_hot_in_more_passes_than_one_step_has() -> None:
    done = walked(world(2.5), load())
    assert [round(move.at - done.meter.world.begin) for move in done.cluster.moves][:1] == [STEP]
    assert not gone(walked(world(2.5, steps=1), load()))


def test_a_step_that_is_not_hot_begins_the_count_anew() -> None:
    assert not gone(walked(world([2.5, 0.5, 2.5, 0.5, 2.5, 0.5]), load()))


def test_with_one_pass_a_step_it_takes_half_an_hour() -> None:
    assert not gone(walked(world(2.5, steps=5), load(passes=1)))
    assert gone(walked(world(2.5, steps=6), load(passes=1)))


def test_the_pod_that_just_covers_the_excess_goes() -> None:
    pods = [*pair("big"), *pair("fits"), *pair("tiny")]
    used = {"big-1": 7.0, "fits-1": 0.7, "tiny-1": 0.3}
    assert gone(walked(using(machines("hot", "idle", "spare"), pods, used, steps=2), load())) == ["fits-1"]


def test_no_more_than_two_leave_a_node_in_one_pass() -> None:
    names = [f"w{i}" for i in range(8)]
    pods = [one for name in names for one in pair(name)]
    used = {f"{name}-1": 1.2 for name in names}
    world = using(machines("hot", "idle"), pods, used, steps=1)
    assert len(gone(walked(world, load(high={"cpu": 0.5}, abnormal=0, passes=1)))) == 2
    assert len(gone(walked(world, load(high={"cpu": 0.5}, abnormal=0, passes=5)))) == 4  # then it is cool enough


def test_a_workload_of_one_replica_is_left_alone_and_its_neighbour_goes() -> None:
    pods = [pod("single-1", node="hot", created=1.0), *pair("a")]
    used = {"single-1": 7.0, "a-1": 1.0}
    assert gone(walked(using(machines("hot", "idle"), pods, used, steps=2), load())) == ["a-1"]


def test_pods_that_would_make_the_cool_nodes_hot_stay() -> None:
    pods = [*pair("a"), *pair("b")]
    used = {"a-1": 4.5, "b-1": 4.5, "a-2": 2.0, "b-2": 2.0}
    assert not gone(walked(using(machines("hot", "idle"), pods, used, steps=3), load()))
    used |= {"a-2": 1.0, "b-2": 1.0}
    assert len(gone(walked(using(machines("hot", "idle"), pods, used, steps=2), load()))) == 1


def load(**rest: object) -> LowNodeLoad:
    given = {"low": {"cpu": 0.45}, "high": {"cpu": 0.75}, **rest}
    return LowNodeLoad(**given)  # type: ignore[arg-type]
