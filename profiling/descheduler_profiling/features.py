"""What a forecast may know at an instant: levels from the last minutes to the last week, and the time of day.

All features are *as of*: the value used for a step `lead` ahead of an origin was known at that origin. Gaps are filled
with the last measured value for these features only; samples and errors are never taken from a gap.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints, Mask
from descheduler_profiling.rhythm import in_rhythm, repeated, rhythms, spread
from descheduler_profiling.seasons import Seasons, around_the_end, smoothing
from descheduler_profiling.settings import DAY, HOUR, WEEK
from descheduler_profiling.weeks import expected
from descheduler_profiling.windows import centred, running, trailing, trailing_at

OF_TARGETS = ("season", "exact")
LEVELS = {"recent": 900, "three quarters": 2700, "hour": HOUR, "three hours": 3 * HOUR, "day": DAY}
"""Means of the last so many seconds. Three quarters of an hour beside the whole tell what was an hour ago: jobs that
start every hour. Picked, as all constants here, on one half of the benchmark's series."""
OF_ORIGINS = ("season_now", *LEVELS)
NAMES = (*OF_TARGETS, *OF_ORIGINS)


@dataclass(frozen=True, slots=True)
class Features:
    """The features at every column of a history; `season` and `exact` [S, T + H] reach into the future."""

    step: int
    season: Floats32
    exact: Floats32  # the same without smoothing: what starts on the minute
    first: Ints  # [S] first measured column (T where none)
    filled: Floats32  # [S, T] values without gaps
    sums: NDArray[np.float64]  # [S, T + 1] of them
    season_sums: NDArray[np.float64]
    envelope: Floats32  # [S, T] the largest of each column and its neighbours
    lags: Ints  # [S, 2] after so many columns a row does again what it did (rhythm.py)
    rhythm: Floats32  # [S, T + H] the largest of the envelope so many columns before
    own: Mask  # [S] whether that is the season
    of_week: Mask  # [S] whether the season is one of the week
    moved: Mask  # [S] whether it comes earlier or later than it did
    unlike: Mask | None  # [S, T] what had no like before it, so that nobody could expect it

    def at(self, origins: Ints, targets: Ints) -> tuple[Floats32, Floats32]:
        """Features [S, F, N] (centred on the week's level) and that level [S, N] for (origin, target) columns."""
        distinct, index = np.unique(origins, return_inverse=True)
        week = trailing_at(self.sums, columns_of(WEEK, self.step), distinct)
        known = np.empty((len(week), len(OF_ORIGINS), len(distinct)), np.float32)
        known[:, 0] = trailing_at(self.season_sums, columns_of(HOUR, self.step), distinct)
        for at, seconds in enumerate(LEVELS.values(), 1):
            known[:, at] = trailing_at(self.sums, columns_of(seconds, self.step), distinct)
        known -= week[:, None]
        level = week.take(index, axis=1)
        out = np.empty((len(level), len(NAMES), len(origins)), np.float32)
        out[:, 0] = self.season.take(targets, axis=1) - level
        out[:, 1] = self.exact.take(targets, axis=1) - level
        known.take(index, axis=2, out=out[:, len(OF_TARGETS) :], mode="clip")
        return out, level

    def put(self, rows: Ints, of_rows: Features) -> Features:
        """The same with other features of some rows [R]; but for `filled`, its own arrays are changed in place."""
        made = replace(self, filled=self.filled.copy())
        for name in (each.name for each in fields(self) if each.name not in ("step", "unlike")):
            getattr(made, name)[rows] = getattr(of_rows, name)
        if self.unlike is None and of_rows.unlike is None:
            return made
        unlike = np.zeros(made.filled.shape, np.bool_) if self.unlike is None else self.unlike
        unlike[rows] = False if of_rows.unlike is None else of_rows.unlike
        return replace(made, unlike=unlike)

    def mean(self, seconds: int) -> Floats32:
        """Mean [S, T] of the last so many seconds, at every column."""
        return trailing(self.sums, columns_of(seconds, self.step))


@dataclass(frozen=True, slots=True)
class Latest:
    """The features at the end of a history: `season` and `exact` [S, H] of the day to come, `of_origin` [S, O] by
    OF_ORIGINS, and the level `week` [S] that all are relative to."""

    season: Floats32
    exact: Floats32
    of_origin: Floats32
    week: Floats32

    @property
    def hour(self) -> Floats32:
        """Mean [S] of the last hour."""
        return self.of_origin[:, OF_ORIGINS.index("hour")]

    def forecast(self, leads: Ints, coefficients: Floats32) -> Floats32:
        """Forecasts [S, P] of the steps so far ahead [P], with coefficients [S, F]."""
        targets, origin = coefficients[:, : len(OF_TARGETS)], coefficients[:, len(OF_TARGETS) :]
        level = self.week * (1 - targets.sum(axis=1))
        level += np.einsum("so,so->s", self.of_origin - self.week[:, None], origin)
        out: Floats32 = self.season.take(leads - 1, axis=1) * targets[:, :1]
        out += self.exact.take(leads - 1, axis=1) * targets[:, 1:]
        out += level[:, None]
        return out


def columns_of(seconds: int, step: int) -> int:
    """So many columns are so many seconds; one at least."""
    return max(1, seconds // step)


def features(values: Floats32, step: int, half_life: float, end: int) -> Features:
    """Features of cleaned values [S, T] that end at `end` (unix seconds) for forecasts up to a day ahead; `half_life`
    of the season in seconds."""
    per_day = columns_of(DAY, step)
    filled, first = fill(values)
    found = expected(filled, first, step, half_life / DAY, end)
    lags, envelope = rhythms(filled, first, per_day), spread(filled)
    rhythm = repeated(envelope, lags, per_day)
    own = in_rhythm(found.season, filled, first, lags) & ~found.of_week
    exact = np.where(own[:, None], rhythm, found.season)
    season = centred(exact, smoothing(per_day))
    sums = running(filled), running(season[:, : values.shape[1]])
    return Features(
        step,
        season,
        exact,
        found.first,
        filled,
        *sums,
        envelope,
        lags,
        rhythm,
        own,
        found.of_week,
        found.moved,
        found.unlike,
    )


def seasons_of(made: Features, half_life: float) -> Seasons:
    """The seasonal forecasts that stand at the end of a history; `half_life` in seconds."""
    lags = np.where(made.own[:, None], made.lags, 0)
    return around_the_end(made.exact, made.first, made.of_week, lags, made.step, half_life / DAY)


def latest(filled: Floats32, seasons: Seasons, step: int) -> Latest:
    """The features at the end of gapless values [S, T]."""
    *levels, week = (filled[:, -columns_of(seconds, step) :].mean(axis=1) for seconds in (*LEVELS.values(), WEEK))
    season, past = centred(seasons.forecast, smoothing(seasons.per_day)), seasons.past
    now = season[:, max(0, past - columns_of(HOUR, step)) : past].mean(axis=1)
    return Latest(season[:, past:], seasons.forecast[:, past:], np.stack([now, *levels], axis=1), week)


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
    out = values.copy()
    for row, end in zip(torn.tolist(), start.tolist(), strict=True):
        out[row, :end] = out[row, end] if end < columns else 0
    inside = np.flatnonzero(gap.sum(axis=1) > start)  # most rows lack nothing but their beginning
    if inside.size:
        source = np.where(gap[inside], 0, np.arange(columns)[None, :])
        np.maximum.accumulate(source, axis=1, out=source)
        source = np.maximum(source, start[inside][:, None])
        out[torn[inside]] = np.take_along_axis(values[torn[inside]], source, axis=1)
    first[torn] = start
    return out, first
