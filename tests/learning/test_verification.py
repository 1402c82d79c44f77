"""What a move was for, and whether a share of it came true."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.learning.ledger import Ledger
from descheduler.learning.verification import Goal, Seen, goals_of, level, name_of, reached, seen_in, silent
from descheduler.model.plan import Action, FindingRow, PlanDocument, RefusalRow
from execution.plans import action, finding, move, plan

EASED = replace(finding(), outcome="eased", value=1.0, after=0.8)
HOUR = 3600.0


def later(value: float) -> PlanDocument:
    """What a plan made later says of the same finding."""
    return plan(findings=[replace(finding(), outcome="unanswered", value=value, after=value)], name="later")


def worth(benefit: float, pod: str) -> Action:
    return replace(action(move(pod)), benefit=benefit)


def at(value: float) -> Seen:
    return Seen(value, 0.75)


@pytest.mark.parametrize("outcome", ["cured", "eased"])
@pytest.mark.parametrize(("now", "hit"), [(0.8, True), (0.89, True), (0.91, False), (1.0, False), (1.2, False)])
def test_half_of_what_was_promised_is_enough_whether_it_was_to_cure_or_to_ease(
    outcome: str, now: float, hit: bool
) -> None:
    """A cure that ends right at the threshold is no miss when noise brings it back over it."""
    goal = goals_of(plan(action(move("web-1")), findings=[replace(EASED, outcome=outcome)]))["a-web-1"]
    assert (goal.before, goal.after, goal.share) == (1.0, 0.8, 1.0)
    assert reached([goal], at(now), 0.5) is hit
    assert reached([goal], None, 0.5)


def test_a_measure_that_should_grow_is_held_to_growth() -> None:
    slots = Goal("GpuDefragmentation|cluster||", before=2.0, after=6.0)
    assert reached([slots], at(5.0), 0.5)
    assert not reached([slots], at(2.0), 0.5)


def test_what_was_done_in_part_is_held_to_its_part() -> None:
    document = plan(worth(0.3, "web-1"), worth(0.1, "web-2"), findings=[replace(EASED, after=0.6)])
    goals = goals_of(document)
    assert [round(g.share, 3) for g in goals.values()] == [0.75, 0.25]
    falling = replace(document, actions=tuple(replace(a, benefit=-a.benefit) for a in document.actions))
    assert goals_of(falling) == goals  # whichever way the measure is to go
    assert reached(goals.values(), at(0.8), 0.5)
    assert not reached(goals.values(), at(0.85), 0.5)
    assert reached([goals["a-web-1"]], at(0.84), 0.5)


def test_a_finding_that_nothing_changes_judges_nobody() -> None:
    assert goals_of(plan(action(move("web-1")), findings=[replace(EASED, after=1.0)])) == {}
    assert goals_of(plan(action(move("web-1")), findings=[replace(finding(), outcome="unanswered")])) == {}


def climbing(**changes: object) -> FindingRow:
    """A forecast that climbs by 0.02 a step of five minutes; the plan takes 0.2 off it."""
    curve = tuple(round(0.8 + 0.02 * i, 4) for i in range(36))
    return replace(
        EASED,
        value=max(curve[:12]),
        after=max(curve[:12]) - 0.2,
        curve=curve,
        curve_after=tuple(v - 0.2 for v in curve),
        step_seconds=300,
        **changes,  # type: ignore[arg-type]
    )


def test_a_forecast_that_climbs_by_itself_is_not_held_against_the_move() -> None:
    row = climbing()
    goal = goals_of(plan(action(move("web-1")), findings=[row]), settle=600.0)["a-web-1"]
    assert goal.before == pytest.approx(0.8 + 0.02 * 13)  # the highest of the hour that begins two steps later
    assert goal.after == pytest.approx(goal.before - 0.2)
    seen_later = replace(row, curve=row.curve_after[2:])
    now = seen_in(plan(findings=[seen_later]))[name_of(row)]
    assert now.value == pytest.approx(goal.after)
    assert reached([goal], now, 0.9)
    assert level(row, row.curve, row.value, HOUR, ahead=1e6) == row.curve[-1]


def test_the_ledger_judges_findings_by_their_value() -> None:
    document = plan(action(move("web-1")), findings=[EASED])
    pod = PodOutcome(move("web-1"), True, at=NOW, landed="n2", successor="s1", ready_seconds=5.0)
    outcome = ActionOutcome(document.actions[0], Result.DONE, (pod,))
    ledger = Ledger().record([outcome], "p", goals_of(document))
    assert ledger.judge(later(0.8), NOW + 60).entries[0].resolved is None
    assert ledger.judge(later(0.8), NOW + HOUR).entries[0].resolved is True
    assert ledger.judge(later(1.0), NOW + HOUR).entries[0].resolved is False
    strict = replace(ledger, rules=replace(ledger.rules, eased_share=1.0))
    assert strict.judge(later(0.85), NOW + HOUR).entries[0].resolved is False


def test_a_strategy_that_did_not_look_says_nothing_about_its_findings() -> None:
    row = RefusalRow("DataMissing", "data is missing", "strategy/HotNodes", "history", "no usable history")
    blind = replace(plan(findings=[], name="later"), refusals=(row,))
    assert silent(blind) == {"HotNodes"}
    document = plan(action(move("web-1")))
    pod = PodOutcome(move("web-1"), True, at=NOW, landed="n2", successor="s1", ready_seconds=5.0)
    ledger = Ledger().record([ActionOutcome(document.actions[0], Result.DONE, (pod,))], "p", goals_of(document))
    assert ledger.judge(blind, NOW + HOUR).entries[0].resolved is None
    assert ledger.judge(plan(findings=[]), NOW + HOUR).entries[0].resolved is True
