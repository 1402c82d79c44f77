"""The relaxation that bounds how far F can fall: every node for itself, its devices for themselves.

With a price p_c that a node is paid for taking an item of class c and pays for giving one away, and a price μ for each
unit of the cost of moves, the nodes no longer depend on each other (Geoffrion 1974). What remains of a node is

    max  F before - F after + Σ taken p_c - Σ given away (p_c + μ cost)

over what may stand on it. For a target CPU level (so much CPU must stay free) the devices depend on each other only
through the CPU that their items use, which has a price θ of its own. A device is then a small knapsack: which of its
items stay, and what is added to the rest. All four steps only loosen the problem, and so do the rest: memory is
ignored, an item of several devices may be split, supply is unlimited, a shape of several devices needs but one that is
free. So the value is at least that of any real rearrangement.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.sparse import csr_array

from descheduler.model.arrays import Floats, Indices, Ints, Mask
from descheduler.packing.state import ABSENT, WHOLE, Packing
from descheduler.packing.target_workload import TargetWorkload

MOST_WAYS = 4096
"""A device whose items can stay in more ways than this is not worth a bound."""


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """T types of what stands on devices: one device's share of an item. `shape`, `share` (1 / devices), `milli` (in
    units), `cpu`, `cost` [T] of that share; `movable` [T]."""

    shape: Indices
    share: Floats
    milli: Ints
    cpu: Floats
    cost: Floats
    movable: Mask


@dataclass(frozen=True, eq=False, slots=True)
class NodeGroup:
    """N nodes that may take the same shapes for the same workload, with equally many devices.

    `usable` [J, Q + 1] minus F of a device with so many units left, at each level of CPU; `need` [J] CPU that must stay
    free; `room` [N] CPU for all that stands there. `devices` [N, G] how many of each of the G distinct devices the node
    has. The ways in which their items stay are rows: `first` [G] the first of a device, `left` units then left,
    `kept` CPU used, `gone` [rows, T] types given away. `loose` [N, T] items without devices. `classes` that can come.
    """

    nodes: Indices
    usable: Floats
    need: Floats
    room: Floats
    devices: csr_array
    first: Indices
    left: Indices
    kept: Floats
    gone: csr_array
    loose: csr_array
    classes: Indices


@dataclass(frozen=True, eq=False, slots=True)
class Relaxed:
    """The relaxation of a packing: `value` [N] is F now, `unit` thousandths of a device.

    For each shape [S]: `cpu`; `milli` of each device, in units; `share`, one by the number of its devices; `supply`,
    how many items of it could move.
    """

    parts: Parts
    groups: tuple[NodeGroup, ...]
    value: Floats
    unit: int
    cpu: Floats
    milli: Ints
    share: Floats
    supply: Ints


def relaxed_of(packing: Packing, workload: TargetWorkload, value: Floats) -> Relaxed | None:
    """The relaxation, with F of each node now (`value` [N]); None where a device's items can stay in too many ways."""
    shapes = packing.shapes
    unit = math.gcd(WHOLE, *shapes.milli.tolist(), *np.maximum(packing.devices, 0).reshape(-1).tolist())
    share = 1.0 / np.maximum(shapes.count, 1)
    cpu, placed = shapes.amounts[:, workload.column].astype(np.float64), np.flatnonzero(packing.node != ABSENT)
    keys = np.stack([packing.shape[placed], packing.cost[placed], packing.movable[placed]], axis=1)
    distinct, kind = np.unique(keys, axis=0, return_inverse=True)
    shape = distinct[:, 0].astype(np.intp)
    parts = Parts(
        shape=shape,
        share=share[shape],
        milli=shapes.milli[shape].astype(np.int64) // unit,
        cpu=cpu[shape] * share[shape],
        cost=distinct[:, 1] * share[shape],
        movable=distinct[:, 2] > 0,
    )
    supply = np.bincount(packing.shape[placed[packing.movable[placed]]], minlength=len(shapes))
    relaxed = Relaxed(parts, (), value, unit, cpu, shapes.milli.astype(np.int64) // unit, share, supply)
    groups = []
    width = (packing.devices != ABSENT).sum(axis=1)
    keys = np.concatenate([workload.allowed, shapes.allowed, width[None]], axis=0)
    which = np.unique(keys, axis=1, return_inverse=True)[1].reshape(-1)
    stands = _standing(packing, placed, kind.reshape(-1))
    for number in range(int(which.max()) + 1):
        group = _group(packing, workload, relaxed, np.flatnonzero(which == number), stands)
        if group is None:
            return None
        groups.append(group)
    return replace(relaxed, groups=tuple(groups))


@dataclass(frozen=True, slots=True)
class _Standing:
    """Types of what stands on each device (node -> device -> types), and without devices (node -> types)."""

    on: list[dict[int, list[int]]]
    loose: list[list[int]]


def _standing(packing: Packing, placed: Indices, kind: Indices) -> _Standing:
    found = _Standing([{} for _ in range(len(packing.free))], [[] for _ in range(len(packing.free))])
    for item, part in zip(placed.tolist(), kind.tolist(), strict=True):
        node, held = int(packing.node[item]), int(packing.held[item])
        if not held:
            found.loose[node].append(part)
        for device in range(held.bit_length()):
            if held >> device & 1:
                found.on[node].setdefault(device, []).append(part)
    return found


def _group(
    packing: Packing, workload: TargetWorkload, relaxed: Relaxed, nodes: Indices, stands: _Standing
) -> NodeGroup | None:
    parts, unit = relaxed.parts, relaxed.unit
    allowed = packing.shapes.allowed[:, nodes[0]]
    width = int((packing.devices[nodes[0]] != ABSENT).sum())
    numbers: dict[tuple[int, ...], int] = {}
    has: list[tuple[int, int]] = []
    for row, node in enumerate(nodes.tolist()):
        for device in np.flatnonzero(packing.devices[node] != ABSENT).tolist():
            on = tuple(sorted(stands.on[node].get(device, ())))
            size = max(int(packing.devices[node, device]), 0) // unit + int(parts.milli[list(on)].sum())
            has.append((row, numbers.setdefault((size, *on), len(numbers))))
    first: list[int] = []
    left: list[int] = []
    kept: list[float] = []
    gone: list[tuple[int, int, int]] = []
    for size, *there in numbers:
        first.append(len(left))
        for stay in _ways(there, parts.movable):
            if len(left) - first[-1] >= MOST_WAYS:
                return None
            left.append(max(0, size - sum(int(parts.milli[t]) * n for t, n, _ in stay)))
            kept.append(sum(float(parts.cpu[t]) * n for t, n, _ in stay))
            gone += [(len(left) - 1, t, all_ - n) for t, n, all_ in stay if n < all_]
    loose = [(row, t) for row, node in enumerate(nodes.tolist()) for t in stands.loose[node]]
    used = np.zeros(len(packing.free))
    placed = packing.node != ABSENT
    np.add.at(used, packing.node[placed], relaxed.cpu[packing.shape[placed]])
    need, usable = _usable(workload, int(nodes[0]), width, unit)
    return NodeGroup(
        nodes=nodes,
        usable=usable,
        need=need,
        room=np.maximum(packing.free[nodes, workload.column], 0) + used[nodes],
        devices=_counts([(r, g, 1) for r, g in has], (len(nodes), len(numbers))),
        first=np.array(first, np.intp),
        left=np.array(left, np.intp),
        kept=np.array(kept, np.float64),
        gone=_counts(gone, (len(left), len(parts.shape))),
        loose=_counts([(r, t, 1) for r, t in loose], (len(nodes), len(parts.shape))),
        classes=np.flatnonzero(allowed & (packing.shapes.count <= width)),
    )


def _ways(on: list[int], movable: Mask) -> Iterator[list[tuple[int, int, int]]]:
    """In how many ways items can stay: (type, how many stay, how many there are) for each type."""
    types = sorted(set(on))
    there = [on.count(t) for t in types]
    for stay in product(*(range(0 if movable[t] else n, n + 1) for t, n in zip(types, there, strict=True))):
        yield list(zip(types, stay, there, strict=True))


def _counts(entries: list[tuple[int, int, int]], shape: tuple[int, int]) -> csr_array:
    rows, columns, values = (
        (np.array(part, np.intp) for part in zip(*entries, strict=True)) if entries else ([], [], [])
    )
    return csr_array((np.asarray(values, np.float64), (rows, columns)), shape=shape)


def _usable(workload: TargetWorkload, node: int, width: int, unit: int) -> tuple[Floats, Floats]:
    """Levels of CPU [J] that its shapes with devices need, and what of a device's rest counts at each [J, Q + 1]."""
    able = workload.allowed[:, node] & (workload.count > 0) & (workload.count <= width)
    need = np.concatenate([[0.0], np.unique(workload.cpu[able])])
    rest = np.arange(WHOLE // unit + 1) * unit
    within = able & (workload.cpu <= need[:, None])
    within[0] &= workload.cpu <= 0
    enough = workload.milli <= rest[:, None]
    usable = (within.astype(np.float64) * workload.weight) @ enough.T.astype(np.float64)
    return need, rest * (usable - float(workload.weight.sum()))
