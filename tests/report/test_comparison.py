"""Plans side by side: what counts as the same, what is told of what differs, and that the page is whole."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from descheduler.model.plan import PlanDocument, PodMove
from descheduler.report.cells import plain
from descheduler.report.comparison.compare import compare
from descheduler.report.comparison.document import Change, Comparison
from descheduler.report.comparison.page import to_html
from descheduler.report.comparison.table import render
from descheduler.report.serial import to_json
from report.plans import empty_plan, large_plan, move, plan
from report.test_page import outline


def against(**changes: object) -> Comparison:
    """A plan held against itself with something changed."""
    return compare({"a": plan(), "b": replace(plan(), id="other", **changes)})  # type: ignore[arg-type]


def text(document: Comparison) -> str:
    return plain(lambda console: render(document, console), wide=True)


def test_a_plan_does_not_differ_from_itself() -> None:
    same = compare({"a": plan(), "b": plan()})
    assert same.same
    assert same.notes == ("they are the same plan",)
    assert {change for row in same.findings for change in row.changes} == {Change.SAME}
    assert {change for row in same.moves for change in row.changes} == {Change.SAME}
    assert "The plans find, move and refuse the same." in text(same)


def test_findings_are_gone_new_or_otherwise() -> None:
    first, second, *rest = plan().findings
    eased = replace(first, outcome="eased")
    hotter = replace(second, value=second.value + 1)
    assert against(findings=(eased, second, *rest)).findings[0].changes == (Change.OUTCOME,)
    assert against(findings=(first, hotter, *rest)).findings[1].changes == (Change.VALUE,)
    assert against(findings=(second, *rest)).findings[0].changes == (Change.GONE,)
    added = replace(first, id="f99", subject="node/general-99")
    assert against(findings=(*plan().findings, added)).findings[-1].changes == (Change.NEW,)


def test_a_value_that_is_written_the_same_is_the_same() -> None:
    first, *rest = plan().findings
    assert against(findings=(replace(first, value=first.value + 1e-6), *rest)).same


def test_findings_are_known_by_what_they_are_about_not_by_their_number() -> None:
    assert against(findings=tuple(reversed(plan().findings))).same


def test_moves_are_gone_new_or_go_elsewhere() -> None:
    first, *rest = plan().actions
    pod = first.pods[0]

    def with_pod(moved: PodMove) -> Comparison:
        return against(actions=(replace(first, pods=(moved, *first.pods[1:])), *rest))

    assert with_pod(replace(pod, destination="general-99")).moves[0].changes == (Change.DESTINATION,)
    assert with_pod(replace(pod, source="general-99")).moves[0].changes == (Change.SOURCE,)
    assert against(actions=tuple(rest)).moves[0].changes == (Change.GONE,)
    more = replace(first, id="a99", wave=9, pods=(move("new-1", "general-1", "general-2"),))
    document = against(actions=(*plan().actions, more))
    assert document.moves[-1].changes == (Change.NEW,)
    assert "only in b" in text(document)


def test_restarts_count_those_who_restart_with_others() -> None:
    first, *rest = plan().actions
    workload = first.pods[0].workload
    gang = replace(first, restarts={workload: len(first.pods), "ml/Job/train": 7})
    document = against(actions=(gang, *rest))
    assert {row.workload: row.counts for row in document.restarts}["ml/Job/train"] == (0, 7)
    assert not document.same
    assert "+7" in text(document)


def test_refusals_are_counted_by_reason() -> None:
    first, *rest = plan().refusals
    document = against(refusals=(replace(first, count=first.count + 5), *rest))
    (row,) = [row for row in document.refusals if row.counts[0] != row.counts[1]]
    assert (row.reason, row.counts[1] - row.counts[0]) == (first.reason, 5)


def test_what_the_plans_rest_on_is_told_where_it_differs() -> None:
    document = against(cluster="elsewhere", created=plan().created + 3600, product="0.0.1", policy_hash="other")
    told = " ".join(document.notes)
    assert all(word in told for word in ("several clusters", "several times", "several versions"))
    assert against(actions=()).notes == ("they were made under the same policy",)


def test_a_plan_that_must_not_be_acted_on_says_so_beside_the_other() -> None:
    document = against(acting_blocked="pods: 900 s old")
    assert "Nothing may be executed: pods: 900 s old" in text(document)
    assert "pods: 900 s old" in to_html(document).lower()


def test_three_plans_are_held_against_the_first() -> None:
    first, *rest = plan().actions
    document = compare({"a": plan(), "b": replace(plan(), actions=tuple(rest)), "c": empty_plan()})
    changes = {row.pod: row.changes for row in document.moves}
    assert changes[first.pods[0].pod] == (Change.GONE, Change.GONE)
    assert changes[rest[0].pods[0].pod] == (Change.SAME, Change.GONE)
    assert "c: gone" in text(document)


@pytest.mark.parametrize("other", [plan(), empty_plan(), large_plan()])
def test_the_page_is_whole_and_loads_nothing(other: PlanDocument) -> None:
    first = replace(other, cluster="<b>cluster</b>")
    page = to_html(compare({"a.json": first, "b.json": plan()}))
    found = outline(page)
    assert (found.unbalanced, found.open, found.foreign, found.styled) == ([], [], [], [])
    assert len(found.ids) == len(set(found.ids))
    assert "<b>cluster</b>" not in page
    assert len(page.encode()) < 1_000_000


def test_the_document_is_versioned_and_the_same_for_the_same_plans() -> None:
    one, two = (to_json(compare({"a": plan(), "b": empty_plan()})) for _ in range(2))
    assert one == two
    assert (json.loads(one)["format"], json.loads(one)["version"]) == ("descheduler/plan-comparison", 1)
