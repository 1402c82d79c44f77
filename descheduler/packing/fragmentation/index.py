"""F and its marginals, kept current while items move.

What a search asks at every step: by how much does F fall when an item leaves its node (`leave` [P]), and by how much
does it rise when a shape comes to a node (`enter` [S, N], infinite where there is no room)? A move touches two nodes,
so that two entries of F, two columns of `enter`, and `leave` of the items on both nodes are made anew; all else stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats, Indices, Ints, Ints32, Mask
from descheduler.packing.fragmentation.measure import Measure, measure_of
from descheduler.packing.state import ABSENT, WHOLE, Packing, Shapes, Step
from descheduler.packing.workload import Workload

BATCH = 256
"""Nodes whose columns are made together at the start: what keeps the arrays within the processor's cache."""


@dataclass(frozen=True, eq=False, slots=True)
class Patterns:
    """Q ways to take devices: `count` [Q] of `milli` [Q] each, at `position` [Q] or (ABSENT) where they fit best.

    A shape that shares one device can do so at any of the D positions, unless a scheduler that packs chooses devices;
    all other shapes take the fullest devices with room, as `Packing.choose` does: those are the `loose`; `only` [Q, D]
    is the position of the others. `start` [S] the first pattern of a shape, which has one or, when `shared` [S], D.
    """

    count: NDArray[np.int32]
    milli: NDArray[np.int32]
    position: Indices
    loose: Indices
    only: Mask
    start: Indices
    shared: Mask

    def take(self, rows: Ints32) -> tuple[Ints32, Mask]:
        """For rows [X, D] of residuals: residuals afterwards [X, Q, D], and where the devices have room [X, Q].

        Of devices with equally much left only the first is taken by a pattern with a position."""
        able = rows[:, None, :] >= self.milli[:, None]
        first = (rows[:, :, None] == rows[:, None, :]).argmax(axis=2) == np.arange(rows.shape[1])
        chosen = able & self.only
        chosen &= first[:, None]
        loose = self.loose
        order = np.argsort(rows, axis=1, kind="stable")[:, None, :]
        ranked = np.take_along_axis(able[:, loose], order, axis=2)
        ranked &= ranked.cumsum(axis=2) <= self.count[loose, None]
        free = np.empty_like(ranked)
        np.put_along_axis(free, order, ranked, axis=2)
        chosen[:, loose] = free
        return rows[:, None, :] - chosen * self.milli[:, None], chosen.sum(axis=2) == self.count

    def take_one(self, rows: Ints32, which: Indices) -> Ints32:
        """Residuals [X, D] after the pattern `which` [X] of each row; the pattern must have room."""
        able = rows >= self.milli[which, None]
        order = np.argsort(rows, axis=1, kind="stable")
        ranked = np.take_along_axis(able, order, axis=1)
        ranked &= ranked.cumsum(axis=1) <= self.count[which, None]
        chosen = np.empty_like(ranked)
        np.put_along_axis(chosen, order, ranked, axis=1)
        pinned = self.position[which]
        chosen = np.where(pinned[:, None] == ABSENT, chosen, np.arange(rows.shape[1]) == pinned[:, None])
        return rows - chosen * self.milli[which, None]


def patterns_of(shapes: Shapes, width: int, packed: bool) -> Patterns:
    """The patterns of the shapes on nodes of up to `width` devices; `packed`: nobody but the scheduler chooses one."""
    keys = np.stack([shapes.count, shapes.milli], axis=1)
    distinct, which = np.unique(keys, axis=0, return_inverse=True)
    times = np.where((distinct[:, 0] == 1) & (distinct[:, 1] < WHOLE) & (not packed), width, 1)
    first = np.cumsum(times) - times
    index = np.repeat(np.arange(len(distinct)), times)
    position = np.where(times[index] > 1, np.arange(len(index)) - first[index], ABSENT)
    return Patterns(
        count=distinct[index, 0],
        milli=distinct[index, 1],
        position=position,
        loose=np.flatnonzero(position == ABSENT),
        only=position[:, None] == np.arange(width),
        start=first[which.reshape(-1)],
        shared=times[which.reshape(-1)] > 1,
    )


