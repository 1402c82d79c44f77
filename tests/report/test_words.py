"""Numbers and sentences as people read them."""

from __future__ import annotations

from descheduler.report import words
from report.plans import blocked_plan, empty_plan, plan


def test_the_verdict_says_what_moves_and_what_gets_better() -> None:
    assert words.verdict(plan()) == "6 pods move in 2 waves: of 3 findings 2 cured, 1 left alone."
    assert words.verdict(empty_plan()) == "Nothing needs to move."
    assert words.verdict(blocked_plan()) == "The data does not allow a decision, so nothing moves."
    assert words.verdict(plan(actions=())).startswith("3 findings, and nothing moves")


def test_refusals_are_grouped_and_counted_with_what_they_fold() -> None:
    first, *rest = words.groups(plan().refusals)
    assert (first.reason, first.count, len(first.rows)) == ("DaemonSetPod", 2, 1)
    assert sum(group.count for group in (first, *rest)) == sum(row.count for row in plan().refusals)
