"""Fewer fragments with at most so many moves: the search that strategies call."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.packing.descent import descend
from descheduler.packing.fragmentation_index import FragmentationIndex
from descheduler.packing.state import Packing, Step
from descheduler.packing.workload import Workload


@dataclass(frozen=True, slots=True)
class Repacking:
    """Moves in an order in which each finds room, and F (thousandths of devices) before, after, and after each step.

    `bound`: proven, no plan within the budget ends below it; None when nothing was proven.
    """

    steps: tuple[Step, ...]
    f_start: float
    f_end: float
    after: tuple[float, ...]
    bound: float | None = None


def lower_fragmentation(packing: Packing, workload: Workload, moves: float, effort: int = 1000) -> Repacking:
    """Lower F by moving items whose costs sum to at most `moves`; each item moves at most once.

    `effort` bounds the work by counting, never by the clock: the same arguments give the same moves.
    """
    index = FragmentationIndex(packing, workload)
    steps = descend(index, packing.movable.copy(), packing.cost, moves)
    return _told(packing, workload, steps)


def _told(packing: Packing, workload: Workload, steps: list[Step]) -> Repacking:
    index = FragmentationIndex(packing, workload)
    start = float(index.value.sum())
    after = []
    for step in steps:
        index.move(step)
        after.append(float(index.value.sum()))
    return Repacking(tuple(steps), start, after[-1] if after else start, tuple(after))
