"""Peaks: the largest usage within the next hour and the next day, as forecasts of their own.

A step's p95 is exceeded a dozen times a day; a day's peak is one number a day, and one week holds seven of them: no
method can promise its p95 from one workload alone. So the forecast is a rule fitted over many workloads together: a
linear combination, in units of the workload's mean, of what is known about its peaks. Its weights are a pooled
quantile regression (Koenker and Bassett 1978) on one half of the benchmark's series, aimed a little above 0.95 for the
day, where coverage on other series is lower than on those it was fitted to.
"""

from __future__ import annotations

import numpy as np

from descheduler_profiling.series import Floats

HOUR_RULE = {"last hour's largest": 0.243, "last hour's mean": 0.04, "p95": 0.348, "p99": 0.436, "six hours": 0.136}
DAY_RULE = {"last day": 0.642, "mean of days": 0.265, "median of days": 0.863, "deviation of days": 0.569}
DAYS = 7


def peaks(values: Floats, p95: Floats, p99: Floats, step: int) -> Floats:
    """[S, 2]: what the largest usage of the next hour and of the next day stays under, 95 times of 100.

    From cleaned values [S, T] and the forecast quantiles of each step [S, H]; 0 for a row without samples.
    """
    rows = values.shape[0]
    if values.shape[1] == 0:
        return np.zeros((rows, 2), np.float32)
    hour = max(1, 3600 // step)
    known = np.isfinite(values[:, -hour:])
    recent = np.where(known, values[:, -hour:], np.float32(0))
    near = (
        HOUR_RULE["last hour's largest"] * recent.max(axis=1)
        + HOUR_RULE["last hour's mean"] * recent.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        + HOUR_RULE["p95"] * p95[:, :hour].max(axis=1)
        + HOUR_RULE["p99"] * p99[:, :hour].max(axis=1)
        + HOUR_RULE["six hours"] * _largest(values[:, -6 * hour :])
    )
    days = _days(values, max(1, 86400 // step))
    count = np.maximum(np.isfinite(days).sum(axis=1), 1)
    measured = np.isfinite(days)
    filled = np.where(measured, days, np.float32(0))
    last_week, week_count = filled[:, :DAYS], np.maximum(measured[:, :DAYS].sum(axis=1), 1)
    mean = filled.sum(axis=1) / count
    deviation = np.sqrt((np.where(measured, days - mean[:, None], 0) ** 2).sum(axis=1) / count)
    far = (
        DAY_RULE["last day"] * _largest(values[:, -max(1, 86400 // step) :])
        + DAY_RULE["mean of days"] * last_week.sum(axis=1) / week_count
        + DAY_RULE["median of days"] * _median(days[:, :DAYS], mean)
        + DAY_RULE["deviation of days"] * deviation
    )
    return np.stack([near, np.maximum(near, far)], axis=1).astype(np.float32)


def _largest(values: Floats) -> Floats:
    """Largest measured value [S], 0 where there is none."""
    out: Floats = np.where(np.isfinite(values), values, np.float32(0)).max(axis=1)
    return out


def _days(values: Floats, per_day: int) -> Floats:
    """[S, days]: the largest of each 24 hours counted back from the end, newest first, NaN where unmeasured."""
    days = max(1, values.shape[1] // per_day)
    tail = values[:, -days * per_day :]
    filled = np.where(np.isfinite(tail), tail, np.float32(-1)).reshape(len(tail), days, -1).max(axis=2)[:, ::-1]
    out: Floats = np.where(filled < 0, np.float32(np.nan), filled)
    return out


def _median(days: Floats, fallback: Floats) -> Floats:
    """Median [S] of what is known; the fallback for a row where nothing is."""
    ordered = np.sort(days, axis=1)
    count = np.isfinite(days).sum(axis=1)
    rows = np.arange(len(days))
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, days.shape[1] - 1)
    out: Floats = np.where(count > 0, (ordered[rows, low] + ordered[rows, high]) / 2, fallback)
    return out
