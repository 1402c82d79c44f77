"""The workload that free GPUs should be of use to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.quantity import amount
from descheduler.packing.state import WHOLE, Shapes
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
