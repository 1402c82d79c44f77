"""How many replicas of each workload were measured, and when: a by-product of reading a signal of pods.

Most workloads never change it. Of those nothing is kept: a workload without a row has as many as now, and a column
before the first one of a row has what that one has. Columns that nobody counted have nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.signals import Signal
from descheduler_profiling.series import History

REPLICAS: Final = "replicas"
COUNTED: Final = "cpu"
"""The signal whose pods are counted."""
_NONE = "no workload had another number of replicas than now"


def count_rows(values: Floats32, groups: NDArray[np.intp], count: int) -> Floats32:
    """How many rows [P, T] of each group have a value, [count, T]; NaN for none."""
    made = np.zeros((count, values.shape[1]), np.int32)
    np.add.at(made, groups, np.isfinite(values))
    return np.where(made > 0, made, np.nan).astype(np.float32)


def forget_constant(ring: Ring) -> None:
    """Drop the rows that never change."""
    values = ring.values[: len(ring.keys)]
    lowest, highest = np.fmin.reduce(values, axis=1), np.fmax.reduce(values, axis=1)
    values[~(lowest < highest)] = np.nan


def replicas_of(signal: Signal, ring: Ring) -> History:
    """The history of a settled ring. It is as whole as that of the signal whose pods were counted."""
    values = ring.values.copy()
    known = np.isfinite(values)
    first = known.argmax(axis=1)
    before = np.arange(values.shape[1])[None, :] < first[:, None]
    opening = values[np.arange(len(values)), first][:, None] if len(values) else values
    values = np.where(before & ring.read[None, :], opening, values)
    return History(
        signal=signal.name,
        unit=signal.unit,
        keys=tuple(ring.keys),
        start=ring.grid.start,
        step=ring.grid.step,
        values=values.astype(np.float32),
        replicas=np.ones(len(ring.keys), np.float32),
        problems=() if ring.keys else (_NONE,),
        absent=not ring.keys,
    )
