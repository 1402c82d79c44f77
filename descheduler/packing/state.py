"""The packed state of N nodes: what is free of each, and which item (pod, virtual machine) stands where.

Amounts are integers in the caller's units, devices are counted in thousandths. Everything is columnar; a copy is cheap,
so that searches can try things and throw them away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints, Mask

WHOLE = 1000
"""Thousandths of one device."""
ABSENT = -1
"""Marks devices that a node does not have, and items that stand nowhere."""


@dataclass(frozen=True, eq=False, slots=True)
class Shapes:
    """S distinct demands.

    `amounts` [S, R] plain resources (CPU, memory, …); `count` [S] devices and `milli` [S] thousandths of each (WHOLE
    for whole devices; both 0 for a shape without); `allowed` [S, N] nodes that could ever take the shape.
    """

    amounts: Ints
    count: NDArray[np.int32]
    milli: NDArray[np.int32]
    allowed: Mask

    def __len__(self) -> int:
        return len(self.count)


@dataclass(frozen=True, slots=True)
class Step:
    """One item from `source` (ABSENT: it stood nowhere) to `target`, where it holds the devices of `held` (bits)."""

    item: int
    source: int
    target: int
    held: int = 0


@dataclass(frozen=True, eq=False, slots=True)
class Packing:
    """N nodes, P items. `take` and `give` change the arrays in place; searches work on a `copy`.

    `free` [N, R] may be negative on an overcommitted node; `devices` [N, D] thousandths left of each, ABSENT where
    there is none; `shape` [P]; `node` [P] or ABSENT; `held` [P] bit d: the item holds device d of its node.
    `movable` [P]; `cost` [P] what one move of the item costs (1.0 when all count alike).
    """

    shapes: Shapes
    free: Ints
    devices: NDArray[np.int32]
    shape: NDArray[np.int32]
    node: NDArray[np.int32]
    held: NDArray[np.int64]
    movable: Mask
    cost: NDArray[np.float64]

    def copy(self) -> Packing:
        """The same state with arrays of its own (shapes, movable and cost are shared: nobody changes them)."""
        return replace(
            self,
            free=self.free.copy(),
            devices=self.devices.copy(),
            node=self.node.copy(),
            held=self.held.copy(),
        )

    def held_of(self, items: Ints) -> Ints:
        """[K, D] thousandths that items [K] hold of each device of their nodes."""
        holds = self.held[items][:, None] >> np.arange(self.devices.shape[1]) & 1
        held: Ints = holds * self.shapes.milli[self.shape[items]][:, None].astype(np.int64)
        return held

    def fits(self, shape: int) -> Mask:
        """[N] nodes that have room for the shape now."""
        shapes = self.shapes
        room: Mask = shapes.allowed[shape] & (self.free >= shapes.amounts[shape]).all(axis=1)
        if shapes.count[shape]:
            room &= (self.devices >= shapes.milli[shape]).sum(axis=1) >= shapes.count[shape]
        return room

    def choose(self, shape: int, node: int) -> int:
        """The devices (bits) that a scheduler which packs would give: the fullest with room, lowest position first."""
        row = self.devices[node]
        able = np.flatnonzero(row >= self.shapes.milli[shape])
        able = able[np.argsort(row[able], kind="stable")][: int(self.shapes.count[shape])]
        return int(sum(1 << d for d in able.tolist()))

    def give(self, item: int) -> None:
        """The item leaves its node."""
        node, shape = int(self.node[item]), int(self.shape[item])
        self.free[node] += self.shapes.amounts[shape]
        self.devices[node, bits(int(self.held[item]))] += self.shapes.milli[shape]
        self.node[item], self.held[item] = ABSENT, 0

    def take(self, item: int, node: int, held: int) -> None:
        """The item, which stood nowhere, takes its place and the devices of `held`, whether they have room or not."""
        shape = int(self.shape[item])
        self.free[node] -= self.shapes.amounts[shape]
        self.devices[node, bits(held)] -= self.shapes.milli[shape]
        self.node[item], self.held[item] = node, held

    def move(self, step: Step) -> None:
        """Do one step, with no question whether it fits."""
        if self.node[step.item] != ABSENT:
            self.give(step.item)
        self.take(step.item, step.target, step.held)

    def room(self, step: Step) -> bool:
        """Whether the step can be done now: right source, an allowed target, and room beside what stands there."""
        shape = int(self.shape[step.item])
        devices = bits(step.held)
        if step.source != self.node[step.item] or len(devices) != self.shapes.count[shape]:
            return False
        free, rows = self.free[step.target], self.devices[step.target]
        if step.source == step.target:
            free = free + self.shapes.amounts[shape]
            rows = rows.copy()
            rows[bits(int(self.held[step.item]))] += self.shapes.milli[shape]
        return bool(
            self.shapes.allowed[shape, step.target]
            and (free >= self.shapes.amounts[shape]).all()
            and (rows[devices] >= self.shapes.milli[shape]).all()
        )


@lru_cache(maxsize=1 << 12)
def bits(held: int) -> NDArray[np.intp]:
    """[K] positions of the set bits, ascending; for all who ask the same array, so for reading only."""
    found = np.flatnonzero([held >> d & 1 for d in range(held.bit_length())])
    found.flags.writeable = False
    return found


def replay(packing: Packing, steps: Iterable[Step]) -> Packing:
    """The state after the steps, done one after the other.

    Raises:
        ValueError: a step finds no room at its turn.
    """
    state = packing.copy()
    for i, step in enumerate(steps):
        if not state.room(step):
            raise ValueError(f"step {i} (item {step.item} from {step.source} to {step.target}) finds no room")
        state.move(step)
    return state
