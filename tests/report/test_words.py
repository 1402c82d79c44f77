"""Numbers and sentences as people read them."""

from __future__ import annotations

import pytest

from descheduler.report import words
from report.plans import blocked_plan, empty_plan, plan


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.2, "3 s"),
        (119, "119 s"),
        (600, "10 min"),
        (3600, "1 h"),
        (5400, "90 min"),
        (9000, "2 h 30 min"),
        (7 * 86400, "7 d"),
    ],
)
def test_lengths_of_time(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(90.0, "90"), (6300.0, "6.3\u202fk"), (576000.0, "576\u202fk"), (2e6, "2\u202fM")]
)
def test_core_seconds(value: float, text: str) -> None:
    assert words.compact(value) == text


def test_the_verdict_says_what_moves_and_what_gets_better() -> None:
    assert words.verdict(plan()) == "6 pods move in 2 waves. Hot nodes 1 → 0, whole GPU nodes free 0 → 1."
    assert words.verdict(empty_plan()) == "Nothing needs to move."
    assert words.verdict(blocked_plan()) == "The data does not allow a decision, so nothing moves."
    assert words.verdict(plan(actions=())).startswith("3 findings, and nothing moves")


def test_refusals_are_grouped_and_counted_with_what_they_fold() -> None:
    first, *rest = words.groups(plan().refusals)
    assert (first.reason, first.count, len(first.rows)) == ("DaemonSetPod", 2, 1)
    assert sum(group.count for group in (first, *rest)) == sum(row.count for row in plan().refusals)


def test_an_unknown_share_is_a_dash() -> None:
    assert words.percent(-1.0) == "–"
