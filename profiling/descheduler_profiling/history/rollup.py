"""Pods to workloads: the mean of the replicas at each time, so that a change of scale is no change of load."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.history.signals import Aggregation

_K = TypeVar("_K", bound=Hashable)


def group(keys: Sequence[_K]) -> tuple[list[_K], NDArray[np.intp]]:
    """The distinct keys [K] in order of appearance, and for each of the given ones [P] its number among them [P]."""
    # By identity first: most keys are the same objects, which need not be hashed again.
    objects = np.fromiter(map(id, keys), np.int64, len(keys))
    _, first, object_of = np.unique(objects, return_index=True, return_inverse=True)
    numbers: dict[_K, int] = {}
    number_of = np.empty(len(first), np.intp)
    for one in np.argsort(first).tolist():
        number_of[one] = numbers.setdefault(keys[first[one]], len(numbers))
    return list(numbers), number_of[object_of]


def reduce_rows(values: Floats32, groups: NDArray[np.intp], count: int, how: Aggregation) -> Floats32:
    """Rows [P, T] of one group become one row of [count, T]; NaN where none of the group's rows has a value."""
    made = np.full((count, values.shape[1]), np.nan, np.float32)
    if not values.size:
        return made
    order = np.argsort(groups, kind="stable")
    sorted_groups = groups[order]
    starts = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]])
    rows = values[order]
    if how == "max":
        made[sorted_groups[starts]] = np.fmax.reduceat(rows, starts, axis=0)
        return made
    there = np.isfinite(rows)
    # float64: the sum of a thousand pods' bytes does not fit float32's 24 bits
    sums = np.add.reduceat(np.where(there, rows, 0.0).astype(np.float64), starts, axis=0)
    counts = np.add.reduceat(there.astype(np.int32), starts, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        made[sorted_groups[starts]] = np.where(counts > 0, sums / counts, np.nan)
    return made


def last_mean(values: Floats32) -> Floats32:
    """The mean [P] of what each row [P, T] has; NaN for an empty row."""
    there = np.isfinite(values)
    counts = there.sum(axis=1)
    sums = np.where(there, values, 0.0).sum(axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(counts > 0, sums / counts, np.nan).astype(np.float32)
