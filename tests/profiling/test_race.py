"""The race of models: what is chosen, and what the forecast is worth on data it has not seen."""

import numpy as np
import pytest

from descheduler.model.errors import UsageError
from descheduler_profiling.build import build
from descheduler_profiling.settings import ProfileSettings
from series_cases import DAY, daily, history, noise


def pinball(outcome: np.ndarray, forecast: np.ndarray, q: float) -> float:
    error = outcome - forecast
    return float(np.maximum(q * error, (q - 1) * error).mean())


def test_a_daily_wave_is_followed() -> None:
    values = daily(4, 9)
    made = build(history(values[:, : 8 * DAY]))
    forecast = made.forecast(np.arange(4), 0.95)
    flat = np.quantile(values[:, DAY : 8 * DAY], 0.95, axis=1, keepdims=True)
    assert pinball(values[:, 8 * DAY :], forecast, 0.95) < 0.3 * pinball(values[:, 8 * DAY :], flat, 0.95)


def test_a_spike_on_the_minute_of_every_day_is_expected() -> None:
    values = noise(3, 9, level=0.1)
    values[:, 100::DAY] = 5.0
    made = build(history(values[:, : 8 * DAY]))
    forecast = made.forecast(np.arange(3), 0.95)
    assert (forecast[:, 100] > 4.5).all()
    assert np.median(forecast) < 0.5


def test_a_shifted_level_is_taken_up_within_a_day() -> None:
    values = noise(3, 9)
    values[:, 7 * DAY :] *= 4
    made = build(history(values[:, : 8 * DAY]))
    covered = (values[:, 8 * DAY :] <= made.forecast(np.arange(3), 0.95)).mean()
    assert covered > 0.85


def test_coverage_on_noise_is_near_the_level() -> None:
    values = noise(60, 9)
    made = build(history(values[:, : 8 * DAY]))
    for q in (0.5, 0.95, 0.99):
        assert (values[:, 8 * DAY :] <= made.forecast(np.arange(60), q)).mean() == pytest.approx(q, abs=0.02)
    assert np.nanmean(made.coverage[:, 1]) == pytest.approx(0.95, abs=0.02)


def test_peaks_cover_what_comes() -> None:
    values = noise(80, 9)
    made = build(history(values[:, : 8 * DAY]))
    after = values[:, 8 * DAY :]
    assert (after[:, :12].max(axis=1) <= made.peaks[:, 0]).mean() > 0.85
    assert (after.max(axis=1) <= made.peaks[:, 1]).mean() > 0.9
    assert (made.peaks[:, 0] <= made.peaks[:, 1]).all()


def test_the_report_on_a_workload_is_whole() -> None:
    made = build(history(daily(2, 8)))
    report = made.profile(1)
    assert report.table.shape == (3, 4)
    assert (np.diff(report.table, axis=0) >= 0).all()
    assert report.horizons == (900, 3600, 21600, 86400)
    assert len(report.chosen) == 3
    assert {s.model for s in report.scores} >= set(report.chosen)
    assert report.confidence == 1.0
    assert report.why == ""


def test_the_choice_moves_half_of_the_way_from_an_earlier_one() -> None:
    before = build(history(noise(2, 8)))
    after = history(daily(2, 8))
    fresh, held = build(after), build(after, previous=before)
    assert held.shares == pytest.approx((fresh.shares + before.shares) / 2, abs=1e-4)
    assert held.shares.sum(axis=2) == pytest.approx(np.ones((2, 3)), abs=1e-4)


def test_without_selection_the_vectors_speak() -> None:
    made = build(history(daily(2, 8)), ProfileSettings(select=False))
    assert made.forecast(np.array([0]), 0.95)[0] == pytest.approx(made.curve(made.vectors[0], 0.95), rel=2e-3, abs=2e-3)
    assert made.profile(0).chosen == ("none", "none", "none")


def test_a_quantile_that_was_not_built_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"0\.42"):
        build(history(noise(1, 2))).forecast(np.array([0]), 0.42)


def test_equal_input_gives_equal_profiles_however_it_is_cut() -> None:
    one = history(noise(130, 4))
    whole, cut = build(one), build(one, ProfileSettings(chunk=64))
    assert np.array_equal(whole.vectors, cut.vectors)
    assert np.array_equal(whole.shapes, cut.shapes)


@pytest.mark.parametrize("step", [60, 300, 900, 3600])
def test_other_grids_work(step: int) -> None:
    days = 3
    values = np.random.default_rng(1).gamma(2, 1, (2, days * 86400 // step)).astype(np.float32)
    made = build(history(values, step=step))
    assert made.layout.steps == 86400 // step
    assert np.isfinite(made.forecast(np.arange(2), 0.95)).all()
    assert (made.curve(made.vectors, 0.95) > 0).all()
