"""A large fleet is fitted slice by slice: the oldest fits first, and those whose forecasts missed most."""

from dataclasses import replace

import numpy as np
import pytest

from descheduler_profiling import turns
from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.refresh import brought_up_to_date, settled
from descheduler_profiling.series import History
from descheduler_profiling.settings import ProfileSettings
from series_cases import DAY, STEP, history, noise

WEEK = 7 * DAY
HOUR = 12
FLEET = 48
QUICK = ProfileSettings(select=False)


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TOGETHER", 2)


def week(values: np.ndarray, later: int) -> History:
    whole = history(values)
    return replace(
        whole, start=whole.start + later * STEP, values=np.ascontiguousarray(values[:, later : later + WEEK])
    )


def lived(values: np.ndarray, cycles: int) -> list[SignalProfiles]:
    made = [build(week(values, 0), QUICK)]
    for later in range(1, cycles + 1):
        now = week(values, later)
        made.append(settled(brought_up_to_date(now, QUICK, made[-1]), now, QUICK))
    return made


def fitted_in(made: SignalProfiles) -> np.ndarray:
    return np.flatnonzero(made.fitted.at == made.origin)


def test_each_cycle_fits_its_share_and_nobody_waits_for_much_more_than_an_hour() -> None:
    cycles = lived(5 + noise(FLEET, 8), 3 * HOUR)
    sizes = [len(fitted_in(made)) for made in cycles[1:]]
    share = FLEET // HOUR
    assert max(sizes) <= share + share // turns.SURPRISED
    assert min(sizes) >= share
    assert all((made.origin - made.fitted.at <= 3600).all() for made in cycles)


def test_who_was_surprised_does_not_wait_for_its_turn() -> None:
    values = noise(FLEET, 8)
    first = lived(values, HOUR)[-1]
    youngest = int(first.fitted.at.argmax())  # it would be the last to be fitted
    values[youngest, WEEK + HOUR :] += 20
    now = week(values, HOUR + 1)
    after = settled(brought_up_to_date(now, QUICK, first), now, QUICK)
    assert youngest in fitted_in(after)
    assert len(fitted_in(after)) == FLEET // HOUR + 1


def test_a_plan_waits_for_no_fit_whose_turn_it_is() -> None:
    values = 5 + noise(FLEET, 8)
    now, before = week(values, HOUR), lived(values, HOUR - 1)[-1]
    moved = brought_up_to_date(now, QUICK, before)
    assert not fitted_in(moved).size
    after = settled(moved, now, QUICK)
    assert set(moved.due.tolist()) == set(fitted_in(after).tolist())
    assert not after.due.size
    others = np.setdiff1d(np.arange(FLEET), moved.due)
    np.testing.assert_array_equal(after.vectors[others], moved.vectors[others])
    ours, theirs = (made.curve(made.vectors[moved.due].sum(axis=0), 0.95) for made in (after, build(now, QUICK)))
    np.testing.assert_allclose(ours, theirs, rtol=0.05)
    assert after.promise is moved.promise


def test_a_turn_that_nobody_took_comes_again() -> None:
    values = 5 + noise(FLEET, 8)
    before = lived(values, HOUR)[-1]
    missed = brought_up_to_date(week(values, HOUR + 1), QUICK, before)
    again = brought_up_to_date(week(values, HOUR + 2), QUICK, missed)
    assert len(set(missed.due.tolist()) & set(again.due.tolist())) >= FLEET // HOUR  # the oldest are as old as any


def test_the_same_cycles_fit_the_same_slices() -> None:
    values = noise(FLEET, 8)
    once, again = lived(values, 5)[-1], lived(values, 5)[-1]
    np.testing.assert_array_equal(once.fitted.at, again.fitted.at)
    np.testing.assert_array_equal(once.vectors, again.vectors)


def test_what_is_silent_takes_no_turn() -> None:
    values = noise(FLEET, 8)
    values[: FLEET // 2, WEEK - 2 * HOUR :] = np.nan
    for made in lived(values, HOUR)[1:]:
        assert (fitted_in(made) >= FLEET // 2).all()
        assert len(fitted_in(made)) >= FLEET // HOUR


def test_a_small_fleet_is_fitted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TOGETHER", 256)
    made = lived(5 + noise(FLEET, 8), HOUR)
    assert all(not fitted_in(one).size for one in made[1:HOUR])
    assert len(fitted_in(made[HOUR])) == FLEET


def test_forecasts_of_slices_are_as_those_of_a_fit_of_all() -> None:
    values = noise(FLEET, 8)
    sliced, whole = lived(values, HOUR)[-1], build(week(values, HOUR), QUICK)
    for q in (0.5, 0.95):
        ours, theirs = (made.curve(made.vectors.sum(axis=0), q) for made in (sliced, whole))
        np.testing.assert_allclose(ours, theirs, rtol=0.05)


@pytest.mark.parametrize(("race", "most"), [(False, 6_450), (True, 8_150)])
def test_what_is_kept_of_a_workload_is_bounded(race: bool, most: int) -> None:
    values = noise(20, 7)
    assert history(values).values.nbytes / 20 == 8_064
    assert build(history(values), ProfileSettings(select=race)).nbytes / 20 <= most
