"""Which combinations are tried, for how long, and which of them are the better ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.backtest.trials import LEAST, combinations, fronts, hottest_part, most_tried, rungs, values_of

DAY = 86_400.0


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("60%,70%", ("60%", "70%")),
        ("60%, 70% ,60%", ("60%", "70%")),
        ("5", ("5",)),
        ("[a, b],[c]", ("[a, b]", "[c]")),
        ("{cpu: 70%, memory: 80%},{}", ("{cpu: 70%, memory: 80%}", "{}")),
        ("'a,b',c", ("'a,b'", "c")),
        ("", ("",)),
    ],
)
def test_values_are_separated_by_commas(text: str, values: tuple[str, ...]) -> None:
    assert values_of(text) == values


def test_all_combinations_are_tried_where_there_is_room() -> None:
    assert combinations([2, 3], 6, np.random.default_rng(0)) == [(a, b) for a in range(2) for b in range(3)]


def test_of_too_many_some_are_drawn_each_once_and_always_the_same() -> None:
    drawn = combinations([50, 50, 50], 20, np.random.default_rng(0))
    assert len(set(drawn)) == 20
    assert drawn == combinations([50, 50, 50], 20, np.random.default_rng(0))


def test_what_fits_the_budget_is_walked_whole() -> None:
    (only,) = rungs(10, 3, 30, 7 * DAY)
    assert (only.share, only.count, only.seeds) == (1, 10, 3)


@given(st.integers(1, 5000), st.integers(1, 5), st.integers(1, 400), st.floats(3600, 30 * DAY))
def test_the_budget_is_kept(count: int, seeds: int, budget: int, seconds: float) -> None:
    plan = rungs(count, seeds, budget, seconds)
    assert plan[-1].share == 1
    assert [rung.count for rung in plan] == sorted((rung.count for rung in plan), reverse=True)
    assert all(rung.share >= 1 or rung.share * seconds >= LEAST for rung in plan)
    walks = sum(rung.count * rung.seeds * rung.share for rung in plan)
    assert walks <= budget if budget >= 3 * seeds else walks <= 3 * seeds  # one walk at least on every rung


def test_short_walks_look_at_more_combinations_than_the_budget_has_walks() -> None:
    assert most_tried(1, 200, 5 * DAY) == 600
    assert most_tried(1, 200, 3600.0) == 200  # too short to be cut


def test_the_short_walks_go_where_most_nodes_are_hot() -> None:
    assert hottest_part(np.array([0, 1, 0, 0, 5, 2, 0, 0, 0]), 1 / 3) == (3, 6)
    assert hottest_part(np.zeros(9, np.int64), 1 / 3) == (0, 3)


def test_fronts_are_what_nobody_dominates() -> None:
    points = np.array([[0, 9], [9, 0], [3, 3], [3, 3], [4, 4], [4, 3], [9, 9]], float)
    assert fronts(points) == [0, 0, 0, 0, 2, 1, 3]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=30))
def test_a_front_is_dominated_by_the_one_before_alone(points: list[tuple[int, int]]) -> None:
    ranks = fronts(np.array(points, float))
    for point, rank in zip(points, ranks, strict=True):
        better = [r for q, r in zip(points, ranks, strict=True) if q != point and q[0] <= point[0] and q[1] <= point[1]]
        assert rank == max((r + 1 for r in better), default=0)
