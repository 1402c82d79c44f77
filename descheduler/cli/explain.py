"""`explain`: why something would or would not move."""

from __future__ import annotations

from pathlib import Path

import typer

from descheduler.observe.inputs import Source, observe, read_policy
from descheduler.planning.explain import Check, Explanation

_MARK = {True: "[green]✓[/]", False: "[red]✗[/]", None: "·"}


def explain_subject(source: Source, policy_file: Path | None, kind: str, name: str) -> None:
    """Plan as `plan` does, and print what that plan says of one pod, node, gang or workload."""
    from descheduler.pipeline import outcome_of, profile
    from descheduler.planning.explain import explain

    policy = read_policy(policy_file, source)
    observed = observe(source, policy)
    outcome = outcome_of(observed, policy, profile(observed))
    show(explain(outcome, kind, name))
    for problem in (*outcome.context.stops, *(problem.text for problem in outcome.problems)):
        typer.echo(f"error: {problem}", err=True)  # what is said above rests on less than it should


def show(explanation: Explanation) -> None:
    """Print an explanation for people."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"[bold]{escape(explanation.subject)}[/]: {escape(explanation.verdict)}")
    table = Table(show_header=False, box=None, padding=(0, 1))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column()
    for check in explanation.checks:
        table.add_row(_MARK[check.passed], escape(check.name), escape(_told(check)))
    console.print(table)


def _told(check: Check) -> str:
    return f"{check.text}\nwould change with: {check.change}" if check.change and check.passed is False else check.text
