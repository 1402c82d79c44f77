"""Fewer fragments with at most so many moves, each to a node that is named.

Steepest descent is quick, and stops where no single move pays. What pays only together (two items leave a node, a
large one takes the place of a small one) is found by prices: at first those of the state that the descent ends in,
then those of the best mixture of what is known. Columns that pay at these prices are grown, some rounds; an integer
programme chooses among them, and descent uses what is left of the budget. The better of both plans is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Indices
from descheduler.packing.fragmentation.bound import alike
from descheduler.packing.fragmentation.carry_out import carry_out
from descheduler.packing.fragmentation.column_market import Worth, chosen, market, paying
from descheduler.packing.fragmentation.descent import descend
from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.fragmentation.node_columns import Beam, Growth, ItemClasses, classes_of, identical, made
from descheduler.packing.state import Packing, Step
from descheduler.packing.target_workload import TargetWorkload

EFFORT = 2
"""Rounds of columns: beyond, the plans hardly gain."""
WIDTH, WIDER = 8, 4
"""Of the beam, in the first round and more in each later one."""
MOST_CLASSES = 512
"""With more distinct shapes, those that differ in what F does not see count as one: quicker, and less exact."""


@dataclass(frozen=True, slots=True)
class Repacking:
    """Moves in an order in which each finds room, and F (thousandths of devices) before, after, and after each step."""

    steps: tuple[Step, ...]
    f_start: float
    f_end: float
    after: tuple[float, ...]


def lower_fragmentation(
    packing: Packing,
    workload: TargetWorkload,
    moves: float,
    effort: int = EFFORT,
    *,
    packed: bool = False,
) -> Repacking:
    """Lower F by moving items whose costs sum to at most `moves`; each item moves at most once.

    `effort` bounds the work by counting, never by the clock: the same arguments give the same moves. With 0 only the
    descent is made. `packed`: a scheduler that packs chooses the devices on the new node, not the plan.
    """
    start = FragmentationIndex(packing, workload, packed=packed)
    index = start.copy()
    steps = descend(index, packing.movable.copy(), packing.cost, moves)
    if effort and steps:
        same = identical(packing)
        if same.max() >= MOST_CLASSES:
            same = alike(packing, workload)
        other, together = _coordinated(start, index, steps, same, moves, effort)
        if other.value.sum() < index.value.sum():
            steps = together
    return _measured(start, steps)


def _coordinated(
    start: FragmentationIndex,
    descended: FragmentationIndex,
    descent: list[Step],
    same: Indices,
    moves: float,
    effort: int,
) -> tuple[FragmentationIndex, list[Step]]:
    """The plan of the best columns, those of the descent among them, and the state after it."""
    packing, index = start.packing, start.copy()
    classes = classes_of(packing, same)
    pool, worth = made(start.value, descended, same, descent), _first_worth(descended, classes)
    plan = None
    for number in range(1, effort + 1):
        beam = Beam(WIDTH + (number - 1) * WIDER)
        paid = np.where(packing.movable, worth.move * packing.cost + worth.host[same[packing.shape]], np.inf)
        grown = Growth(start, classes, worth.host, paid, beam).pool()
        known = market(packing, same, pool.joined(paying(packing, same, grown, worth, beam.loss)), moves)
        if known is None:
            break
        pool, worth = known.pool, known.worth
        if number == effort:
            plan = chosen(packing, same, known, moves)
    steps = [] if plan is None else carry_out(index, same, plan)
    able = packing.movable.copy()
    able[[step.item for step in steps]] = False
    left = moves - float(packing.cost[[step.item for step in steps]].sum())
    return index, steps + descend(index, able, packing.cost, left)


def _first_worth(descended: FragmentationIndex, classes: ItemClasses) -> Worth:
    """Where the descent ended, a class is hosted for the least rise of F, and a move costs nothing: what would pay only
    so is sorted out by the prices of the mixture, but what was never grown cannot come back."""
    host = np.full(len(classes.shapes), np.inf)
    np.minimum.at(host, classes.of, descended.enter.min(axis=1))
    return Worth(np.zeros(len(descended.value)), np.where(np.isfinite(host), host, 0.0), 0.0)


def _measured(start: FragmentationIndex, steps: list[Step]) -> Repacking:
    state, measure, column = start.packing.copy(), start.measure, start.column
    value = start.value.copy()
    after = []
    for step in steps:
        state.move(step)
        nodes = np.array([step.source, step.target])
        value[nodes] = measure(state.free[nodes, column], state.devices[nodes], measure.kind[nodes])
        after.append(float(value.sum()))
    first = float(start.value.sum())
    return Repacking(tuple(steps), first, after[-1] if after else first, tuple(after))
