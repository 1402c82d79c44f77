"""`descheduler profile`: the forecasts by themselves. Each command says what it takes and does it elsewhere."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import Context, Example, Kubeconfig, OutputFile, Prometheus, Recorded, Verbose

app = typer.Typer(
    name="profile",
    help="Forecasts of what workloads use: show, explain and export them. Changes nothing.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class ListFormat(StrEnum):
    """How a list of profiles is written."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    CSV = "csv"


class ExplainFormat(StrEnum):
    """How an explanation is written."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="The policy: where history is, and signals of your own.")
]
Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Only workloads of this namespace.")]
Signals = Annotated[
    list[str] | None,
    typer.Option("--signal", metavar="NAME", help="cpu, memory, gpu, … or one of the policy's own; may be repeated."),
]


@app.command()
def show(
    namespace: Namespace = None,
    signal: Signals = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    output: Annotated[ListFormat, typer.Option("--output", "-o", help="How the list is written.")] = ListFormat.TABLE,
    output_file: OutputFile = None,
    verbose: Verbose = 0,
) -> None:
    """List workloads with the quantiles of their use by horizon, the confidence and the model. Signal: cpu."""
    with failures.told(verbose):
        from descheduler.cli.profiling import show_profiles
        from descheduler.cli.source import SourceOptions

        source = SourceOptions(kubeconfig, context, recording, example, prometheus)
        failures.leave(show_profiles(source, policy, tuple(signal or ("cpu",)), namespace, output.value, output_file))


@app.command()
def explain(
    workload: Annotated[str, typer.Argument(metavar="WORKLOAD", help="namespace/Kind/name.")],
    signal: Annotated[
        str, typer.Option(metavar="NAME", help="cpu, memory, gpu, … or one of the policy's own.")
    ] = "cpu",
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    output: Annotated[
        ExplainFormat, typer.Option("--output", "-o", help="How the explanation is written.")
    ] = ExplainFormat.TABLE,
    output_file: OutputFile = None,
    verbose: Verbose = 0,
) -> None:
    """Explain one profile: history, models, forecast, and how it would have done in the past beside others' rules."""
    with failures.told(verbose):
        from descheduler.cli.profiling import explain_profile
        from descheduler.cli.source import SourceOptions

        source = SourceOptions(kubeconfig, context, recording, example, prometheus)
        failures.leave(explain_profile(source, policy, signal, workload, output.value, output_file))


@app.command()
def export(
    to: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="A .json, .csv or .parquet file to write.")
    ],
    namespace: Namespace = None,
    signal: Signals = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    verbose: Verbose = 0,
) -> None:
    """Write the profiles of all workloads for other programs. Signals: cpu and memory."""
    with failures.told(verbose):
        from descheduler.cli.profiling import export_profiles
        from descheduler.cli.source import SourceOptions

        source = SourceOptions(kubeconfig, context, recording, example, prometheus)
        failures.leave(export_profiles(source, policy, tuple(signal or ("cpu", "memory")), namespace, to))
