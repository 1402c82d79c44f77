"""From columns to steps: who of a class goes to which of its offered places, in an order in which each finds room."""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Indices
from descheduler.packing.fragmentation.descent import best_moves
from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.fragmentation.node_columns import ColumnPool
from descheduler.packing.state import ABSENT, Step

Offers = dict[int, list[tuple[int, int]]]
"""For each class the nodes where one of it is wanted, and the devices that it takes there."""


def carry_out(index: FragmentationIndex, classes: Indices, plan: ColumnPool) -> list[Step]:
    """Move the items of the plan on the index, and say how; `classes` [S] the class of each shape.

    Whatever has room goes, again and again. Where the moves wait for each other in a circle, the waiting item whose
    best move costs least goes there instead: its place is given up, and others find room.
    """
    waiting = plan.out[plan.out != ABSENT].tolist()
    row, at = (plan.into != ABSENT).nonzero()
    offers: Offers = {}
    for of, node, held in zip(
        plan.into[row, at].tolist(), plan.node[row].tolist(), plan.held[row, at].tolist(), strict=True
    ):
        offers.setdefault(of, []).append((node, held))
    steps: list[Step] = []
    while waiting:
        went = _pass(index, classes, waiting, offers) or _pass(index, classes, waiting, offers, exactly=False)
        if not went:
            went = _aside(index, waiting)
            if not went:
                return steps
        steps += went
        gone = {step.item for step in went}
        waiting = [item for item in waiting if item not in gone]
    return steps


def _pass(
    index: FragmentationIndex, classes: Indices, waiting: list[int], offers: Offers, *, exactly: bool = True
) -> list[Step]:
    """Each waiting item to the first offered place that has room for it; unless `exactly`, one on any devices."""
    packing, steps = index.packing, []
    for item in waiting:
        shape, source = int(packing.shape[item]), int(packing.node[item])
        places = offers.get(int(classes[shape]), [])
        for offer in places:
            node, held = offer
            if node == source or not np.isfinite(index.enter[shape, node]):
                continue
            best = held == ABSENT or index.packed or not exactly
            step = Step(item, source, node, index.held(shape, node) if best else held)
            if packing.room(step):
                index.move(step)
                steps.append(step)
                places.remove(offer)
                break
        if steps and not exactly:
            break
    return steps


def _aside(index: FragmentationIndex, waiting: list[int]) -> list[Step]:
    best = best_moves(index)
    item = min(waiting, key=lambda i: float(best.change[i]))
    if not np.isfinite(best.change[item]):
        return []
    node = int(best.node[item])
    step = Step(item, int(index.packing.node[item]), node, index.held(int(index.packing.shape[item]), node))
    index.move(step)
    return [step]
