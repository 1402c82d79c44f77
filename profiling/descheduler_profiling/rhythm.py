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
TRIED = 3  # days
BETTER = 0.7  # of the error that the season made


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


def spread(values: Floats32) -> Floats32:
    """The largest of each column [S, T] and its neighbours."""
    out = values.copy()
    np.maximum(out[:, 1:], values[:, :-1], out=out[:, 1:])
    np.maximum(out[:, :-1], values[:, 1:], out=out[:, :-1])
    return out


def repeated(values: Floats32, lags: Ints, ahead: int) -> Floats32:
    """[S, T + ahead]: the largest of the values [S, T] so many columns before; the first value where there are none."""
    rows, columns = values.shape
    out = np.full((rows, columns + ahead), -np.inf, np.float32)
    for row, some in enumerate(lags.tolist()):
        for lag in some:
            there = out[row, lag:]
            np.maximum(there, values[row, : len(there)], out=there)
    unknown = out == -np.inf
    out[unknown] = np.broadcast_to(values[:, :1], out.shape)[unknown]
    return out


def in_rhythm(season: Floats32, values: Floats32, first: Ints, lags: Ints, rhythm: Floats32) -> Floats32:
    """Seasonal forecasts [S, T + H] of gapless values [S, T], or the `rhythm` where a row has been nearer to what it
    was so many columns before."""
    columns = values.shape[1]
    per_day = season.shape[1] - columns
    lately = np.arange(max(0, columns - TRIED * per_day), columns)
    before = np.clip(lately[None, :] - lags.T[..., None], 0, columns - 1)
    repeats = np.mean([np.take_along_axis(values, at, axis=1) for at in before], axis=0)
    off, off_season = (np.abs(values[:, lately] - one).mean(axis=1) for one in (repeats, season[:, lately]))
    known = columns - first >= lags.max(axis=1) + TRIED * per_day
    return np.where((known & (off < BETTER * off_season))[:, None], rhythm, season)


def _likeness(values: Floats32, first: Ints, shortest: int, last: int) -> Floats32:
    """Correlation [S, last - shortest] of each row with itself so many columns before, by Wiener and Khinchin."""
    columns = values.shape[1]
    known = np.arange(columns)[None, :] >= first[:, None]
    mean = (values * known).sum(axis=1) / np.maximum(columns - first, 1)
    apart = (values - mean.astype(np.float32)[:, None]) * known
    length = fft.next_fast_len(columns + last, real=True)
    waves = fft.rfft(apart, length, axis=1)
    products = fft.irfft(waves.real**2 + waves.imag**2, length, axis=1)[:, shortest:last]
    energy = np.cumsum(np.square(apart), axis=1, dtype=np.float64)
    before = energy[:, columns - last : columns - shortest][:, ::-1]
    after = energy[:, -1:] - energy[:, shortest - 1 : last - 1]
    size = np.sqrt(before * after)
    return np.where(size > 0, products / np.maximum(size, 1e-30), 0).astype(np.float32)
