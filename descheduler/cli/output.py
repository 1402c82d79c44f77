"""Answers on their way out: data to stdout or a file, everything else to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from descheduler.model.printable import printable
from descheduler.model.secrets import hidden
from descheduler.model.whole_files import check_free, written_whole

if TYPE_CHECKING:
    from rich.console import Console

    from descheduler.model.plan import PlanDocument
    from descheduler.report.backtests.document import Backtest, Tuning
    from descheduler.report.comparison.document import Comparison


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer goes: to a file, or without one to stdout.

    Raises UsageError, when it is made, where a file is there that may not be replaced: before hours of work, not after.
    """

    file: Path | None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.file is not None:
            check_free(self.file, overwrite=self.overwrite)


def say(text: str, *, err: bool = True) -> None:
    """Tell people something, on stderr unless it is an answer: without secrets, and without what drives a terminal."""
    typer.echo(printable(hidden(text)), err=err)


def write(data: bytes, target: Target) -> None:
    """Write a text whole, to the file or to stdout; what drives a terminal is written out.

    Raises UsageError when the file cannot be written.
    """
    data = printable(data.decode(errors="surrogateescape")).encode()
    if target.file is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    with written_whole(target.file, overwrite=target.overwrite) as aside:
        aside.write_bytes(data)


def write_table(render: Callable[[Console], None], target: Target, *, wide: bool = True) -> None:
    """Write what `render` prints: in colour where somebody watches, else as plain text."""
    from descheduler.report.cells import Terminal, plain

    console = Terminal(highlight=False)
    if target.file is None and console.is_terminal:
        render(console)
        return
    poor = target.file is None and console.poor
    write(plain(render, wide=wide, poor=poor).encode(), target)


def write_plan(plan: PlanDocument, form: str, target: Target, *, hints: tuple[str, ...] = ()) -> None:
    """Write a plan in one of the report's formats; tables have colours, and `hints` under them, on a terminal."""
    from descheduler.report.formats import written

    if form not in ("table", "wide"):
        write(written(plan, form), target)
        return
    from descheduler.report.table import render

    def shown(console: Console) -> None:
        render(plan, console, wide=form == "wide", hints=hints if console.is_terminal else ())

    write_table(shown, target, wide=form == "wide")


def write_comparison(comparison: Comparison, form: str, target: Target) -> None:
    """Write plans side by side in one of the report's formats for that."""
    from descheduler.report.comparison.page import to_html
    from descheduler.report.comparison.table import render
    from descheduler.report.serial import to_indented_json

    match form:
        case "json":
            write(to_indented_json(comparison), target)
        case "html":
            write(to_html(comparison).encode(), target)
        case _:
            write_table(lambda console: render(comparison, console), target)


def write_replay(document: Backtest | Tuning, form: str, target: Target) -> None:
    """Write what a replay found in one of the report's formats for that."""
    from descheduler.report.backtests.document import Backtest
    from descheduler.report.backtests.page import to_html, tuning_to_html
    from descheduler.report.backtests.table import render, render_tuning
    from descheduler.report.serial import to_indented_json

    match form:
        case "json":
            write(to_indented_json(document), target)
        case "html":
            write((to_html(document) if isinstance(document, Backtest) else tuning_to_html(document)).encode(), target)
        case _ if isinstance(document, Backtest):
            write_table(lambda console: render(document, console), target)
        case _:
            write_table(lambda console: render_tuning(document, console), target)
