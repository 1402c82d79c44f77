"""A profile held against its own past, beside the rules of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from descheduler.model.workloads import WorkloadKey
from descheduler.report.profiles import words
from descheduler.report.profiles.document import profile_document
from descheduler_profiling.build import build
from descheduler_profiling.explain import KOORDINATOR, OURS, VPA, ProfileExplanation, explain
from descheduler_profiling.peers import KOORDINATOR_CPU, VPA_CPU
from descheduler_profiling.series import History
from histories import history, peaking

WEB = WorkloadKey("shop", "Deployment", "web")
DB = WorkloadKey("shop", "StatefulSet", "db")


def explained(made: History, key: WorkloadKey = WEB) -> ProfileExplanation:
    profiles = build(made)
    return explain(made, profiles, profiles.row(key))


@pytest.fixture(scope="module")
def daily() -> ProfileExplanation:
    """One that is busy for two hours of each day, and a steady one."""
    return explained(history("cpu", {WEB: peaking(0.5, 4.0, minutes_ahead=300), DB: 1.0}))


def test_a_daily_pattern_is_forecast_with_less_loss_than_any_flat_rule(daily: ProfileExplanation) -> None:
    loss = {trial.rule: float(np.nansum(trial.loss[1])) for trial in daily.trials}
    assert loss[OURS] < 0.5 * min(value for rule, value in loss.items() if rule != OURS)


def test_every_instant_has_a_day_of_history_before_and_a_day_of_outcomes_after(daily: ProfileExplanation) -> None:
    end = daily.start + (daily.history.size - 1) * daily.step
    assert len(daily.origins) == 8
    assert all(daily.start + 86400 <= at <= end - 86400 for at in daily.origins)
    assert len({at % 86400 // 3600 for at in daily.origins}) >= 4, "they see several times of the day"


def test_the_rules_of_others_are_theirs(daily: ProfileExplanation) -> None:
    trials = {trial.rule: trial for trial in daily.trials}
    columns = [(at - daily.start) // daily.step for at in daily.origins]
    for rule, histogram in ((VPA, VPA_CPU), (KOORDINATOR, KOORDINATOR_CPU)):
        levels = [
            histogram.percentiles(daily.history[None, : column + 1], daily.step, (0.95,))[0, 0] for column in columns
        ]
        np.testing.assert_allclose(trials[rule].promised[1], np.mean(levels), rtol=1e-5)


def test_loss_is_the_pinball_loss_and_coverage_the_share_at_or_under() -> None:
    steady = explained(history("cpu", {WEB: np.full(2016, 2.0, np.float32)}))
    target = next(trial for trial in steady.trials if trial.rule == VPA)
    over = target.promised[1, 0] - 2.0  # the end of a bucket: a little above the constant
    assert 0 < over < 0.15
    np.testing.assert_allclose(target.loss[1], 0.05 * over, rtol=1e-3)
    np.testing.assert_array_equal(target.coverage[1], 1.0)


def test_nothing_later_than_an_instant_is_used_for_its_forecast(daily: ProfileExplanation) -> None:
    made = history("cpu", {WEB: peaking(0.5, 4.0, minutes_ahead=300), DB: 1.0})
    column = (daily.origins[-1] - made.start) // made.step
    changed = made.values.copy()
    changed[:, column + 1 :] = 100.0
    again = explained(replace(made, values=changed))
    for before, after in zip(daily.trials, again.trials, strict=True):
        np.testing.assert_array_equal(before.promised, after.promised, err_msg=before.rule)


def test_what_it_covered_is_one_number_wherever_it_stands(daily: ProfileExplanation) -> None:
    ours = next(trial for trial in daily.trials if trial.rule == OURS)
    np.testing.assert_array_equal(daily.profile.coverage, ours.coverage)
    doc = profile_document(daily)
    assert doc.coverage == next(rule for rule in doc.rules if rule.ours).coverage


def test_yesterdays_forecast_is_held_against_what_came(daily: ProfileExplanation) -> None:
    assert daily.origins[-1] == daily.origin - 86400
    came = daily.history[-288:]
    kept = profile_document(daily).kept
    assert kept == pytest.approx([float((came <= said).mean()) for said in daily.yesterday], abs=1e-4)
    assert 0.9 <= (kept[1] or 0) <= 1


def test_a_workload_that_rose_since_yesterday_shows_what_was_forecast_before() -> None:
    values = np.full(2016, 1.0, np.float32)
    values[-288:] = 3.0
    doc = profile_document(explained(history("cpu", {WEB: values, DB: 1.0})))
    assert doc.kept[1] == pytest.approx(0.0, abs=0.01)
    assert max(doc.yesterday[1]) < 2


def test_signals_other_than_cpu_and_memory_have_no_histogram_to_compare_with() -> None:
    rules = [trial.rule for trial in explained(history("latency", {WEB: 0.2})).trials]
    assert rules == [OURS, "flat percentile"]


def test_a_short_history_is_explained_without_a_trial() -> None:
    made = history("cpu", {WEB: 1.0, DB: 2.0}, days=1)
    found = explained(made)
    assert (found.trials, found.origins) == ((), ())
    assert found.untried == "there are not two days to try it on"


@pytest.mark.parametrize(
    ("days", "said"), [(3, "Less than a week is known"), (8, "Less than two weeks are known"), (15, "")]
)
def test_what_is_not_known_of_weekends_is_said(days: int, said: str) -> None:
    doc = profile_document(explained(history("cpu", {WEB: 1.0}, days=days)))
    assert words.weekends(doc).startswith(said)
    assert bool(words.weekends(doc)) == bool(said)
    assert said in words.trust(doc)


def test_without_a_profile_there_are_no_numbers() -> None:
    found = explained(history("cpu", {WEB: np.full(2016, np.nan, np.float32), DB: 1.0}))
    assert found.profile.confidence == 0
    assert found.profile.why
    assert found.trials == ()
    assert np.isnan(found.curves).all()
    assert np.isnan(found.profile.table).all()


@settings(max_examples=15, deadline=None)
@given(
    arrays(
        np.float32,
        st.tuples(st.just(2), st.sampled_from([0, 1, 3, 300, 700])),
        elements=st.one_of(st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e30]), st.floats(0, 1e6, width=32)),
    )
)
def test_whatever_the_values_are_they_are_explained(values: np.ndarray) -> None:
    made = replace(history("cpu", {WEB: 1.0, DB: 1.0}), values=values)
    found = explained(made)
    for trial in found.trials:
        assert trial.loss.shape == (3, len(found.profile.horizons))
        assert not (trial.coverage > 1).any()
