"""Whose turn it is to be fitted anew: by the age of a fit, and by how far its last forecasts were off.

Fits do not all fall into one cycle: each fits the share of the workloads that is due in its time, the oldest fits
first, and a few more whose forecasts missed most. A small fleet is fitted at once, for workloads that are fitted
together learn from one another.
"""

from __future__ import annotations

import math

import numpy as np

from descheduler.model.arrays import Floats32, Ints, Mask
from descheduler_profiling.layout import Layout

TOGETHER = 256  # workloads; where the share of a cycle is smaller all are fitted at once
SURPRISED = 4  # for so many that are old, one more that was surprised
SURPRISE = 3.0  # times the usual error
KEPT = 0.5  # of a miss, at the next cycle


def all_due(at: Ints, now: int, refit: float) -> bool:
    """Whether each fit, made `at` [S], is `refit` seconds old."""
    return bool((now - at >= refit).all())


def turn(at: Ints, missed: Floats32, now: int, elapsed: int, refit: float) -> Mask:
    """Rows [S] to be fitted in a cycle `elapsed` seconds after the last; none waits for much more than `refit`.

    Fits were made `at` [S], and forecasts `missed` [S] since then.
    """
    age = now - at
    share = math.ceil(len(at) * min(1.0, elapsed / refit)) if refit > 0 else len(at)
    if share < TOGETHER:
        return np.asarray(age >= refit, np.bool_)
    out = np.zeros(len(at), np.bool_)
    out[np.lexsort((-missed, -age))[:share]] = True
    surprised = np.flatnonzero(~out & (missed > SURPRISE) & (age > 0))
    worst = np.argsort(-missed[surprised], kind="stable")
    out[surprised[worst[: share // SURPRISED]]] = True
    return out


def misses(before: Floats32, vectors: Floats32, came: Floats32, plan: Layout) -> Floats32:
    """How far forecasts [S, D] were off from what came [S, N] in the N steps since, in units of their usual errors.

    `before` [S] is what was missed until then, of which a part is kept.
    """
    steps = came.shape[1]
    if not steps:
        return before
    points = vectors[:, plan.point_index(np.arange(1, steps + 1))]
    known = np.isfinite(came)
    off = np.where(known, came - points, np.float32(0)).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    soon = plan.buckets[0]
    errors = np.abs(vectors[:, soon.offset : soon.offset + soon.size]).mean(axis=1)
    usual = np.maximum(errors, np.float32(1e-3) * np.abs(points).mean(axis=1))
    ratio = np.abs(off) / np.maximum(usual, np.float32(1e-30))
    return np.asarray(np.maximum(np.minimum(ratio, np.float32(1e6)), np.float32(KEPT) * before), np.float32)
