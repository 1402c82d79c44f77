"""One load among a changing number of replicas: known answers."""

from __future__ import annotations

import numpy as np
import pytest

from descheduler_profiling.sharing import Scaling, shared, steadied

STEP, DAY = 300, 288
TIME = np.arange(7 * DAY)
TOTAL = (6.0 + 5.0 * np.sin(2 * np.pi * TIME / DAY)).astype(np.float32)  # cores: 1 to 11 in a day
TARGET = 0.6


def one(values: np.ndarray, counts: np.ndarray, scaling: Scaling) -> np.ndarray:
    return shared(values[None].astype(np.float32), counts[None].astype(np.float32), [scaling], STEP)[0]


def scaled(least: int = 1, most: int = 100) -> np.ndarray:
    return np.clip(np.ceil(TOTAL / TARGET), least, most)


def test_a_service_that_is_scaled_by_its_load_stays_as_it_was_measured() -> None:
    counts = scaled(2, 30)
    values = TOTAL / counts
    made = one(values, counts, Scaling(2, 30, TARGET))
    quiet = steadied(counts[None].astype(np.float32), STEP)[0] == counts
    np.testing.assert_array_equal(made[quiet], values[quiet])
    np.testing.assert_allclose(made, values, rtol=0.25)
    assert made.max() < 1.2 * TARGET


def test_when_scaling_is_paused_each_replica_gets_its_part_of_the_whole_day() -> None:
    counts = scaled(2, 30)
    made = one(TOTAL / counts, counts, Scaling(4, 4))
    np.testing.assert_allclose(made, TOTAL / 4, rtol=0.12)
    assert made.max() == pytest.approx(11.0 / 4, rel=0.05)


def test_at_the_most_replicas_each_has_more() -> None:
    counts = scaled(2, 30)
    made = one(TOTAL / counts, counts, Scaling(2, 10, TARGET))
    assert made.max() == pytest.approx(1.1, rel=0.05)
    low = TOTAL < 5.0
    np.testing.assert_allclose(made[low], (TOTAL / counts)[low], rtol=0.3)


def test_an_autoscaler_that_is_new_is_foreseen() -> None:
    counts = np.full(TIME.shape, 20.0)
    made = one(TOTAL / counts, counts, Scaling(2, 30, TARGET))
    assert np.median(made) == pytest.approx(TARGET, rel=0.15)
    assert made.max() < 1.25 * TARGET
    by_others = one(TOTAL / counts, counts, Scaling(2, 30))  # by a metric that nobody knows
    np.testing.assert_array_equal(by_others, (TOTAL / counts).astype(np.float32))


def test_fewer_replicas_mean_more_each_and_the_sum_stays() -> None:
    counts = np.where(TIME < 6 * DAY, 10.0, 5.0)
    made = one(TOTAL / counts, counts, Scaling(5, 5))
    settled = np.abs(TIME - 6 * DAY) > 6
    np.testing.assert_allclose((made * 5)[settled], TOTAL[settled], rtol=1e-5)


def test_replicas_with_work_of_their_own_do_not_share() -> None:
    """Workers that take from a queue use as much each whether there are five or ten."""
    counts = np.where(TIME < 5 * DAY, 5.0, 10.0)
    values = np.full(TIME.shape, 0.8)
    np.testing.assert_array_equal(one(values, counts, Scaling(10, 10)), values.astype(np.float32))


def test_a_roll_out_is_no_change_of_scale() -> None:
    counts = np.where(TIME % DAY == 100, 8.0, 4.0)  # both revisions are measured in one step
    values = np.full(TIME.shape, 0.5)
    np.testing.assert_array_equal(one(values, counts, Scaling(4, 4)), values.astype(np.float32))


def test_what_nobody_counted_stays() -> None:
    counts = np.where(TIME < 3 * DAY, np.nan, np.where(TIME < 6 * DAY, 10.0, 5.0))
    values = TOTAL / np.where(TIME < 6 * DAY, 10.0, 5.0)
    values[5 * DAY] = np.nan
    made = one(values, counts, Scaling(5, 5))
    np.testing.assert_array_equal(made[: 3 * DAY], values[: 3 * DAY].astype(np.float32))
    assert np.isnan(made[5 * DAY])
    assert made[4 * DAY] == pytest.approx(2 * values[4 * DAY], rel=1e-5)


@pytest.mark.parametrize("down", [300, 3600])
def test_a_window_before_fewer_replicas_keeps_more_of_them(down: int) -> None:
    counts = np.full(TIME.shape, 20.0)
    made = one(TOTAL / counts, counts, Scaling(2, 30, TARGET, down=down))
    falling = (TIME % DAY > DAY // 4 + 24) & (TIME % DAY < 3 * DAY // 4) & (TIME > DAY)
    replicas = TOTAL[falling] / made[falling]
    ahead = np.ceil(TOTAL[falling] / TARGET)
    assert (replicas - ahead).mean() == pytest.approx(1.5 if down > 300 else 0.5, abs=0.9)
