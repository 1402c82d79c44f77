"""What a point forecast may know at an instant: levels of the last hour, day and week, and the time of day.

All features are *as of*: the value used for a step `lead` ahead of an origin was known at that origin. The seasonal
profile is an exponentially weighted mean over days for each slot of the day, updated once a day, so its value for a
future step needs no sample later than one day before that step; one pass therefore serves every past origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler_profiling.layout import Ints
from descheduler_profiling.series import Floats

NAMES = ("season", "season_now", "hour", "day")
SMOOTH = 7  # slots over which a day's usage is averaged before it enters the seasonal profile


@dataclass(frozen=True, slots=True)
class Features:
    """Columns are time: `season` [S, T + H] reaches into the future; the levels [S, T] end at the last column."""

    season: Floats
    season_now: Floats  # mean of `season` over the last hour
    hour: Floats
    day: Floats
    week: Floats
    seen: Floats  # [S, T] samples measured so far

    def at(self, origins: Ints, targets: Ints) -> tuple[Floats, Floats]:
        """Features [S, N, 4] (centred on the week's level) and that level [S, N] for (origin, target) columns."""
        week = self.week[:, origins]
        columns = (
            self.season[:, targets] - week,
            self.season_now[:, origins] - week,
            self.hour[:, origins] - week,
            self.day[:, origins] - week,
        )
        return np.stack(columns, axis=-1), week


def features(values: Floats, step: int, ahead: int, half_life: int) -> Features:
    """Features of cleaned values [S, T] for forecasts up to `ahead` steps, at most a day's worth of them."""
    per_hour = max(1, 3600 // step)
    per_day = max(1, 86400 // step)
    known = np.isfinite(values)
    sums = _running(np.where(known, values, np.float32(0)))
    counts = _running(known.astype(np.float32))
    week = _window(sums, counts, 7 * per_day, None)
    day = _window(sums, counts, per_day, week)
    hour = _window(sums, counts, per_hour, day)
    season = _season(values, known, per_day, ahead, half_life / 86400.0)
    # Before a slot was ever seen, the time of day says nothing: the level of the day stands in.
    last = day[:, -1:] if day.shape[1] else np.zeros((values.shape[0], 1), np.float32)
    fallback = np.concatenate([day, np.broadcast_to(last, (values.shape[0], ahead))], axis=1)
    season = np.where(np.isnan(season), fallback, season)
    now = _mean(season[:, : values.shape[1]], per_hour)
    return Features(season, now, hour, day, week, counts[:, 1:])


def _running(values: Floats) -> NDArray[np.float64]:
    """Cumulative sums [S, T + 1] starting at 0; in double precision, as differences of them are taken."""
    out = np.zeros((values.shape[0], values.shape[1] + 1), np.float64)
    np.cumsum(values, axis=1, out=out[:, 1:])
    return out


def _window(sums: NDArray[np.float64], counts: NDArray[np.float64], width: int, fallback: Floats | None) -> Floats:
    """Mean of the measured samples of the last `width` columns; where none: the fallback, or 0."""
    width = min(width, sums.shape[1] - 1)
    total, count = sums[:, 1:].copy(), counts[:, 1:].copy()
    if width:
        total[:, width:] -= sums[:, 1:-width]
        count[:, width:] -= counts[:, 1:-width]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (total / count).astype(np.float32)
    return np.where(count > 0.5, mean, np.float32(0) if fallback is None else fallback)


def _mean(values: Floats, width: int) -> Floats:
    """Trailing mean of gapless values [S, T]."""
    sums = _running(values)
    counts = np.arange(sums.shape[1], dtype=np.float64)[None, :]
    return _window(sums, np.broadcast_to(counts, sums.shape), width, None)


def _season(values: Floats, known: NDArray[np.bool_], per_day: int, ahead: int, half_life_days: float) -> Floats:
    """Seasonal forecast [S, T + ahead]: for each column the profile as it stood one day before it."""
    rows, columns = values.shape
    smooth = _smooth(values, known, max(1, min(SMOOTH, per_day // 12)))
    days = -(-columns // per_day)
    lead_in = days * per_day - columns
    padded = np.full((rows, days * per_day), np.nan, np.float32)
    padded[:, lead_in:] = smooth
    forecast = np.full((rows, (days + 1) * per_day), np.nan, np.float32)
    rate = np.float32(1.0 - 0.5 ** (1.0 / max(half_life_days, 0.1)))
    profile = np.full((rows, per_day), np.nan, np.float32)
    age = np.zeros((rows, per_day), np.float32)
    for day in range(days):
        part = padded[:, day * per_day : (day + 1) * per_day]
        seen = np.isfinite(part)
        age += seen
        # A plain mean while few days are known, exponential afterwards: no day is over-weighted at the start.
        gain = np.maximum(rate, np.float32(1) / np.maximum(age, 1))
        updated = np.where(np.isnan(profile), part, profile + gain * (part - profile))
        profile = np.where(seen, updated, profile)
        forecast[:, (day + 1) * per_day : (day + 2) * per_day] = profile
    return forecast[:, lead_in : lead_in + columns + ahead]


def _smooth(values: Floats, known: NDArray[np.bool_], width: int) -> Floats:
    """Centred mean over `width` columns of what is measured, NaN where nothing is."""
    half = width // 2
    if half == 0:
        return values
    sums = _running(np.where(known, values, np.float32(0)))
    counts = _running(known.astype(np.float32))
    right = np.minimum(np.arange(values.shape[1]) + half + 1, values.shape[1])
    left = np.maximum(np.arange(values.shape[1]) - half, 0)
    count = counts[:, right] - counts[:, left]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0.5, (sums[:, right] - sums[:, left]) / count, np.nan).astype(np.float32)
