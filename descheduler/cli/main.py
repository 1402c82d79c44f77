"""The command line. Each command says what it takes; what it does is in the module that it imports when it runs.

Exit codes: 0 done, 1 it could not be done or the data does not allow a decision, 2 wrong usage or a bad policy, 3 the
plan is not empty (with --exit-code).
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from descheduler.cli import failures, profile
from descheduler.cli.options import Context, Example, Kubeconfig, OutputFile, Prometheus, Recorded, Verbose
from descheduler.report.formats import FORMATS

app = typer.Typer(
    name="descheduler",
    help="Rebalances Kubernetes clusters: forecasts load, plans the few moves that help, proves each one, and "
    "explains what it will not do. Planning never changes a cluster; only `run` in mode active does.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
policy_app = typer.Typer(
    help="Check a policy, or write the default one and the schema.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(policy_app, name="policy")
app.add_typer(profile.app, name="profile")

Format = StrEnum("Format", {name: name for name in FORMATS})  # type: ignore[misc]  # members are known by running it
TABLE = Format("table")


class Subject(StrEnum):
    """What can be explained."""

    POD = "pod"
    NODE = "node"
    GANG = "gang"
    WORKLOAD = "workload"


class Mode(StrEnum):
    """What the controller does with its plans."""

    DRY_RUN = "dry-run"
    ACTIVE = "active"


PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="The policy. Default: `descheduler policy default`.")
]
OutputFormat = Annotated[Format, typer.Option("--output", "-o", help="How the plan is written.")]


@app.command()
def plan(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    output: OutputFormat = TABLE,
    output_file: OutputFile = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when the plan is not empty.")] = False,
    verbose: Verbose = 0,
) -> None:
    """Plan once and show the plan; changes nothing."""
    with failures.told(verbose):
        from descheduler.cli.planning import make_plan
        from descheduler.observe.inputs import Source

        source = Source(kubeconfig, context, recording, example, prometheus)
        failures.leave(make_plan(source, policy, output.value, output_file, exit_code=exit_code))


@app.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="PLAN.json", help="A plan written by `plan -o json`.")],
    output: OutputFormat = TABLE,
    output_file: OutputFile = None,
    verbose: Verbose = 0,
) -> None:
    """Show a plan that was written before."""
    with failures.told(verbose):
        from descheduler.cli.planning import show_plan

        show_plan(file, output.value, output_file)


@app.command()
def explain(
    subject: Annotated[Subject, typer.Argument(help="What to explain.")],
    name: Annotated[str, typer.Argument(help="Its name; with its namespace (ns/name) where it has one.")],
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    verbose: Verbose = 0,
) -> None:
    """Explain what the plan does with a pod, node, gang or workload, and why: filter by filter."""
    with failures.told(verbose):
        from descheduler.cli.explain import explain_subject
        from descheduler.observe.inputs import Source

        explain_subject(Source(kubeconfig, context, recording, example, prometheus), policy, subject.value, name)


@app.command()
def record(
    to: Annotated[
        Path, typer.Option("--output", "-o", metavar="PATH", help="File (with a suffix) or directory to write.")
    ],
    anonymize: Annotated[
        bool, typer.Option("--anonymize", help="Replace every name by a pseudonym, the same one everywhere.")
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    verbose: Verbose = 0,
) -> None:
    """Record a cluster and its history, to plan on them elsewhere or later."""
    with failures.told(verbose):
        from descheduler.cli.recording import make_recording
        from descheduler.observe.inputs import Source

        make_recording(Source(kubeconfig, context, recording, example, prometheus), policy, to, anonymize=anonymize)


@app.command()
def run(
    policy: PolicyFile = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    prometheus: Prometheus = None,
    mode: Annotated[Mode | None, typer.Option(help="Comes before the policy's mode.")] = None,
    namespace: Annotated[
        str, typer.Option(help="Where the lease and the ledger are kept. Default: the pod's own namespace.")
    ] = "",
    leader_elect: Annotated[bool, typer.Option(help="Act only while holding the lease.")] = True,
    lease: Annotated[str, typer.Option(help="Name of the lease.")] = "descheduler",
    host: Annotated[str, typer.Option(help="Address to serve health, metrics and reports on.")] = "0.0.0.0",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the same; 0: any free one.")] = 8080,
    store: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the history read so far over restarts.")
    ] = None,
    verbose: Verbose = 0,
) -> None:
    """Run the controller: plan again and again, and carry the plans out in mode active."""
    with failures.told(verbose, service=True):
        from descheduler.controller.run import RunOptions, run_controller

        options = RunOptions(
            policy=policy,
            kubeconfig=kubeconfig,
            context=context,
            prometheus=prometheus,
            mode=mode.value if mode else None,
            namespace=namespace,
            leader_elect=leader_elect,
            lease=lease,
            host=host,
            port=port,
            store=store,
        )
        failures.leave(run_controller(options))


@policy_app.command()
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policies to check; - is stdin.")],
    verbose: Verbose = 0,
) -> None:
    """Check policies: every problem, with its file, line and column."""
    with failures.told(verbose):
        from descheduler.cli.policies import check_policies

        check_policies(files)


@policy_app.command()
def schema(verbose: Verbose = 0) -> None:
    """Print the JSON schema of policies, the arguments of all installed strategies included."""
    with failures.told(verbose):
        from descheduler.cli.policies import print_schema

        print_schema()


@policy_app.command()
def default(verbose: Verbose = 0) -> None:
    """Print the default policy: every setting with its default and what it means."""
    with failures.told(verbose):
        from descheduler.cli.policies import print_default

        print_default()


@app.command()
def version() -> None:
    """Print the version."""
    from descheduler import __version__

    typer.echo(f"descheduler {__version__}, Python {sys.version.split()[0]}")


def main() -> None:
    """The `descheduler` and `kubectl deschedule` commands."""
    _keep_stdout_for_answers()
    app()


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
