"""Who waits at a terminal sees the stages, how much of each is done and how long the rest takes; a pipe sees none."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from cli.test_commands import run
from descheduler.cli.replaying import advancing
from descheduler.cli.watching import Shown
from descheduler.report.cells import Terminal

COMMAND = Path(sys.executable).with_name("descheduler")


def watched(to: Path, *arguments: str) -> str:
    """What somebody sees on the terminal that is the stderr of a command, whose answer goes to a file."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    found = bytearray()
    with (
        to.open("wb") as out,
        subprocess.Popen([COMMAND, *arguments], stdout=out, stderr=theirs, env=environment) as running,
    ):
        os.close(theirs)
        try:
            while block := os.read(ours, 1 << 16):
                found += block
        except OSError:
            pass  # the other side is closed
        os.close(ours)
        assert running.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", found.decode())


def test_stages_are_seen_on_a_terminal_and_the_answer_is_none_the_less_whole(tmp_path: Path) -> None:
    seen = watched(tmp_path / "answer.json", "plan", "--example", "-o", "json")
    assert json.loads((tmp_path / "answer.json").read_bytes())
    at = [seen.index(stage) for stage in ("reading the recording", "forecasting", "planning")]
    assert at == sorted(at)


def test_nothing_of_it_is_in_a_pipe() -> None:
    done = run("plan", "--example", "-o", "json")
    assert done.stderr == ""
    assert json.loads(done.stdout)


def test_a_stage_tells_how_much_of_it_is_done_and_how_long_the_rest_takes() -> None:
    clock = iter(range(1000))
    console = Terminal(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[detail]}"),
        console=console,
        get_time=lambda: float(next(clock)),
        auto_refresh=False,
    )
    shown = Shown(progress)
    shown.begin("reading the cluster")
    shown.note("kind 3 of 20: 500 pods")
    first = progress.tasks[0]
    assert (first.total, first.fields["detail"]) == (None, "kind 3 of 20: 500 pods")
    shown.begin("reading the history")
    assert first.finished
    for done in (1, 2, 3):
        shown.at(done, 8)
    second = progress.tasks[1]
    assert second.percentage == pytest.approx(37.5)
    assert second.time_remaining is not None


def test_steps_that_are_counted_one_by_one_add_up() -> None:
    class Heard(Shown):
        def __init__(self) -> None:
            self.told: list[tuple[float, float]] = []

        def at(self, done: float, steps: float) -> None:
            self.told.append((done, steps))

    stage = Heard()
    advance = advancing(stage, 10)
    advance(3)
    advance(4)
    assert stage.told == [(3, 10), (7, 10)]
