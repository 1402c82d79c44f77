"""`descheduler show`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import TABLE, FailOn, OutputFile, OutputFormat, Overwrite, Verbose

if TYPE_CHECKING:
    from descheduler.model.plan import PlanDocument

_PLAN_BYTES = 1 << 28
"""The plan of the largest clusters that we plan for is a tenth of that."""


def show(
    file: Annotated[Path, typer.Argument(metavar="PLAN.json", help="A plan written by `plan -o json`; - is stdin.")],
    output: OutputFormat = TABLE,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    fail_on: FailOn = None,
    verbose: Verbose = 0,
) -> None:
    """Show a plan that was written before."""
    with failures.reported(verbose):
        from descheduler.cli.output import Target, write_plan

        target = Target(output_file, overwrite)
        plan = read_plan(file)
        write_plan(plan, output.value, target)
        failures.leave(failures.gated(plan, fail_on or ()))


def read_plan(file: Path) -> PlanDocument:
    """The plan of a file. Raises UsageError when it cannot be read, DocumentError when it is none."""
    from descheduler.model.errors import DocumentError
    from descheduler.model.whole_files import read_at_most
    from descheduler.report.serial import from_json

    try:
        if str(file) == "-":
            return from_json(sys.stdin.buffer.read(_PLAN_BYTES))
        return from_json(read_at_most(file, _PLAN_BYTES))
    except DocumentError as error:
        raise DocumentError(f"{file}: {error}") from error
