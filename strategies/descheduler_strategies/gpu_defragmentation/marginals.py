"""What FGD's measure of each node would become if a pod left it, or came to it; kept current move by move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats
from descheduler.model.quantity import amount
from descheduler.packing.fragmentation.measure import measure_of
from descheduler.packing.state import WHOLE, Packing, Shapes
from descheduler.packing.workload import Workload, target_workload
from descheduler_strategies.gpu_defragmentation.args import TargetShape
from descheduler_strategies.gpus.columns import GpuColumns


def target(
    view: RebalanceView, columns: GpuColumns, given: Sequence[TargetShape], waits: Sequence[int] = ()
) -> Workload | None:
    """The shapes as given, or the GPU pods of the pool and those of `waits`, who want to be there; None without any.

    CPU-only shapes are left out: idle GPUs are lost to them wherever they are, so they only add a floor to the measure.
    """
    packing = columns.packing
    if not given:
        rows = [*packing.shape.tolist(), *(columns.shape_of[pod] for pod in waits)]
        times = np.bincount(np.array(rows, np.int64), minlength=len(packing.shapes))
        if not times[packing.shapes.count > 0].any():
            return None
        return target_workload(packing.shapes, times, cpu_only=False)
    amounts = np.zeros((len(given), len(columns.kept)), np.int64)
    amounts[:, 0] = [amount("cpu", shape.cpu) for shape in given]
    everywhere = np.broadcast_to(columns.pool, (len(given), len(view.snapshot.nodes)))
    shapes = Shapes(
        amounts=amounts,
        count=np.array([shape.gpus for shape in given], np.int32),
        milli=np.array([round(shape.share * WHOLE) for shape in given], np.int32),
        allowed=everywhere.copy(),
    )
    return target_workload(shapes, np.array([shape.weight for shape in given]))


class Marginals:
    """F of every node, and its change by every item's leaving and every shape's coming; in GPUs.

    `leave` [P]: by how much F of the item's node falls when it leaves; `arrive` [S, N]: by how much F of the node rises
    when a pod of the shape comes, infinite where it has no room.
    """

    def __init__(self, packing: Packing, workload: Workload, pool: NDArray[np.bool_]) -> None:
        self.packing = packing.copy()
        self._measure = measure_of(workload, packing.devices.shape[1])
        self._column = workload.column
        self._pool = pool
        self._stays = ~packing.movable | (packing.shapes.count[packing.shape] == 0)
        self._fragmented = np.zeros(len(packing.free))
        self._leave = np.full(len(packing.node), -np.inf)
        self._arrive = np.full((len(packing.shapes), len(packing.free)), np.inf)
        self._renew(np.flatnonzero(pool))

    @property
    def value(self) -> float:
        """F of the pool."""
        return float(self._fragmented.sum())

    @property
    def idle(self) -> float:
        """GPUs of the pool that nothing holds."""
        return float(np.maximum(self.packing.devices[self._pool], 0).sum()) / WHOLE

    def stay(self, item: int) -> None:
        """The item is not worth looking at again."""
        self._stays[item] = True

    def promise(self) -> Floats:
        """[P] what each item gains if it lands where that is best."""
        least = self._arrive.min(axis=1)
        gain = self._leave - least[self.packing.shape]
        return np.where(self._stays, -np.inf, gain)

    def gains(self, item: int, nodes: NDArray[np.int32]) -> Floats:
        """[K] what the item gains on each of the nodes, other than its own."""
        out: Floats = self._leave[item] - self._arrive[self.packing.shape[item], nodes]
        return out

    def gain(self, landed: Mapping[int, int]) -> float:
        """What it gains that the items, together, leave and land on these nodes."""
        state = self._after(landed)
        nodes = np.array(sorted({*(int(self.packing.node[i]) for i in landed), *landed.values()}))
        nodes = nodes[self._pool[nodes]]
        return float(self._fragmented[nodes].sum() - self._of(state, nodes).sum())

    def move(self, landed: Mapping[int, int]) -> None:
        """Take the moves as done."""
        sources = {int(self.packing.node[i]) for i in landed}
        self.packing = self._after(landed)
        for item in landed:
            self._stays[item] = True
        self._renew(np.array(sorted({*sources, *landed.values()})))

    def _after(self, landed: Mapping[int, int]) -> Packing:
        state = self.packing.copy()
        for item in landed:
            state.give(item)
        for item, node in landed.items():
            state.take(item, node, state.choose(int(state.shape[item]), node))
        return state

    def _of(self, state: Packing, nodes: NDArray[np.integer]) -> Floats:
        """[K] F of the nodes in a state."""
        kinds = self._measure.kind[nodes]
        return self._measure(state.free[nodes, self._column], state.devices[nodes], kinds) / WHOLE

    def _renew(self, nodes: NDArray[np.integer]) -> None:
        """Work out anew what concerns the nodes."""
        nodes = nodes[self._pool[nodes]]
        state, measure = self.packing, self._measure
        self._fragmented[nodes] = self._of(state, nodes)
        items = np.flatnonzero(np.isin(state.node, nodes) & ~self._stays)
        at, shape = state.node[items], state.shape[items]
        held = (state.held[items, None] >> np.arange(state.devices.shape[1])) & 1
        devices = state.devices[at] + (held * state.shapes.milli[shape, None]).astype(np.int32)
        cpu = state.free[at, self._column] + state.shapes.amounts[shape, self._column]
        self._leave[items] = self._fragmented[at] - measure(cpu, devices, measure.kind[at]) / WHOLE
        for row in np.flatnonzero(state.shapes.count > 0).tolist():
            self._arrive[row, nodes] = self._coming(row, nodes)

    def _coming(self, shape: int, nodes: NDArray[np.integer]) -> Floats:
        """[K] by how much F of each node rises when a pod of the shape comes, on the fullest devices with room."""
        state, measure = self.packing, self._measure
        count, milli = int(state.shapes.count[shape]), int(state.shapes.milli[shape])
        asked = state.shapes.amounts[shape]
        devices = state.devices[nodes]
        room = state.shapes.allowed[shape, nodes] & (state.free[nodes] >= asked).all(axis=1)
        able = devices >= milli
        room &= able.sum(axis=1) >= count
        out = np.full(len(nodes), np.inf)
        if room.any():
            rows = devices[room]
            taken = np.argsort(np.where(able[room], rows, 2 * WHOLE), axis=1, kind="stable")[:, :count]
            np.put_along_axis(rows, taken, np.take_along_axis(rows, taken, axis=1) - milli, axis=1)
            cpu = state.free[nodes[room], self._column] - asked[self._column]
            after = measure(cpu, rows, measure.kind[nodes[room]]) / WHOLE
            out[room] = after - self._fragmented[nodes[room]]
        return out
