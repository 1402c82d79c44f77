"""Fewer fragments with at most so many moves: the search that strategies call.

Steepest descent is quick, and stops where no single move pays. What pays only together (two items leave a node, a
large one takes the place of a small one) is found by prices: the relaxation that makes nodes independent is solved
about as well as its prices allow, columns that pay at these prices are grown, an integer programme chooses among
them, and descent uses what is left of the budget. The better of both plans is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.packing.descent import descend
from descheduler.packing.descent_bound import alike, fragmentation_bound, good_prices
from descheduler.packing.descent_choice import chosen
from descheduler.packing.descent_columns import Beam, Growth, classes_of, made
from descheduler.packing.descent_order import carry_out
from descheduler.packing.descent_pricing import Prices
from descheduler.packing.descent_relaxed import relaxed_of
from descheduler.packing.fragmentation_index import FragmentationIndex, Places
from descheduler.packing.state import Packing, Step
from descheduler.packing.workload import Workload

EFFORT = 40
"""Steps of the search for prices: beyond, the plans hardly gain."""
BEAM = Beam()


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


def lower_fragmentation(
    packing: Packing, workload: Workload, moves: float, effort: int = EFFORT, *, prove: bool = False
) -> Repacking:
    """Lower F by moving items whose costs sum to at most `moves`; each item moves at most once.

    `effort` bounds the work by counting, never by the clock: the same arguments give the same moves. With 0 only the
    descent is made. `prove` gives the bound as well, for about twice as much work again; the plan is the same.
    """
    start = FragmentationIndex(packing, workload)
    index = start.copy()
    steps = descend(index, packing.movable.copy(), packing.cost, moves)
    relaxed = relaxed_of(packing, workload, start.value) if effort and steps else None
    if relaxed is not None:
        same = alike(packing, workload)
        prices = good_prices(relaxed, same, moves, index, effort)
        other, together = _coordinated(start, index, steps, same, moves, prices)
        if other.value.sum() < index.value.sum():
            steps = together
    return _told(start, steps, fragmentation_bound(packing, workload, moves, steps) if prove else None)


def _coordinated(
    start: FragmentationIndex,
    descended: FragmentationIndex,
    descent: list[Step],
    same: Places,
    moves: float,
    prices: Prices,
) -> tuple[FragmentationIndex, list[Step]]:
    """The plan of the best columns, those of the descent among them, and the state after it."""
    packing, index = start.packing, start.copy()
    classes = classes_of(packing, same)
    host = np.zeros(len(classes.shapes))
    host[same] = prices.host
    paid = np.where(packing.movable, prices.move * packing.cost + prices.host[packing.shape], np.inf)
    pool = Growth(start, classes, host, paid, BEAM).pool()
    plan = chosen(packing, same, pool.joined(made(start.value, descended, same, descent)), moves)
    steps = [] if plan is None else carry_out(index, same, plan)
    able = packing.movable.copy()
    able[[step.item for step in steps]] = False
    left = moves - float(packing.cost[[step.item for step in steps]].sum())
    return index, steps + descend(index, able, packing.cost, left)


def _told(start: FragmentationIndex, steps: list[Step], bound: float | None) -> Repacking:
    state, measure, column = start.packing.copy(), start.measure, start.column
    value = start.value.copy()
    after = []
    for step in steps:
        state.move(step)
        nodes = np.array([step.source, step.target])
        value[nodes] = measure(state.free[nodes, column], state.devices[nodes], measure.kind[nodes])
        after.append(float(value.sum()))
    first = float(start.value.sum())
    return Repacking(tuple(steps), first, after[-1] if after else first, tuple(after), bound)
