"""An examination in a terminal: what is wrong says how it is mended, and the last line what it comes to."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from descheduler.doctor.checks import Check, Verdict, trusted
from descheduler.model.format import plural
from descheduler.report.cells import table

_MARK = {Verdict.OK: ("✓", "green"), Verdict.WARNING: ("!", "yellow"), Verdict.FAILURE: ("✗", "bold red")}


def render(checks: Sequence[Check], console: Console, *, wide: bool = False) -> None:
    """Print the checks in their order; `wide` with all details, else with those of what failed."""
    rows = table("", "", "", "found, and what mends it")
    area = ""
    for check in checks:
        mark, style = _MARK[check.verdict]
        rows.add_row(
            Text(mark, style=style),
            Text(check.area if check.area != area else "", style="bold"),
            check.subject,
            _found(check, wide),
        )
        area = check.area
    console.print(rows)
    console.print(Text())
    console.print(Text(summary(checks), style="bold green" if trusted(checks) else "bold red"))


def summary(checks: Sequence[Check]) -> str:
    """What it comes to, in a sentence."""
    failures = sum(check.verdict is Verdict.FAILURE for check in checks)
    warnings = sum(check.verdict is Verdict.WARNING for check in checks)
    said = f"{plural(failures, 'failure')}, {plural(warnings, 'warning')}"
    return f"A plan can be trusted: {said}." if trusted(checks) else f"No plan can be trusted yet: {said}."


def _found(check: Check, wide: bool) -> Text:
    text = Text(check.text)
    if check.mend:
        text.append(f"\n→ {check.mend}", style="cyan")
    if wide or check.verdict is Verdict.FAILURE:
        for line in check.details:
            text.append(f"\n  {line}", style="dim")
    return text
