"""`descheduler plan diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import COMPARED, ComparisonOutput, OutputFile, Overwrite, Verbose


def diff(
    files: Annotated[list[Path], typer.Argument(metavar="PLAN.json", help="Plans written by `plan -o json`.")],
    output: ComparisonOutput = COMPARED,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when the plans differ.")] = False,
    verbose: Verbose = 0,
) -> None:
    """Compare plans that were written before: what is otherwise than in the first."""
    with failures.reported(verbose):
        from descheduler.cli.commands.plan.common import names_of, write_compared
        from descheduler.cli.commands.show import read_plan
        from descheduler.cli.output import Target
        from descheduler.model.errors import UsageError

        if len(files) < 2:
            raise UsageError(f"{files[0]} alone cannot be compared: name another plan")
        target = Target(output_file, overwrite)
        plans = dict(zip(names_of(files), map(read_plan, files), strict=True))
        failures.leave(write_compared(plans, output.value, target, exit_code=exit_code))
