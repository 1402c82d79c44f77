"""What of a usage is above a bound, as a forecast of its own: max(0, usage - bound) at every instant."""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler_profiling.layout import Layout
from descheduler_profiling.quantiles import scenarios


def beyond(plan: Layout, vectors: Floats32, bound: Floats32) -> Floats32:
    """Forecast vectors [K, D] of what is above a bound [K] of each, in the unit of the vectors; they add like those.

    Nothing that stays under its bound is left of, neither a point nor an error.
    """
    limit = bound[:, None]
    out = np.zeros_like(vectors)
    out[:, : plan.points] = np.maximum(vectors[:, : plan.points] - limit, np.float32(0))
    highest = vectors[:, : plan.points].max(axis=1, initial=0.0)
    for bucket in plan.buckets:
        whole = scenarios(plan, bucket, vectors).reshape(len(vectors), -1)
        highest = np.maximum(highest, whole.max(axis=1, initial=0.0))
        expected = out[:, plan.point_index(bucket.leads.ravel())]
        out[:, bucket.offset : bucket.offset + bucket.size] = np.maximum(whole - limit, np.float32(0)) - expected
    above = np.sqrt(np.maximum(vectors[:, plan.excess :], np.float32(0)))
    out[:, plan.excess :] = np.clip(highest[:, None] + above - limit, np.float32(0), above) ** 2
    return out
