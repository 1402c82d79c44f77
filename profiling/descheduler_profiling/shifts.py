"""Load that comes earlier or later than it used to: clocks that changed, a cron that was moved.

What comes an hour early is not added to what is still expected: the expected pattern is moved. A shift is taken for one
where it explains most of what the pattern leaves unexplained; load that is merely new moves no pattern.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints, Mask
from descheduler_profiling.settings import DAY, HOUR

REACH = 3 * HOUR // 2  # seconds: clocks change by one hour
ABNORMAL = 0.1  # errors below this share of the pattern's variance need no explanation
HOLDS = 0.5  # a pattern holds while its errors are below this share of its variance
EXPLAINED = 0.35  # share of the errors that may be left
WINDOWS = (5400, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY)
"""Seconds: since when the load may have been shifted."""
UNUSUAL = 4.0  # times the squared error of a usual day
EVIDENCE = 3.0  # columns that are off by a quarter of what the pattern moves in a day


def reach(per_day: int) -> int:
    """Columns that a pattern may be shifted by."""
    return REACH * per_day // DAY


def of_periods(actual: Floats32, expected: Floats32, most: int, known: Mask) -> tuple[Ints, Mask]:
    """By how many columns [S], `most` at most, whole periods [S, N] came earlier than expected; below 0: later.

    Only patterns that were `known` [S] to hold are moved; also, whether they do now. Levels apart; both are taken to go
    round, so that all shifts are compared at the price of one.
    """
    out = np.zeros(len(actual), np.int64)
    a = actual - actual.mean(axis=1, keepdims=True)
    x = expected - expected.mean(axis=1, keepdims=True)
    columns = actual.shape[1]
    spread = np.einsum("sn,sn->s", x, x)
    error = np.einsum("sn,sn->s", a - x, a - x)
    holds = error < HOLDS * spread
    rows = np.flatnonzero(known & (error > ABNORMAL * spread))
    if not rows.size or not most or columns < 4 * most:
        return out, holds
    common = np.fft.irfft(np.fft.rfft(x[rows]) * np.conj(np.fft.rfft(a[rows])), columns, axis=1)
    shifts = np.concatenate([np.arange(0, most + 1), np.arange(-most, 0)])
    total = spread[rows] + np.einsum("sn,sn->s", a[rows], a[rows])
    left = total[:, None] - 2 * common[:, shifts]
    best = left.argmin(axis=1)
    explained = left[np.arange(len(rows)), best] < EXPLAINED * np.minimum(error, spread)[rows]
    out[rows] = np.where(explained, shifts[best], 0)
    holds[rows[explained]] = True
    return out, holds


def moved(pattern: Floats32, by: Ints) -> Floats32:
    """Patterns [S, N] that go round, `by` [S] columns earlier."""
    rows = np.flatnonzero(by)
    if not rows.size:
        return pattern
    out = pattern.copy()
    columns = pattern.shape[1]
    at = (np.arange(columns)[None, :] + by[rows][:, None]) % columns
    out[rows] = np.take_along_axis(pattern[rows], at, axis=1)
    return out


def lately(filled: Floats32, season: Floats32, per_day: int) -> tuple[Ints, Ints]:
    """Shift [S] of the last hours of gapless values [S, T] against their season [S, T + H], and since how many columns
    [S]; 0 where there is none. Of shifts that explain as much the smallest is taken: what has not come may come any
    minute."""
    rows, columns = filled.shape
    by, since = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    most = reach(per_day)
    if columns < 2 * per_day + most or not most:
        return by, since
    last = season[:, columns - per_day : columns]
    swing = last.max(axis=1) - last.min(axis=1)
    usual = _usual_error(filled, season, per_day)
    least = EVIDENCE * (swing / 4) ** 2
    best = np.zeros(rows, np.float64)
    errors = np.square(filled[:, columns - per_day :] - last)
    for seconds in WINDOWS:
        window = seconds * per_day // DAY
        now = filled[:, columns - window :]
        error = errors[:, per_day - window :].sum(axis=1)
        some = np.flatnonzero((error > UNUSUAL * usual * window) & (error > least))
        if not some.size:
            continue
        shift, left = _best(now[some], season[some], columns, most, 0.02 * error[some])
        gain = error[some] - left
        sure = (left < EXPLAINED * error[some]) & (gain > least[some]) & (gain > best[some])
        by[some[sure]], since[some[sure]], best[some[sure]] = shift[sure], window, gain[sure]
    return by, since


def _best(now: Floats32, season: Floats32, columns: int, most: int, little: Floats32) -> tuple[Ints, Floats32]:
    """The smallest shift [S] of those that leave least, give or take a `little` [S], and what it leaves."""
    window = now.shape[1]
    shifts = np.array(sorted(range(-most, most + 1), key=lambda shift: (abs(shift), shift)))
    left = np.stack(
        [np.square(now - season[:, columns - window + s : columns + s]).sum(axis=1) for s in shifts.tolist()], axis=1
    )
    first = (left <= left.min(axis=1, keepdims=True) + little[:, None]).argmax(axis=1)
    return shifts[first], left[np.arange(len(left)), first]


def _usual_error(filled: Floats32, season: Floats32, per_day: int) -> NDArray[np.float32]:
    """Squared error [S] of the season in a column of the middle one of the days that had one."""
    days = filled.shape[1] // per_day - 1
    width = days * per_day
    error = np.square(filled[:, -width:] - season[:, filled.shape[1] - width : filled.shape[1]])
    middle: NDArray[np.float32] = np.median(error.reshape(len(filled), days, per_day).mean(axis=2), axis=1)
    return middle


def since_then(season: Floats32, columns: int, by: Ints, since: Ints) -> Floats32:
    """Seasons [S, T + H] moved `by` [S] columns from so many columns before the end of their T on; in place of what
    would come from beyond the end, what comes a day before it."""
    rows = np.flatnonzero(by)
    if not rows.size:
        return season
    out, ahead = season.copy(), season.shape[1] - columns
    for row in rows.tolist():
        first = columns - int(since[row])
        at = np.arange(first, season.shape[1]) + int(by[row])
        at[at >= season.shape[1]] -= ahead
        out[row, first:] = season[row, at]
    return out
