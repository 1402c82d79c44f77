"""The search for less fragmentation: executable in order, within budget, never worse, the same every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.packing.fragmentation.measure import fragmentation
from descheduler.packing.fragmentation.search import lower_fragmentation
from descheduler.packing.state import Packing, replay
from descheduler.packing.target_workload import TargetWorkload
from packed import WHOLE, packing_of, placed_workload, plain_f, workloads_and_packings

Case = tuple[TargetWorkload, Packing]


@given(workloads_and_packings(), st.integers(0, 8))
@settings(max_examples=25)
def test_a_plan_can_be_executed_in_order_and_ends_where_it_says(case: Case, moves: int) -> None:
    target, packing = case
    found = lower_fragmentation(packing, target, moves)
    after = replay(packing, found.steps)
    assert found.f_start == pytest.approx(float(plain_f(packing, target).sum()), abs=1e-6)
    assert found.f_end == pytest.approx(float(plain_f(after, target).sum()), abs=1e-6)
    assert len(found.after) == len(found.steps)


@given(workloads_and_packings(), st.integers(0, 8))
@settings(max_examples=25)
def test_the_budget_is_kept_and_the_end_is_never_worse(case: Case, moves: int) -> None:
    target, packing = case
    found = lower_fragmentation(packing, target, moves)
    assert len(found.steps) <= moves
    assert found.f_end <= found.f_start + 1e-6


@given(workloads_and_packings())
@settings(max_examples=25)
def test_unmovable_items_and_those_that_wait_stay_and_nothing_moves_twice(case: Case) -> None:
    target, packing = case
    moved = [step.item for step in lower_fragmentation(packing, target, 12).steps]
    assert all(packing.movable[item] and packing.node[item] >= 0 for item in moved)
    assert len(moved) == len(set(moved))


@given(workloads_and_packings())
@settings(max_examples=25)
def test_the_same_input_gives_the_same_plan(case: Case) -> None:
    target, packing = case
    assert lower_fragmentation(packing, target, 6) == lower_fragmentation(packing.copy(), target, 6)


@given(workloads_and_packings(), st.lists(st.sampled_from([0.5, 1.0, 2.0, 7.0]), min_size=24, max_size=24))
@settings(max_examples=25)
def test_costs_weigh_against_the_budget(case: Case, costs: list[float]) -> None:
    target, packing = case
    packing.cost[:] = costs[: len(packing.cost)]
    found = lower_fragmentation(packing, target, 5.0)
    assert sum(packing.cost[step.item] for step in found.steps) <= 5.0 + 1e-9


def test_two_shared_devices_become_one_free_device() -> None:
    packing = packing_of(
        [8000, 8000], [[WHOLE], [WHOLE]], [(2000, 1, 1, 500), (4000, 1, 1, WHOLE)], [(0, 0, 1), (0, 1, 1), (1, -1, 0)]
    )
    found = lower_fragmentation(packing, placed_workload(packing), 4)
    assert len(found.steps) == 1
    assert sorted(replay(packing, found.steps).devices.ravel().tolist()) == [0, WHOLE]


def test_no_moves_leave_all_as_it_is() -> None:
    packing = packing_of([8000], [[WHOLE]], [(2000, 1, 1, 500)], [(0, 0, 1)])
    found = lower_fragmentation(packing, placed_workload(packing), 0)
    assert found.steps == ()
    assert found.f_end == found.f_start == pytest.approx(float(fragmentation(packing, placed_workload(packing)).sum()))
    assert np.array_equal(packing.node, [0])


@given(workloads_and_packings(), st.integers(0, 8))
@settings(max_examples=25)
def test_where_a_scheduler_packs_devices_every_step_takes_those_that_it_would_give(case: Case, moves: int) -> None:
    target, packing = case
    found = lower_fragmentation(packing, target, moves, packed=True)
    state = packing.copy()
    for step in found.steps:
        assert step.held == state.choose(int(state.shape[step.item]), step.target)
        assert state.room(step)
        state.move(step)
    assert found.f_end == pytest.approx(float(plain_f(state, target).sum()), abs=1e-6)


@given(workloads_and_packings())
@settings(max_examples=10)
def test_where_nobody_stands_nobody_moves(case: Case) -> None:
    target, packing = case
    items = {name: getattr(packing, name)[:0] for name in ("shape", "node", "held", "movable", "cost")}
    assert not lower_fragmentation(replace(packing, **items), target, 5).steps
