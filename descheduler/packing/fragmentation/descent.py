"""Steepest descent of F: the move that lowers it most, over all items and all nodes, until none pays.

Lowering F one move at a time with the destination chosen by the same measure (not left to the scheduler) is what FGD's
scheduling score does for arrivals (Weng et al., USENIX ATC 2023, §4), here for items that already stand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats, Indices, Mask
from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.state import ABSENT, Step

LEAST_GAIN = 1e-6
"""Thousandths of a device: a gain below is rounding."""


@dataclass(frozen=True, eq=False, slots=True)
class Best:
    """For each item [P]: its best node other than its own, and what the move would change F by (infinite: none)."""

    node: Indices
    change: Floats


def best_moves(index: FragmentationIndex) -> Best:
    """The best move of each placed item."""
    shape, own = index.packing.shape, index.packing.node
    rows = np.arange(len(index.enter))
    first = index.enter.argmin(axis=1)
    least = index.enter[rows, first]
    index.enter[rows, first] = np.inf
    second = index.enter.argmin(axis=1)
    next_least = index.enter[rows, second]
    index.enter[rows, first] = least
    home = first[shape] == own
    change = index.leave + np.where(home, next_least[shape], least[shape])
    change[own == ABSENT] = np.inf
    return Best(np.where(home, second[shape], first[shape]), change)


def descend(index: FragmentationIndex, able: Mask, cost: Floats, budget: float, price: float = 0.0) -> list[Step]:
    """Move items that are `able` [P], each at most once, while the budget lasts and a move pays.

    Each step is the one with the greatest fall of F for its cost. A move pays if F falls by more than `price` for each
    unit of cost. `able` is changed: a moved item is no longer able.
    """
    steps: list[Step] = []
    while able.any():
        best = best_moves(index)
        gain = (-best.change - price * cost) / np.maximum(cost, LEAST_GAIN)
        gain[~able | (cost > budget)] = -np.inf
        item = int(gain.argmax())
        if not gain[item] > LEAST_GAIN:
            break
        target = int(best.node[item])
        held = index.held(int(index.packing.shape[item]), target)
        step = Step(item, int(index.packing.node[item]), target, held)
        index.move(step)
        able[item] = False
        budget -= float(cost[item])
        steps.append(step)
    return steps
