"""One column for each node, so that what some give away others take: an integer programme over the pool.

    max  Σ gain[j] x[j]
         Σ x[j] over the columns of a node <= 1
         Σ out[j] x[j] = Σ into[j] x[j]           for each class
         Σ cost[j] x[j] <= moves

F is a sum over nodes, so the gain of a column is exact whatever other nodes do. The relaxation, solved again whenever
columns were added, says by its prices what else is worth growing (column generation, Gilmore and Gomory 1961) and which
columns can be left out of the integer programme.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats, Indices
from descheduler.packing.fragmentation.node_columns import ColumnPool
from descheduler.packing.programme import Infeasible, Programme, Solution, WorkLimits
from descheduler.packing.state import ABSENT, Packing

FAR = 60.0
"""Thousandths: a column whose reduced gain is worse than this is forgotten."""
NEAR, MOST = 6.0, 8000
"""Thousandths: a column whose reduced gain is worse is left out of the integer programme; so many columns at most."""
LIMITS = WorkLimits(nodes=4, gap=1e-4)


@dataclass(frozen=True, eq=False, slots=True)
class Worth:
    """What the best mixture of columns pays: for the use of a node (`site` [N]), for hosting an item of each class
    (`host` [M]), and for a unit of the cost of moves."""

    site: Floats
    host: Floats
    move: float


@dataclass(frozen=True, eq=False, slots=True)
class Market:
    """A pool with what the mixture pays, the gain of each column beyond that (`reduced` [C], none better than 0), and
    how much of each is in the mixture (`part` [C])."""

    pool: ColumnPool
    worth: Worth
    reduced: Floats
    part: Floats


def market(packing: Packing, classes: Indices, pool: ColumnPool, moves: float) -> Market | None:
    """The pool at its own prices, without what is far from paying; `classes` [S] the class of each shape."""
    programme = _Programme(packing, classes, pool, moves)
    relaxed = programme.solve(relaxed=True)
    if isinstance(relaxed, Infeasible) or relaxed.prices is None:
        return None
    site, host, move = np.split(relaxed.prices, [programme.nodes, programme.nodes + programme.classes])
    worth = Worth(site, host, float(move[0]))
    reduced = programme.reduced(worth)
    kept = (reduced > -FAR) | (relaxed.values > 0)
    return Market(pool.rows(kept), worth, reduced[kept], relaxed.values[kept])


def paying(packing: Packing, classes: Indices, pool: ColumnPool, worth: Worth, loss: float) -> ColumnPool:
    """The columns that gain at least -`loss` (thousandths) beyond what is paid; `classes` [S] of shapes."""
    return pool.rows(_Programme(packing, classes, pool, 0.0).reduced(worth) > -loss)


def chosen(packing: Packing, classes: Indices, found: Market, moves: float) -> ColumnPool | None:
    """The columns of the best plan, `classes` [S] the class of each shape; None when the solver finds none."""
    first = np.lexsort((-found.reduced, found.part <= 0))[:MOST]
    near = found.pool.rows(np.sort(first[(found.reduced[first] > -NEAR) | (found.part[first] > 0)]))
    whole = _Programme(packing, classes, near, moves).solve(relaxed=False)
    return None if isinstance(whole, Infeasible) else near.rows(whole.values > 0.5)


class _Programme:
    def __init__(self, packing: Packing, classes: Indices, pool: ColumnPool, moves: float) -> None:
        self._gain, self._node, self.nodes = pool.gain, pool.node, len(packing.free)
        self._left, at = (pool.out != ABSENT).nonzero()
        item = pool.out[self._left, at]
        self._gone, self._cost = classes[packing.shape[item]], packing.cost[item]
        self._taken, at = (pool.into != ABSENT).nonzero()
        self._came = pool.into[self._taken, at]
        self.classes, self._moves = int(classes.max(initial=-1)) + 1, moves

    def solve(self, *, relaxed: bool) -> Solution | Infeasible:
        programme = Programme(maximise=True)
        column = programme.add(len(self._gain), upper=1.0, cost=self._gain)
        programme.constrain(self.nodes, self._node, column, upper=1.0)
        row = np.concatenate([self._gone, self._came])
        sign = np.repeat([1.0, -1.0], [len(self._gone), len(self._came)])
        programme.constrain(self.classes, row, np.concatenate([self._left, self._taken]), sign, lower=0.0, upper=0.0)
        programme.constrain(1, 0, self._left, self._cost, upper=self._moves)
        return programme.solve(LIMITS, relaxed=relaxed)

    def reduced(self, worth: Worth) -> Floats:
        """[C] what a column gains beyond what is paid."""
        size = len(self._gain)
        gone = np.bincount(self._left, worth.host[self._gone] + worth.move * self._cost, size)
        came = np.bincount(self._taken, worth.host[self._came], size)
        return np.asarray(self._gain - worth.site[self._node] - gone + came, np.float64)
