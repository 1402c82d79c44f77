"""Answers on their way out: data to stdout or a file, everything else to stderr."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from descheduler.model.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from descheduler.model.plan import PlanDocument

PLAIN_WIDTHS = {"table": 160, "wide": 260}  # of a table that nobody's terminal limits


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


def write_table(render: Callable[[Console], None], file: Path | None, width: int) -> None:
    """Write what `render` prints: in colour where somebody watches, else as plain text of a width."""
    from rich.console import Console

    console = Console(highlight=False)
    if file is None and console.is_terminal:
        render(console)
        return
    text = io.StringIO()
    render(Console(file=text, width=width, no_color=True, highlight=False, force_terminal=False))
    write("".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()).encode(), file)


def write_plan(plan: PlanDocument, form: str, file: Path | None, *, hints: tuple[str, ...] = ()) -> None:
    """Write a plan as table, wide, json, yaml or html; `hints` stand under a table on a terminal."""
    from descheduler.report import to_html, to_json, to_yaml

    match form:
        case "json":
            write(to_json(plan, indent=2) + b"\n", file)
        case "yaml":
            write(to_yaml(plan).encode(), file)
        case "html":
            write(to_html(plan).encode(), file)
        case _:
            from descheduler.report.table import render

            def shown(console: Console) -> None:
                render(plan, console, wide=form == "wide", hints=hints if console.is_terminal else ())

            write_table(shown, file, PLAIN_WIDTHS[form])
