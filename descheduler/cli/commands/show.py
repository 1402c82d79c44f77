"""`descheduler show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import TABLE, OutputFile, OutputFormat, Overwrite, Verbose


def show(
    file: Annotated[Path, typer.Argument(metavar="PLAN.json", help="A plan written by `plan -o json`.")],
    output: OutputFormat = TABLE,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
) -> None:
    """Show a plan that was written before."""
    with failures.reported(verbose):
        from descheduler.cli.output import Target, write_plan
        from descheduler.model.errors import UsageError
        from descheduler.report.serial import from_json

        target = Target(output_file, overwrite)
        try:
            data = file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror or error}") from error
        write_plan(from_json(data), output.value, target)
