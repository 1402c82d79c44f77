"""Between two fits profiles follow their history: where each workload stands is new, how it goes on is as fitted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.refresh import brought_up_to_date, refreshed
from descheduler_profiling.series import History
from descheduler_profiling.settings import Likeness, ProfileSettings
from series_cases import DAY, STEP, daily, history, key, noise

WEEK = 7 * DAY
QUICK = ProfileSettings(select=False)
HOUR = 12


def week(values: NDArray[np.float32], later: int) -> History:
    """The week that ends so many steps after the first week of the values."""
    whole = history(values)
    return replace(
        whole, start=whole.start + later * STEP, values=np.ascontiguousarray(values[:, later : later + WEEK])
    )


def curves(made: SignalProfiles) -> NDArray[np.float32]:
    return made.curve(made.vectors, 0.95)


def test_with_nothing_new_vectors_are_those_that_were_built() -> None:
    values = np.concatenate([daily(40, 7), noise(40, 7)])
    values[7, 100:400] = np.nan
    built = build(history(values))
    again = refreshed(built, history(values), ProfileSettings())
    np.testing.assert_array_equal(again.vectors, built.vectors)
    np.testing.assert_array_equal(again.shapes, built.shapes)
    np.testing.assert_array_equal(again.confidence, built.confidence)
    assert again.why == built.why


@pytest.mark.parametrize("later", [1, 6, HOUR - 1])
def test_a_few_steps_later_forecasts_are_near_those_of_a_new_fit(later: int) -> None:
    values = np.concatenate([daily(20, 8), noise(20, 8)])
    moved = refreshed(build(week(values, 0), QUICK), week(values, later), QUICK)
    fitted = build(week(values, later), QUICK)
    assert moved.origin == fitted.origin
    np.testing.assert_array_equal(moved.levels, fitted.levels)
    points = slice(0, moved.layout.points)
    np.testing.assert_allclose(moved.vectors[:, points], fitted.vectors[:, points], rtol=0.15, atol=0.1)
    # The first samples of a week count a little more than they did when there was one before them.
    assert np.abs(moved.fitted.seasons.forecast - fitted.fitted.seasons.forecast).mean() < 0.02


def test_step_by_step_leads_where_one_leap_does() -> None:
    values = daily(5, 8)
    first = build(week(values, 0), QUICK)
    slow = first
    for later in range(1, 8):
        slow = refreshed(slow, week(values, later), QUICK)
    np.testing.assert_allclose(slow.vectors, refreshed(first, week(values, 7), QUICK).vectors, rtol=1e-4, atol=1e-5)


def test_the_season_moves_with_the_hours() -> None:
    values = daily(5, 8)
    first = build(week(values, 0))
    later = refreshed(first, week(values, 6), ProfileSettings())
    for q in (0.5, 0.95):
        rows = np.arange(5)
        np.testing.assert_allclose(later.forecast(rows, q)[:, :-6], first.forecast(rows, q)[:, 6:], rtol=1e-3)
        truth = build(week(values, 6)).forecast(rows, q)
        assert np.abs(later.forecast(rows, q) - truth).mean() < 0.1


def test_load_that_rises_is_seen_at_the_next_refresh() -> None:
    rng = np.random.default_rng(3)
    levels = np.repeat(rng.uniform(0.5, 3, (3, 16)), DAY // 2, axis=1)  # each holds for half a day
    values = (noise(3, 8, level=0.2) + levels).astype(np.float32)
    values[0, WEEK:] += 4
    before = build(week(values, 0), QUICK)
    after = refreshed(before, week(values, HOUR - 1), QUICK)
    assert curves(after)[0, :3].mean() > curves(before)[0, :3].mean() + 2
    np.testing.assert_allclose(after.levels[1:], values[1:, WEEK - 1 : WEEK + HOUR - 1].mean(axis=1), rtol=1e-4)


def test_workloads_come_and_go() -> None:
    values = noise(4, 8)
    older, newer = week(values, 0), week(values, 1)
    before = build(replace(older, keys=older.keys[:3], values=older.values[:3]), QUICK)
    after = refreshed(before, replace(newer, keys=newer.keys[1:], values=newer.values[1:]), QUICK)
    assert after.keys == newer.keys[1:]
    assert (after.confidence == 1).all()
    alone = build(replace(newer, keys=newer.keys[3:], values=newer.values[3:]), QUICK)
    np.testing.assert_allclose(curves(after)[2], curves(alone)[0], rtol=0.3)


def test_what_is_fitted_later_adds_up_with_what_was_fitted_before() -> None:
    values = noise(2, 8)
    values[1] = 3.0 - values[0]  # together they are the same all the time
    older, newer = week(values, 0), week(values, 5)
    before = build(replace(older, keys=older.keys[:1], values=older.values[:1]), QUICK)
    after = refreshed(before, newer, QUICK)
    assert after.fitted.at.tolist() == [older.end, newer.end]
    together = after.curve(after.vectors.sum(axis=0), 0.95)
    assert np.abs(together - 3.0).mean() < 0.25


def test_what_was_not_measured_for_an_hour_has_no_profile_until_it_is_again() -> None:
    values = noise(2, 8)
    values[0, WEEK : WEEK + HOUR] = np.nan
    silent = refreshed(build(week(values, 0), QUICK), week(values, HOUR), QUICK)
    assert silent.confidence.tolist() == [0, 1]
    assert not silent.vectors[0].any()
    back = refreshed(silent, week(values, HOUR + 1), QUICK)
    assert back.confidence[0] > 0.9
    assert curves(back)[0].min() > 0


def test_a_hole_in_the_past_that_is_filled_is_learned_from_at_once() -> None:
    values = daily(3, 7)
    torn = values.copy()
    torn[1, : 3 * DAY] = np.nan
    after = refreshed(build(history(torn), QUICK), history(values), QUICK)
    assert after.confidence[1] == 1
    whole = build(replace(history(values), keys=(key("w0001"),), values=values[1:2]), QUICK)
    np.testing.assert_array_equal(after.vectors[1], whole.vectors[0])


def test_what_is_borrowed_is_borrowed_again() -> None:
    values = daily(6, 8)
    values[5, : WEEK - 2 * HOUR] = np.nan
    asked = replace(QUICK, likeness={key(f"w{i:04d}"): Likeness(1.0, "Deployment", "shop/web:1") for i in range(6)})
    before = build(week(values, 0), asked)
    assert "borrowed" in before.why[5]
    after = refreshed(before, week(values, 3), asked)
    fitted = build(week(values, 3), asked)
    assert after.why[5] == fitted.why[5]
    np.testing.assert_allclose(curves(after)[5], curves(fitted)[5], rtol=0.2, atol=0.2)
    settled = refreshed(after, week(values, 3), asked)
    np.testing.assert_allclose(settled.vectors[5], after.vectors[5], rtol=1e-5)  # it does not borrow what it borrowed


def test_a_fit_serves_for_an_hour() -> None:
    values = noise(2, 8)
    first = build(week(values, 0), QUICK)
    young = brought_up_to_date(week(values, HOUR - 1), QUICK, first)
    assert (young.fitted.at[0], young.origin) == (first.origin, first.origin + (HOUR - 1) * STEP)
    old = brought_up_to_date(week(values, HOUR), QUICK, young)
    np.testing.assert_array_equal(old.vectors, build(week(values, HOUR), QUICK).vectors)
    assert (brought_up_to_date(week(values, 1), QUICK, first, refit=0).fitted.at == first.origin + STEP).all()


def test_another_question_or_another_history_is_fitted_anew() -> None:
    values = noise(2, 8)
    first = build(week(values, 5), QUICK)
    earlier = brought_up_to_date(week(values, 0), QUICK, first)
    assert (earlier.fitted.at == earlier.origin).all()
    for other in (ProfileSettings(), replace(QUICK, quantiles=(0.5, 0.9)), replace(QUICK, horizons=(900, 86400))):
        made = brought_up_to_date(week(values, 6), other, first)
        assert (made.fitted.at == made.origin).all()
        assert made.quantiles == other.quantiles
    coarse = replace(history(values[:, ::2]), step=2 * STEP)
    assert brought_up_to_date(coarse, QUICK, build(history(values), QUICK)).step == 2 * STEP


def test_a_fit_to_a_history_that_was_taken_back_does_not_last() -> None:
    lied = build(week(noise(2, 8) * np.float32(0.0), 0), QUICK)
    assert (
        brought_up_to_date(week(noise(2, 8), 1), QUICK, lied).fitted.at[0] == lied.origin
    )  # nobody has said otherwise
    torn = brought_up_to_date(replace(week(noise(2, 8), 1), complete=False, problems=("read again",)), QUICK, lied)
    whole = brought_up_to_date(week(noise(2, 8), 2), QUICK, torn)
    assert (whole.fitted.at == whole.origin).all()


def test_what_is_said_of_the_history_is_that_of_now() -> None:
    values = noise(1, 8)
    told = replace(
        week(values, 1), complete=False, problems=("a hole",), standing_still=("n1",), pod_level={("shop", "a"): 2.0}
    )
    made = refreshed(build(week(values, 0), QUICK), told, QUICK)
    assert (made.complete, made.problems, made.standing_still) == (False, ("a hole",), ("n1",))
    assert made.pod_level == {("shop", "a"): 2.0}


def test_a_bound_holds_for_what_is_refreshed() -> None:
    values = noise(3, 8)
    bounded = replace(QUICK, limit=0.8)
    made = refreshed(build(week(values, 0), bounded), week(values, 5), bounded)
    assert made.vectors[:, : made.layout.points].max() <= 0.8


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    columns=st.sampled_from([1, 2, 3, 11, 12, 40, 288, 300, 900]),
    new=st.integers(0, 5),
    strange=st.lists(st.sampled_from([0.0, -1.0, 1e17, float("nan"), float("inf"), 1e-30]), max_size=8),
    seed=st.integers(0, 99),
)
def test_no_values_whatever_break_a_refresh(columns: int, new: int, strange: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.gamma(2.0, 0.5, (3, columns + new)).astype(np.float32)
    for value in strange:
        values[rng.integers(3), rng.integers(columns + new)] = value
    whole = history(values)
    before = build(replace(whole, values=values[:, :columns]), QUICK)
    made = brought_up_to_date(whole, QUICK, before)
    assert made.origin == whole.end
    for array in (made.vectors, made.peaks, made.levels, made.fitted.seasons.forecast):
        assert np.isfinite(array).all()
    assert not made.vectors[made.confidence == 0].any()
    assert (curves(made) >= 0).all()
