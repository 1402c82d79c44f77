"""FGD's measure of fragmentation: how much of the idle devices is of no use to a shape drawn from the workload.

For node n with residuals R and shape m (Weng et al., USENIX ATC 2023, §3.2; hkust-adsl/kubernetes-scheduler-simulator
pkg/utils/frag.go):

    F_n(m) = Σ_g R_g               if m asks no device, or cannot stand on n
           = Σ_g R_g [R_g < d_m]   else: the stubs too small for m

    F_n(M) = Σ_m p_m F_n(m)

Memory is no part of it. A node's usable part, Σ_m p_m [m can stand] Σ_g R_g [R_g ≥ d_m], needs no loop over shapes:
with the residuals sorted, the shapes that find exactly k devices large enough are those whose demand lies between the
(k+1)-th and the k-th residual, and each of them could use the k largest. The weight of those shapes that also find the
CPU and ask for at most k devices is the difference of two entries of a table made once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats, Ints
from descheduler.packing.state import WHOLE, Packing
from descheduler.packing.target_workload import TargetWorkload


@dataclass(frozen=True, eq=False, slots=True)
class Measure:
    """The tables of a workload for nodes of G kinds (which shapes they may take) with up to D devices.

    `kind` [N]; `steps` [C] distinct CPU demands, ascending; `level` [WHOLE + 1] how many of the I distinct device
    demands a residual satisfies; `reach` flat [G, C + 1, D + 1, I + 1]: the weight of shapes of the kind that need at
    most the first c CPU steps, at most k devices, and one of the first i demands.
    """

    kind: NDArray[np.intp]
    steps: Ints
    level: NDArray[np.intp]
    reach: Floats
    width: int
    demands: int
    total: float

    def __call__(self, cpu: Ints, devices: NDArray[np.int32], kind: NDArray[np.intp]) -> Floats:
        """[X] thousandths of devices, for X states: free CPU [X], residuals [X, D] (negative: absent), kind [X]."""
        upper, lower, sums = self.edges(devices)
        return self.value(self.row(kind, cpu), upper, lower, sums)

    def row(self, kind: NDArray[np.intp], cpu: Ints) -> NDArray[np.intp]:
        """[X] where the entries of `reach` for the kind and the free CPU begin."""
        level = np.searchsorted(self.steps, cpu, side="right")
        return np.asarray((kind * (len(self.steps) + 1) + level) * ((self.width + 1) * (self.demands + 1)))

    def edges(self, devices: NDArray[np.int32]) -> tuple[NDArray[np.intp], NDArray[np.intp], Ints]:
        """[X, D] each: entries within a row for the k-th and the (k+1)-th residual, and the sum of the k largest."""
        left = np.maximum(devices, 0)
        left.sort(axis=1)
        left = left[:, ::-1]
        at = self.level.take(left)
        ranks = np.arange(1, self.width + 1) * (self.demands + 1)
        lower = np.empty_like(at)
        lower[:, :-1] = at[:, 1:]
        lower[:, -1] = 0
        return at + ranks, lower + ranks, left.cumsum(axis=1)

    def value(self, row: NDArray[np.intp], upper: NDArray[np.intp], lower: NDArray[np.intp], sums: Ints) -> Floats:
        """[X] F from what `row` and `edges` give."""
        weight = self.reach.take(upper + row[:, None])
        weight -= self.reach.take(lower + row[:, None])
        return np.asarray(sums[:, -1] * self.total - np.einsum("xd,xd->x", sums, weight))


def measure_of(workload: TargetWorkload, width: int) -> Measure:
    """The tables for nodes of up to `width` devices."""
    kinds, kind = np.unique(workload.allowed, axis=1, return_inverse=True)
    steps, demands = np.unique(workload.cpu), np.unique(workload.milli[workload.count > 0])
    reach = np.zeros((kinds.shape[1], len(steps) + 1, width + 1, len(demands) + 1))
    for m in np.flatnonzero((workload.count > 0) & (workload.count <= width)).tolist():
        c, i = np.searchsorted(steps, workload.cpu[m]), np.searchsorted(demands, workload.milli[m])
        reach[kinds[m], c + 1, workload.count[m], i + 1] += workload.weight[m]
    for axis in (1, 2, 3):
        np.cumsum(reach, axis=axis, out=reach)
    return Measure(
        kind=kind.reshape(-1),
        steps=steps,
        level=np.searchsorted(demands, np.arange(WHOLE + 1), side="right"),
        reach=reach.reshape(-1),
        width=width,
        demands=len(demands),
        total=float(workload.weight.sum()),
    )


def fragmentation(packing: Packing, workload: TargetWorkload) -> Floats:
    """[N] F of each node, in thousandths of devices."""
    measure = measure_of(workload, packing.devices.shape[1])
    return measure(packing.free[:, workload.column], packing.devices, measure.kind)


def idle(packing: Packing) -> int:
    """Thousandths of devices that nothing holds."""
    return int(np.maximum(packing.devices, 0).sum())
