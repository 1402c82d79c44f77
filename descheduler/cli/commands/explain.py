"""`descheduler explain`."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import (
    As,
    At,
    Context,
    Example,
    Kubeconfig,
    Lenient,
    PolicyFile,
    Prometheus,
    Recorded,
    RequestTimeout,
    Server,
    Set,
    Verbose,
)

if TYPE_CHECKING:
    from descheduler.planning.explanation import Check, Explanation

_MARK = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "")}


class Explained(StrEnum):
    """What can be explained."""

    POD = "pod"
    NODE = "node"
    GANG = "gang"
    WORKLOAD = "workload"


def explain(
    subject: Annotated[Explained, typer.Argument(help="What to explain.")],
    name: Annotated[str, typer.Argument(help="Its name; with its namespace (ns/name) where it has one.")],
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Its namespace, where the name does not say it.")
    ] = "",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    user: As = "",
    server: Server = "",
    request_timeout: RequestTimeout = "",
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    settings: Set = None,
    at: At = "",
    lenient: Lenient = False,
    verbose: Verbose = 0,
) -> None:
    """Explain what the plan does with a pod, node, gang or workload, and why: filter by filter."""
    with failures.reported(verbose):
        from descheduler.cli.output import say
        from descheduler.cli.source import SourceOptions, read, read_written
        from descheduler.cli.watching import watched
        from descheduler.pipeline import outcome_of, profile
        from descheduler.planning.explain import explain
        from descheduler.policy import Setting

        options = SourceOptions(
            kubeconfig,
            context,
            recording,
            example,
            prometheus,
            at,
            user=user,
            server=server,
            request_timeout=request_timeout,
        )
        options.check()
        in_force = read_written(policy, options, [Setting.of(text) for text in settings or ()], lenient=lenient).policy
        with watched() as stages:
            observed = read(options, in_force, stages=stages)
            profiles = profile(observed, stages=stages)
            stages.begin("planning")
            outcome = outcome_of(observed, in_force, profiles)
        _show(explain(outcome, subject.value, _named(subject, name, namespace)))
        for problem in (*outcome.context.stops, *(problem.text for problem in outcome.problems)):
            say(f"error: {problem}")  # the explanation rests on less than it should


def _named(subject: Explained, name: str, namespace: str) -> str:
    """The name with its namespace; of a workload that of its kind is the last but one part. Raises UsageError."""
    from descheduler.model.errors import UsageError

    if not namespace:
        return name
    if subject is Explained.NODE or (subject is Explained.GANG and ":" in name):
        raise UsageError(f"--namespace: {'a node has none' if subject is Explained.NODE else 'the name says it'}")
    if name.count("/") > (1 if subject is Explained.WORKLOAD else 0):
        raise UsageError(f"--namespace {namespace}: {name} names one already")
    if subject is Explained.WORKLOAD and "/" not in name:
        raise UsageError(f"--namespace {namespace}: of which kind? Such as Deployment/{name}")
    return f"{namespace}/{name}"


def _show(explanation: Explanation) -> None:
    from rich.table import Table
    from rich.text import Text

    from descheduler.report.cells import Terminal

    console = Terminal(highlight=False)
    console.print(Text.assemble((explanation.subject, "bold"), f": {explanation.verdict}"))
    table = Table(show_header=False, box=None, padding=(0, 1))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column()
    for check in explanation.checks:
        table.add_row(Text(*_MARK[check.passed]), Text(check.name), Text(_text(check)))
    console.print(table)


def _text(check: Check) -> str:
    return f"{check.text}\nwould change with: {check.change}" if check.change and check.passed is False else check.text
