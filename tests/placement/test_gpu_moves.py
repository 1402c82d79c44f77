"""GPU devices while pods move: nothing is given twice, nothing is lost, and a fresh start finds the same."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import GPU, cluster, node, pod, spec
from descheduler.model.pods import GpuRequest, Pod, PodSpec
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.placement import WhatIf, prepare

PARTS = {milli: PodSpec(gpu=GpuRequest(GPU, 1, milli)) for milli in (200, 500, 700)}
PAIR = PodSpec(gpu=GpuRequest(GPU, 2, 300))
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
