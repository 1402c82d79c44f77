"""The target workload: what is counted together, and that nothing rare is cut."""

from __future__ import annotations

import numpy as np
import pytest

from descheduler.packing.target_workload import target_workload
from packed import packing_of, placed_workload, shapes_of


def test_weights_sum_to_one_and_the_rare_tail_stays() -> None:
    shapes = shapes_of([(1000, 10, 1, 500), (64000, 10, 8, 1000)], nodes=3)
    found = target_workload(shapes, [99_999, 1])
    assert found.count.tolist() == [1, 8]
    assert found.weight.sum() == pytest.approx(1.0)
    assert found.weight[1] == pytest.approx(1e-5)


def test_shapes_that_differ_only_in_memory_are_one() -> None:
    shapes = shapes_of([(1000, 10, 1, 500), (1000, 20, 1, 500), (1000, 20, 1, 600)], nodes=2)
    found = target_workload(shapes, [1, 2, 1])
    assert found.milli.tolist() == [500, 600]
    assert found.weight.tolist() == [0.75, 0.25]


def test_shapes_that_may_stand_on_different_nodes_are_two() -> None:
    shapes = shapes_of([(1000, 10, 1, 500), (1000, 10, 1, 500)], nodes=2)
    shapes.allowed[1, 0] = False
    found = target_workload(shapes, [1, 3])
    assert sorted(zip(found.allowed[:, 0].tolist(), found.weight.tolist(), strict=True)) == [
        (False, 0.75),
        (True, 0.25),
    ]


def test_cpu_only_shapes_are_counted_or_left_out() -> None:
    shapes = shapes_of([(1000, 10, 0, 0), (1000, 10, 1, 1000)], nodes=1)
    assert target_workload(shapes, [1, 3]).cpu_only == pytest.approx(0.25)
    without = target_workload(shapes, [1, 3], cpu_only=False)
    assert without.count.tolist() == [1]
    assert without.weight.tolist() == [1.0]


def test_a_workload_of_nothing_is_refused() -> None:
    shapes = shapes_of([(1000, 10, 0, 0)], nodes=1)
    with pytest.raises(ValueError, match="at least one shape"):
        target_workload(shapes, [0])
    with pytest.raises(ValueError, match="at least one shape"):
        target_workload(shapes, [5], cpu_only=False)


def test_placed_and_waiting_items_are_counted_alike() -> None:
    packing = packing_of([9000], [[1000, 1000]], [(1000, 1, 1, 1000), (2000, 1, 1, 400)], [(0, 0, 1), (1, -1, 0)])
    assert placed_workload(packing).weight.tolist() == [0.5, 0.5]
    assert np.array_equal(placed_workload(packing).cpu, [1000, 2000])
