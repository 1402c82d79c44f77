"""Loads that ordinary forecasts get wrong, with known answers. What is forecast is asked at p95 for a node with eight
workloads of the pattern (the sum of their vectors), and for one of them by the race of models."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.refresh import refreshed
from descheduler_profiling.series import History
from descheduler_profiling.settings import ProfileSettings
from series_cases import DAY, STEP, key

HOUR = 12
MONDAY = 1_788_134_400  # 2026-08-31 00:00 UTC; columns are counted from here
ALIKE = 8
Pattern = Callable[[NDArray[np.int64]], NDArray[np.float64]]


def column(day: int, hour: float) -> int:
    return day * DAY + round(hour * HOUR)


def history(pattern: Pattern, now: int, days: float, seed: int = 1) -> History:
    """So many days of a pattern, up to a column, with noise of 3 %."""
    at = np.arange(now - round(days * DAY), now)
    noise = np.exp(np.random.default_rng(seed).normal(0, 0.03, (ALIKE, len(at))))
    keys = tuple(key(f"w{i}") for i in range(ALIKE))
    values = (pattern(at) * noise).astype(np.float32)
    return History("cpu", "cores", keys, MONDAY + int(at[0]) * STEP, STEP, values, np.ones(ALIKE, np.float32))


def asked(made: SignalProfiles, minutes: int, q: float = 0.95) -> tuple[float, float]:
    """Forecasts so far ahead: of a node, as the mean of its workloads, and of one workload alone."""
    lead = minutes * 60 // STEP - 1
    of_node = made.curve(made.vectors.sum(axis=0), q)[lead] / ALIKE
    return float(of_node), float(made.forecast(np.array([0]), q)[0, lead])


def says(made: SignalProfiles, minutes: int, expected: float, within: float = 0.15) -> None:
    for got in asked(made, minutes):
        assert got == pytest.approx(expected, rel=within)


def office(at: NDArray[np.int64], zone: int = 0) -> NDArray[np.float64]:
    """9 to 17 o'clock from Monday to Friday, in a zone so many hours east of UTC."""
    local = at + zone * HOUR
    day, hour = local // DAY % 7, local % DAY / HOUR
    return np.where((day < 5) & (hour >= 9) & (hour < 17), 0.9, 0.1)


@pytest.mark.parametrize("days", [7, 15, 21, 56])
@pytest.mark.parametrize("zone", [0, 9, -8])
def test_weekends_are_no_working_days(days: int, zone: int) -> None:
    for of_week, load in ((5, 0.1), (6, 0.1), (0, 0.9), (2, 0.9)):
        made = build(history(lambda at: office(at, zone), column(of_week, 8.5 - zone), days))
        node, one = asked(made, 55)
        assert node == pytest.approx(load, rel=0.15 if load > 0.5 else 0.8)
        # With a single week one workload alone is forecast with more in hand.
        assert one == pytest.approx(load, rel=0.35 if load > 0.5 else 1.5)


