"""Loads that ordinary forecasts get wrong, with known answers. What is forecast is asked at p95 for a node with eight
workloads of the pattern (the sum of their vectors), and for one of them by the race of models."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter

from descheduler.model.format import span
from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.refresh import refreshed
from descheduler_profiling.series import History
from descheduler_profiling.settings import Likeness, ProfileSettings
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
    assert made.peaks[0].max() < 0.95
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


def leak(at: NDArray[np.int64], since: int, rise: float = 0.01) -> NDArray[np.float64]:
    """So much in each hour since a column."""
    return 0.3 + rise * np.maximum(at - since, 0) / HOUR


@pytest.mark.parametrize("hours", [8, 24, 120])
def test_growth_goes_on_and_says_when_it_is_at_its_limit(hours: int) -> None:
    now = column(8, 12)
    rise = 0.6 / hours
    given = calm(lambda at: leak(at, now - hours * HOUR, rise), now)
    limit = 0.9 + rise * 6
    like = {workload: Likeness(limit=limit) for workload in given.keys}
    made = build(given, ProfileSettings(likeness=like))
    for ahead in (1, 4):
        says(made, 60 * ahead, 0.9 + rise * ahead, within=0.07)
    assert made.forecast(np.arange(ALIKE), 0.99).max() <= limit * 1.001
    assert made.vectors[:, : made.layout.points].max() <= limit * 1.001
    assert "an hour for" in made.why[0]
    assert f"at its limit of {limit:.3g} in {span(6 * 3600)[:1]}" in made.why[0].replace("in 5", "in 6")


def calm(pattern: Pattern, now: int) -> History:
    """A week of what hardly makes a noise, as memory does."""
    at = np.arange(now - 7 * DAY, now)
    values = pattern(at) * np.exp(np.random.default_rng(2).normal(0, 0.004, (ALIKE, len(at))))
    whole = history(pattern, now, 7)
    return replace(whole, values=values.astype(np.float32))


def wandering(at: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(0.5 * np.exp(lfilter([0.01], [1.0, -0.98], np.random.default_rng(3).normal(0, 1, len(at)))))


@pytest.mark.parametrize(
    "pattern",
    [
        lambda at: np.full(len(at), 0.5),
        lambda at: 0.3 + 0.4 * (1 - np.exp(-np.maximum(at - column(8, 0), 0) / (3 * HOUR))),  # a cache that is full
        lambda at: 0.5 + 0.3 * np.sin(2 * np.pi * (at - column(0, 12)) / DAY),  # a morning
        wandering,
    ],
)
def test_what_only_looks_like_growth_is_not_extrapolated(pattern: Pattern) -> None:
    made = build(calm(pattern, column(8, 15)))
    assert not made.fitted.growth.lasts.any()
    assert not any("grows" in why for why in made.why)
