"""Answers on their way out: data to stdout or a file, everything else to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from descheduler.model.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from descheduler.model.plan import PlanDocument


def write(data: bytes, file: Path | None) -> None:
    """Write to the file, or to stdout. Raises UsageError when the file cannot be written."""
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
    from rich.console import Console

    from descheduler.report.cells import plain

    console = Console(highlight=False)
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