def test_a_batch_of_one_weekday_is_known_after_two_weeks() -> None:
    def thursdays(at: NDArray[np.int64]) -> NDArray[np.float64]:
        hour = at % DAY / HOUR
        return np.where((at // DAY % 7 == 3) & (hour >= 2) & (hour < 5), 0.9, 0.2)

    says(build(history(thursdays, column(3, 1.5), 22)), 60, 0.9, within=0.25)
    says(build(history(thursdays, column(4, 1.5), 22)), 60, 0.2, within=0.4)


def test_days_that_are_alike_have_no_week() -> None:
    def nights(at: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.where(at % DAY < 6 * HOUR, 0.9, 0.2)

    for now in (column(5, 23.5), column(0, 23.5)):
        says(build(history(nights, now, 21)), 60, 0.9)


def plateau(at: NDArray[np.int64], shift: float = 0.0, since: int = 10**6, top: float = 0.63) -> NDArray[np.float64]:
    """9 to 17 o'clock, so many hours later since a column."""
    hour = at % DAY / HOUR - np.where(at >= since, shift, 0.0)
    return np.where((hour >= 9) & (hour < 17), top, 0.2)


@pytest.mark.parametrize("minutes", [20, 30, 45, 60])
def test_load_that_comes_an_hour_early_is_not_added_to_what_was_expected(minutes: int) -> None:
    now = column(7, 8 + minutes / 60)
    made = build(history(lambda at: plateau(at, -1, column(7, 0)), now, 7))
    highest = made.curve(made.vectors.sum(axis=0), 0.95).max() / ALIKE
    assert highest == pytest.approx(0.63, rel=0.1)
    assert made.peaks[0].max() < 0.85
    node, one = asked(made, 30)
    assert node == pytest.approx(0.63, rel=0.1)
    assert 0.6 < one < 0.8


@pytest.mark.parametrize("shift", [-1.0, 1.0, -0.5, 0.75])
@pytest.mark.parametrize("ago", [1, 2, 3])
def test_a_pattern_that_was_moved_is_expected_at_its_new_time(shift: float, ago: int) -> None:
    begins = 9 + shift
    made = build(history(lambda at: plateau(at, shift, column(8 - ago, 0)), column(8, begins - 0.5), 8))
    node, _ = asked(made, 50)
    assert node == pytest.approx(0.63, rel=0.2)
    before, _ = asked(made, 15)
    assert before < 0.35


def test_load_that_is_more_on_one_day_moves_no_pattern() -> None:
    """The twin: it comes at its time, and is a fifth more."""
    made = build(history(lambda at: plateau(at, top=0.63) * np.where(at >= column(7, 0), 1.2, 1.0), column(7, 8.5), 7))
    node, _ = asked(made, 45)
    assert 0.6 < node < 0.85


@pytest.mark.parametrize(("before", "after"), [(1.9, 0.8), (1.0, 1.9), (0.05, 1.0), (1.0, 0.05)])
@pytest.mark.parametrize("minutes", [30, 60, 180, 720])
def test_a_new_level_is_followed_within_half_an_hour(before: float, after: float, minutes: int) -> None:
    now = column(7, 12)
    made = build(history(lambda at: np.where(at < now - minutes // 5, before, after), now, 7))
    for ahead in (15, 60, 360, 1440):
        says(made, ahead, after, within=0.2 if after > 0.5 else 0.9)
    assert made.peaks[0].max() < 1.4 * after + 0.1


@pytest.mark.parametrize(("before", "after"), [(1.9, 0.8), (1.0, 1.9)])
def test_it_is_followed_between_two_fits_too(before: float, after: float) -> None:
    broken = column(7, 12)

    def stepped(at: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.where(at < broken, before, after)

    made = build(history(stepped, broken, 7))
    for later in range(1, 8):
        made = refreshed(made, history(stepped, broken + later, 7 + later / DAY), ProfileSettings())
    says(made, 60, after, within=0.2)


def test_a_burst_is_no_new_level() -> None:
    """The twin: what comes and goes is not taken to stay."""
    now = column(7, 12)

    def bursts(at: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.where(at % 37 < 7, 1.5, 0.5)  # about 35 minutes in every three hours

    last = now - now % 37 + 7
    made = build(history(bursts, last, 7))
    between, _ = asked(made, 420, 0.5)
    assert between < 0.9
    again, _ = asked(made, 360, 0.5)
    assert again > 1.2, "a burst that comes again"


def test_a_single_sample_raises_no_forecast_and_two_do() -> None:
    now = column(7, 12)

    def glitch(samples: int) -> SignalProfiles:
        return build(history(lambda at: np.where(at >= now - samples, 6.0, 0.5), now, 7))

    assert asked(glitch(1), 15)[0] == pytest.approx(0.5, rel=0.15)
    assert asked(glitch(2), 15)[0] > 1.0
