"""What people see of the controller above its reports: paused or not, since when, why, and what came of a plan."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from jinja2 import Environment, PackageLoader, StrictUndefined

from controller.stages import Stage
from descheduler.controller.reports import Reports
from descheduler.controller.standing import Standing
from descheduler.controller.status import Status
from descheduler.execution.outcomes import ActionOutcome, ExecutionReport, PodOutcome, Result
from descheduler.learning.ledger import LedgerEntry
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Blocked, Reason
from descheduler.pipeline import Decision
from descheduler.report.html import to_html
from report.plans import plan

NOW = plan().created + 120.0


class Board:
    """A status at a time that tests set, and what is seen of it."""

    def __init__(self) -> None:
        self.now = NOW
        self.status = Status(lambda: self.now, wall=lambda: self.now)
        self.reports = Reports()
        template = Environment(
            loader=PackageLoader("descheduler.controller"), autoescape=True, undefined=StrictUndefined
        )
        self.standing = Standing(self.status, self.reports, template, lambda: self.now)

    def shown(self, of: str = "") -> str:
        return " ".join(str(self.standing.html(of)).split())


@pytest.fixture
def board() -> Board:
    return Board()


def test_a_pause_is_told_with_since_why_next_try_and_the_age_of_the_newest_plan(board: Board) -> None:
    board.reports.add(plan())
    board.status.decided("dry-run: --mode says dry-run")
    board.status.pause(Blocked(Reason.DATA_MISSING, "history", "no answer"))
    board.now += 600
    board.status.pause(Blocked(Reason.DATA_MISSING, "history", "no answer still"))  # the same pause, in other words
    board.status.next_cycle = board.now + 15
    text = board.shown()
    assert "The controller is paused since 2026-10-29 12:02:00 UTC, for 10 min" in text
    assert "no answer still" in text
    assert "tries again in 15 s" in text
    assert "the newest plan is 12 min old" in text
    assert "dry-run" in text
    assert "--mode says dry-run" in text


def test_one_that_goes_on_tells_its_next_cycle_and_no_pause(board: Board) -> None:
    board.status.pause(Blocked(Reason.DATA_MISSING, "history"))
    board.status.go_on()
    board.status.decided("active: by --mode and the policy")
    board.status.next_cycle = board.now + 300
    text = board.shown()
    assert "paused" not in text
    assert "Next cycle</dt><dd>in 5 min" in text


def test_since_when_a_mode_is_decided_changes_with_the_mode_alone(board: Board) -> None:
    board.status.decided("dry-run: --mode says dry-run")
    board.now += 60
    board.status.decided("dry-run: --mode says dry-run")
    assert board.status.mode_since == NOW
    board.status.decided("active: by --mode")
    assert board.status.mode_since == NOW + 60


def test_of_an_executed_plan_it_tells_who_was_evicted_and_whether_it_helped(board: Board) -> None:
    document = plan()
    board.reports.add(document, executed(document))
    board.reports.remember(tuple(entry(document, resolved) for resolved in (True, True, False, None)))
    text = board.shown(document.id)
    assert "1 of 3 pods evicted, 1 replacement ready after 40 s (median), 1 of them on the node" in text
    assert "2 moves helped, 1 did not, 1 not judged yet" in text
    assert "DisruptionBudget" in text or "disruption budget" in text
    assert "Carried out" not in board.shown()


def test_a_report_is_shown_with_it_and_reads_well_without(board: Board) -> None:
    document = plan()
    board.reports.add(document)
    page = to_html(document).encode()
    assert b"All plans" not in page
    assert b"All plans" in board.standing.within(page, document.id)


def test_of_an_older_report_it_says_that_there_is_a_newer_one(board: Board) -> None:
    board.reports.add(plan())
    board.reports.add(replace(plan(), id="later"))
    assert "the newest" in board.shown(plan().id)
    assert "this one is older" not in board.shown("later")


def test_the_loop_tells_its_mode_and_when_its_next_cycle_is_due(tmp_path: Path) -> None:
    stage, stop = Stage(tmp_path / "policy.yaml"), threading.Event()
    controller = stage.controller()

    def decide(*_: object) -> Decision:
        stop.set()
        return Decision(stage.plan)

    stage.decide = decide
    controller.run(stop)
    assert controller.status.mode.startswith("dry-run")
    assert controller.status.mode_since > 0
    assert controller.watch.policy is not None
    interval = controller.watch.policy.interval.total_seconds()
    assert controller.status.next_cycle == pytest.approx(stage.time.clock.wall() + interval)


def executed(document: PlanDocument) -> ExecutionReport:
    """The first action is done, the second refused."""
    done, refused = document.actions[0], document.actions[2]
    move = done.pods[0]
    pods = (PodOutcome(move, True, NOW, 1, None, move.destination, "uid", 40.0),)
    blocked = Blocked(Reason.DISRUPTION_BUDGET, "pdb/batch", "0 allowed")
    outcomes = (ActionOutcome(done, Result.DONE, pods), ActionOutcome(refused, Result.REFUSED, (), blocked))
    return ExecutionReport(document.id, NOW, NOW + 45, 2, outcomes)


def entry(document: PlanDocument, resolved: bool | None) -> LedgerEntry:
    names = ("a1", "HotNodes", "unit", "shop/Deployment/checkout", "shop/checkout", "uid", "n1", "n2")
    return LedgerEntry(NOW, document.id, *names, resolved=resolved)
