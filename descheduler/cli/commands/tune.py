"""`descheduler tune`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.cli import failures
from descheduler.cli.options import Example, OutputFile, Overwrite, PolicyFile, Set, Verbose
from descheduler.cli.replaying import (
    REPLAYED,
    Begin,
    Dask,
    End,
    Landing,
    Processes,
    Recording,
    ReplayOutput,
    Seeds,
    Startup,
)

if TYPE_CHECKING:
    from descheduler.report.backtests.document import Varied


def tune(
    vary: Annotated[
        list[str],
        typer.Option(
            metavar="PATH=VALUE,...", help="A setting and the values to try, such as HotNodes.thresholds.cpu=70%,80%."
        ),
    ],
    recording: Recording = None,
    example: Example = False,
    policy: PolicyFile = None,
    settings: Set = None,
    landing: Landing = None,
    budget: Annotated[
        int,
        typer.Option(min=1, metavar="WALKS", help="Walk at most so often through the time; shorter walks count less."),
    ] = 200,
    price: Annotated[
        str, typer.Option(metavar="DURATION", help="So much time of a hot node may a restart cost.")
    ] = "10m",
    begin: Begin = "",
    end: End = "",
    seeds: Seeds = 1,
    startup: Startup = "60s",
    processes: Processes = None,
    dask: Dask = "",
    output: ReplayOutput = REPLAYED,
    output_file: OutputFile = None,
    policy_file: Annotated[
        Path | None, typer.Option("--write-policy", metavar="FILE", help="Write the best policy there.")
    ] = None,
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
) -> None:
    """Vary settings of a policy on recorded time, and find the best for the price of a restart; changes nothing."""
    with failures.reported(verbose):
        from descheduler.backtest.tuning import Schedule, Tuned, tune
        from descheduler.cli.output import Target, write, write_replay
        from descheduler.cli.replaying import advancing, recorded, runner_of, seconds
        from descheduler.cli.source import SourceOptions, read_policy
        from descheduler.cli.watching import watched
        from descheduler.policy import Setting

        target, found = Target(output_file, overwrite), Target(policy_file, overwrite)
        changed = [Setting.of(text) for text in settings or ()]
        base = read_policy(policy, SourceOptions(example=example), changed)
        name = policy.name if policy else "the example's policy" if example else "the default policy"
        varied, minutes, starts = _varied(vary), seconds(price, "--price") / 60, seconds(startup, "--startup")
        with watched() as stages:
            stages.begin("reading the recording")
            tuned = Tuned(
                recorded=recorded(recording, example, [base], begin, end),
                name=name,
                policy=base,
                varied=varied,
                landing=landing,
                price=minutes,
                budget=budget,
                seeds=tuple(range(seeds)),
                starts=starts,
            )
            schedule = Schedule.of(tuned)
            stages.begin("tuning")
            with runner_of(processes, dask) as runner:
                document = tune(tuned, schedule, runner, advancing(stages, schedule.all_steps(seeds)))
        if policy_file is not None:
            write(document.best_policy.encode(), found)
        write_replay(document, output.value, target)


def _varied(texts: list[str]) -> tuple[Varied, ...]:
    """The settings with their values. Raises PolicyError for a text that is none, UsageError for one that is twice."""
    from descheduler.backtest.trials import values_of
    from descheduler.model.errors import UsageError
    from descheduler.policy import Setting
    from descheduler.report.backtests.document import Varied

    out: dict[str, Varied] = {}
    for text in texts:
        setting = Setting.of(text, "--vary")
        if setting.path in out:
            raise UsageError(f"--vary {text}: {setting.path} is varied twice; name all its values at once")
        out[setting.path] = Varied(setting.path, values_of(setting.value))
    return tuple(out.values())
