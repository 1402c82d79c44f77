"""The rule of freshness, by which planning, acting and the start of a cycle judge alike."""

from __future__ import annotations

import pytest

from builders import NOW
from descheduler.model.snapshot import Freshness
from descheduler.observe.freshness import FreshnessRules, KindState, SourceState, kind_states, unread

RULES = FreshnessRules(max_age_seconds=240, by_kind={"nodes": 60}, history_max_age_seconds=900, min_coverage=0.8)


def judged(fresh: Freshness) -> KindState:
    (state,) = kind_states({fresh.kind: fresh}, RULES, NOW)
    return state


@pytest.mark.parametrize(
    ("fresh", "state", "stop"),
    [
        (Freshness("pods", NOW - 200), SourceState.FRESH, ""),
        (Freshness("pods", NOW - 300), SourceState.STALE, "pods: 300 s old"),
        (Freshness("pods", NOW + 300), SourceState.STALE, "pods: 300 s old"),
        (Freshness("nodes", NOW - 200), SourceState.STALE, "nodes: 200 s old"),
        (Freshness("pods", NOW, synced=False), SourceState.PARTIAL, "pods: still being read"),
        (Freshness("pods", NOW, synced=False, error="forbidden"), SourceState.PARTIAL, "pods: forbidden"),
        (Freshness("pods", NOW, served=False), SourceState.ABSENT, "pods: not served by the API server"),
        (Freshness("ray.io/RayCluster", NOW, served=False), SourceState.ABSENT, ""),
        (Freshness("ray.io/RayCluster", NOW - 300), SourceState.STALE, "ray.io/RayCluster: 300 s old"),
    ],
)
def test_a_kind_stops_everything_unless_it_is_known_as_it_is_now(
    fresh: Freshness, state: SourceState, stop: str
) -> None:
    assert (judged(fresh).state, judged(fresh).stop) == (state, stop)


def test_what_fails_is_named_before_what_is_still_awaited_and_age_is_no_matter() -> None:
    old = Freshness("nodes", 0.0)
    waiting = Freshness("pods", NOW, synced=False)
    failing = Freshness("jobs", NOW, synced=False, error="forbidden")
    absent = Freshness("ray.io/RayCluster", NOW, synced=False, served=False)
    assert unread([old, absent]) == ""
    assert unread([old, waiting, absent]) == "still reading pods"
    assert unread([waiting, failing]) == "jobs: forbidden"
