"""What pipelines read of a plan: gates, JUnit and Markdown."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from descheduler.model.plan import PlanDocument
from descheduler.report import words
from descheduler.report.gates import Gate, shut
from descheduler.report.junit import to_junit
from descheduler.report.markdown import to_markdown
from report.plans import blocked_plan, empty_plan, plan


def unanswered() -> PlanDocument:
    first, *rest = plan().findings
    return plan(findings=(replace(first, outcome="unanswered"), *rest), actions=())


@pytest.mark.parametrize(
    ("document", "gates"),
    [
        (empty_plan(), ()),
        (plan(problems=()), (Gate.FINDINGS, Gate.MOVES)),
        (replace(unanswered(), problems=()), (Gate.FINDINGS, Gate.UNANSWERED)),
        (replace(blocked_plan(), problems=(), findings=()), (Gate.DATA,)),
        (replace(empty_plan(), unlooked=("the policy names no strategy",)), (Gate.DATA,)),
        (replace(empty_plan(), problems=("history of cpu is stale",)), (Gate.DATA,)),
    ],
)
def test_each_gate_stops_what_it_is_for_and_nothing_else(document: PlanDocument, gates: tuple[Gate, ...]) -> None:
    assert shut(replace(document, refusals=()), Gate) == gates


def test_a_plan_that_did_not_look_does_not_say_that_nothing_needs_to_move() -> None:
    assert words.verdict(empty_plan()) == "Nothing needs to move."
    blind = replace(empty_plan(), unlooked=("the policy names no strategy",))
    assert words.verdict(blind) == "Nothing was found, but not all was looked at: the policy names no strategy."
    partly = replace(plan(), unlooked=("IdleGpu did not run, no usable history of gpu",))
    assert words.verdict(partly).endswith("Not all was looked at: IdleGpu did not run, no usable history of gpu.")


def test_in_junit_a_finding_passes_fails_or_is_skipped_as_it_is_cured_or_not() -> None:
    root = ET.fromstring(to_junit(unanswered()))
    outcomes = [finding.outcome for finding in unanswered().findings]
    suites = [suite for suite in root if suite.get("name") != "data"]
    assert sum(int(suite.get("tests", 0)) for suite in suites) == len(outcomes)
    assert len(root.findall(".//failure")) == sum(o in ("eased", "unanswered") for o in outcomes)
    assert len(root.findall(".//skipped")) == outcomes.count("left-alone")


def test_in_junit_data_that_could_not_be_looked_at_is_an_error() -> None:
    root = ET.fromstring(to_junit(blocked_plan()))
    assert [error.get("message") for error in root.findall(".//error")] == ["pods: 3600 s old"]
    assert not ET.fromstring(to_junit(empty_plan())).findall(".//error")


def test_names_are_no_markup_and_drive_no_terminal() -> None:
    first, *rest = plan().findings
    rude = replace(first, subject="node/a|b<script>\x1b[2J", measure="`x`", outcome="unanswered")
    document = plan(findings=(rude, *rest))
    assert "a\\|b\\<script\\>" in to_markdown(document)
    assert "\\`x\\`" in to_markdown(document)
    assert b"\x1b" not in to_junit(document)
    assert ET.fromstring(to_junit(document)) is not None


def test_markdown_has_the_verdict_every_finding_and_every_move() -> None:
    text = to_markdown(plan())
    assert words.verdict(plan()).split(":")[0] in text
    for pod in (pod for action in plan().actions for pod in action.pods):
        assert f"{pod.namespace}/{pod.pod}" in text
