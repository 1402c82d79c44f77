"""Many walks, here or in other processes: a walk for every contender and seed, none of which needs another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from descheduler.backtest.contender import Maker
from descheduler.backtest.recorded import Recorded
from descheduler.backtest.score import Score
from descheduler.backtest.walk import Rules, walk
from descheduler.model.arrays import Mask
from descheduler_profiling.executors import ChunkRunner, InProcess

Advance = Callable[[int], None]
"""Hears of so many further steps that are done."""


@dataclass(frozen=True, eq=False, slots=True)
class Task:
    """One walk; `baseline` [N, C] as `walk` has it, None of nobody's own."""

    recorded: Recorded
    maker: Maker
    rules: Rules
    seed: int
    baseline: Mask | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Walked:
    """What came of a task: its score, which nodes were hot [N, C], and how the last plan has pods land."""

    score: Score
    hot: Mask
    landing: str


def run(task: Task, step_done: Callable[[], None] = lambda: None) -> Walked:
    """Do it, in whatever process this is."""
    done = walk(task.recorded.world(), task.maker, task.rules, task.seed, task.baseline, step_done)
    return Walked(done.score, done.hot, done.landing)


def walked(runner: ChunkRunner, tasks: Sequence[Task], advance: Advance) -> Iterator[Walked]:
    """What came of each, in their order."""
    if isinstance(runner, InProcess):
        yield from map(partial(run, step_done=partial(advance, 1)), tasks)
        return
    for done in runner.map(run, tasks):
        advance(done.hot.shape[1])
        yield done
