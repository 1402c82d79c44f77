"""What is expected of a time: what was at that time of the day, or of the week where a week shows.

Two weeks show what a weekday has of its own (a batch that runs on Thursdays). One week shows no more than that some
days were unlike others; where these were a Saturday and a Sunday in some time zone, the next ones are taken to be like
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats32, Ints, Mask
from descheduler_profiling.seasons import gain_of, seasonal
from descheduler_profiling.settings import DAY, HOUR, ONE_WEEK, TWO_WEEKS, WEEK
from descheduler_profiling.shifts import lately, reach, since_then

HALF_LIFE_WEEKS = 3.0
BETTER = 0.8  # of the error that a day's season made in the last week: what is more complicated must be that good
UNLIKE = 0.7  # of the working days' busy hours: what weekends stay below, or the other way round
BUSY = 0.9  # share of a day that is less busy than its busy hours
ZONES = range(-12, 13, 2)  # hours from UTC that are tried
SATURDAY = 2 * DAY  # unix seconds of the first midnight of one


@dataclass(frozen=True, slots=True)
class Expected:
    """Seasons [S, T + H] of gapless values [S, T]; which rows [S] have more than a day's, and which have been moved of
    late; from which column on [S] they can be judged; and columns [S, T] that had no like before them, None where there
    are none."""

    season: Floats32
    of_week: Mask
    moved: Mask
    first: Ints
    unlike: Mask | None


def expected(filled: Floats32, first: Ints, step: int, half_life: float, end: int) -> Expected:
    """The seasons of gapless values [S, T] known from the columns `first` [S] on and ending at `end` (unix seconds);
    `half_life` in days."""
    per_day = max(1, DAY // step)
    most, columns = reach(per_day), filled.shape[1]
    out = seasonal(filled, first, per_day, per_day, half_life, most)
    of_week, seen = np.zeros(len(filled), np.bool_), first.copy()
    week, unlike = 7 * per_day, None
    days = (columns - first) / per_day
    old = np.flatnonzero(days >= TWO_WEEKS)
    if old.size:
        by_week = seasonal(filled[old], first[old], week, per_day, HALF_LIFE_WEEKS, most)
        last = slice(max(columns - week, week), columns)
        better = _off(filled[old], by_week, last) < BETTER * _off(filled[old], out[old], last)
        rows = old[better]
        out[rows], of_week[rows] = by_week[better], True
        seen[rows] += 6 * per_day
    young = np.flatnonzero((days >= ONE_WEEK) & (days < TWO_WEEKS))
    young = young[_breaks(filled[young, -week:], step, end)] if young.size else young
    if young.size:
        by_kind, new = _by_kind_of_day(filled[young], step, half_life, end)
        last = slice(per_day, columns)
        known = ~new[:, last]
        error = _off(filled[young], by_kind, last, known)
        better = error < BETTER * _off(filled[young], out[young], last, known)
        rows = young[better]
        out[rows], of_week[rows] = by_kind[better], True
        unlike = np.zeros(filled.shape, np.bool_)
        unlike[rows] = new[better]
    by, since = lately(filled, out, per_day)
    return Expected(since_then(out, columns, by, since), of_week, by != 0, seen, unlike)


def _off(filled: Floats32, season: Floats32, part: slice, known: Mask | None = None) -> Floats32:
    """Mean absolute error [S] of a season in a part of the columns, where it is known."""
    error = np.abs(filled[:, part] - season[:, part])
    if known is None:
        return np.asarray(error.mean(axis=1))
    return np.asarray((error * known).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _weekend(columns: int, step: int, last: int, zone: int) -> Mask:
    """Which of so many columns, the last of which ends at `last` (unix seconds), are of a weekend in a zone (hours)."""
    began = last - step * np.arange(columns, 0, -1) + zone * HOUR
    return np.asarray((began - SATURDAY) % WEEK < 2 * DAY)


def _breaks(week: Floats32, step: int, end: int) -> Mask:
    """Rows [S] of a week's values [S, W] whose busy hours are of another size at weekends than on any working day."""
    per_day = DAY // step
    began = end - step * np.arange(week.shape[1], 0, -1)
    day = ((began - SATURDAY) // DAY % 7).astype(np.int64)
    busy = np.full((len(week), 7), np.nan, np.float32)
    for of_week in range(7):
        there = day == of_week
        if there.sum() >= per_day // 2:
            hours, at = week[:, there], int(BUSY * there.sum())
            busy[:, of_week] = np.partition(hours, at, axis=1)[:, at]
    weekend, working = busy[:, :2], busy[:, 2:]
    with np.errstate(invalid="ignore"):
        lower = np.fmax.reduce(weekend, axis=1) < UNLIKE * np.fmin.reduce(working, axis=1)
        higher = np.fmax.reduce(working, axis=1) < UNLIKE * np.fmin.reduce(weekend, axis=1)
    return np.asarray(lower | higher)


def _by_kind_of_day(filled: Floats32, step: int, half_life: float, end: int) -> tuple[Floats32, Mask]:
    """Seasons [S, T + H] that tell working days from weekends, in the zone that explains most; and columns [S, T] whose
    kind had not been seen at that time of the day."""
    per_day, columns = DAY // step, filled.shape[1]
    best = np.full(len(filled), np.inf, np.float32)
    out = np.empty((len(filled), columns + per_day), np.float32)
    unlike = np.zeros(filled.shape, np.bool_)
    for zone in ZONES:
        weekend = _weekend(columns + per_day, step, end + per_day * step, zone)
        season, new = _two_kinds(filled, per_day, half_life, weekend)
        error = _off(filled, season, slice(per_day, columns), ~new[None, per_day:])
        better = error < best
        out[better], unlike[better], best[better] = season[better], new, error[better]
    return out, unlike


def _two_kinds(filled: Floats32, per_day: int, half_life: float, kind: Mask) -> tuple[Floats32, Mask]:
    """Seasons [S, T + H] with a profile for each `kind` [T + H] of column, and new columns [T]."""
    rows, columns = filled.shape
    out = np.empty((rows, columns + per_day), np.float32)
    new = np.zeros(columns, np.bool_)
    profiles = np.repeat(filled[:, :1], per_day, axis=1)[None].repeat(2, axis=0)
    seen = np.zeros((2, per_day), np.int64)
    begin = columns % per_day - per_day if columns % per_day else 0
    for start in range(begin, columns + per_day, per_day):
        at = np.arange(max(start, 0), min(start + per_day, columns + per_day))
        phase, of_kind = at - start, kind[at].astype(np.int64)
        there = seen[of_kind, phase] > 0
        use = np.where(there, of_kind, 1 - of_kind)  # of the other kind where this one was never seen
        out[:, at] = profiles[use, :, phase].T
        past = at < columns
        new[at[past]] = ~there[past]
        if not past.any():
            continue
        phase, of_kind, at = phase[past], of_kind[past], at[past]
        count = seen[of_kind, phase] + 1
        gain = gain_of(count.astype(np.float64), half_life)
        mine = profiles[of_kind, :, phase].T
        profiles[of_kind, :, phase] = (mine + gain * (filled[:, at] - mine)).T
        seen[of_kind, phase] = count
    return out, new
