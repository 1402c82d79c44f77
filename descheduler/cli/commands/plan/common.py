"""What the ways to plan share: what was asked for beside cluster and policy, names of plans, and comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from descheduler.cli import failures

if TYPE_CHECKING:
    from descheduler.cli.output import Target
    from descheduler.cli.source import SourceOptions
    from descheduler.model.plan import PlanDocument
    from descheduler.policy import Setting


def remarks(options: SourceOptions, settings: Sequence[Setting], now: float) -> tuple[str, ...]:
    """What a plan says of the options that made it another one."""
    from descheduler.model.format import instant

    told = [f"set for this plan alone: {', '.join(map(str, settings))}"] if settings else []
    if options.at:
        told.append(
            f"as of {instant(now)}: usage as it was known then; pods where the recording has them, without those that "
            "were made later"
        )
    return tuple(told)


def wrong_with(plan: PlanDocument) -> tuple[str, ...]:
    """What stands in the way of relying on a plan."""
    return (*([plan.acting_blocked] if plan.acting_blocked else []), *plan.problems)


def names_of(files: Sequence[Path]) -> list[str]:
    """What the plans of these files are called: the file's name where no other has it, else its path.

    Raises:
        UsageError: a file is named twice, so that there is nothing to compare.
    """
    from descheduler.model.errors import UsageError

    first: dict[Path, Path] = {}
    for file in files:
        known = first.setdefault(file.resolve(), file)
        if known is not file:
            same = f"{file} is named twice" if str(known) == str(file) else f"{known} and {file} are the same file"
            raise UsageError(f"{same}: nothing to compare")
    short = [file.name for file in files]
    return [file.name if short.count(file.name) == 1 else str(file) for file in files]


def write_compared(plans: Mapping[str, PlanDocument], form: str, target: Target, *, exit_code: bool) -> int:
    """Write the plans side by side; with `exit_code`, what it is where they differ."""
    from descheduler.cli.output import write_comparison
    from descheduler.report.comparison.compare import compare

    document = compare(plans)
    write_comparison(document, form, target)
    return failures.NOT_EMPTY if exit_code and not document.same else 0
