"""`descheduler profile export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.commands.profile.common import Namespace, PolicyFile, Signals, profiles_document, report_problems
from descheduler.cli.options import (
    As,
    Context,
    Example,
    Kubeconfig,
    Overwrite,
    Prometheus,
    Recorded,
    RequestTimeout,
    Server,
    Verbose,
)


def export(
    to: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="A .json, .csv or .parquet file to write.")
    ],
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
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
) -> None:
    """Write the profiles of all workloads for other programs. Signals: cpu and memory."""
    with failures.reported(verbose):
        from descheduler.cli.output import say
        from descheduler.cli.source import SourceOptions
        from descheduler_profiling import export_files

        export_files.check_path(to, overwrite=overwrite)
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
        signals = tuple(signal or ("cpu", "memory"))
        asked = profiles_document(options, policy, signals, namespace)
        export_files.write(asked.document, to, overwrite=overwrite)
        count = sum(len(one.workloads) for one in asked.document.signals)
        say(f"{count} profiles of {', '.join(signals)} written to {to}")
        failures.leave(report_problems(asked.made, asked.relied_on))
