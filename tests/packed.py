"""Builders of packings for tests, the definition of F written plainly, and random small clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from descheduler.packing.state import ABSENT, WHOLE, Packing, Shapes
from descheduler.packing.target_workload import TargetWorkload, target_workload

Demand = tuple[int, int, int, int]
"""CPU, memory, devices, thousandths of each."""


def shapes_of(demands: Sequence[Demand], nodes: int) -> Shapes:
    """The shapes, allowed everywhere."""
    return Shapes(
        amounts=np.array([d[:2] for d in demands], np.int64).reshape(len(demands), 2),
        count=np.array([d[2] for d in demands], np.int32),
        milli=np.array([d[3] for d in demands], np.int32),
        allowed=np.ones((len(demands), nodes), np.bool_),
    )


def packing_of(
    cpu: Sequence[int],
    devices: Sequence[Sequence[int]],
    demands: Sequence[Demand] = (),
    items: Sequence[tuple[int, int, int]] = (),
    *,
    memory: int = 1 << 40,
) -> Packing:
    """Nodes with what is free before the items (shape, node or ABSENT, held bits) take their places."""
    packing = Packing(
        shapes=shapes_of(demands, len(cpu)),
        free=np.array([[c, memory] for c in cpu], np.int64),
        devices=np.array(devices, np.int32).reshape(len(cpu), -1),
        shape=np.array([i[0] for i in items], np.int32),
        node=np.full(len(items), ABSENT, np.int32),
        held=np.zeros(len(items), np.int64),
        movable=np.ones(len(items), np.bool_),
        cost=np.ones(len(items)),
    )
    for item, (_, node, held) in enumerate(items):
        if node != ABSENT:
            packing.take(item, node, held)
    return packing


def plain_f(packing: Packing, workload: TargetWorkload) -> NDArray[np.float64]:
    """F of each node as the paper defines it: node by node, shape by shape, device by device."""
    values = []
    for node, row in enumerate(packing.devices.tolist()):
        left = [g for g in row if g > 0]
        value = 0.0
        for m in range(len(workload)):
            count, demand = int(workload.count[m]), int(workload.milli[m])
            able = (
                count > 0
                and bool(workload.allowed[m, node])
                and int(packing.free[node, workload.column]) >= int(workload.cpu[m])
                and sum(g >= demand for g in left) >= count
            )
            lost = sum(g for g in left if g < demand) if able else sum(left)
            value += float(workload.weight[m]) * lost
        values.append(value)
    return np.array(values)


DEMANDS: list[Demand] = [
    (1000, 4, 0, 0),
    (6000, 16, 0, 0),
    (2000, 8, 1, 190),
    (3000, 4, 1, 470),
    (3000, 8, 1, 810),
    (1000, 1, 1, 500),
    (4000, 8, 1, WHOLE),
    (5000, 2, 1, WHOLE),
    (8000, 16, 2, WHOLE),
    (16000, 32, 4, WHOLE),
    (2000, 4, 2, 500),
]


@st.composite
def packings(draw: st.DrawFn, nodes: int = 6, items: int = 24) -> Packing:
    """A small cluster, filled item by item wherever the draw says and there is room."""
    size = draw(st.integers(2, nodes))
    cpu = draw(st.lists(st.integers(4, 24), min_size=size, max_size=size))
    counts = draw(st.lists(st.integers(0, 4), min_size=size, max_size=size))
    devices = [[WHOLE] * n + [ABSENT] * (4 - n) for n in counts]
    shape = draw(st.lists(st.integers(0, len(DEMANDS) - 1), min_size=1, max_size=items))
    packing = packing_of([c * 1000 for c in cpu], devices, DEMANDS, [(s, ABSENT, 0) for s in shape], memory=64)
    banned = draw(st.lists(st.tuples(st.integers(0, len(DEMANDS) - 1), st.integers(0, size - 1)), max_size=4))
    for s, n in banned:
        packing.shapes.allowed[s, n] = False
    wishes = draw(st.lists(st.integers(0, size - 1), min_size=len(shape), max_size=len(shape)))
    for item, node in enumerate(wishes):
        room = packing.fits(int(packing.shape[item]))
        if room[node]:
            packing.take(item, node, packing.choose(int(packing.shape[item]), node))
    fixed = draw(st.lists(st.integers(0, len(shape) - 1), max_size=3))
    packing.movable[fixed] = False
    return packing


@st.composite
def workloads_and_packings(draw: st.DrawFn) -> tuple[TargetWorkload, Packing]:
    """A cluster, with a workload of its shapes at random popularity."""
    packing = draw(packings())
    times = draw(st.lists(st.integers(0, 9), min_size=len(DEMANDS), max_size=len(DEMANDS)))
    times[draw(st.integers(0, len(DEMANDS) - 1))] += 1
    return target_workload(packing.shapes, times), packing


def placed_workload(packing: Packing, *, column: int = 0, cpu_only: bool = True) -> TargetWorkload:
    """What the items of the packing ask for, whether they stand somewhere or not."""
    times = np.bincount(packing.shape, minlength=len(packing.shapes))
    return target_workload(packing.shapes, times, column=column, cpu_only=cpu_only)
