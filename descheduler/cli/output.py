"""Answers on their way out: data to stdout or a file, everything else to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from descheduler.model.errors import UsageError
from descheduler.model.printable import printable
from descheduler.model.secrets import hidden

if TYPE_CHECKING:
    from rich.console import Console

    from descheduler.model.plan import PlanDocument


def say(text: str, *, err: bool = True) -> None:
    """Tell people something, on stderr unless it is an answer: without secrets, and without what drives a terminal."""
    typer.echo(printable(hidden(text)), err=err)


def write(data: bytes, file: Path | None) -> None:
    """Write a text to the file, or to stdout; what drives a terminal is written out.

    Raises:
        UsageError: the file cannot be written.
    """
    data = printable(data.decode(errors="surrogateescape")).encode()
    if file is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        file.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror or error}") from error


def write_table(render: Callable[[Console], None], file: Path | None, *, wide: bool = True) -> None:
    """Write what `render` prints: in colour where somebody watches, else as plain text."""
    from descheduler.report.cells import Terminal, plain

    console = Terminal(highlight=False)
    if file is None and console.is_terminal:
        render(console)
        return
    write(plain(render, wide=wide).encode(), file)


def write_plan(plan: PlanDocument, form: str, file: Path | None, *, hints: tuple[str, ...] = ()) -> None:
    """Write a plan in one of the report's formats; tables have colours, and `hints` under them, on a terminal."""
    from descheduler.report.formats import written

    if form not in ("table", "wide"):
        write(written(plan, form), file)
        return
    from descheduler.report.table import render

    def shown(console: Console) -> None:
        render(plan, console, wide=form == "wide", hints=hints if console.is_terminal else ())

    write_table(shown, file, wide=form == "wide")
