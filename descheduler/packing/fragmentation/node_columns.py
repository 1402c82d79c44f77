"""Rearrangements of single nodes that may be part of a good plan, at given prices.

A column takes a few items from a node and puts a few of other classes there. Those that pay, or nearly so, at the
prices of the relaxation are grown item by item; at every size only the best few of each node are grown further (a
beam). Beside them stand the simplest: one item leaves, one comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats, Indices, Ints, Ints32, Mask
from descheduler.packing.fragmentation.index import FragmentationIndex, Ways, ways_of
from descheduler.packing.state import ABSENT, Packing, Shapes, Step

TOGETHER = 512
"""Partly grown columns that are grown together: what keeps the arrays small."""
SAME = 1e-6
"""Thousandths: profits that differ by less are equal."""


@dataclass(frozen=True, eq=False, slots=True)
class ItemClasses:
    """M classes of items that are moved alike: `of` [S] the class of a shape, `shapes` one for each class."""

    of: Indices
    shapes: Shapes


@dataclass(frozen=True, eq=False, slots=True)
class ColumnPool:
    """C columns: `node` [C]; `out` [C, L] items that leave and `into` [C, L] classes that come (ABSENT: none), each to
    the devices (bits) of `held` [C, L] (ABSENT: to those that suit best); `gain` [C] the fall of F."""

    node: Indices
    out: Indices
    into: Indices
    held: Indices
    gain: Floats

    def joined(self, other: ColumnPool) -> ColumnPool:
        """The columns of both."""
        width = max(self.out.shape[1], other.out.shape[1])
        parts = []
        for name in ColumnPool.__dataclass_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine.ndim > 1:
                mine, theirs = _padded(mine, width), _padded(theirs, width)
            parts.append(np.concatenate([mine, theirs]))
        return ColumnPool(*parts)

    def rows(self, which: Indices | Mask) -> ColumnPool:
        """Some of the columns: their positions [K], or a mask [C]."""
        return ColumnPool(*(getattr(self, name)[which] for name in ColumnPool.__dataclass_fields__))


def _padded(items: Indices, width: int) -> Indices:
    return np.pad(items, ((0, 0), (0, width - items.shape[1])), constant_values=ABSENT)


def made(start: Floats, end: FragmentationIndex, classes: Indices, steps: Sequence[Step]) -> ColumnPool:
    """What a plan does to each node that it touches, as columns; `start` [N] F before."""
    out: dict[int, list[int]] = {}
    into: dict[int, list[int]] = {}
    held: dict[int, list[int]] = {}
    for step in steps:
        out.setdefault(step.source, []).append(step.item)
        into.setdefault(step.target, []).append(int(classes[end.packing.shape[step.item]]))
        held.setdefault(step.target, []).append(step.held)
    nodes = np.array(sorted({*out, *into}), np.intp)
    width = max((len(part) for part in (*out.values(), *into.values())), default=0)
    lists = ([[*part.get(n, []), *[ABSENT] * width][:width] for n in nodes.tolist()] for part in (out, into, held))
    left, came, devices = (np.array(part, np.intp).reshape(len(nodes), width) for part in lists)
    return ColumnPool(nodes, left, came, devices, start[nodes] - end.value[nodes])


@dataclass(frozen=True, slots=True)
class Beam:
    """`width` rearrangements of a node are kept at each of `depth` sizes; columns whose profit (thousandths) at the
    prices is below -`loss` are not looked at again."""

    width: int
    depth: int = 3
    loss: float = 20.0


def identical(packing: Packing) -> Indices:
    """[S] shapes that ask for the same have the same number."""
    shapes = packing.shapes
    devices = np.stack([shapes.count, shapes.milli], axis=1)
    keys = np.concatenate([shapes.amounts, devices, shapes.allowed], axis=1)
    return np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1)


def classes_of(packing: Packing, alike: Indices) -> ItemClasses:
    """Shapes that are `alike` [S] as one class, for which its most frequent shape stands."""
    times = np.bincount(packing.shape[packing.node != ABSENT], minlength=len(packing.shapes))
    order = np.lexsort((-times, alike))
    chosen = order[np.unique(alike[order], return_index=True)[1]]
    shapes = packing.shapes
    picked = Shapes(shapes.amounts[chosen], shapes.count[chosen], shapes.milli[chosen], shapes.allowed[chosen])
    return ItemClasses(alike, picked)


@dataclass(frozen=True, eq=False, slots=True)
class _Front:
    """X partly grown columns: what is free then [X, R], residuals [X, D]."""

    node: Indices
    free: Ints
    devices: Ints32
    out: Indices
    into: Indices
    held: Indices
    value: Floats
    profit: Floats


class Growth:
    """Grows columns of a packing at prices `host` [M] and `paid` [P] (what a node pays for giving an item away)."""

    def __init__(self, index: FragmentationIndex, classes: ItemClasses, host: Floats, paid: Floats, beam: Beam) -> None:
        packing = index.packing
        width = packing.devices.shape[1]
        self._index, self._classes, self._host, self._paid, self._beam = index, classes, host, paid, beam
        self._ways: Ways = ways_of(classes.shapes, width, index.packed)
        able = np.flatnonzero(np.isfinite(paid) & (packing.node != ABSENT))
        order = able[np.argsort(packing.node[able], kind="stable")]
        count = np.bincount(packing.node[order], minlength=len(packing.free))
        start = np.cumsum(count) - count
        self._local = np.full((len(count), int(count.max(initial=0))), ABSENT, np.intp)
        self._local[packing.node[order], np.arange(len(order)) - start[packing.node[order]]] = order
        holds = packing.held[:, None] >> np.arange(width) & 1
        self._gives = (holds * packing.shapes.milli[packing.shape, None]).astype(np.int32)

    def pool(self) -> ColumnPool:
        """The columns that pay or nearly do, each combination of classes once."""
        found = [self._simple()]
        front = self._start()
        for size in range(self._beam.depth):
            front = self._best(self._left(front, size), self._came(front, size))
            good = front.profit > -self._beam.loss
            gain = self._index.value[front.node] - front.value
            found.append(ColumnPool(front.node, front.out, front.into, front.held, gain).rows(good))
        return self._distinct(found)

    def _start(self) -> _Front:
        packing, depth = self._index.packing, self._beam.depth
        nodes = np.arange(len(packing.free))
        none = np.full((len(nodes), depth), ABSENT, np.intp)
        left = np.maximum(packing.devices, 0)
        return _Front(nodes, packing.free, left, none, none, none, self._index.value, np.zeros(len(nodes)))

    def _left(self, front: _Front, size: int) -> _Front:
        """One more item leaves; in the order of items, so that no set is grown twice."""
        packing, index = self._index.packing, self._index
        local = self._local[front.node]
        x, at = ((local != ABSENT) & (local > front.out.max(axis=1, initial=ABSENT)[:, None])).nonzero()
        item = local[x, at]
        able = np.isfinite(self._paid[item])
        x, item = x[able], item[able]
        node, free = front.node[x], front.free[x] + packing.shapes.amounts[packing.shape[item]]
        devices = front.devices[x] + self._gives[item]
        out = front.out[x]
        out[:, size] = item
        value = index.measure(free[:, index.column], devices, index.measure.kind[node])
        profit = front.profit[x] + front.value[x] - value - self._paid[item]
        return _Front(node, free, devices, out, front.into[x], front.held[x], value, profit)

    def _came(self, front: _Front, size: int) -> _Front:
        """One more item comes."""
        index, ways, shapes = self._index, self._ways, self._classes.shapes
        parts = []
        for start in range(0, len(front.node), TOGETHER):
            part = slice(start, start + TOGETHER)
            at = ways.value(index.measure, index.column, front.node[part], front.free[part], front.devices[part])
            parts.append((at[0] + start, *at[1:]))
        x, way, value = (np.concatenate(column) for column in zip(*parts, strict=True))
        shape = ways.shape[way]
        profit = front.profit[x] + front.value[x] - value + self._host[shape]
        kept = self._ranked(front.node[x], profit)
        x, way, shape, value, profit = x[kept], way[kept], shape[kept], value[kept], profit[kept]
        into = front.into[x]
        into[:, size] = shape
        devices = ways.patterns.take_one(front.devices[x], ways.pattern[way])
        held = front.held[x]
        held[:, size] = (devices != front.devices[x]) @ (1 << np.arange(devices.shape[1]))
        free = front.free[x] - shapes.amounts[shape]
        return _Front(front.node[x], free, devices, front.out[x], into, held, value, profit)

    def _best(self, left: _Front, came: _Front) -> _Front:
        names = _Front.__dataclass_fields__
        both = _Front(*(np.concatenate([getattr(left, name), getattr(came, name)]) for name in names))
        kept = self._ranked(both.node, both.profit)
        return _Front(*(getattr(both, name)[kept] for name in names))

    def _ranked(self, node: Indices, profit: Floats) -> Indices:
        """The most profitable of each node, those of equal profit once: they are the same in another order."""
        low, high = float(profit.min(initial=0.0)), float(profit.max(initial=0.0))
        order = np.argsort(node * (high - low + 1.0) - profit, kind="stable")
        node, profit = node[order], profit[order]
        fresh = np.ones(len(order), np.bool_)
        fresh[1:] = (node[1:] != node[:-1]) | (profit[:-1] - profit[1:] > SAME)
        order, node = order[fresh], node[fresh]
        first = np.flatnonzero(np.diff(node, prepend=-1))
        rank = np.arange(len(node)) - np.repeat(first, np.diff(np.append(first, len(node))))
        return order[rank < self._beam.width]

    def _simple(self) -> ColumnPool:
        """One item leaves, or one comes."""
        index, depth = self._index, self._beam.depth
        items = self._local[self._local != ABSENT]
        items = items[-index.leave[items] - self._paid[items] > -self._beam.loss]
        enter = np.full((len(self._classes.shapes), len(index.value)), np.inf)
        np.minimum.at(enter, self._classes.of, index.enter)
        shape, node = (self._host[:, None] - enter > -self._beam.loss).nonzero()
        size = len(items) + len(node)
        out, into = np.full((2, size, depth), ABSENT, np.intp)
        out[: len(items), 0], into[len(items) :, 0] = items, shape
        nodes = np.concatenate([index.packing.node[items].astype(np.intp), node])
        return ColumnPool(
            nodes, out, into, np.full_like(into, ABSENT), np.concatenate([-index.leave[items], -enter[shape, node]])
        )

    def _distinct(self, pools: list[ColumnPool]) -> ColumnPool:
        both = ColumnPool(
            *(np.concatenate([getattr(pool, name) for pool in pools]) for name in ColumnPool.__dataclass_fields__)
        )
        of = self._classes.of[self._index.packing.shape[both.out]]
        keys = np.column_stack(
            [both.node, np.sort(np.where(both.out == ABSENT, ABSENT, of), axis=1), np.sort(both.into, axis=1)]
        )
        order = np.argsort(-both.gain, kind="stable")
        kept = order[np.unique(keys[order], axis=0, return_index=True)[1]]
        return both.rows(np.sort(kept))
