"""The rhythm of a workload: after how long it does again what it did.

Many repeat themselves in a time that is no day: a loop that works for five minutes and rests for an hour begins a
little later every time, and no profile by time of day knows it. So the two lags are looked for at which a row is most
like itself (the highest of its autocorrelation). They are a day at least, so that the day ahead is known from what was.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from descheduler.model.arrays import Floats32, Ints

LONGEST = 2.5  # days
LAGS = 2


def rhythms(values: Floats32, first: Ints, per_day: int) -> Ints:
    """Lags [S, 2] in columns of gapless values [S, T] that were measured from `first` [S] on, the best one first.

    A day where the history is too short for more.
    """
    rows, columns = values.shape
    last = min(round(LONGEST * per_day), columns // 2)
    found = np.full((rows, LAGS), per_day, np.int64)
    if last < per_day + LAGS:
        return found
    likeness = _likeness(values, first, per_day, last)
    near = max(1, per_day // 72)
    every = np.arange(likeness.shape[1])
    for index in range(LAGS):
        best = likeness.argmax(axis=1)
        found[:, index] += best
        likeness[np.abs(every[None, :] - best[:, None]) <= near] = -np.inf
    return found


def repeated(values: Floats32, lags: Ints, ahead: int) -> Floats32:
    """[S, T + ahead]: the largest of the values [S, T] so many columns before; the first value where there are none."""
    rows, columns = values.shape
    at = np.arange(columns + ahead)[None, :]
    out = np.full((rows, columns + ahead), -np.inf, np.float32)
    for lag in lags.T:
        before = np.clip(at - lag[:, None], 0, columns - 1)
        np.maximum(out, np.take_along_axis(values, before, axis=1), out=out)
    return out


def _likeness(values: Floats32, first: Ints, shortest: int, last: int) -> Floats32:
    """Correlation [S, last - shortest] of each row with itself so many columns before, by Wiener and Khinchin."""
    columns = values.shape[1]
    known = np.arange(columns)[None, :] >= first[:, None]
    mean = np.where(known, values, 0).sum(axis=1) / np.maximum(columns - first, 1)
    apart = np.where(known, values - mean[:, None], 0).astype(np.float32)
    length = fft.next_fast_len(columns + last, real=True)
    waves = fft.rfft(apart, length, axis=1)
    products = fft.irfft(waves.real**2 + waves.imag**2, length, axis=1)[:, shortest:last]
    energy = np.cumsum(apart.astype(np.float64) ** 2, axis=1)
    lags = np.arange(shortest, last)
    before, after = energy[:, columns - 1 - lags], energy[:, -1:] - energy[:, lags - 1]
    size = np.sqrt(before * after)
    return np.where(size > 0, products / np.maximum(size, 1e-30), 0).astype(np.float32)
