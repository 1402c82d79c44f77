"""Margins that follow what became of earlier forecasts of sums."""

from dataclasses import replace

import numpy as np
import pytest

from descheduler_profiling.calibration import NARROWEST, WIDEST
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.refresh import brought_up_to_date
from descheduler_profiling.series import History
from descheduler_profiling.settings import ProfileSettings
from series_cases import DAY, STEP, history, noise

HOUR = 12
KNOWN = 4 * DAY
VECTORS = ProfileSettings(select=False)
NEVER = 1e9  # seconds: nothing is fitted anew


def at(values: np.ndarray, column: int) -> History:
    """The history of the last days before a column."""
    part = history(values[:, column - KNOWN : column])
    return replace(part, start=part.start + (column - KNOWN) * STEP)


def lived(values: np.ndarray, hours: int, every: int = HOUR) -> list[SignalProfiles]:
    """Profiles hour by hour (or more often) from the end of what is known on."""
    made: list[SignalProfiles] = []
    for column in range(KNOWN, KNOWN + hours * HOUR + 1, every):
        made.append(brought_up_to_date(at(values, column), VECTORS, made[-1] if made else None, NEVER))
    return made


def restless(rows: int, hours: int) -> np.ndarray:
    """Noise, of which all at once goes up and down from the end of what is known on."""
    values = noise(rows, 6)
    swing = np.random.default_rng(4).standard_normal(hours * HOUR)
    values[:, KNOWN : KNOWN + len(swing)] *= np.maximum(0, 1 + 0.15 * swing).astype(np.float32)
    return values


def covered(values: np.ndarray, made: list[SignalProfiles]) -> float:
    """The share of steps at or under the p95 of what a node of 15 uses, in the hour after each."""
    hits = []
    for one in made:
        column = (one.origin - history(values).start) // STEP + 1
        said = one.curve(one.vectors[:15].sum(axis=0), 0.95)[:HOUR]
        hits.append(values[:15, column : column + HOUR].sum(axis=0) <= said)
    return float(np.mean(hits))


def test_margins_widen_while_sums_pass_what_was_promised() -> None:
    values = restless(240, 24)
    made = lived(values, 20)
    assert made[-1].layout.widened > 1.2
    fixed = [replace(one, layout=replace(one.layout, widened=1.0)) for one in made]
    assert covered(values, made[8:]) > covered(values, fixed[8:]) + 0.05


def test_margins_of_a_steady_fleet_stay_near_what_they_were() -> None:
    widths = [one.layout.widened for one in lived(noise(60, 6), 20)]
    assert all(NARROWEST <= width < 1.15 for width in widths)


def test_they_come_back_once_the_load_is_steady_again() -> None:
    values = restless(60, 10)
    widths = [one.layout.widened for one in lived(values, 34)]
    assert widths[-1] < max(widths) - 0.1


def test_they_are_bounded() -> None:
    values = noise(60, 6)
    for hour in range(30):
        values[:, KNOWN + hour * HOUR :] *= np.float32(1.4)
    assert max(one.layout.widened for one in lived(values, 28)) <= WIDEST


@pytest.mark.parametrize("every", [1, 5])
def test_an_hour_is_judged_once_it_is_over_however_often_one_looks(every: int) -> None:
    made = lived(restless(60, 24), 5, every)
    promises = {one.promise.at for one in made if one.promise}
    assert len(promises) <= 6
    assert len({one.layout.widened for one in made}) <= 6


def test_of_few_workloads_nothing_is_learned() -> None:
    made = lived(restless(6, 8), 6)
    assert all(one.promise is None and one.layout.widened == 1 for one in made)


def test_of_a_history_that_is_not_whole_nothing_is_learned() -> None:
    values = restless(60, 8)
    first = brought_up_to_date(at(values, KNOWN), VECTORS, None, NEVER)
    torn = replace(at(values, KNOWN + HOUR), complete=False, problems=("a hole",))
    assert brought_up_to_date(torn, VECTORS, first, NEVER).layout.widened == 1


def test_what_was_not_measured_since_proves_nothing() -> None:
    values = restless(60, 8)
    first = brought_up_to_date(at(values, KNOWN), VECTORS, None, NEVER)
    values[:, KNOWN : KNOWN + HOUR] = np.nan
    assert brought_up_to_date(at(values, KNOWN + HOUR), VECTORS, first, NEVER).layout.widened == 1


def test_a_workload_that_went_takes_only_its_group_along() -> None:
    values = restless(60, 8)
    first = brought_up_to_date(at(values, KNOWN), VECTORS, None, NEVER)
    whole = at(values, KNOWN + HOUR)
    fewer = replace(whole, keys=whole.keys[1:], values=whole.values[1:], replicas=whole.replicas[1:])
    assert brought_up_to_date(fewer, VECTORS, first, NEVER).layout.widened != 1
