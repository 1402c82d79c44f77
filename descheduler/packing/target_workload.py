"""The target workload: which shapes are asked for, and how often.

Fragmentation is measured against it (Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with
Fragmentation Gradient Descent", USENIX ATC 2023, §3). It keeps every shape that was ever seen: the rare jobs of many
devices are those that fragmentation hurts, so none is cut for being rare.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats, Ints, Mask
from descheduler.packing.state import Shapes


@dataclass(frozen=True, eq=False, slots=True)
class TargetWorkload:
    """M distinct target shapes.

    `cpu` [M] in the units of the packing's `column`; `count` [M] devices and `milli` [M] thousandths of each (both 0
    for a CPU-only shape); `allowed` [M, N] nodes that could ever take the shape; `weight` [M] popularity.
    """

    cpu: Ints
    count: NDArray[np.int32]
    milli: NDArray[np.int32]
    allowed: Mask
    weight: Floats
    column: int = 0

    def __len__(self) -> int:
        return len(self.cpu)

    @property
    def cpu_only(self) -> float:
        """The weight of shapes without devices: idle devices are lost to them wherever they are."""
        return float(self.weight[self.count == 0].sum())


def target_workload(
    shapes: Shapes, times: Sequence[int] | Floats | Ints, *, column: int = 0, cpu_only: bool = True
) -> TargetWorkload:
    """The shapes, each seen so many `times` [S] (or with so much weight), as a workload whose weights sum to 1.

    Shapes that differ only in resources other than `column` (CPU) are one; with `cpu_only` unset, shapes without
    devices are left out. Shapes never seen are left out. The order is that of CPU, count, thousandths, then nodes.

    Raises:
        ValueError: nothing is left.
    """
    seen = np.asarray(times, np.float64)
    kept = np.flatnonzero((seen > 0) & (cpu_only | (shapes.count > 0)))
    if not len(kept):
        raise ValueError("a target workload needs at least one shape that was seen")
    rows, which = np.unique(shapes.allowed[kept], axis=0, return_inverse=True)
    keys = np.stack([shapes.amounts[kept, column], shapes.count[kept], shapes.milli[kept], which.reshape(-1)], axis=1)
    distinct, inverse = np.unique(keys, axis=0, return_inverse=True)
    weight = np.bincount(inverse.reshape(-1), weights=seen[kept], minlength=len(distinct))
    return TargetWorkload(
        cpu=distinct[:, 0].astype(np.int64),
        count=distinct[:, 1].astype(np.int32),
        milli=distinct[:, 2].astype(np.int32),
        allowed=rows[distinct[:, 3]],
        weight=weight / weight.sum(),
        column=column,
    )
