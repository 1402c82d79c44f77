"""The room of a node that is kept for a nominated pod is free for pods that rank above it, and for nobody else."""

from __future__ import annotations

import numpy as np
import pytest

from builders import GPU, cluster, node, pod, spec
from descheduler.model.pods import GpuRequest, HostPort, Pod, PodAffinity, PodSpec
from descheduler.scheduler import Predicate, WhatIf, prepare
from scheduler.asking import HOST, at, term, together, verdicts


def waiting(of: PodSpec | None = None, priority: int = 100, **rest: object) -> Pod:
    """A pending pod for which the room of node a is kept."""
    return pod("big", of=of or spec("3"), priority=priority, nominated="a", **rest)  # type: ignore[arg-type]


def verdict(*others: Pod, of: PodSpec | None = None, priority: int = 0, **rest: object) -> Predicate:
    """Of node a, about a pod that wants two of its four cores."""
    asking = pod("p", of=of or spec("2"), priority=priority, **rest)  # type: ignore[arg-type]
    return verdicts(cluster([node("a", cpu="4", gpu=2), node("b")], [asking, *others]))["a"]


@pytest.mark.parametrize(
    ("priority", "found"), [(0, Predicate.RESOURCES), (100, Predicate.RESOURCES), (101, Predicate.OK)]
)
def test_whoever_does_not_rank_above_it_finds_the_room_taken(priority: int, found: Predicate) -> None:
    assert verdict(waiting(), priority=priority) is found


@pytest.mark.parametrize(
    "other",
    [
        pod("big", of=spec("3"), priority=100),  # nobody nominated it
        pod("big", of=spec("3"), priority=100, nominated="gone"),
        pod("big", of=spec("3"), priority=100, nominated="a", node="b"),  # it got another node
        waiting(deleting=1.0),
        waiting(spec("1")),  # there is room for both
    ],
    ids=["not nominated", "node gone", "placed", "terminating", "small"],
)
def test_who_needs_no_room_there_takes_none(other: Pod) -> None:
    assert verdict(other) is Predicate.OK


def test_devices_are_kept_too() -> None:
    assert verdict(waiting(spec("0", gpu=2)), of=spec("0", gpu=1)) is Predicate.RESOURCES
    half = PodSpec(gpu=GpuRequest(GPU, 1, 500))
    both = [waiting(PodSpec(gpu=GpuRequest(GPU, 2, 800))), pod("p", of=half)]
    assert verdicts(cluster([node("a", gpu=2)], both))["a"] is Predicate.GPU_DEVICES
    assert verdicts(cluster([node("a", gpu=2)], [pod("p", of=half, priority=101), both[0]]))["a"] is Predicate.OK


def test_host_ports_and_anti_affinity_are_kept_on_its_node() -> None:
    port = spec("1", host_ports=(HostPort(80),))
    assert verdict(waiting(port), of=port) is Predicate.PORTS
    apart = spec("1", anti_affinity=PodAffinity(required=(term(HOST, {"app": "web"}),)))
    assert verdict(waiting(spec("1"), labels={"app": "web"}), of=apart) is Predicate.ANTI_AFFINITY
    assert verdict(waiting(apart), of=spec("1"), labels={"app": "web"}) is Predicate.ANTI_AFFINITY_OF_OTHERS


def test_nobody_may_rely_on_a_pod_that_has_not_come_yet() -> None:
    beside = spec("1", affinity=together(term(HOST, {"app": "web"})))
    assert verdict(waiting(spec("1"), labels={"app": "web"}), of=beside) is Predicate.AFFINITY


def state(*pods: Pod) -> WhatIf:
    return prepare(cluster([node("a", cpu="4", gpu=2), node("b")], pods)).what_if()


def test_it_does_not_stand_in_its_own_way_and_takes_its_room_once() -> None:
    found = state(waiting(), pod("p", of=spec("2")))
    big, p = (at(found.placement.snapshot, name) for name in ("big", "p"))
    assert found.fits(big).all()
    assert found.free(np.array([0]))[0, 0] == 1000
    before = found.fork()
    found.place(big, 1)
    assert found.fits(p).all()
    assert found.free(np.array([0]))[0, 0] == 4000
    assert not before.fits(p)[0]
    before.reserve(big, 0)
    assert before.free(np.array([0]))[0, 0] == 1000


def test_its_devices_are_not_free() -> None:
    found = state(waiting(spec("0", gpu=1)))
    assert found.whole_gpus().tolist() == [1, 0]


def test_what_it_waits_for_may_be_taken_still() -> None:
    found = state(waiting(), pod("leaving", cpu="4", node="a", deleting=1.0))
    assert found.free(np.array([0]))[0, 0] == 0


def test_room_that_is_kept_on_devices_that_others_hold_whole_opens_none_of_them() -> None:
    half, quarter = PodSpec(gpu=GpuRequest(GPU, 1, 500)), PodSpec(gpu=GpuRequest(GPU, 1, 250))
    whole = pod("whole", of=spec("1", gpu=2), node="a")
    assert verdict(whole, waiting(half), of=quarter) is Predicate.GPU_DEVICES
    assert verdict(pod("one", of=spec("1", gpu=1), node="a"), waiting(half), of=quarter) is Predicate.OK
