"""What `backtest` and `tune` share: their options, what is walked through, where, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from descheduler.model.errors import UsageError
from descheduler.model.landing_mode import LandingWish
from descheduler.report.formats import SIDE_BY_SIDE

if TYPE_CHECKING:
    from descheduler.backtest.recorded import Recorded
    from descheduler.backtest.walks import Advance
    from descheduler.observe.stages import Stages
    from descheduler.policy import Policy
    from descheduler_profiling.executors import ChunkRunner

ReplayFormat = StrEnum("ReplayFormat", {name: name for name in SIDE_BY_SIDE})  # type: ignore[misc]
REPLAYED = ReplayFormat("table")

Recording = Annotated[
    Path | None, typer.Argument(metavar="RECORDING", help="The recording to walk through; see `record`.")
]
Begin = Annotated[
    str, typer.Option("--from", metavar="TIME", help="Where to begin: RFC 3339, or -48h before the recording's end.")
]
End = Annotated[str, typer.Option("--to", metavar="TIME", help="Where to end. Default: with the recorded history.")]
Seeds = Annotated[int, typer.Option(min=1, max=1000, help="Draws of where pods land; several give intervals.")]
Landing = Annotated[
    LandingWish | None, typer.Option(help="How pods find their nodes, as acting.landing; `directed` counts as there.")
]
Startup = Annotated[str, typer.Option(metavar="DURATION", help="Until a replacement is ready.")]
Processes = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Walk in so many processes, each of which reads the recording.")
]
Dask = Annotated[
    str,
    typer.Option(metavar="ADDRESS", help="Walk on a Dask cluster, whose workers have the recording at the same path."),
]
ReplayOutput = Annotated[ReplayFormat, typer.Option("--output", "-o", help="How the answer is written.")]


def recorded(
    recording: Path | None, example: bool, policies: Sequence[Policy], begin: str = "", end: str = ""
) -> Recorded:
    """What is walked through.

    Raises:
        UsageError: nothing is named, or two things; times that are none, or that are not in what was recorded.
        RecordingError: the recording cannot be read.
    """
    from descheduler.backtest.recorded import Recorded, read
    from descheduler.cli.moments import moment
    from descheduler.observe.signals import wanted_signals

    if example == (recording is not None):
        both = "RECORDING and --example contradict each other: name one" if example else ""
        raise UsageError(both or "name a RECORDING, or --example: only what was recorded can be walked through")
    path = recording.resolve() if recording is not None else None
    snapshot = read(path).snapshot
    first, last = (moment(t, snapshot.taken_at, o) if t else None for t, o in ((begin, "--from"), (end, "--to")))
    if first is not None and last is not None and first >= last:
        raise UsageError(f"--from {begin} is not before --to {end}")
    signals = sorted({signal for policy in policies for signal in wanted_signals(policy, snapshot)})
    found = Recorded(path, tuple(signals), first, last)
    found.world()
    return found


def seconds(text: str, option: str) -> float:
    """A duration as it is typed. Raises UsageError."""
    from descheduler.contract.types import parse_duration

    try:
        return parse_duration(text).total_seconds()
    except (ValueError, OverflowError):
        raise UsageError(f"{option} {text}: must be a duration such as 90s or 5m") from None


def runner_of(processes: int | None, dask: str) -> ChunkRunner:
    """Where walks are made. Raises UsageError: both options, or no Dask."""
    from descheduler_profiling.executors import Dask, InProcess, Processes

    if processes is not None and dask:
        raise UsageError("--processes and --dask contradict each other: name one")
    if dask:
        return Dask(address=dask)
    return Processes(processes) if processes is not None and processes > 1 else InProcess()


def advancing(stages: Stages, steps: float) -> Advance:
    """Tells the stage how many of its steps are done."""
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        stages.at(done, steps)

    return advance
