from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from descheduler_profiling.history.align import to_matrix, unit_factors
from descheduler_profiling.history.grid import Grid, runs, window
from descheduler_profiling.history.prometheus.wire import Series

GRID = Grid(3000, 300, 8)
samples = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([3000 + 300 * i for i in range(-2, 11)]), st.floats()),
        st.one_of(st.floats(0, 100), st.floats()),
    ),
    max_size=12,
)


def series(*pairs: tuple[float, float]) -> Series:
    return Series({}, np.array([t for t, _ in pairs], np.float64), np.array([v for _, v in pairs], np.float64))


@given(st.lists(samples, max_size=4))
def test_whatever_comes_only_plausible_samples_on_the_clock_are_kept(rows: list[list[tuple[float, float]]]) -> None:
    matrix, odd = to_matrix([series(*row) for row in rows], GRID, ceiling=1e6)
    assert matrix.shape == (len(rows), GRID.count)
    finite = matrix[np.isfinite(matrix)]
    assert not np.isinf(matrix).any()
    assert ((finite >= 0) & (finite <= 1e6)).all()
    assert finite.size + odd.total <= sum(map(len, rows)) + odd.conflicts


@given(st.lists(samples, max_size=3), st.data())
def test_the_order_of_samples_does_not_matter_when_they_agree(
    rows: list[list[tuple[float, float]]], data: st.DataObject
) -> None:
    unique = [list({t: (t, v) for t, v in row if np.isfinite(t)}.values()) for row in rows]
    shuffled = [data.draw(st.permutations(row)) for row in unique]
    one, _ = to_matrix([series(*row) for row in unique], Grid(3000, 1, 2101))
    two, _ = to_matrix([series(*row) for row in shuffled], Grid(3000, 1, 2101))
    exact = np.array([len({round(t) for t, _ in row}) == len(row) for row in unique], bool)
    np.testing.assert_array_equal(one[exact], two[exact])


def test_each_kind_of_oddity_becomes_a_gap_and_is_counted() -> None:
    odd_ones = series(
        (3000, 1.0), (3300, -5.0), (3600, np.inf), (3900, 1e9), (4000, 2.0), (4200, np.nan), (2700, 3.0), (4500, -1e-12)
    )
    matrix, odd = to_matrix([odd_ones], GRID, ceiling=1e6)
    np.testing.assert_array_equal(matrix, [[1.0, np.nan, np.nan, np.nan, np.nan, 0.0, np.nan, np.nan]])
    assert (odd.negative, odd.not_finite, odd.absurd, odd.off_clock, odd.outside) == (1, 2, 1, 1, 1)


def test_of_two_values_at_one_time_the_later_wins_and_is_counted() -> None:
    matrix, odd = to_matrix([series((3000, 1.0), (3000, 2.0), (3300, 4.0), (3300, 4.0))], GRID)
    assert matrix[0, :2].tolist() == [2.0, 4.0]
    assert odd.conflicts == 1


@given(st.integers(0, 10**10), st.integers(1, 10**6), st.integers(1, 3600), st.integers(0, 600))
def test_the_window_ends_on_the_last_step_that_is_over(now: int, seconds: int, step: int, lag: int) -> None:
    grid = window(now, seconds, step, lag)
    assert grid.start % step == 0
    assert grid.end <= now - lag < grid.end + step
    assert grid.count == max(1, seconds // step)


@given(st.sets(st.integers(0, 30)))
def test_runs_cover_exactly_the_columns_given(columns: set[int]) -> None:
    found = runs(sorted(columns), Grid(0, 10, 31))
    covered = [grid.start // 10 + i for grid in found for i in range(grid.count)]
    assert covered == sorted(columns)
    assert all(a.end + 10 < b.start for a, b in pairwise(found))


def test_percent_is_told_from_fractions_by_more_than_a_glitch() -> None:
    fractions = np.full((10, 600), 0.4, np.float32)
    assert (unit_factors(fractions, "ratio") == 1).all()
    fractions[3, 100] = 40.0
    assert (unit_factors(fractions, "ratio") == 1).all()
    np.testing.assert_allclose(unit_factors(fractions * 100, "ratio"), 0.01)


def test_an_exporter_that_changes_from_percent_to_fractions_is_followed() -> None:
    values = np.concatenate([np.full((4, 576), 60.0), np.full((4, 576), 0.6)], axis=1).astype(np.float32)
    np.testing.assert_allclose(values * unit_factors(values, "ratio"), 0.6, rtol=1e-6)


def test_percent_of_one_exporter_makes_no_percent_of_another() -> None:
    values = np.array([[90.0] * 300, [0.9] * 300, [0.0] * 300, [np.nan] * 300], np.float32)
    np.testing.assert_allclose((values * unit_factors(values, "ratio"))[:3, 0], [0.9, 0.9, 0.0], rtol=1e-6)


def test_a_series_that_may_be_either_is_taken_for_the_larger() -> None:
    values = np.array([[90.0] * 300, [0.8] * 300], np.float32)
    assert (unit_factors(values, "ratio")[1] == 1).all()


def test_mebibytes_and_bytes_are_told_apart_value_by_value() -> None:
    values = np.array([[40_000.0, 40_000.0 * 2**20, np.nan]], np.float32)
    np.testing.assert_allclose((values * unit_factors(values, "mebibytes"))[0, :2], 40_000.0 * 2**20)
    assert (unit_factors(np.empty((0, 3), np.float32), "mebibytes") > 0).all()
