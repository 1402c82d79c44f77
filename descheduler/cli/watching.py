"""The stages of a command on stderr, when somebody watches: how much of each is done, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from descheduler.observe.stages import UNWATCHED, Stages

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Shown:
    """Stages, each in a line with its bar; what is over stays in sight until all is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._line: TaskID | None = None

    def begin(self, what: str) -> None:
        if self._line is not None:
            self._progress.update(self._line, total=1, completed=1, detail="")
        self._line = self._progress.add_task(what, total=None, detail="")

    def note(self, detail: str) -> None:
        if self._line is not None:
            self._progress.update(self._line, detail=detail)

    def at(self, done: float, steps: float) -> None:
        if self._line is not None:
            self._progress.update(self._line, completed=done, total=steps)


@contextmanager
def watched() -> Iterator[Stages]:
    """Where stages are told for as long as a command reads and computes; what it answers is written after that."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    from descheduler.report.cells import Terminal

    console = Terminal(stderr=True)
    if not console.is_terminal:
        yield UNWATCHED
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.fields[detail]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as shown:
        yield Shown(shown)
