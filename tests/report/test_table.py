"""The plan in a terminal: the whole text, so that every change of it is seen."""

from __future__ import annotations

import html
import io
import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from descheduler.model.plan import ExecutorRow, PlanDocument
from descheduler.model.reasons import Reason
from descheduler.report import words
from descheduler.report.html import to_html
from descheduler.report.table import render
from report.plans import blocked_plan, empty_plan, large_plan, plan, refusal

GOLDEN = Path(__file__).parent / "golden"


def printed(document: PlanDocument, *, wide: bool = False, width: int = 160, hints: tuple[str, ...] = ()) -> str:
    out = io.StringIO()
    render(document, Console(file=out, width=width, no_color=True, highlight=False), wide=wide, hints=hints)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


@pytest.mark.parametrize(
    ("name", "document", "wide"),
    [
        ("table", plan(), False),
        ("wide", plan(), True),
        ("empty", empty_plan(), False),
        ("blocked", blocked_plan(), False),
    ],
)
def test_the_table_is_as_agreed(name: str, document: PlanDocument, wide: bool) -> None:
    """Set UPDATE_GOLDEN=1 to write what is printed now, and read the difference before committing it."""
    text = printed(document, wide=wide, width=260 if wide else 160)
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_text(text)
    assert text == file.read_text()


def test_terminal_and_page_say_why_nothing_gentler_moves_a_unit() -> None:
    first, *others = plan().actions
    crude = replace(first, gentler=("surge: its <last> replica would go",))
    document = plan(actions=(crude, *others), executors=(ExecutorRow("evict", ("evict the pod",)),))
    told = "by evict: evict the pod; not surge: its <last> replica would go"
    assert " ".join(printed(document, width=260).split()).count(told) == 1
    page = f'data-executor="evict">{html.escape(words.sentence(told))}</p>'
    assert to_html(document).count('data-executor="evict"') == to_html(document).count(page) == 1


def test_every_move_and_every_reason_is_in_it() -> None:
    text = printed(plan())
    for action in plan().actions:
        for pod in action.pods:
            assert f"{pod.namespace}/{pod.pod}" in text
            assert f"{pod.source} → {pod.destination}" in text
    for row in plan().refusals:
        assert row.reason in text
        assert row.explanation in text


def test_a_replacement_that_will_be_another_is_told() -> None:
    first, *others = plan().actions
    told = replace(first.pods[0], becomes={"cpu": "2"}, remade="made from the template of ReplicaSet/web: cpu 2")
    document = replace(plan(), actions=(replace(first, pods=(told, *first.pods[1:])), *others))
    assert "template of" in printed(document, width=220)
    assert "template of" not in printed(plan(), width=220)
    assert told.remade in to_html(document)


def test_wide_lists_every_refusal() -> None:
    text = printed(plan(), wide=True, width=220)
    for row in plan().refusals:
        assert row.subject in text
        assert row.detail in text


def test_brackets_in_what_clusters_say_are_no_markup() -> None:
    row = refusal(Reason.NO_PLACE, "pod/a/b", detail="[red]taint[/red] [bold")
    assert "[red]taint[/red] [bold" in printed(plan(refusals=(row,)), wide=True, width=220)


def test_a_narrow_terminal_loses_no_name() -> None:
    text = printed(plan(), width=80).replace("\n", "").replace(" ", "")
    assert "checkout-7d9f8c" in text


def test_next_steps_are_offered_when_given() -> None:
    assert "descheduler plan -o html" in printed(plan(), hints=("descheduler plan -o html > report.html",))


def test_a_large_plan_stays_readable() -> None:
    document = large_plan()
    lines = printed(document).count("\n")
    assert lines < 3 * (len(document.findings) + len(document.actions)) + 40
