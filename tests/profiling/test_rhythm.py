"""The rhythm of a workload that is no day: found, forecast, summed; and not found where there is none."""

import numpy as np
import pytest

from descheduler_profiling.build import build
from descheduler_profiling.rhythm import repeated, rhythms
from descheduler_profiling.settings import ProfileSettings
from series_cases import DAY, daily, history, noise

KNOWN = 7 * DAY


def every(period: int, days: int, rows: int = 4, busy: int = 2) -> np.ndarray:
    """Rows that are busy for two steps in so many, each beginning at another time, on a little noise."""
    at = np.arange(days * DAY)[None, :] + 5 * np.arange(rows)[:, None]
    return np.where(at % period < busy, 4.0, 0.2).astype(np.float32) + noise(rows, days, level=0.01)


@pytest.mark.parametrize("period", [13, 64, 86, 250])
def test_what_comes_again_in_a_time_that_is_no_day_is_expected_when_it_comes(period: int) -> None:
    values = every(period, 8)
    ahead = build(history(values[:, :KNOWN])).forecast(np.arange(4), 0.95)
    busy = values[:, KNOWN:] > 2
    assert (ahead[busy] > 3.5).mean() > 0.95
    assert np.median(ahead[~busy]) < 0.5


def test_sums_know_it_too() -> None:
    """What begins at different times is not taken to happen at once."""
    values = every(64, 8)
    made = build(history(values[:, :KNOWN]), ProfileSettings(select=False))
    together = made.curve(made.vectors.sum(axis=0), 0.95)
    came = values[:, KNOWN:].sum(axis=0)
    assert (came <= together)[:72].mean() > 0.9
    assert np.corrcoef(came[:72], together[:72])[0, 1] > 0.5


def test_a_day_stays_a_day() -> None:
    lags = rhythms(daily(6, 7), np.zeros(6, np.int64), DAY)
    assert (np.abs(lags % DAY) <= 3).all()


def test_noise_is_forecast_as_noise() -> None:
    values = noise(60, 8)
    ahead = build(history(values[:, :KNOWN])).forecast(np.arange(60), 0.95)
    assert (values[:, KNOWN:] <= ahead).mean() == pytest.approx(0.95, abs=0.02)


def test_a_constant_has_no_rhythm_and_stays_what_it_is() -> None:
    values = np.full((2, KNOWN), 3.0, np.float32)
    assert (rhythms(values, np.zeros(2, np.int64), DAY)[:, 0] == DAY).all()
    made = build(history(values))
    assert made.forecast(np.arange(2), 0.95) == pytest.approx(3.0, rel=0.01)
    assert made.peaks == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("columns", [1, 5, DAY, 2 * DAY + 3])
def test_a_short_history_has_none(columns: int) -> None:
    values = noise(3, 4)[:, :columns]
    lags = rhythms(values, np.zeros(3, np.int64), DAY)
    assert (lags >= DAY).all()
    assert repeated(values, lags, DAY).shape == (3, columns + DAY)
    assert np.isfinite(repeated(values, lags, DAY)).all()


def test_what_was_not_measured_is_no_likeness() -> None:
    """A row that begins late is searched for its rhythm in what it has."""
    values = every(64, 7)
    late = values.copy()
    late[:, : 3 * DAY] = values[:, 3 * DAY : 3 * DAY + 1]
    lags = rhythms(late, np.full(4, 3 * DAY), DAY)
    assert (lags % 64 == 0).all()
