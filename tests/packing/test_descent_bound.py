"""No plan ends below the bound: not the search's, and not the best of all plans where all can be tried."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.packing.fragmentation.bound import fragmentation_bound
from descheduler.packing.fragmentation.measure import fragmentation
from descheduler.packing.fragmentation.search import lower_fragmentation
from descheduler.packing.state import ABSENT, Packing, Step
from descheduler.packing.target_workload import target_workload
from packed import packing_of, packings, placed_workload


def moves_of(packing: Packing) -> Iterator[Step]:
    """Every move that could be made now, to any devices, also of its own node."""
    for item in np.flatnonzero(packing.movable & (packing.node != ABSENT)).tolist():
        count = int(packing.shapes.count[packing.shape[item]])
        for target in range(len(packing.free)):
            for devices in combinations(range(packing.devices.shape[1]), count):
                step = Step(item, int(packing.node[item]), target, sum(1 << d for d in devices))
                if packing.room(step):
                    yield step


def lowest(packing: Packing, budget: float, value: object) -> float:
    """F at the end of the best of all plans."""
    assert callable(value)
    best = float(value(packing))
    for step in moves_of(packing):
        cost = float(packing.cost[step.item])
        if cost <= budget:
            after = packing.copy()
            after.move(step)
            best = min(best, lowest(after, budget - cost, value))
    return best


@given(packings(nodes=3, items=5), st.integers(0, 2), st.integers(1, 30), st.data())
@settings(max_examples=40)
def test_no_plan_at_all_ends_below_the_bound(packing: Packing, budget: int, effort: int, data: st.DataObject) -> None:
    times = data.draw(st.lists(st.integers(1, 9), min_size=len(packing.shapes), max_size=len(packing.shapes)))
    target = target_workload(packing.shapes, times)
    bound = fragmentation_bound(packing, target, budget, effort=effort)
    assert bound is not None
    assert bound <= lowest(packing, budget, lambda state: fragmentation(state, target).sum()) + 1e-6


@given(packings(), st.integers(0, 6))
@settings(max_examples=15)
def test_the_plan_and_its_bound_agree(packing: Packing, budget: int) -> None:
    target = placed_workload(packing)
    found = lower_fragmentation(packing, target, budget)
    bound = fragmentation_bound(packing, target, budget, found.steps)
    assert bound is not None
    assert bound <= found.f_end + 1e-6
    assert bound <= found.f_start + 1e-6


def test_without_moves_the_bound_is_near_what_is() -> None:
    packing = packing_of(
        [8000, 8000], [[1000], [1000]], [(2000, 1, 1, 500), (4000, 1, 1, 1000)], [(0, 0, 1), (0, 1, 1)]
    )
    target = target_workload(packing.shapes, [1, 1])
    now = float(fragmentation(packing, target).sum())
    assert fragmentation_bound(packing, target, 0, effort=200) == pytest.approx(now, rel=0.05)


def test_devices_shared_in_too_many_ways_have_no_bound() -> None:
    demands = [(1 + i, 1, 1, 50) for i in range(14)]
    packing = packing_of([8000], [[1000]], demands, [(i, 0, 1) for i in range(14)])
    assert fragmentation_bound(packing, placed_workload(packing), 3) is None
