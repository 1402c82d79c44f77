"""Which devices there are for pods, by all that is known of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from builders import GPU, cluster, node, pod, spec
from descheduler.model.devices import Device, GpuShare, GpuSource, MigSlice, NodeGpus
from descheduler.model.nodes import Node
from descheduler.model.pods import GpuRequest, Pod, PodSpec
from descheduler.scheduler import WhatIf, prepare

GIB = 1 << 30


def described(name: str, *devices: Device, count: int = -1, **more: object) -> Node:
    found = NodeGpus(GPU, len(devices) if count < 0 else count, devices=devices, source=GpuSource.DRA, **more)  # type: ignore[arg-type]
    return replace(node(name, gpu=max(found.count, 1)), gpus=found)


def gpu(index: int, *, memory: int = 80, **more: bool) -> Device:
    return Device(index, f"GPU-{index}", memory=memory * GIB, **more)


def holding(name: str, *shares: GpuShare, of: PodSpec | None = None, at: str = "a") -> Pod:
    indices = tuple(s.index for s in shares)
    return pod(name, of=of or spec(gpu=len(shares)), node=at, gpu_indices=indices, gpu_shares=shares)


def state(nodes: list[Node], *pods: Pod) -> WhatIf:
    return prepare(cluster(nodes, pods)).what_if()


def fits(what_if: WhatIf, name: str) -> bool:
    at = what_if.placement.snapshot.pod_index["default", name]
    return bool(what_if.fits(at)[0])


WHOLE = spec(cpu="0", memory="0", gpu=1)
HALF = PodSpec(gpu=GpuRequest(GPU, 1, 500))


def test_an_unhealthy_device_takes_nobody_and_gives_nothing_back() -> None:
    nodes = [described("a", gpu(0), gpu(1, healthy=False), count=1)]
    found = state(nodes, holding("on-it", GpuShare(1)), pod("p", of=WHOLE), pod("h", of=HALF))
    assert found.gpu_milli().tolist() == [[1000, -1]]
    assert fits(found, "h")
    one, other = (found.placement.snapshot.pod_index["default", n] for n in ("on-it", "p"))
    found.remove(one)
    assert found.gpu_milli().tolist() == [[1000, -1]]
    found.place(other, 0)
    assert found.whole_gpus().tolist() == [0]


def test_a_pod_on_an_unhealthy_device_of_several_returns_the_others_only() -> None:
    nodes = [described("a", gpu(0), gpu(1, healthy=False), gpu(2), count=2)]
    found = state(nodes, holding("x", GpuShare(0), GpuShare(1)))
    assert (found.gpu_milli().tolist(), found.gpus_held(0)) == ([[0, -1, 1000]], (0,))
    found.remove(0)
    assert found.gpu_milli().tolist() == [[1000, -1, 1000]]
    found.place(0, 0)
    assert (found.gpu_milli().tolist(), found.gpus_held(0)) == ([[0, -1, 1000]], (0,))


def test_a_device_that_is_cut_up_is_no_whole_one() -> None:
    nodes = [described("a", gpu(0), gpu(1, mig=True), count=1)]
    assert state(nodes).whole_gpus().tolist() == [1]
    assert state(nodes, holding("x", GpuShare(0)), pod("h", of=HALF)).fits(0).tolist() == [False]


def test_shares_are_what_sources_say_and_not_what_was_asked_for() -> None:
    found = state([described("a", gpu(0), gpu(1))], holding("x", GpuShare(0, milli=700), of=HALF), pod("p", of=HALF))
    assert found.gpu_milli().tolist() == [[300, 1000]]
    found.remove(found.placement.snapshot.pod_index["default", "x"])
    assert found.gpu_milli().tolist() == [[1000, 1000]]


def test_more_than_full_is_full_and_comes_back_as_it_was() -> None:
    nodes = [described("a", gpu(0))]
    found = state(nodes, holding("x", GpuShare(0, milli=700), of=HALF), holding("y", GpuShare(0, milli=600), of=HALF))
    assert found.gpu_milli().tolist() == [[0]]
    found.remove(0)
    found.remove(1)
    assert found.gpu_milli().tolist() == [[1000]]


def test_a_placeholder_takes_nothing_but_is_there() -> None:
    found = state([described("a", gpu(0), gpu(1))], holding("x", GpuShare(0, milli=0)), pod("p", of=HALF))
    assert found.gpu_milli().tolist() == [[1000, 1000]]
    assert found.gpus_held(found.placement.snapshot.pod_index["default", "x"]) == (0,)


def test_memory_is_another_part_of_each_model() -> None:
    wants = PodSpec(gpu=GpuRequest(GPU, 1, 0, memory=30 * GIB))
    nodes = [
        described("a", gpu(0, memory=80)),
        described("b", gpu(0, memory=40)),
        described("c", gpu(0, memory=24)),
        node("d", gpu=1),
        node("e"),
    ]
    filler = [holding(f"x-{n}", GpuShare(0, milli=250), of=HALF, at=n) for n in "ab"]
    found = state(nodes, *filler, pod("p", of=wants))
    at = found.placement.snapshot.pod_index["default", "p"]
    assert found.fits(at).tolist() == [True, True, False, True, False]
    found.place(at, 1)
    assert found.gpu_milli()[1].tolist() == [0]
    assert not found.fits(at)[2]
    found.remove(at)
    found.place(at, 0)
    assert found.gpu_milli()[0].tolist() == [1000 - 250 - 375]
    assert found.gpu_milli()[1].tolist() == [750]


def test_of_memory_that_nobody_knows_the_whole_device_is_taken() -> None:
    wants = PodSpec(gpu=GpuRequest(GPU, 1, 0, memory=GIB))
    found = state([node("a", gpu=1)], pod("p", of=wants))
    found.place(0, 0)
    assert found.whole_gpus().tolist() == [0]


def test_where_devices_cannot_be_read_no_gpu_pod_fits() -> None:
    nodes = [described("a", gpu(0), gpu(1), problem="nonsense")]
    found = state(nodes, pod("p", of=WHOLE), pod("h", of=HALF), pod("plain"))
    assert [fits(found, name) for name in ("p", "h", "plain")] == [False, False, True]
    assert found.whole_gpus().tolist() == [0]


def test_time_sliced_devices_are_counted_by_their_resource_alone() -> None:
    sliced = replace(node("a", gpu=8), gpus=NodeGpus(GPU, 8, replicas=4))
    found = state([sliced], pod("p", of=WHOLE), pod("h", of=HALF))
    assert found.whole_gpus().tolist() == [0]
    assert [fits(found, name) for name in ("p", "h")] == [True, False]
    found.place(1, 0)
    found.remove(1)
    assert found.whole_gpus().tolist() == [0]


def test_devices_that_several_may_share_are_judged_one_by_one() -> None:
    shared = replace(
        node("a", gpu=20),
        gpus=NodeGpus(GPU, 20, devices=(gpu(0), gpu(1)), replicas=10, source=GpuSource.HAMI, steerable=True),
    )
    third = replace(WHOLE, gpu=GpuRequest(GPU, 1, 0, memory=25 * GIB))
    pods = [holding(f"x-{i}", GpuShare(i, milli=800), of=third) for i in range(2)]
    found = state([shared], *pods, pod("p", of=third), pod("w", of=WHOLE))
    assert [fits(found, name) for name in ("p", "w")] == [False, False]
    found.remove(found.placement.snapshot.pod_index["default", "x-0"])
    assert [fits(found, name) for name in ("p", "w")] == [True, True]


def test_what_is_reserved_is_not_free() -> None:
    nodes = [described("a", gpu(0), gpu(1), gpu(2), reserved=(GpuShare(1), GpuShare(-1, "GPU-2")))]
    found = state(nodes)
    assert (found.gpu_milli().tolist(), found.whole_gpus().tolist()) == ([[1000, 0, 0]], [1])


def test_a_node_gives_out_no_more_than_it_offers() -> None:
    found = state([described("a", gpu(0), gpu(1), gpu(2), count=2)], pod("p", of=spec(cpu="0", memory="0", gpu=3)))
    assert found.whole_gpus().tolist() == [2]
    assert found.fits(0).tolist() == [False]


def test_who_holds_a_slice_holds_a_part_of_its_device() -> None:
    nodes = [described("a", gpu(0), gpu(1), slices=(MigSlice("1g.10gb", "GPU-1"),))]
    found = state(nodes, holding("x", GpuShare(1, "GPU-1", 125), of=PodSpec()))
    assert (found.gpu_milli().tolist(), found.whole_gpus().tolist()) == ([[1000, 875]], [1])


@pytest.mark.parametrize("index", [2, 3])
def test_an_index_beyond_the_count_still_takes_a_device(index: int) -> None:
    one = pod("x", of=WHOLE, node="a", gpu_indices=(index,))
    found = state([node("a", gpu=2), node("b", gpu=4)], one)
    assert found.whole_gpus().tolist() == [1, 4]
    found.remove(0)
    assert found.whole_gpus().tolist() == [2, 4]


def test_what_forks_do_is_their_own() -> None:
    found = state([described("a", gpu(0), gpu(1))], holding("x", GpuShare(0)), pod("p", of=HALF))
    twin = found.fork()
    twin.remove(found.placement.snapshot.pod_index["default", "x"])
    assert np.array_equal(found.gpu_milli(), [[0, 1000]])
    assert np.array_equal(twin.gpu_milli(), [[1000, 1000]])


def test_more_units_than_machines_have_devices_are_counted_by_their_resource_alone() -> None:
    found = state([node("a", gpu=400)], pod("p", of=WHOLE))
    assert (found.gpu_milli().size, found.whole_gpus().tolist(), fits(found, "p")) == (0, [0], True)
