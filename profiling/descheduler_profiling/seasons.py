"""Seasonal profiles: for each slot of the day an exponentially weighted mean over days.

A profile is updated once a day, so its value for a future step needs no sample later than one day before that step:
one pass over a history serves every past origin, and a new sample changes one slot of the day after it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints, Mask
from descheduler_profiling.settings import DAY, HOUR
from descheduler_profiling.shifts import moved, of_periods

SMOOTH = 7  # columns over which a seasonal forecast is averaged where it need not be to the minute


@dataclass(frozen=True, slots=True)
class Seasons:
    """Seasonal forecasts around the end of a history: E columns up to it, and the H of the day after.

    `forecast` [S, E + H], to the minute; `gain` [S] is what a new day weighs. E is an hour and what smoothing takes, or
    the whole history where that is less.
    """

    forecast: Floats32
    gain: Floats32
    per_day: int  # H

    @property
    def past(self) -> int:
        """E."""
        return int(self.forecast.shape[1]) - self.per_day

    def later(self, filled: Floats32, new: int) -> Seasons:
        """The same at the end of gapless values [S, T] whose last `new` columns, half a day's at most, came since."""
        rows, width = self.forecast.shape
        out = np.empty((rows, width + new), np.float32)
        out[:, :width] = self.forecast
        was = out[:, self.past : self.past + new]
        out[:, width:] = was + self.gain[:, None] * (filled[:, filled.shape[1] - new :] - was)
        return replace(self, forecast=out[:, new:])


def smoothing(per_day: int) -> int:
    """Columns over which a seasonal forecast is smoothed: never more than an hour to either side."""
    return max(1, min(SMOOTH, per_day // 12))


def kept(step: int, columns: int) -> int:
    """E for a history of so many columns."""
    return min(max(1, HOUR // step) + smoothing(max(1, DAY // step)) // 2, columns)


def around_the_end(forecast: Floats32, first: Ints, of_week: Mask, step: int, half_life: float) -> Seasons:
    """What to keep of seasonal forecasts [S, T + H]; `first` [S] as in Features, `half_life` in days.

    A day says nothing of the next where a week is known.
    """
    per_day = max(1, DAY // step)
    columns = forecast.shape[1] - per_day
    gain = np.where(of_week, np.float32(0), gain_of((columns - first) / per_day, half_life))
    return Seasons(forecast[:, columns - kept(step, columns) :].copy(), gain, per_day)


def gain_of(days: NDArray[np.float64], half_life_days: float) -> Floats32:
    """What one day weighs [S] after so many, itself included.

    A plain mean while few days are known, exponential afterwards, so that no day is over-weighted at the start.
    """
    rate = 1.0 - 0.5 ** (1.0 / max(half_life_days, 0.1))
    return np.asarray(np.maximum(rate, 1.0 / np.maximum(days, 1.0)), np.float32)


def seasonal(values: Floats32, first: Ints, per_day: int, ahead: int, half_life_days: float, most: int = 0) -> Floats32:
    """Seasonal forecast [S, T + ahead] of gapless values: for each column the profile as it stood a day before it.

    During the first day, where nothing is known, it is the first value. A day that came earlier or later than the
    profile, by `most` columns, moves it. With a week's columns in place of `per_day` and the half-life in weeks, all of
    it holds for weeks.
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
    known = np.zeros(rows, np.bool_)
    for day in range(days):
        part = padded[:, day * per_day : (day + 1) * per_day]
        gain = gain_of(((day + 1) * per_day - lead_in - first) / per_day, half_life_days)[:, None]
        if day and most:
            by, known = of_periods(part, profile, most, known)
            profile = moved(profile, by)
            # What is learned from that day is what the pattern is like at its new time.
            forecast[:, day * per_day : (day + 1) * per_day] = profile
        following = forecast[:, (day + 1) * per_day : (day + 2) * per_day]
        np.subtract(part, profile, out=following)
        following *= gain
        following += profile
        profile = following
    return forecast[:, lead_in : lead_in + columns + ahead]
