"""Peaks: the largest usage within the next hour and the next day, as forecasts of their own.

A step's p95 is exceeded a dozen times a day; a day's peak is one number a day, and one week holds seven of them: no
method can promise its p95 from one workload alone. So the forecast is a rule fitted over many workloads together, in
units of their means: a pooled quantile regression (Koenker and Bassett 1978) on one half of the benchmark's series,
aimed a little above 0.95, as coverage on other series is lower than on those it was fitted to. Levels weigh 1.03
together, so a constant stays what it is; the rest are heights above the mean and deviations, which a constant has not.
"""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler_profiling.settings import DAY, HOUR

HOUR_LEVELS = {
    "largest of an hour": 0.14,
    "mean of an hour": 0.11,
    "largest of six hours": 0.15,
    "p95": 0.115,
    "p99": 0.515,
}
HOUR_ABOVE = {"p95": 0.31, "largest of six hours": 0.20}  # of their height above the mean
DAY_LEVELS = {"median of days": 0.53, "mean of days": 0.50}
DAY_ABOVE = {"median of days": 0.251, "last day": 0.66}  # of their height above the mean
DAY_DEVIATION = 0.69  # of the standard deviation of daily peaks
DAY_SPREAD = 0.3  # of the standard deviation of all that was measured
DAYS = 7
CEILING = 1.3  # times the largest ever, and
APART = 6.0  # times how far the largest days are apart: what may be believed of the next one
PEAK_LEVELS = (0.95, 0.99)  # quantiles that the next hour's peak is made of


def peaks(values: Floats32, tops: Floats32, step: int) -> Floats32:
    """[S, 2]: what the largest usage of the next hour and of the next day stays under, 95 times of 100.

    From cleaned values [S, T] and the highest forecasts within the next hour at PEAK_LEVELS [2, S]; 0 for a row without
    samples.
    """
    rows, (p95, p99) = values.shape[0], tops
    if values.shape[1] == 0:
        return np.zeros((rows, 2), np.float32)
    hour, per_day = max(1, HOUR // step), max(1, DAY // step)
    mean = _mean(values)
    largest = _largest(values[:, -6 * hour :])
    near = (
        HOUR_LEVELS["largest of an hour"] * _largest(values[:, -hour:])
        + HOUR_LEVELS["mean of an hour"] * _mean(values[:, -hour:])
        + HOUR_LEVELS["largest of six hours"] * largest
        + HOUR_LEVELS["p95"] * p95
        + HOUR_LEVELS["p99"] * p99
        + HOUR_ABOVE["p95"] * np.maximum(p95 - mean, 0)
        + HOUR_ABOVE["largest of six hours"] * np.maximum(largest - mean, 0)
    )
    days = _days(values, per_day)
    mean_day = _mean(days[:, :DAYS])
    usual = _median(days[:, :DAYS], mean_day)
    deviation = np.sqrt(_mean((days - _mean(days)[:, None]) ** 2))
    far = (
        DAY_LEVELS["median of days"] * usual
        + DAY_LEVELS["mean of days"] * mean_day
        + DAY_ABOVE["median of days"] * np.maximum(usual - mean, 0)
        + DAY_ABOVE["last day"] * np.maximum(_largest(values[:, -per_day:]) - mean, 0)
        + DAY_DEVIATION * deviation
        + DAY_SPREAD * np.sqrt(_mean((values - mean[:, None]) ** 2))
    )
    both = np.stack([near, np.maximum(near, far)], axis=1)
    return np.asarray(np.minimum(both, _believable(days)[:, None]), np.float32)


def _believable(days: Floats32) -> Floats32:
    """What no peak is said to pass [S], from the largest of days [S, days]; the rule adds heights to levels.

    Days that reach the same height again and again have a ceiling; others may be passed by as much as they differ.
    """
    ordered = np.sort(np.where(np.isfinite(days), days, np.float32(0)), axis=1)[:, ::-1]
    largest, third = ordered[:, 0], ordered[:, min(2, days.shape[1] - 1)]
    if days.shape[1] < 3:
        return np.full(len(days), np.inf, np.float32)
    out: Floats32 = np.maximum(CEILING * largest, largest + APART * (largest - third))
    return out


def _largest(values: Floats32) -> Floats32:
    """Largest measured value [S], 0 where there is none."""
    out: Floats32 = np.where(np.isfinite(values), values, np.float32(0)).max(axis=1)
    return out


def _mean(values: Floats32) -> Floats32:
    """Mean [S] of what is measured, 0 where nothing is."""
    known = np.isfinite(values)
    total = np.where(known, values, np.float32(0)).sum(axis=1)
    out: Floats32 = total / np.maximum(known.sum(axis=1), 1)
    return out


def _days(values: Floats32, per_day: int) -> Floats32:
    """[S, days]: the largest of each 24 hours counted back from the end, newest first, NaN where unmeasured."""
    days = max(1, values.shape[1] // per_day)
    tail = values[:, -days * per_day :]
    filled = np.where(np.isfinite(tail), tail, np.float32(-1)).reshape(len(tail), days, -1).max(axis=2)[:, ::-1]
    out: Floats32 = np.where(filled < 0, np.float32(np.nan), filled)
    return out


def _median(days: Floats32, fallback: Floats32) -> Floats32:
    """Median [S] of what is known; the fallback for a row where nothing is."""
    ordered = np.sort(days, axis=1)
    count = np.isfinite(days).sum(axis=1)
    rows = np.arange(len(days))
    low, high = np.maximum((count - 1) // 2, 0), np.minimum(count // 2, days.shape[1] - 1)
    out: Floats32 = np.where(count > 0, (ordered[rows, low] + ordered[rows, high]) / 2, fallback)
    return out
