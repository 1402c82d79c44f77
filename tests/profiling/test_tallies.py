"""Quantiles by counting are those that sorting would give, but for what lies between two edges."""

import numpy as np
import pytest
from numpy.typing import NDArray

from descheduler_profiling.tallies import Decay, margins, tally

DAY, BLOCKS = 288, 12
ALIKE = Decay(1000.0)  # all of the past counts alike
LAST = Decay(1000.0, window=1)
Q = (0.5, 0.95, 0.99)


def quantiles(values: NDArray[np.float32], decay: Decay, past: int = 0) -> NDArray[np.float32]:
    return margins(decay, tally(values, DAY, BLOCKS), Q, past)


def draws(rows: int, days: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).gamma(1.5, 1.0, (rows, days * DAY)).astype(np.float32)


@pytest.mark.parametrize("days", [1, 7, 10])
def test_shares_of_the_samples_are_at_or_under_the_quantiles(days: int) -> None:
    values = draws(50, days)
    made = quantiles(values, ALIKE)[:, 0, :, 0]
    for q, margin in zip(Q, made, strict=True):
        shares = (values <= margin[:, None]).mean(axis=1)
        assert abs(shares.mean() - q) < 0.004
        assert np.abs(shares - q).max() < (0.04 if q == 0.5 else 0.012)


def test_only_values_that_came_are_named_however_few_there_are() -> None:
    values = np.where(np.random.default_rng(1).random((20, 7 * DAY)) < 0.3, 5.0, 1.0).astype(np.float32)
    made = quantiles(values, ALIKE)[:, 0, :, 0]
    assert set(np.unique(made).tolist()) == {1.0, 5.0}
    assert (made[0] == 1).all()
    assert (made[1:] == 5).all()
    constant = np.full((2, 7 * DAY), 7_821_322_240.0, np.float32)
    assert (quantiles(constant, ALIKE) == constant[0, 0]).all()


def test_rare_spikes_are_what_the_highest_quantile_is_made_of() -> None:
    values = np.ones((1, 7 * DAY), np.float32)
    values[:, ::60] = 40.0  # one in sixty
    assert quantiles(values, ALIKE)[:, 0, 0, 0].tolist() == [1.0, 1.0, 40.0]


def test_a_new_level_counts_by_how_fast_the_past_fades() -> None:
    values = draws(30, 7)
    values[:, 6 * DAY :] += 100
    slow, fast, last = (quantiles(values, decay)[0, 0, :, 0].mean() for decay in (ALIKE, Decay(0.5), LAST))
    assert slow < 3 < 100 < fast <= last + 1


def test_each_origin_knows_only_what_was_before_it() -> None:
    values = draws(5, 7)
    made = quantiles(values, LAST, past=6)[:, :, :, 0]
    for age in range(7):
        day = values[:, (6 - age) * DAY : (7 - age) * DAY]
        shares = (day[None] <= made[:, age, :, None]).mean(axis=2)
        assert np.abs(shares - np.array(Q)[:, None]).max() < 0.05
    assert np.isnan(quantiles(values, LAST, past=7)[:, 7]).all()


def test_a_time_of_day_is_judged_by_its_like() -> None:
    values = draws(10, 7)
    values.reshape(10, 7, DAY)[:, :, :24] += 50  # the first two hours
    made = quantiles(values, Decay(3.0, width=1.0, floor=0.01))[0, 0]
    assert (made[:, 0] > 50).all()
    assert (made[:, 4:10] < 5).all()


def test_what_is_unknown_does_not_count() -> None:
    values = draws(10, 7)
    torn = values.copy()
    torn[:, : 4 * DAY] = np.nan
    torn[:, 5 * DAY : 5 * DAY + 100] = np.nan
    known = torn[:, 4 * DAY :].copy()
    np.testing.assert_allclose(quantiles(torn, ALIKE), quantiles(known, ALIKE), rtol=0.1)
    assert np.isnan(quantiles(np.full((2, DAY), np.nan, np.float32), ALIKE)).all()
