"""Plans on their way out: data to stdout or a file, everything else to stderr."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from descheduler.model.errors import UsageError
from descheduler.model.plan import PlanDocument

PLAIN_WIDTHS = {"table": 160, "wide": 260}  # of a table that nobody's terminal limits


def write_plan(plan: PlanDocument, form: str, file: Path | None, *, hints: tuple[str, ...] = ()) -> None:
    """Write a plan as table, wide, json, yaml or html."""
    if form in ("table", "wide") and file is None:
        _show(plan, wide=form == "wide", hints=hints)
        return
    data = _encoded(plan, form)
    if file is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        file.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{file}: cannot be written: {error.strerror or error}") from error


def _encoded(plan: PlanDocument, form: str) -> bytes:
    from descheduler.report import to_html, to_json, to_yaml

    match form:
        case "json":
            return to_json(plan, indent=2) + b"\n"
        case "yaml":
            return to_yaml(plan).encode()
        case "html":
            return to_html(plan).encode()
    from rich.console import Console

    from descheduler.report.table import render

    text = io.StringIO()
    render(plan, Console(file=text, width=PLAIN_WIDTHS[form], no_color=True, highlight=False), wide=form == "wide")
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines()).encode()


def _show(plan: PlanDocument, *, wide: bool, hints: tuple[str, ...]) -> None:
    from rich.console import Console

    from descheduler.report.table import render

    console = Console(highlight=False)
    if not console.is_terminal:
        sys.stdout.write(_encoded(plan, "wide" if wide else "table").decode())
        return
    render(plan, console, wide=wide, hints=hints)
