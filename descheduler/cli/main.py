"""The command line: which commands there are. Each has a file of its name in `commands`.

Exit codes: 0 done, 1 it could not be done or the data does not allow a decision, 2 wrong usage or a bad policy, 3 the
plan has what --fail-on or --exit-code names (the table in docs/operations.md). `doctor` ends with 0 only where a plan
could be trusted.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.core import TyperGroup

from descheduler.cli.commands import backtest, clean_up, doctor, explain, plan, policy, profile, record, run, show, tune
from descheduler.cli.sigs_flags import is_theirs


class _PlanFirst(TyperGroup):
    """Help names what most people came for first."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return sorted(super().list_commands(ctx), key=lambda name: name != "plan")


app = typer.Typer(
    cls=_PlanFirst,
    name="descheduler",
    help="Rebalances Kubernetes clusters: forecasts load, plans the few moves that help, proves each one, and "
    "explains what it will not do. Planning never changes a cluster; only `run` in mode active does, and `clean-up`.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
app.add_typer(plan.app)
for command in (backtest.backtest, tune.tune, show.show, explain.explain, doctor.doctor, record.record, run.run):
    app.command()(command)
app.command(name="clean-up")(clean_up.clean_up)
app.add_typer(policy.app, name="policy")
app.add_typer(profile.app, name="profile")


@app.command()
def version() -> None:
    """Print the version."""
    _version(asked=True)


def _version(asked: bool) -> None:
    if asked:
        from descheduler import __version__

        typer.echo(f"descheduler {__version__}, Python {sys.version.split()[0]}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """The `descheduler` and `kubectl deschedule` commands."""
    _keep_stdout_for_answers()
    if is_theirs(sys.argv[1:]):
        as_sigs()
    app()


def as_sigs() -> NoReturn:
    """The command line of the Kubernetes SIG's descheduler, which has no subcommands."""
    try:
        run.run_as_sigs(sys.argv[1:])
    except typer.Exit as end:
        sys.exit(end.exit_code)
    sys.exit(0)


def _keep_stdout_for_answers() -> None:
    """Native libraries print to file descriptor 1 unasked (HiGHS does): let that go to stderr, so that a plan as JSON
    stays JSON. What Python prints still goes to where stdout was.
    """
    try:
        own = os.dup(1)
        os.dup2(2, 1)
    except OSError:
        return  # one of them is closed: there is nothing to keep apart
    old = sys.stdout
    sys.stdout = os.fdopen(
        own, "w", encoding=old.encoding, errors=old.errors, buffering=1 if old.line_buffering else -1
    )
