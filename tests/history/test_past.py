"""A history as of an earlier time: what was known then, and nothing that came later."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from builders import NOW
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.past import as_of
from descheduler_profiling.series import History
from histories import STEP, history

HOUR, WEEK = 3600, 7 * 86_400
WEB, NEW = WorkloadKey("shop", "Deployment", "web"), WorkloadKey("shop", "Deployment", "new")


def recorded() -> History:
    """A week of two workloads, of which one began an hour ago; with what is only known of the last hour."""
    made = history("cpu", {WEB: 1.0, NEW: 2.0})
    made.values[0, :-12] = np.nan  # `new` comes before `web`
    recent = np.arange(12, dtype=np.float32)[None, :]
    pods = (("shop", "web-1"),)
    level = {("shop", "web-1"): 1.5}
    return replace(made, pods=pods, recent=recent, pod_level=level, standing_still=("n1",))


def test_columns_end_where_a_query_at_that_time_would_have_ended() -> None:
    whole = recorded()
    end = whole.end
    assert as_of(whole, end + 90.0, WEEK).end == end
    assert as_of(whole, end + 89.0, WEEK).end == end - STEP
    past = as_of(whole, end + 90.0 - 6 * HOUR, WEEK)
    assert past.end == end - 6 * HOUR
    assert past.start == whole.start
    assert np.array_equal(past.values[0], whole.values[1, : past.values.shape[1]])


def test_the_window_reaches_as_far_back_as_the_policy_says() -> None:
    past = as_of(recorded(), NOW - 6 * HOUR, 86_400)
    assert past.values.shape[1] == 86_400 // STEP
    assert past.end - past.start == 86_400 - STEP
    assert past.start % STEP == 0


def test_workloads_without_a_sample_by_then_are_not_known() -> None:
    past = as_of(recorded(), NOW - 2 * HOUR, WEEK)
    assert past.keys == (WEB,)
    assert past.values.shape[0] == past.replicas.size == 1


def test_what_the_last_hour_told_of_single_pods_is_not_known_an_hour_before() -> None:
    past = as_of(recorded(), NOW - 2 * HOUR, WEEK)
    assert (past.pods, past.recent.size, past.pod_level, past.standing_still) == ((), 0, {}, ())


def test_of_single_pods_the_columns_that_were_over_stay() -> None:
    whole = recorded()
    past = as_of(whole, whole.end + 90.0 - 3 * STEP, WEEK)
    assert past.recent.tolist() == [list(range(9))]
    assert past.pod_level == {}


def test_as_of_its_own_end_nothing_is_lost() -> None:
    whole = recorded()
    same = as_of(whole, whole.end + 90.0, WEEK)
    assert np.array_equal(same.values, whole.values, equal_nan=True)
    assert (same.pods, same.pod_level, same.standing_still) == (whole.pods, whole.pod_level, whole.standing_still)


@pytest.mark.parametrize("now", [NOW - 2 * WEEK, 0.0])
def test_before_it_began_there_is_none(now: float) -> None:
    past = as_of(recorded(), now, WEEK)
    assert past.keys == ()
    assert past.values.shape == (0, 0)


def test_every_part_of_a_history_was_thought_of() -> None:
    """What is new in a history is either known at all times, or `as_of` must cut it."""
    known_always = {"signal", "unit", "step", "replicas", "complete", "problems", "absent", "pinned", "divided"}
    cut = {"keys", "start", "values", "pod_level", "pods", "recent", "standing_still", "strain"}
    assert {field.name for field in fields(History)} == known_always | cut
