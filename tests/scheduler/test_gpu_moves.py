"""GPU devices while pods move: nothing is given twice, nothing is lost, and a fresh start finds the same."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import GPU, cluster, node, pod, spec
from descheduler.model.devices import Device, GpuShare, NodeGpus
from descheduler.model.pods import GpuRequest, Pod, PodSpec
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import WhatIf, prepare

PARTS = {milli: PodSpec(gpu=GpuRequest(GPU, 1, milli)) for milli in (200, 500, 700)}
PAIR = PodSpec(gpu=GpuRequest(GPU, 2, 300))
BY_MEMORY = PodSpec(gpu=GpuRequest(GPU, 1, 0, memory=20 << 30))
WHOLE = {count: spec(cpu="0", memory="0", gpu=count) for count in (1, 2)}
randoms = st.integers(0, 2**32).map(Random)


def _pods(rng: Random) -> list[Pod]:
    kinds = [*PARTS.values(), PAIR, *WHOLE.values()]
    return [pod(f"p-{i:02d}", of=rng.choice(kinds)) for i in range(rng.randint(1, 14))]


def _filled(rng: Random) -> WhatIf:
    """A cluster of pending pods, moved about at random, but only to where they fit."""
    nodes = [node(f"n{i}", gpu=rng.randint(1, 4)) for i in range(rng.randint(1, 3))]
    state = prepare(cluster(nodes, _pods(rng))).what_if()
    for _ in range(30):
        one = rng.randrange(len(state.placement.snapshot.pods))
        state.remove(one)
        able = np.flatnonzero(state.fits(one)).tolist()
        if able and rng.random() < 0.8:
            state.place(one, rng.choice(able))
    return state


def _written_down(state: WhatIf) -> ClusterSnapshot:
    """The state as a snapshot, with the devices in the pods' annotations."""
    snapshot = state.placement.snapshot
    pods = [
        replace(p, node=snapshot.nodes[at].name if at >= 0 else "", gpu_indices=state.gpus_held(i))
        for i, p in enumerate(snapshot.pods)
        for at in [state.node_of(i)]
    ]
    return replace(snapshot, pods=tuple(pods))


@given(randoms)
@settings(max_examples=150, deadline=None)
def test_devices_are_never_given_twice_nor_lost(rng: Random) -> None:
    state = _filled(rng)
    snapshot = state.placement.snapshot
    free = state.gpu_milli()
    assert ((free >= 0) | (free == -1)).all()
    for i, one in enumerate(snapshot.nodes):
        here = [p.spec.gpu for j, p in enumerate(snapshot.pods) if state.node_of(j) == i and p.spec.gpu]
        used = sum(g.count * g.milli for g in here)
        assert one.gpus is not None
        assert int(free[i][free[i] >= 0].sum()) == 1000 * one.gpus.count - used


@given(randoms)
@settings(max_examples=150, deadline=None)
def test_a_fresh_start_from_where_moves_lead_has_the_same_devices(rng: Random) -> None:
    state = _filled(rng)
    fresh = prepare(_written_down(state)).what_if()
    assert np.array_equal(fresh.gpu_milli(), state.gpu_milli())
    assert np.array_equal(fresh.whole_gpus(), state.whole_gpus())
    for one in range(len(state.placement.snapshot.pods)):
        assert np.array_equal(fresh.fits(one), state.fits(one))


@given(randoms)
@settings(max_examples=100, deadline=None)
def test_going_away_and_coming_back_changes_no_device(rng: Random) -> None:
    state = prepare(_written_down(_filled(rng))).what_if()
    before, twin = state.gpu_milli(), state.fork()
    for one in range(len(state.placement.snapshot.pods)):
        at = state.node_of(one)
        if at >= 0:
            state.remove(one)
            state.place(one, at)
    assert np.array_equal(state.gpu_milli(), before)
    assert np.array_equal(twin.gpu_milli(), before)


def _described(rng: Random) -> ClusterSnapshot:
    """Nodes with devices of every condition, and pods that hold what sources might say, consistent or not."""
    nodes, pods = [], []
    for i in range(rng.randint(1, 3)):
        devices = tuple(
            Device(d, f"GPU-{i}-{d}", memory=rng.choice((0, 40, 80)) << 30, healthy=rng.random() < 0.8)
            for d in sorted(rng.sample(range(6), rng.randint(1, 5)))
        )
        count = max(0, sum(d.healthy for d in devices) - rng.choice((0, 0, 1)))
        reserved = (GpuShare(devices[0].index, milli=rng.choice((300, 1000))),) if rng.random() < 0.3 else ()
        found = NodeGpus(GPU, count, devices=devices, reserved=reserved)
        nodes.append(replace(node(f"n{i}", gpu=max(count, 1)), gpus=found))
        for j in range(rng.randint(0, 6)):
            indices = tuple(sorted(rng.sample(range(7), rng.randint(1, 2))))
            shares = tuple(GpuShare(d, milli=rng.choice((0, 250, 1000))) for d in indices)
            held = {"gpu_indices": indices, "gpu_shares": shares} if rng.random() < 0.7 else {}
            spec = rng.choice([*PARTS.values(), BY_MEMORY, *WHOLE.values()])
            pods.append(pod(f"p-{i}-{j}", of=spec, node=f"n{i}", **held))
    return cluster(nodes, pods)


@given(randoms)
@settings(max_examples=200, deadline=None)
def test_whatever_is_reported_of_devices_nobody_is_given_what_is_not_there(rng: Random) -> None:
    snapshot = _described(rng)
    state = prepare(snapshot).what_if()
    start = state.gpu_milli()
    usable = np.full(start.shape, -1)
    for i, one in enumerate(snapshot.nodes):
        assert one.gpus is not None
        for device in one.gpus.devices:
            usable[i, device.index] = 1000 if device.healthy else -1
    homes = {p: state.node_of(p) for p in range(len(snapshot.pods))}
    for _ in range(20):
        if not homes:
            break
        p = rng.randrange(len(snapshot.pods))
        state.remove(p)
        able = np.flatnonzero(state.fits(p)).tolist()
        if able and rng.random() < 0.7:
            state.place(p, rng.choice(able))
        free = state.gpu_milli()
        assert ((free == -1) == (usable == -1)).all()
        assert (free <= usable).all()
        assert (free >= -1).all()
    for p in homes:
        state.remove(p)
    for p, home in sorted(homes.items(), key=lambda pair: not snapshot.pods[pair[0]].gpu_indices):
        state.place(p, home)
    assert np.array_equal(state.whole_gpus(), prepare(snapshot).what_if().whole_gpus())
