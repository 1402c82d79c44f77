"""What a report says first, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from descheduler.model.plan import AwayRow
from descheduler.report import lead, outcomes
from report.plans import blocked_plan, empty_plan, evidence, plan


@pytest.mark.parametrize(
    ("mode", "active", "name"),
    [
        ("", False, "Dry run"),
        ("dry-run: --mode says dry-run", False, "Dry run"),
        ("active: by --mode and the policy", True, "Active"),
    ],
)
def test_a_plan_is_a_dry_run_unless_somebody_said_active(mode: str, active: bool, name: str) -> None:
    found = lead.Mode.of(plan(mode=mode))
    assert (found.active, found.name) == (active, name)


def test_outcomes_are_counted_by_finding_and_add_up() -> None:
    document = plan()
    assert outcomes.counts(document) == {"cured": 2, "eased": 0, "unanswered": 0, "left-alone": 1}
    assert sum(outcomes.counts(document).values()) == len(document.findings)
    assert outcomes.told(document) == "of 3 findings 2 cured, 1 left alone"
    assert outcomes.told(empty_plan()) == ""


def test_a_plan_that_cures_nothing_claims_no_cure() -> None:
    document = plan(findings=tuple(replace(one, outcome="eased") for one in plan().findings))
    assert outcomes.told(document) == "of 3 findings 3 eased, not cured"


def test_away_is_said_in_replicas_and_seconds() -> None:
    assert lead.away(AwayRow("a", 1, 12, 90.0)) == "1 of 12 replicas away for about 90 s"
    assert lead.away(AwayRow("a", 1, 1, 300.0)) == "1 of 1 replica away for about 5 min"
    assert lead.away(AwayRow("a", 2, 4, 0.0)) == "2 of 4 replicas replaced before it goes"


def test_a_plan_takes_as_long_as_the_longest_of_each_wave() -> None:
    assert lead.seconds(plan()) == 180.0
    assert lead.seconds(empty_plan()) == 0.0


def test_those_of_one_wave_are_away_together_and_those_of_two_are_not() -> None:
    first = plan().actions[0]
    together = lead.noticed([first, replace(first, id="b")])
    apart = lead.noticed([first, replace(first, id="b", wave=1)])
    assert [row.pods for row in together] == [2]
    assert [row.pods for row in apart] == [1]


def test_how_sure_weighs_nodes_by_what_was_measured_and_admits_what_is_not_known() -> None:
    hot, *others = plan().findings
    half = replace(hot, evidence=replace(evidence(), under=0.5, compared=96, samples=2000))
    text = lead.certainty(plan(findings=(hot, half, *others)))
    assert "83% of 384 measured steps on 2 nodes" in text
    assert "2\u202f000 to 10\u202f080 samples a node" in text
    unknown = replace(hot, evidence=replace(evidence(), compared=0, under=-1.0))
    assert lead.certainty(plan(findings=(unknown,))).startswith("not known")
    assert lead.certainty(blocked_plan()) == ""


def test_thresholds_are_those_of_the_policy_and_without_one_those_of_the_findings() -> None:
    assert lead.thresholds(plan()) == {"cpu": 0.75, "memory": 0.85}
    assert lead.thresholds(plan(settings=())) == {"cpu": 0.75}
    assert lead.thresholds(empty_plan()) == {"cpu": 0.75, "memory": 0.85}


def test_why_a_finding_stays_is_what_was_said_of_it_and_not_of_a_pod() -> None:
    fates = {fate.finding.id: fate for fate in lead.fates(plan())}
    assert fates["f1"].pods == 4
    assert fates["f3"].pods == 0
    assert "peak passes" in fates["f3"].why