@dataclass(frozen=True, eq=False, slots=True)
class Ways:
    """The O ways in which S shapes can come to a node: `shape` [O], `pattern` [O]; `first` [S] the first of a shape,
    `shared` those with one for each device, whose ways are `several` [shared × D]."""

    shapes: Shapes
    patterns: Patterns
    shape: Indices
    pattern: Indices
    first: Indices
    shared: Indices
    several: Indices

    def value(
        self, measure: Measure, column: int, nodes: Indices, free: Ints, devices: Ints32
    ) -> tuple[Indices, Indices, Floats]:
        """For X states of `nodes` with `free` [X, R] and `devices` [X, D]: the pairs of a state and a way that has room
        there, and F afterwards [Y]."""
        shapes = self.shapes
        after, able = self.patterns.take(devices)
        room = shapes.allowed[:, nodes].T & (free[:, None] >= shapes.amounts).all(axis=2)
        x, way = (able[:, self.pattern] & room[:, self.shape]).nonzero()
        number = able.ravel().cumsum() - 1
        at = number[x * able.shape[1] + self.pattern[way]]
        upper, lower, sums = (part.take(at, axis=0) for part in measure.edges(after[able]))
        row = measure.row(measure.kind[nodes, None], free[:, column, None] - shapes.amounts[:, column])
        return x, way, measure.value(row[x, self.shape[way]], upper, lower, sums)


def ways_of(shapes: Shapes, width: int, packed: bool) -> Ways:
    """The ways on nodes of up to `width` devices; `packed` as in `patterns_of`."""
    patterns = patterns_of(shapes, width, packed)
    many = np.where(patterns.shared, width, 1)
    first = np.cumsum(many) - many
    shape = np.repeat(np.arange(len(shapes)), many)
    pattern = patterns.start[shape] + np.arange(len(shape)) - first[shape]
    several = np.flatnonzero(patterns.shared[shape])
    return Ways(shapes, patterns, shape, pattern, first, np.flatnonzero(patterns.shared), several)


