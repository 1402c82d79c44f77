"""Places for many moved pods at once, on nodes that are not being opened.

Only room that is free before any pod moves is used, so the moves can be done in any order. Items are placed largest
first, tightly, and such that devices and plain resources run out together; one that finds no room may push one that
was placed before to another node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints, Mask
from descheduler.packing.state import WHOLE, Packing, Step, bits

PUSHES = 24
"""Placed items that are tried to be pushed aside for one that finds no room."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where an item goes, and the devices (bits) that it holds there."""

    node: int
    held: int


class Places:
    """Room that shrinks as items are placed. `spots` says where they are; `close` takes nodes out of use."""

    def __init__(self, packing: Packing, typical: Sequence[int] = ()) -> None:
        """`typical` [R] plain resources that go with one whole device among what will be placed."""
        self.packing = packing
        self.free: Ints = packing.free.copy()
        self.devices: Ints = packing.devices.astype(np.int64)
        self.open: Mask = np.asarray((packing.free >= 0).all(axis=1))
        self.spots: dict[int, Spot] = {}
        self.shares_first = False
        self.typical = np.asarray(typical or [0] * packing.free.shape[1], np.int64)
        self.count = packing.shapes.count.astype(np.int64)
        self.milli = packing.shapes.milli.astype(np.int64)
        self._scale = np.maximum(packing.free.max(axis=0), 1).astype(np.float64)

    def copy(self) -> Places:
        made = object.__new__(Places)
        made.__dict__.update(self.__dict__)
        made.free, made.devices, made.open = self.free.copy(), self.devices.copy(), self.open.copy()
        made.spots = dict(self.spots)
        return made

    def close(self, nodes: Iterable[int]) -> list[int]:
        """The nodes take nothing more; items placed there lose their place and are returned, ascending."""
        shut = sorted(set(nodes))
        self.open[shut] = False
        gone = set(shut)
        lost = sorted(item for item, spot in self.spots.items() if spot.node in gone)
        for item in lost:
            self.drop(item)
        return lost

    def place(self, items: Iterable[int], *, shares_first: bool = False) -> list[int]:
        """Give every item a place; those that find none are returned."""
        self.shares_first = shares_first
        return [item for item in sorted(items, key=self._rank) if not (self._put(item) or self._push(item))]

    def drop(self, item: int) -> None:
        """The item gives its place up."""
        spot, shape = self.spots.pop(item), int(self.packing.shape[item])
        self.free[spot.node] += self.packing.shapes.amounts[shape]
        self.devices[spot.node, bits(spot.held)] += self.milli[shape]

    def steps(self) -> tuple[Step, ...]:
        """The moves, by item."""
        node = self.packing.node
        return tuple(Step(item, int(node[item]), s.node, s.held) for item, s in sorted(self.spots.items()))

    def _rank(self, item: int) -> tuple[float, ...]:
        """Many devices first, then shares that need a device each, by what else they need."""
        shape = int(self.packing.shape[item])
        size = float((self.packing.shapes.amounts[shape] / self._scale).max())
        whole = self.milli[shape] == WHOLE
        if not self.count[shape]:
            return (2, 0, -size, item)
        if whole:
            return (
                0 if self.count[shape] > 1 or not self.shares_first else 1.5,
                -float(self.count[shape]),
                -size,
                item,
            )
        return (1, -float(self.milli[shape]), -size, item)

    def _room(self, item: int) -> Mask:
        """[N] open nodes other than its own with room for the item."""
        shape = int(self.packing.shape[item])
        shapes = self.packing.shapes
        room: Mask = self.open & shapes.allowed[shape] & (self.free >= shapes.amounts[shape]).all(axis=1)
        if self.count[shape]:
            room &= (self.devices >= self.milli[shape]).sum(axis=1) >= self.count[shape]
        room[self.packing.node[item]] = False
        return room

    def _put(self, item: int) -> bool:
        able = np.flatnonzero(self._room(item))
        if not len(able):
            return False
        shape = int(self.packing.shape[item])
        score = self._score(shape, able)
        self._take(item, int(able[int(np.lexsort((able, *reversed(score)))[0])]))
        return True

    def _score(self, shape: int, able: NDArray[np.intp]) -> tuple[NDArray[np.float64], ...]:
        """[A] columns, the first decides; the smallest wins."""
        amounts = self.packing.shapes.amounts[shape]
        left = self.free[able] - amounts
        slack = (left / self._scale).sum(axis=1)
        rows = self.devices[able]
        whole = (rows == WHOLE).sum(axis=1)
        if not self.count[shape]:
            return self._stranded(left, whole) - self._stranded(self.free[able], whole), whole.astype(float), slack
        milli = int(self.milli[shape])
        if milli == WHOLE:
            after = whole - self.count[shape]
            return self._stranded(left, after) - self._stranded(self.free[able], whole), slack, after.astype(float)
        tight = np.where(rows >= milli, rows, 2 * WHOLE).min(axis=1) - milli
        after = whole - (tight == WHOLE - milli)
        lost = self._stranded(left, after) - self._stranded(self.free[able], whole)
        return (tight == WHOLE - milli).astype(float), lost, tight.astype(float), slack

    def _stranded(self, free: Ints, whole: Ints) -> NDArray[np.float64]:
        """[A] whole devices that nothing typical can use for want of CPU or memory."""
        used = np.flatnonzero(self.typical)
        if not len(used):
            return np.zeros(len(free))
        usable = np.floor(free[:, used] / self.typical[used]).min(axis=1)
        return np.asarray(np.maximum(whole - usable, 0.0))

    def _take(self, item: int, node: int) -> None:
        shape = int(self.packing.shape[item])
        row, count = self.devices[node], int(self.count[shape])
        able = np.flatnonzero(row >= self.milli[shape])
        chosen = able[np.argsort(row[able], kind="stable")][:count] if count else able[:0]
        self.free[node] -= self.packing.shapes.amounts[shape]
        self.devices[node, chosen] -= self.milli[shape]
        self.spots[item] = Spot(node, sum(1 << int(d) for d in chosen))

    def _push(self, item: int) -> bool:
        """Put the item where one placed before stands, and that one elsewhere."""
        if not self.spots:
            return False
        shapes, shape = self.packing.shapes, int(self.packing.shape[item])
        others = np.array(sorted(self.spots), np.int64)
        nodes = np.array([self.spots[o].node for o in others.tolist()])
        freed = self.free[nodes] + shapes.amounts[self.packing.shape[others]]
        able = shapes.allowed[shape, nodes] & (freed >= shapes.amounts[shape]).all(axis=1)
        able &= nodes != self.packing.node[item]
        count = int(self.count[shape])
        if count:
            rows = self.devices[nodes].copy()
            for i, other in enumerate(others.tolist()):
                rows[i, bits(self.spots[other].held)] += self.milli[self.packing.shape[other]]
            able &= (rows >= self.milli[shape]).sum(axis=1) >= count
        size = (shapes.amounts[self.packing.shape[others]] / self._scale).sum(axis=1)
        order = np.lexsort(
            (others, size, self.count[self.packing.shape[others]] * self.milli[self.packing.shape[others]])
        )
        for i in order[able[order]][:PUSHES].tolist():
            other, before = int(others[i]), self.spots[int(others[i])]
            self.drop(other)
            self._take(item, before.node)
            if self._put(other):
                return True
            self.drop(item)
            self._restore(other, before)
        return False

    def _restore(self, item: int, spot: Spot) -> None:
        shape = int(self.packing.shape[item])
        self.free[spot.node] -= self.packing.shapes.amounts[shape]
        self.devices[spot.node, bits(spot.held)] -= self.milli[shape]
        self.spots[item] = spot
