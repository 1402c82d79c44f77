"""Plans on their way out: data to stdout or a file, everything else to stderr."""

from __future__ import annotations

import sys
from pathlib import Path

from descheduler.model.errors import UsageError
from descheduler.model.plan import PlanDocument
from descheduler.report.formats import written


def write_plan(plan: PlanDocument, form: str, file: Path | None, *, hints: tuple[str, ...] = ()) -> None:
    """Write a plan in a format of the report; tables have colours, and `hints`, on a terminal."""
    if file is None and form in ("table", "wide"):
        from rich.console import Console

        from descheduler.report.table import render

        console = Console(highlight=False)
        if console.is_terminal:
            render(plan, console, wide=form == "wide", hints=hints)
            return
    write_data(written(plan, form), file)


def write_data(data: bytes, file: Path | None) -> None:
    """Write bytes to a file, or to stdout."""
    if file is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        file.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror or error}") from error