class FragmentationIndex:
    """A packing of its own (`packing`), with F of each node (`value` [N]) and the marginals, in `unit` thousandths.

    `place` [S, N] the position at which a shape that shares a device comes in at the least F; with `packed` it comes
    to the device that a scheduler which packs would choose (`Packing.choose`).
    """

    __slots__ = ("_at", "_ways", "column", "enter", "leave", "measure", "packed", "packing", "place", "unit", "value")

    def __init__(self, packing: Packing, workload: Workload, *, packed: bool = False, unit: int = 1) -> None:
        width = packing.devices.shape[1]
        nodes, shapes = len(packing.free), len(packing.shapes)
        self.packing = packing.copy()
        self.packed, self.unit, self.column = packed, unit, workload.column
        self.measure: Measure = measure_of(workload, width)
        self._ways = ways_of(packing.shapes, width, packed)
        self.value: Floats = np.zeros(nodes)
        self.enter: Floats = np.full((shapes, nodes), np.inf)
        self.place: NDArray[np.int8] = np.full((shapes, nodes), ABSENT, np.int8)
        self.leave: Floats = np.zeros(len(packing.node))
        self._at: list[list[int]] = [[] for _ in range(nodes)]
        for item, node in enumerate(packing.node.tolist()):
            if node != ABSENT:
                self._at[node].append(item)
        for start in range(0, nodes, BATCH):
            self.refresh(np.arange(start, min(start + BATCH, nodes)))

    def copy(self) -> FragmentationIndex:
        """The same, to be changed on its own."""
        other = FragmentationIndex.__new__(FragmentationIndex)
        other.packing = self.packing.copy()
        other.packed, other.unit, other.column = self.packed, self.unit, self.column
        other.measure, other._ways = self.measure, self._ways
        other.value, other.enter = self.value.copy(), self.enter.copy()
        other.place, other.leave = self.place.copy(), self.leave.copy()
        other._at = [list(items) for items in self._at]
        return other

    def items(self, node: int) -> Sequence[int]:
        """Who stands on the node."""
        return self._at[node]

    def held(self, shape: int, node: int) -> int:
        """The devices (bits) that the shape takes when it comes to the node as `enter` says."""
        place = int(self.place[shape, node])
        return 1 << place if place != ABSENT else self.packing.choose(shape, node)

    def move(self, step: Step) -> None:
        """Do the step; F and the marginals are current afterwards."""
        self.packing.move(step)
        if step.source != ABSENT:
            self._at[step.source].remove(step.item)
        self._at[step.target].append(step.item)
        touched = [step.target] if step.source in (ABSENT, step.target) else [step.source, step.target]
        self.refresh(np.array(touched))

    def gain(self, landed: Mapping[int, int]) -> float:
        """By how much F falls when the items all leave and then come, in order, to the nodes that `landed` names."""
        state = self._after(landed)
        nodes = self._touched(landed)
        nodes = nodes[(state.devices[nodes] != ABSENT).any(axis=1)]
        return float(self.value[nodes].sum() - self._of(state, nodes).sum())

    def land(self, landed: Mapping[int, int]) -> None:
        """Take it as done that the items all left and came to their nodes, on the devices of `Packing.choose`."""
        nodes = self._touched(landed)
        for item, node in landed.items():
            self._at[int(self.packing.node[item])].remove(item)
            self._at[node].append(item)
        self.packing = self._after(landed)
        self.refresh(nodes)

    def _touched(self, landed: Mapping[int, int]) -> Indices:
        return np.array(sorted({*(int(self.packing.node[i]) for i in landed), *landed.values()}), np.intp)

    def _after(self, landed: Mapping[int, int]) -> Packing:
        state = self.packing.copy()
        for item in landed:
            state.give(item)
        for item, node in landed.items():
            state.take(item, node, state.choose(int(state.shape[item]), node))
        return state

    def _of(self, state: Packing, nodes: Indices) -> Floats:
        return self.measure(state.free[nodes, self.column], state.devices[nodes], self.measure.kind[nodes]) / self.unit

    def refresh(self, nodes: Indices) -> None:
        """Make all that depends on these nodes [X] anew."""
        self.value[nodes] = self._of(self.packing, nodes)
        self._leaving(nodes)
        self._entering(nodes)

    def _leaving(self, nodes: Indices) -> None:
        items = np.array([item for node in nodes.tolist() for item in self._at[node]], np.intp)
        packing, shapes = self.packing, self.packing.shapes
        node, shape = packing.node[items], packing.shape[items]
        holds = packing.held[items, None] >> np.arange(packing.devices.shape[1]) & 1
        after = packing.devices[node] + (holds * shapes.milli[shape, None]).astype(np.int32)
        cpu = packing.free[node, self.column] + shapes.amounts[shape, self.column]
        self.leave[items] = self.measure(cpu, after, self.measure.kind[node]) / self.unit - self.value[node]

    def _entering(self, nodes: Indices) -> None:
        packing, ways = self.packing, self._ways
        x, way, value = ways.value(self.measure, self.column, nodes, packing.free[nodes], packing.devices[nodes])
        found = np.full((len(nodes), len(ways.shape)), np.inf)
        found[x, way] = value / self.unit - self.value[nodes[x]]
        if len(ways.shared):
            several = found[:, ways.several].reshape(len(nodes), len(ways.shared), -1)
            best = several.argmin(axis=2)
            self.place[ways.shared[:, None], nodes] = best.T
            found[:, ways.first[ways.shared]] = np.take_along_axis(several, best[:, :, None], axis=2)[:, :, 0]
        self.enter[:, nodes] = found[:, ways.first].T
