"""`descheduler profile show`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.commands.profile.common import Namespace, PolicyFile, Signals, profiles_document, report_problems
from descheduler.cli.options import (
    As,
    Context,
    Example,
    Kubeconfig,
    OutputFile,
    Overwrite,
    Prometheus,
    Recorded,
    RequestTimeout,
    Server,
    Verbose,
)


class ListFormat(StrEnum):
    """How a list of profiles is written."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    CSV = "csv"


def show(
    namespace: Namespace = None,
    signal: Signals = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    user: As = "",
    server: Server = "",
    request_timeout: RequestTimeout = "",
    recording: Recorded = None,
    example: Example = False,
    prometheus: Prometheus = None,
    policy: PolicyFile = None,
    output: Annotated[ListFormat, typer.Option("--output", "-o", help="How the list is written.")] = ListFormat.TABLE,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
) -> None:
    """List workloads with the quantiles of their use by horizon, the confidence and the model. Signal: cpu."""
    with failures.reported(verbose):
        from descheduler.cli.output import Target, write, write_table
        from descheduler.cli.source import SourceOptions
        from descheduler.report.profiles.table import render_profiles
        from descheduler_profiling import export

        target = Target(output_file, overwrite)
        options = SourceOptions(
            kubeconfig,
            context,
            recording,
            example,
            prometheus,
            user=user,
            server=server,
            request_timeout=request_timeout,
        )
        asked = profiles_document(options, policy, tuple(signal or ("cpu",)), namespace)
        match output:
            case ListFormat.JSON:
                write(export.to_json(asked.document, indent=2) + b"\n", target)
            case ListFormat.CSV:
                write(export.to_csv(asked.document).encode(), target)
            case _:
                wide = output is ListFormat.WIDE
                write_table(lambda console: render_profiles(asked.document, console, wide=wide), target)
        failures.leave(report_problems(asked.made, asked.relied_on))
