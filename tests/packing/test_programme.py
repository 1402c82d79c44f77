from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.packing.programme import Infeasible, Programme, Solution, SolveStatus, WorkLimits


def knapsack(weights: list[int], values: list[int], room: int) -> Programme:
    programme = Programme(maximise=True)
    taken = programme.add(len(weights), upper=1, cost=values)
    programme.constrain(1, 0, taken, weights, upper=room)
    return programme


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=7), st.integers(0, 25))
def test_a_knapsack_is_solved_to_the_optimum_of_brute_force(items: list[tuple[int, int]], room: int) -> None:
    weights, values = [w for w, _ in items], [v for _, v in items]
    best = max(
        sum(v for v, chosen in zip(values, picks, strict=True) if chosen)
        for picks in itertools.product((0, 1), repeat=len(items))
        if sum(w for w, chosen in zip(weights, picks, strict=True) if chosen) <= room
    )
    found = knapsack(weights, values, room).solve(WorkLimits())
    assert isinstance(found, Solution)
    assert found.status is SolveStatus.OPTIMAL
    assert found.objective == best
    assert found.bound == pytest.approx(best)
    assert found.gap == pytest.approx(0)


def test_blocks_rows_and_bounds_keep_their_places() -> None:
    programme = Programme()
    first = programme.add(2, lower=[1, 2], cost=1)
    second = programme.add(3, upper=4, cost=[-1, 0, -1], integer=False)
    programme.constrain(2, [0, 0, 1], [second[0], first[0], second[2]], [1, 1, 2], upper=[3.5, 5])
    found = programme.solve(WorkLimits())
    assert isinstance(found, Solution)
    assert found.values[first].tolist() == [1, 2]
    assert found.values[second][[0, 2]] == pytest.approx([2.5, 2.5])


def test_minimising_gives_a_bound_from_below() -> None:
    programme = Programme()
    x = programme.add(2, cost=[3, 2])
    programme.constrain(1, 0, x, [2, 2], lower=5)
    found = programme.solve(WorkLimits())
    assert isinstance(found, Solution)
    assert (found.objective, found.values.tolist()) == (6, [0, 3])
    relaxed = programme.solve(WorkLimits(), relaxed=True)
    assert isinstance(relaxed, Solution)
    assert relaxed.objective == pytest.approx(5)
    assert relaxed.prices == pytest.approx([1])


def test_prices_tell_what_one_unit_more_of_a_row_is_worth() -> None:
    programme = Programme(maximise=True)
    x = programme.add(2, cost=[3, 2], integer=False)
    programme.constrain(1, 0, x, upper=4)
    programme.constrain(1, 0, x[0], lower=0, upper=3)
    programme.constrain(1, 0, x[1], lower=0.5, upper=0.5)
    found = programme.solve(WorkLimits(), relaxed=True)
    assert isinstance(found, Solution)
    assert found.objective == pytest.approx(10)
    assert found.prices == pytest.approx([0, 3, 2])


def test_entries_for_one_place_add_up() -> None:
    programme = Programme(maximise=True)
    x = programme.add(1, cost=1)
    programme.constrain(1, [0, 0], x[[0, 0]], [1, 2], upper=7)
    found = programme.solve(WorkLimits())
    assert isinstance(found, Solution)
    assert found.objective == 2


def test_what_cannot_be_is_told_with_its_proof() -> None:
    programme = Programme()
    x = programme.add(1, upper=1)
    programme.constrain(1, 0, x, lower=2)
    found = programme.solve(WorkLimits())
    assert isinstance(found, Infeasible)
    assert found.proven


def test_a_limit_on_nodes_is_told_and_still_bounds_the_optimum() -> None:
    rng = np.random.default_rng(5)
    programme = Programme(maximise=True)
    weights = rng.integers(50, 120, (8, 60))
    x = programme.add(60, upper=1, cost=rng.integers(50, 120, 60))
    rows = np.repeat(np.arange(8), 60)
    programme.constrain(8, rows, np.tile(x, 8), weights.ravel(), upper=weights.sum(axis=1) // 2)
    cut = programme.solve(WorkLimits(nodes=1))
    again = programme.solve(WorkLimits(nodes=1))
    assert isinstance(cut, Solution)
    assert isinstance(again, Solution)
    assert cut.status is SolveStatus.WORK
    assert cut.bound > cut.objective
    assert cut.values.tolist() == again.values.tolist()


def test_an_empty_programme_is_solved_unless_a_row_contradicts() -> None:
    programme = Programme()
    assert isinstance(programme.solve(WorkLimits()), Solution)
    programme.constrain(1, [], [], [], lower=1)
    assert isinstance(programme.solve(WorkLimits()), Infeasible)


def test_an_entry_outside_its_block_is_refused() -> None:
    programme = Programme()
    x = programme.add(1)
    with pytest.raises(ValueError, match="outside"):
        programme.constrain(1, 1, x)
    with pytest.raises(ValueError, match="outside"):
        programme.constrain(1, 0, x + 1)
