"""The point forecast and its past errors: a small linear model per workload and horizon bucket.

The forecast of a step is `week + b · (season, exact, season_now, hour, day)`, each feature relative to the week's
level. The flat level, the decaying level, the last hour's mean, the seasonal profile and the seasonal profile with an
AR-like correction are all special cases; the coefficients are fitted per row by ridge regression towards those of all
rows together (Toner et al. 2025, arXiv 2502.12944, find nothing better than such regressions on cloud usage).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.features import NAMES, Features
from descheduler_profiling.layout import Bucket, Layout

TOWARDS_ALL = 1.5  # weight of what all rows say against one row's own samples
RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Fit:
    """One bucket: coefficients [S, F], residuals [S, K*J] of past forecasts (NaN where unknown)."""

    coefficients: Floats32
    residuals: Floats32


def vectors(values: Floats32, made: Features, plan: Layout, min_seen: int) -> Floats32:
    """Forecast vectors [S, D] of cleaned values [S, T]; rows without any sample are all zero."""
    rows, columns = values.shape
    out = np.zeros((rows, plan.width), np.float32)
    if columns == 0 or rows == 0:
        return out
    last = np.full(plan.points, columns - 1)
    x, week = made.at(last, columns - 1 + plan.point_leads)
    owner = np.minimum(plan.bucket_of_step[plan.point_leads - 1], len(plan.buckets) - 1)
    for index, bucket in enumerate(plan.buckets):
        fit = fit_bucket(values, made, bucket, min_seen)
        mine = owner == index
        out[:, : plan.points][:, mine] = week[:, mine] + np.einsum("snf,sf->sn", x[:, mine], fit.coefficients)
        level = made.week[:, -1]
        out[:, bucket.offset : bucket.offset + bucket.size] = _filled(fit.residuals, values, level)
    return out


def fit_bucket(values: Floats32, made: Features, bucket: Bucket, min_seen: int) -> Fit:
    """Fit one bucket to values [S, T] at its past origins; the fit has the errors made there [S, N], in their unit."""
    columns = values.shape[1]
    origins = np.repeat(columns - 1 - bucket.ages, bucket.leads.shape[1])
    targets = origins + bucket.leads.ravel()
    inside = origins >= 0
    origins, targets = np.maximum(origins, 0), np.maximum(targets, 0)
    x, week = made.at(origins, np.minimum(targets, columns - 1))
    y = values[:, np.minimum(targets, columns - 1)] - week
    usable = np.isfinite(y) & inside[None, :] & (origins[None, :] >= (made.first + min_seen)[:, None])
    x *= usable[..., None]
    y = np.where(usable, y, np.float32(0))
    beta = _ridge(x, y, usable)
    errors = np.where(usable, y - np.einsum("snf,sf->sn", x, beta), np.float32(np.nan))
    return Fit(beta, errors)


def _ridge(x: Floats32, y: Floats32, usable: NDArray[np.bool_]) -> Floats32:
    """Coefficients [S, F], shrunk towards the fit over all rows; scale-free."""
    features = len(NAMES)
    count = np.maximum(usable.sum(axis=1), 1)
    gram = np.einsum("snf,sng->sfg", x, x).astype(np.float64) / count[:, None, None]
    cross = np.einsum("snf,sn->sf", x, y).astype(np.float64) / count[:, None]
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
    for row in np.flatnonzero(have < residuals.shape[1]):
        if have[row] >= 8:
            pool = residuals[row, known[row]]
        else:
            measured = values[row, np.isfinite(values[row])]
            pool = measured - level[row] if measured.size else np.zeros(1, np.float32)
        gaps = np.flatnonzero(~known[row]) if have[row] >= 8 else np.arange(residuals.shape[1])
        # Evenly over the pool in time order: deterministic, and neighbours stay neighbours.
        out[row, gaps] = pool[(np.arange(gaps.size) * pool.size) // max(gaps.size, 1)]
    return out
