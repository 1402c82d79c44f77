"""A node of the relaxation solved to the end: its CPU is shared out in whole cells, not by a price.

The price of CPU lets a node use a mixture of two rearrangements. Here the knapsack is a real one, over cells into which
every item's CPU is rounded down, which can but loosen it. Only levels whose priced value could still win are solved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats, Indices, Ints
from descheduler.packing.fragmentation.pricing import Prices, solve
from descheduler.packing.fragmentation.relaxed import NodeGroup, Relaxed

CELLS = 640
"""Cells of the largest node."""


@dataclass(frozen=True, eq=False, slots=True)
class _Tables:
    """`rest` [Q + 1, J, X + 1] worth of a device's rest with X cells at most; `loose` [X + 1] of CPU-only shapes."""

    cell: float
    rest: Floats
    loose: Floats


def _tables(group: NodeGroup, relaxed: Relaxed, prices: Prices) -> _Tables:
    cell = max(1.0, float(group.room.max()) / CELLS)
    width = int(group.room.max() / cell) + 1
    milli, share = relaxed.milli[group.classes], relaxed.share[group.classes]
    cells = np.floor(relaxed.cpu[group.classes] * share / cell).astype(np.intp)
    income = prices.host[group.classes] * share
    kept = _undominated(milli, cells, income)
    levels, units = group.usable.shape
    rest = np.empty((units, levels, width))
    for q in range(units):
        rest[q] = group.usable[:, q, None]
        for c in kept:
            if 0 < milli[c] <= q and cells[c] < width:
                into = rest[q, :, cells[c] :]
                np.maximum(into, rest[q - milli[c], :, : width - cells[c]] + income[c], out=into)
    loose = np.zeros(width)
    for c in kept:
        if milli[c] == 0 and income[c] > 0:
            most = relaxed.supply[group.classes[c]]
            loose += income[c] * np.minimum(most, np.arange(width) // cells[c] if cells[c] else most)
    return _Tables(cell, rest, loose)


def _undominated(milli: Ints, cells: Indices, income: Floats) -> list[int]:
    """Of classes with equal thousandths, those that earn more than all that use no more CPU."""
    kept: list[int] = []
    best: dict[int, float] = {}
    for c in np.lexsort((-income, cells, milli)).tolist():
        if income[c] > best.get(int(milli[c]), -np.inf):
            best[int(milli[c])] = float(income[c])
            kept.append(c)
    return kept


class _Devices:
    """What a device is worth at a level with so many cells, as the cells at which it rises; made when first asked."""

    def __init__(self, group: NodeGroup, tables: _Tables, gone: Floats) -> None:
        self._group, self._tables, self._gone = group, tables, gone
        self._kept = np.floor(group.kept / tables.cell).astype(np.intp)
        self._ends = np.append(group.first[1:], len(group.left))
        self._made: dict[tuple[int, int], list[tuple[int, float]]] = {}

    def rises(self, device: int, level: int) -> list[tuple[int, float]]:
        key = (device, level)
        if key not in self._made:
            width = self._tables.rest.shape[2]
            worth = np.full(width, -np.inf)
            for row in range(self._group.first[device], self._ends[device]):
                at = self._kept[row]
                if at < width:
                    tail = worth[at:]
                    way = self._tables.rest[self._group.left[row], level, : width - at] - self._gone[row]
                    np.maximum(tail, way, out=tail)
            np.maximum.accumulate(worth, out=worth)
            at = np.flatnonzero(worth > np.concatenate([[-np.inf], worth[:-1]]))
            self._made[key] = list(zip(at.tolist(), worth[at].tolist(), strict=True))
        return self._made[key]


def exact_gains(group: NodeGroup, relaxed: Relaxed, prices: Prices) -> Floats:
    """[N] no rearrangement of the node of the group gains more at these prices."""
    priced = solve(group, relaxed, prices)
    tables = _tables(group, relaxed, prices)
    devices = _Devices(group, tables, group.gone @ priced.paid)
    found = np.empty(len(group.nodes))
    for row in range(len(found)):
        best, before = 0.0, float(relaxed.value[group.nodes[row]])
        start = _loose(group, relaxed, tables, priced.paid, row)
        mine = group.devices.indices[group.devices.indptr[row] : group.devices.indptr[row + 1]]
        times = group.devices.data[group.devices.indptr[row] : group.devices.indptr[row + 1]]
        each = np.repeat(mine, times.astype(np.intp)).tolist()
        for level in np.argsort(-priced.levels[row], kind="stable").tolist():
            if priced.levels[row, level] + before <= best:
                break
            cells = int((group.room[row] - group.need[level]) / tables.cell)
            best = max(best, before + _fill(start[: cells + 1], [devices.rises(d, level) for d in each]))
        found[row] = best
    return found


def _loose(group: NodeGroup, relaxed: Relaxed, tables: _Tables, paid: Floats, row: int) -> Floats:
    """[X + 1] what items without devices are worth in so many cells: each stays, or is given away."""
    worth, parts = tables.loose.copy(), relaxed.parts
    for at in range(group.loose.indptr[row], group.loose.indptr[row + 1]):
        kind, times = group.loose.indices[at], int(group.loose.data[at])
        cells = int(parts.cpu[kind] / tables.cell)
        for _ in range(times):
            stays = np.full(len(worth), -np.inf)
            stays[cells:] = worth[: len(worth) - cells]
            worth = np.maximum(stays, worth - paid[kind]) if parts.movable[kind] else stays
    return worth


def _fill(worth: Floats, devices: list[list[tuple[int, float]]]) -> float:
    """The most that the devices are worth together in the cells of `worth`."""
    for rises in devices:
        filled = np.full(len(worth), -np.inf)
        for cells, value in rises:
            if cells >= len(worth):
                break
            tail = filled[cells:]
            np.maximum(tail, worth[: len(worth) - cells] + value, out=tail)
        worth = filled
    return float(worth.max()) if len(worth) else -np.inf
