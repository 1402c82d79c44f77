"""The point forecast and its past errors: a small linear model per workload and horizon bucket.

The forecast of a step is `week + b · features` (features.NAMES), each relative to the week's level. The flat level,
the decaying level, the last hour's mean, the seasonal profile and the seasonal profile with an AR-like correction are
all special cases; the coefficients are fitted per row by ridge regression towards those of all rows together (Toner
et al. 2025, arXiv 2502.12944, find nothing better than such regressions on cloud usage).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints, Mask
from descheduler_profiling.features import NAMES, Features, Latest
from descheduler_profiling.layout import ORIGINS, Bucket, Layout

TOWARDS_ALL = 1.5
RIDGE = 1e-3
APART = 11  # origins between an unknown sample and the one that stands for it; no divisor of their number
FEWEST = 8  # known residuals of which others are made


@dataclass(frozen=True, slots=True)
class Fit:
    """One bucket: coefficients [S, F], residuals [S, K*J] of past forecasts (NaN where unknown)."""

    coefficients: Floats32
    residuals: Floats32


def vectors(values: Floats32, made: Features, now: Latest, plan: Layout, min_seen: int) -> tuple[Floats32, Floats32]:
    """Forecast vectors [S, D] of cleaned values [S, T], and the coefficients [S, B, F] that their points come from.

    Rows without any sample are all zero.
    """
    out = np.zeros((len(values), plan.width), np.float32)
    coefficients = np.zeros((len(values), len(plan.buckets), len(NAMES)), np.float32)
    for index, bucket in enumerate(plan.buckets):
        fit = fit_bucket(values, made, bucket, min_seen)
        coefficients[:, index] = fit.coefficients
        out[:, bucket.offset : bucket.offset + bucket.size] = _filled(fit.residuals, values, now.week)
    out[:, : plan.points] = points(now, plan, coefficients)
    return out, coefficients


def points(now: Latest, plan: Layout, coefficients: Floats32) -> Floats32:
    """The points [S, P] of forecast vectors, with coefficients [S, B, F]."""
    out = np.empty((len(coefficients), plan.points), np.float32)
    bucket_of_point = plan.bucket_of_step[plan.point_leads - 1]
    for index in range(len(plan.buckets)):
        mine = np.flatnonzero(bucket_of_point == index)
        out[:, mine] = now.forecast(plan.point_leads[mine], coefficients[:, index])
    return out


def fit_bucket(values: Floats32, made: Features, bucket: Bucket, min_seen: int) -> Fit:
    """Fit one bucket to values [S, T] at its past origins; the fit has the errors made there [S, N], in their unit."""
    columns = values.shape[1]
    origins = np.repeat(columns - 1 - bucket.ages, bucket.leads.shape[1])
    there = np.flatnonzero(origins >= min_seen)  # of no row is more known at the others
    origins = origins[there]
    targets = origins + bucket.leads.ravel()[there]
    x, week = made.at(origins, targets)
    y = values.take(targets, axis=1) - week
    usable = np.isfinite(y) & (origins[None, :] >= (made.first + min_seen)[:, None])
    x *= usable[:, None, :]
    y = np.where(usable, y, np.float32(0))
    beta = _ridge(x, y, usable)
    errors = np.full((len(values), bucket.size), np.nan, np.float32)
    errors[:, there] = np.where(usable, y - (beta[:, None, :] @ x)[:, 0], np.float32(np.nan))
    return Fit(beta, errors)


def _ridge(x: Floats32, y: Floats32, usable: NDArray[np.bool_]) -> Floats32:
    """Coefficients [S, F] for y [S, N] by x [S, F, N], shrunk towards the fit over all rows; scale-free."""
    features = len(NAMES)
    count = np.maximum(usable.sum(axis=1), 1)
    gram = (x @ x.transpose(0, 2, 1)).astype(np.float64) / count[:, None, None]
    cross = (x @ y[..., None])[..., 0].astype(np.float64) / count[:, None]
    scale = np.maximum(np.einsum("sn,sn->s", y, y).astype(np.float64) / count, 1e-30)
    alive = scale > 1e-20
    gram, cross = gram / scale[:, None, None], cross / scale[:, None]
    eye = np.eye(features)
    # A feature far larger than what it explains (a level shift) must not rule the pooled fit.
    heavy = alive & (np.einsum("sff->s", gram) < 1e3)
    if not heavy.any():
        return np.zeros((x.shape[0], features), np.float32)
    pooled_gram = gram[heavy].mean(axis=0) + RIDGE * eye
    pooled = np.linalg.solve(pooled_gram, cross[heavy].mean(axis=0))
    pull = np.where(alive, TOWARDS_ALL + 20.0 / count, 1e6)[:, None, None]
    left = gram + pull * pooled_gram
    right = cross + pull[:, :, 0] * (pooled_gram @ pooled)
    beta: Floats32 = np.linalg.solve(left, right[..., None])[..., 0].astype(np.float32)
    return beta


def _filled(residuals: Floats32, values: Floats32, level: Floats32) -> Floats32:
    """Residuals with every gap filled from the row's own others, else from its deviations from its level."""
    known = np.isfinite(residuals)
    have = known.sum(axis=1)
    out = residuals
    # Rows of one age know the same past: few patterns, and most rows have the first.
    open_rows = np.flatnonzero(have < residuals.shape[1])
    alike: dict[bytes, list[int]] = {}
    for row in open_rows[have[open_rows] >= FEWEST].tolist():
        alike.setdefault(known[row].tobytes(), []).append(row)
    for rows in alike.values():
        gaps, donors = _donors(known[rows[0]])
        column = np.array(rows)[:, None]
        out[column, gaps] = out[column, donors]
    for row in open_rows[have[open_rows] < FEWEST].tolist():
        measured = values[row, np.isfinite(values[row])]
        apart = measured - level[row] if measured.size else np.zeros(1, np.float32)
        out[row] = apart[_evenly(residuals.shape[1], apart.size)]
    return out


def _donors(known: Mask) -> tuple[Ints, Ints]:
    """Which samples [N] of K origins are unknown, and which known ones stand for them.

    It is that of an origin a fixed number of origins away: so rows that were fitted at other times, and know a little
    more or less, still take theirs from the same instants, and add up.
    """
    count = known.size // ORIGINS
    position = np.arange(known.size)
    origin, lead = position // count, position % count
    donor = position.copy()
    for turn in range(1, ORIGINS):
        donor = np.where(known[donor], donor, (origin + turn * APART) % ORIGINS * count + lead)
    gaps = np.flatnonzero(~known)
    found = donor[gaps]
    lost = ~known[found]  # no origin knows this lead
    pool = np.flatnonzero(known)
    found[lost] = pool[_evenly(int(lost.sum()), pool.size)]
    return gaps, found


def _evenly(count: int, pool: int) -> Ints:
    """Which of a pool to take [count]: in time order, so that neighbours stay neighbours."""
    return (np.arange(count) * pool) // max(count, 1)
