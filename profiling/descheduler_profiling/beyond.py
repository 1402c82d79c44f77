"""What of a usage is above a bound, as a forecast of its own: max(0, usage - bound) at every instant."""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler_profiling.layout import Layout
from descheduler_profiling.quantiles import highest, scenarios
from descheduler_profiling.settings import DAY, HOUR

_OF_PEAKS = 0.95  # the quantile that single peaks are held against when vectors are built


AT_ONCE = 512  # rows, so that what is worked on stays in the cache


def beyond(plan: Layout, vectors: Floats32, bound: Floats32) -> Floats32:
    """Forecast vectors [K, D] of what is above a bound [K] of each, in the unit of the vectors; they add like those.

    Of what stays under its bound at every past and coming instant nothing is left, neither a point nor an error.
    """
    out = np.zeros_like(vectors)
    whole = bound <= 0
    out[whole] = vectors[whole]
    part = np.flatnonzero(~whole & (_most(plan, vectors) > bound))
    for first in range(0, part.size, AT_ONCE):
        rows = part[first : first + AT_ONCE]
        out[rows] = _beyond(plan, vectors[rows], bound[rows])
    return out


def _most(plan: Layout, vectors: Floats32) -> Floats32:
    """[K] what no point and no scenario is above."""
    error = np.max([vectors[:, b.offset : b.offset + b.size].max(axis=1) for b in plan.buckets], axis=0)
    out: Floats32 = vectors[:, : plan.points].max(axis=1) + np.maximum(error, np.float32(0))
    return out


def _beyond(plan: Layout, vectors: Floats32, bound: Floats32) -> Floats32:
    limit = bound[:, None]
    out = np.zeros_like(vectors)
    out[:, : plan.points] = np.maximum(vectors[:, : plan.points] - limit, np.float32(0))
    reached = out[:, : plan.points].any(axis=1)
    for bucket in plan.buckets:
        whole = scenarios(plan, bucket, vectors).reshape(len(vectors), bucket.size)
        reached |= (whole > limit).any(axis=1)
        expected = out[:, plan.point_index(bucket.leads.ravel())]
        out[:, bucket.offset : bucket.offset + bucket.size] = np.maximum(whole - limit, np.float32(0)) - expected
    for at, seconds in enumerate((HOUR, DAY), start=plan.excess):
        above = np.sqrt(np.maximum(vectors[:, at], np.float32(0)))
        peak = highest(plan, vectors, _OF_PEAKS, float(seconds)) + above
        out[:, at] = np.clip(peak - bound, np.float32(0), above) ** 2
    out[~reached] = 0  # that a single peak may be higher is a rule of thumb
    return out
