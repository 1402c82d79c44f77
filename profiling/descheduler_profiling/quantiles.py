"""Quantiles of forecast vectors: of one workload, or of any sum of them.

Split conformal (Vovk et al.; Lei et al. 2018): the forecast of a step is the point plus a quantile of the errors that
the same forecaster made at past origins, pooled over the horizon bucket of the step; beyond an hour, half of it is told
by those errors alone that were made near the same time of the day. The rank is corrected for the finite number of
samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler_profiling.layout import ORIGINS, Between, Bucket, Layout, Part
from descheduler_profiling.settings import HOUR

RESERVE = 0.2


def curve(plan: Layout, vectors: Floats32, q: float) -> Floats32:
    """Quantile of usage at each future step: [..., D] -> [..., H]."""
    vectors = np.asarray(vectors, np.float32)
    margins = np.stack(list(_margins(plan, plan.parts, vectors, q)), axis=-1)
    points = interpolated(vectors, plan.every_step)
    out: Floats32 = np.maximum(points + margins[..., plan.part_of_step], np.float32(0))
    return out


def hottest(plan: Layout, vectors: Floats32, q: float, horizon_seconds: float) -> Floats32:
    """The highest point of the curve from now to the horizon: [..., D] -> [...]."""
    level = np.zeros(vectors.shape[:-1], np.float32)
    corners = plan.corners(max(1, int(horizon_seconds // plan.step)))
    margins = _margins(plan, [part for part, _ in corners], vectors, q)
    for (_, leads), margin in zip(corners, margins, strict=True):
        top = interpolated(vectors, leads).max(axis=-1)
        np.maximum(level, top + margin, out=level)
    return level


def at(plan: Layout, vectors: Floats32, q: float, horizon_seconds: float) -> Floats32:
    """Quantile of usage at a step within the bucket of a horizon: the mixture over its steps; [..., D] -> [...]."""
    vectors = np.asarray(vectors, np.float32)
    bucket = plan.buckets[plan.bucket_at(horizon_seconds)]
    return np.maximum(upper(scenarios(plan, bucket, vectors).reshape(*vectors.shape[:-1], -1), q), np.float32(0))


def peak(plan: Layout, vectors: Floats32, q: float, horizon_seconds: float) -> Floats32:
    """Quantile of the largest usage from now to the horizon: [..., D] -> [...].

    The highest of each past origin's scenario, plus what the samples, taken at some leads only, miss of spikes.
    """
    vectors = np.asarray(vectors, np.float32)
    out: Floats32 = np.maximum(
        highest(plan, vectors, q, horizon_seconds) + _excess(plan, vectors, horizon_seconds), np.float32(0)
    )
    return out


def _excess(plan: Layout, vectors: Floats32, horizon_seconds: float) -> Floats32:
    """What to add for spikes [...]: that of an hour up to an hour, that of a day at a day, between in log time."""
    share = np.float32(np.clip(math.log(max(horizon_seconds, 1.0) / HOUR) / math.log(24.0), 0.0, 1.0))
    squares = np.maximum(vectors[..., plan.excess : plan.excess + 2], np.float32(0))
    out: Floats32 = np.sqrt((1 - share) * squares[..., 0] + share * squares[..., 1])
    return out


def highest(plan: Layout, vectors: Floats32, q: float, horizon_seconds: float) -> Floats32:
    """Quantile of the highest sampled usage from now to the horizon: [..., D] -> [...].

    Up to an hour every step is sampled, so there it is the quantile of the maximum; the top of the curve is only the
    largest of quantiles, and of twelve steps one is above its own p95 in every third or fourth hour.
    """
    steps = max(1, int(horizon_seconds // plan.step))
    top = np.full((*vectors.shape[:-1], ORIGINS), -np.inf, np.float32)
    for bucket in plan.buckets[: plan.bucket_at(horizon_seconds) + 1]:
        part = scenarios(plan, bucket, vectors)
        if bucket.last > steps:
            part = np.where(bucket.leads <= steps, part, np.float32(-np.inf))
        np.maximum(top, part.max(axis=-1), out=top)
    return np.maximum(upper(top, q), np.float32(0))


def scenarios(plan: Layout, bucket: Bucket, vectors: Floats32) -> Floats32:
    """[..., K, J]: what the future would be if the errors of each past origin were made again."""
    errors = vectors[..., bucket.offset : bucket.offset + bucket.size]
    points = vectors[..., plan.point_index(bucket.leads.ravel())]
    both: Floats32 = points + errors * np.float32(plan.widened)
    return both.reshape(*vectors.shape[:-1], *bucket.leads.shape)


def interpolated(vectors: Floats32, leads: Between) -> Floats32:
    """Points [..., L] at any leads, straight between the ones that are kept."""
    out: Floats32 = vectors[..., leads.left] * (1 - leads.share) + vectors[..., leads.right] * leads.share
    return out


def upper(samples: Floats32, q: float) -> Floats32:
    """Conformal quantile over the last axis, [..., n] -> [...]: the ceil((n + 1) q)-th smallest, at most the largest.

    Levels drift, so past errors are a little smaller than coming ones: a fifth of the misses is kept in hand.
    """
    count = samples.shape[-1]
    q = 1.0 - (1.0 - q) * (1.0 - RESERVE) if q > 0.5 else q
    rank = min(count, max(1, math.ceil((count + 1) * q))) - 1
    if samples.size == 0:
        return np.zeros(samples.shape[:-1], np.float32)
    out: Floats32 = np.partition(samples, rank, axis=-1)[..., rank]
    return out


def _margins(plan: Layout, parts: Sequence[Part], vectors: Floats32, q: float) -> Iterator[Floats32]:
    """What is added to the points of each part [...]."""
    widened, half = np.float32(plan.widened), np.float32(plan.widened / 2)
    for _, mine in groupby(parts, key=lambda part: part.bucket.offset):
        some = list(mine)
        bucket = some[0].bucket
        samples = vectors[..., bucket.offset : bucket.offset + bucket.size]
        whole = upper(samples, q)
        for part in some:
            yield whole * widened if part.near is None else (whole + upper(samples[..., part.near], q)) * half
