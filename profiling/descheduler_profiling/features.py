"""What a forecast may know at an instant: levels of the last hour, day and week, and the time of day.

All features are *as of*: the value used for a step `lead` ahead of an origin was known at that origin. A seasonal
profile is an exponentially weighted mean over days for each slot of the day, updated once a day, so its value for a
future step needs no sample later than one day before that step; one pass therefore serves every past origin.

Gaps are filled with the last measured value for these features only; samples and errors are never taken from a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints
from descheduler_profiling.settings import DAY, HOUR

NAMES = ("season", "exact", "season_now", "hour", "day")
SMOOTH = 7  # slots over which a day's usage is averaged before it enters the seasonal profile


@dataclass(frozen=True, slots=True)
class Features:
    """Columns are time: `season` and `exact` [S, T + H] reach into the future; the others [S, T] do not."""

    season: Floats32
    exact: Floats32  # the same without smoothing: what starts on the minute
    season_now: Floats32  # mean of `season` over the last hour
    hour: Floats32
    day: Floats32
    week: Floats32
    first: Ints  # [S] first measured column (T where none)
    filled: Floats32  # values without gaps

    def at(self, origins: Ints, targets: Ints) -> tuple[Floats32, Floats32]:
        """Features [S, N, F] (centred on the week's level) and that level [S, N] for (origin, target) columns."""
        week = self.week.take(origins, axis=1)
        out = np.empty((*week.shape, len(NAMES)), np.float32)
        for column, (values, at) in enumerate(
            (
                (self.season, targets),
                (self.exact, targets),
                (self.season_now, origins),
                (self.hour, origins),
                (self.day, origins),
            )
        ):
            np.subtract(values.take(at, axis=1), week, out=out[..., column])
        return out, week


def features(values: Floats32, step: int, ahead: int, half_life: float) -> Features:
    """Features of cleaned values [S, T] for forecasts up to `ahead` steps, at most a day's worth of them.

    `half_life` of the seasonal profile in seconds.
    """
    per_hour, per_day = max(1, HOUR // step), max(1, DAY // step)
    filled, first = fill(values)
    smooth = centred(filled, max(1, min(SMOOTH, per_day // 12)))
    season = seasonal(smooth, first, per_day, ahead, half_life / DAY)
    sums = running(filled)
    return Features(
        season=season,
        exact=seasonal(filled, first, per_day, ahead, half_life / DAY),
        season_now=trailing(running(season[:, : values.shape[1]]), per_hour),
        hour=trailing(sums, per_hour),
        day=trailing(sums, per_day),
        week=trailing(sums, 7 * per_day),
        first=first,
        filled=filled,
    )


def fill(values: Floats32) -> tuple[Floats32, Ints]:
    """Values [S, T] with every gap closed by the last value before it (the first ever, at the start; else 0)."""
    rows, columns = values.shape
    gap = np.isnan(values)
    first = np.zeros(rows, np.int64)
    torn = np.flatnonzero(gap.any(axis=1))
    if torn.size == 0 or columns == 0:
        return values, first
    gap = gap[torn]
    known = ~gap
    start = np.where(known.any(axis=1), known.argmax(axis=1), columns)
    source = np.where(gap, 0, np.arange(columns)[None, :])
    np.maximum.accumulate(source, axis=1, out=source)
    source = np.maximum(source, np.minimum(start, columns - 1)[:, None])
    out = values.copy()
    out[torn] = np.nan_to_num(np.take_along_axis(values[torn], source, axis=1), nan=0.0)
    first[torn] = start
    return out, first


def running(values: Floats32) -> NDArray[np.float64]:
    """Cumulative sums [S, T + 1] starting at 0; in double precision, as differences of them are taken."""
    out = np.zeros((values.shape[0], values.shape[1] + 1), np.float64)
    np.cumsum(values, axis=1, out=out[:, 1:])
    return out


def trailing(sums: NDArray[np.float64], width: int) -> Floats32:
    """Mean [S, T] of the last `width` columns (fewer at the start), from `running` sums of gapless values."""
    columns = sums.shape[1] - 1
    out = np.empty((sums.shape[0], columns), np.float32)
    head = min(width, columns)
    out[:, :head] = sums[:, 1 : head + 1] / np.arange(1, head + 1)
    np.divide(sums[:, width + 1 :] - sums[:, 1:-width], width, out=out[:, width:], casting="same_kind")
    return out


def centred(values: Floats32, width: int) -> Floats32:
    """Centred mean over `width` columns of gapless values [S, T], narrower at the ends."""
    half, columns = width // 2, values.shape[1]
    if half == 0 or columns == 0:
        return values
    sums = running(values)
    right = np.minimum(np.arange(columns) + half + 1, columns)
    left = np.maximum(np.arange(columns) - half, 0)
    out: Floats32 = ((sums[:, right] - sums[:, left]) / (right - left)).astype(np.float32)
    return out


def seasonal(values: Floats32, first: Ints, per_day: int, ahead: int, half_life_days: float) -> Floats32:
    """Seasonal forecast [S, T + ahead] of gapless values: for each column the profile as it stood a day before it.

    A plain mean while few days are known, exponential afterwards, so that no day is over-weighted at the start; during
    the first day, where nothing is known, the first value.
    """
    rows, columns = values.shape
    days = -(-columns // per_day)
    lead_in = days * per_day - columns
    padded = values
    if lead_in:
        padded = np.concatenate([np.broadcast_to(values[:, :1], (rows, lead_in)), values], axis=1)
    forecast = np.empty((rows, (days + 1) * per_day), np.float32)
    profile = forecast[:, :per_day]
    profile[:] = padded[:, :1]
    rate = 1.0 - 0.5 ** (1.0 / max(half_life_days, 0.1))
    for day in range(days):
        part = padded[:, day * per_day : (day + 1) * per_day]
        # Days since the row was first measured, counting this one.
        age = np.maximum(((day + 1) * per_day - lead_in - first) / per_day, 1.0)
        gain = np.maximum(rate, 1.0 / age).astype(np.float32)[:, None]
        following = forecast[:, (day + 1) * per_day : (day + 2) * per_day]
        np.subtract(part, profile, out=following)
        following *= gain
        following += profile
        profile = following
    return forecast[:, lead_in : lead_in + columns + ahead]
