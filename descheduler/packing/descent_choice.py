"""One column for each node, so that what some give away others take: an integer programme over the pool.

    max  Σ gain[j] x[j]
         Σ x[j] over the columns of a node <= 1
         Σ out[j] x[j] = Σ into[j] x[j]           for each class
         Σ cost[j] x[j] <= moves

F is a sum over nodes, so the gain of a column is exact whatever other nodes do. The relaxation is solved first; only
columns that its prices do not rule out go into the integer programme.
"""

from __future__ import annotations

import numpy as np

from descheduler.packing.descent_columns import Pool
from descheduler.packing.fragmentation_index import Places
from descheduler.packing.programme import Infeasible, Limits, Programme, Solution
from descheduler.packing.state import ABSENT, Packing
from descheduler.packing.workload import Floats

NEAR = 10.0
"""Thousandths: a column whose reduced gain is worse than this is left out of the integer programme."""
LIMITS = Limits(nodes=20, gap=1e-4)


def prices_of(packing: Packing, classes: Places, pool: Pool, moves: float) -> tuple[Floats, float] | None:
    """What the best mixture of columns pays for hosting an item of each class [M], and for a move."""
    relaxed = _Programme(packing, classes, pool, moves).solve(relaxed=True)
    if isinstance(relaxed, Infeasible) or relaxed.prices is None:
        return None
    return relaxed.prices[len(packing.free) : -1], float(relaxed.prices[-1])


def chosen(packing: Packing, classes: Places, pool: Pool, moves: float) -> Pool | None:
    """The columns of the best plan; `classes` [S] the class of each shape. None when the solver finds no plan."""
    programme = _Programme(packing, classes, pool, moves)
    relaxed = programme.solve(relaxed=True)
    if isinstance(relaxed, Infeasible) or relaxed.prices is None:
        return None
    near = pool.rows((programme.reduced(relaxed.prices) > -NEAR) | (relaxed.values > 0))
    whole = _Programme(packing, classes, near, moves).solve(relaxed=False)
    return None if isinstance(whole, Infeasible) else near.rows(whole.values > 0.5)


class _Programme:
    def __init__(self, packing: Packing, classes: Places, pool: Pool, moves: float) -> None:
        self._gain, self._node, self._nodes = pool.gain, pool.node, len(packing.free)
        self._left, at = (pool.out != ABSENT).nonzero()
        item = pool.out[self._left, at]
        self._gone, self._cost = classes[packing.shape[item]], packing.cost[item]
        self._taken, at = (pool.into != ABSENT).nonzero()
        self._came = pool.into[self._taken, at]
        self._classes, self._moves = int(classes.max(initial=-1)) + 1, moves

    def solve(self, *, relaxed: bool) -> Solution | Infeasible:
        programme = Programme(maximise=True)
        column = programme.add(len(self._gain), upper=1.0, cost=self._gain)
        programme.constrain(self._nodes, self._node, column, upper=1.0)
        row = np.concatenate([self._gone, self._came])
        sign = np.repeat([1.0, -1.0], [len(self._gone), len(self._came)])
        programme.constrain(self._classes, row, np.concatenate([self._left, self._taken]), sign, lower=0.0, upper=0.0)
        programme.constrain(1, 0, self._left, self._cost, upper=self._moves)
        return programme.solve(LIMITS, relaxed=relaxed)

    def reduced(self, prices: Floats) -> Floats:
        """[C] what a column gains beyond its prices."""
        site, balance, move = np.split(prices, [self._nodes, self._nodes + self._classes])
        size = len(self._gain)
        gone = np.bincount(self._left, balance[self._gone] + move[0] * self._cost, size)
        return np.asarray(
            self._gain - site[self._node] - gone + np.bincount(self._taken, balance[self._came], size), np.float64
        )
