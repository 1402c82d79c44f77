"""`descheduler backtest`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import Example, OutputFile, Overwrite, PolicyFiles, Set, Verbose
from descheduler.cli.replaying import (
    REPLAYED,
    Begin,
    Dask,
    End,
    Processes,
    Recording,
    ReplayOutput,
    Seeds,
    Startup,
)
from descheduler.model.landing_mode import LandingWish

if TYPE_CHECKING:
    from descheduler.backtest.ours import Ours
    from descheduler.policy import Policy, Setting


def backtest(
    recording: Recording = None,
    example: Example = False,
    policy: PolicyFiles = None,
    settings: Set = None,
    landing: Annotated[
        list[LandingWish] | None,
        typer.Option(help="How pods find their nodes, as acting.landing has it; several are compared."),
    ] = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,...", help="Other deschedulers' rules: lownodeutilization, highnodeutilization, lownodeload."
        ),
    ] = None,
    begin: Begin = "",
    end: End = "",
    seeds: Seeds = 1,
    startup: Startup = "60s",
    processes: Processes = None,
    dask: Dask = "",
    output: ReplayOutput = REPLAYED,
    output_file: OutputFile = None,
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
) -> None:
    """Walk policies through recorded time, and say what would have come of it; changes nothing."""
    with failures.reported(verbose):
        from descheduler.backtest.compare import Comparing, compare
        from descheduler.backtest.rivals import rivals
        from descheduler.cli.output import Target, write_replay
        from descheduler.cli.replaying import advancing, recorded, runner_of, seconds
        from descheduler.cli.watching import watched
        from descheduler.policy import Setting

        target = Target(output_file, overwrite)
        policies = _policies(policy or (), example, [Setting.of(text) for text in settings or ()])
        against_them, starts = rivals(against or ()), seconds(startup, "--startup")
        with watched() as stages:
            stages.begin("reading the recording")
            walked = recorded(recording, example, [one for _, one in policies], begin, end)
            asked = Comparing(walked, _contenders(policies, landing or ()), against_them, tuple(range(seeds)), starts)
            stages.begin("walking through")
            with runner_of(processes, dask) as runner:
                document = compare(asked, runner, advancing(stages, asked.steps()))
        write_replay(document, output.value, target)


def _policies(files: Sequence[Path], example: bool, settings: Sequence[Setting]) -> list[tuple[str, Policy]]:
    """The policies with their names, the default one or that of the example where none is named."""
    from descheduler.cli.commands.plan.common import names_of
    from descheduler.cli.source import SourceOptions, read_policy

    options = SourceOptions(example=example)
    if not files:
        return [("the example's policy" if example else "default policy", read_policy(None, options, settings))]
    return [(name, read_policy(file, options, settings)) for name, file in zip(names_of(files), files, strict=True)]


def _contenders(policies: Sequence[tuple[str, Policy]], landings: Sequence[LandingWish]) -> tuple[Ours, ...]:
    """Each policy with each way to land."""
    from descheduler.backtest.ours import Ours

    several = len(landings) > 1
    return tuple(
        Ours(f"{name}, {wish}" if several and wish is not None else name, policy, wish)
        for name, policy in policies
        for wish in (dict.fromkeys(landings) or (None,))
    )
