"""The index after any moves is the index made anew, and its marginals are what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.fragmentation.measure import fragmentation
from descheduler.packing.state import ABSENT, WHOLE, Packing, Step
from descheduler.packing.workload import Workload
from packed import workloads_and_packings

Case = tuple[Workload, Packing]


def step_of(index: FragmentationIndex, item: int, node: int) -> Step:
    shape = int(index.packing.shape[item])
    return Step(item, int(index.packing.node[item]), node, index.held(shape, node))


@given(workloads_and_packings(), st.lists(st.tuples(st.integers(0, 23), st.integers(0, 5)), max_size=12))
def test_incremental_is_the_same_as_full(case: Case, wishes: list[tuple[int, int]]) -> None:
    target, packing = case
    index = FragmentationIndex(packing, target)
    for item, node in wishes:
        item, node = item % len(packing.node), node % len(packing.free)
        if index.packing.node[item] != node and np.isfinite(index.enter[packing.shape[item], node]):
            step = step_of(index, item, node)
            assert index.packing.room(step)
            index.move(step)
    anew = FragmentationIndex(index.packing, target)
    assert index.value == pytest.approx(anew.value, abs=1e-6)
    assert index.value == pytest.approx(fragmentation(index.packing, target), abs=1e-6)
    placed = index.packing.node != ABSENT
    assert index.leave[placed] == pytest.approx(anew.leave[placed], abs=1e-6)
    assert np.array_equal(index.enter == np.inf, anew.enter == np.inf)
    assert index.enter[index.enter < np.inf] == pytest.approx(anew.enter[anew.enter < np.inf], abs=1e-6)


@given(workloads_and_packings(), st.integers(0, 23), st.integers(0, 5))
def test_a_move_changes_f_by_what_leaving_and_entering_say(case: Case, item: int, node: int) -> None:
    target, packing = case
    item, node = item % len(packing.node), node % len(packing.free)
    index = FragmentationIndex(packing, target)
    source = int(packing.node[item])
    expected = float(index.enter[packing.shape[item], node]) + (float(index.leave[item]) if source != ABSENT else 0.0)
    if source != node and np.isfinite(expected):
        before = float(index.value.sum())
        index.move(step_of(index, item, node))
        assert float(index.value.sum()) - before == pytest.approx(expected, abs=1e-6)


@given(workloads_and_packings())
def test_a_shape_can_enter_exactly_where_it_fits(case: Case) -> None:
    target, packing = case
    index = FragmentationIndex(packing, target)
    for shape in range(len(packing.shapes)):
        assert np.array_equal(np.isfinite(index.enter[shape]), packing.fits(shape))


@given(workloads_and_packings())
def test_a_shared_device_is_entered_where_it_hurts_least(case: Case) -> None:
    target, packing = case
    index = FragmentationIndex(packing, target)
    item = 0
    shape = int(packing.shape[item])
    if packing.shapes.count[shape] != 1 or packing.node[item] != ABSENT:
        return
    for node in np.flatnonzero(packing.fits(shape)).tolist():
        ends = []
        for place in np.flatnonzero(packing.devices[node] >= packing.shapes.milli[shape]).tolist():
            other = packing.copy()
            other.take(item, node, 1 << place)
            ends.append(float(fragmentation(other, target).sum()))
        assert min(ends) - float(index.value.sum()) == pytest.approx(float(index.enter[shape, node]), abs=1e-6)


@given(workloads_and_packings(), st.lists(st.tuples(st.integers(0, 23), st.integers(0, 5)), max_size=4))
def test_items_that_land_together_gain_what_was_foretold(case: Case, wishes: list[tuple[int, int]]) -> None:
    """Under a scheduler that packs, told in whole devices; the index is then as if it were made anew."""
    target, packing = case
    index = FragmentationIndex(packing, target, packed=True, unit=WHOLE)
    landed: dict[int, int] = {}
    state = packing.copy()
    for item, node in ((i % len(packing.node), n % len(packing.free)) for i, n in wishes):
        shape = int(packing.shape[item])
        if item not in landed and packing.node[item] != ABSENT and state.fits(shape)[node]:
            state.take(item, node, state.choose(shape, node))
            landed[item] = node
    before, gain = float(index.value.sum()), index.gain(landed)
    index.land(landed)
    anew = FragmentationIndex(index.packing, target, packed=True, unit=WHOLE)
    assert before - float(index.value.sum()) == pytest.approx(gain, abs=1e-6)
    assert np.array_equal(index.value, anew.value)
    assert np.array_equal(index.enter, anew.enter)
    assert index.value * WHOLE == pytest.approx(fragmentation(index.packing, target), abs=1e-6)


@given(workloads_and_packings())
def test_whoever_may_choose_the_device_comes_in_at_no_more_than_a_scheduler_that_packs(case: Case) -> None:
    target, packing = case
    chosen, packed = FragmentationIndex(packing, target), FragmentationIndex(packing, target, packed=True)
    assert np.array_equal(np.isfinite(chosen.enter), np.isfinite(packed.enter))
    assert (chosen.enter[np.isfinite(chosen.enter)] <= packed.enter[np.isfinite(packed.enter)] + 1e-6).all()
    assert np.array_equal(chosen.leave, packed.leave)
