"""New levels: what holds since a roll-out, another limit, other replicas, and no time of the day explains.

The past is restated as it would have been at the new level, so that all that learns from it (seasons, errors, models,
peaks) speaks of the present. A workload has a new level when it has been beyond what it was at the same time of earlier
days for half an hour, and was hardly ever so before: bursts that come and go are no levels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints, Mask
from descheduler_profiling.settings import DAY
from descheduler_profiling.windows import running, trailing

HOLDS = 1800  # seconds for which a level must hold to be one
AROUND = 600  # seconds by which what a season does may come early or late
LEAST = 0.14  # change, in logarithms: by 15 %
FLOOR = 0.1  # share of the mean load that is added before logarithms are taken: there is no ratio to nothing
BEFORE = 4  # columns before it that may have been as far off; and a quarter as many as it lasts
TOWARDS_SAME_SWING = 0.04  # of the squared swing: how far the load must have swung for its swing to be known
GROWS = 0.35  # of half of the change, from the first half of its time to the second
UNUSUAL = 4.0  # times the middle one of the changes between half hours
STEEPEST = 4.0  # times the swing of before


@dataclass(frozen=True, slots=True)
class Restated:
    """How the past of rows is restated: but for the last `age` [S] columns (0: nothing is), a value v is `slope * v +
    offset`."""

    age: Ints
    slope: Floats32
    offset: Floats32

    def later(self, new: int) -> Restated:
        """The same when so many columns have come."""
        return replace(self, age=np.where(self.age > 0, self.age + new, 0))

    def of(self, values: Floats32) -> Floats32:
        """Values [S, T] as they would have been at today's level, gaps as they are."""
        rows = np.flatnonzero(self.age)
        if not rows.size:
            return values
        out = values.copy()
        for row in rows.tolist():
            past = out[row, : max(0, out.shape[1] - int(self.age[row]))]
            past *= self.slope[row]
            past += self.offset[row]
            np.maximum(past, np.float32(0), out=past)
        return out


def new_levels(filled: Floats32, season: Floats32, step: int) -> Restated:
    """New levels of gapless values [S, T] with their seasons [S, T + H], as known a day before."""
    rows, columns = filled.shape
    same = Restated(np.zeros(rows, np.int64), np.ones(rows, np.float32), np.zeros(rows, np.float32))
    per_day, holds = DAY // step, HOLDS // step
    if holds < 3 or columns < per_day + 2 * holds:
        return same
    mean = filled.mean(axis=1)
    now = _beyond(filled[:, -2 * holds :], season[:, columns - 2 * holds : columns], mean, step)[:, -holds:].mean(
        axis=1
    )
    candidates = np.flatnonzero(np.abs(now) > LEAST)
    if not candidates.size:
        return same
    far = _beyond(filled[candidates], season[candidates, :columns], mean[candidates], step)
    far *= np.sign(now[candidates])[:, None]
    middle = np.abs(now[candidates])[:, None] / 2
    holds_now = (far[:, -holds:] > middle).sum(axis=1) >= holds - 1
    smooth = trailing(running(far), holds) > middle
    lasts = _last_run(smooth)
    since = columns - lasts - holds // 2
    at = np.arange(columns)
    before = (smooth & (at >= per_day) & (at < since[:, None])).sum(axis=1)
    found = holds_now & (lasts >= holds // 2) & (since > per_day) & (before <= BEFORE + lasts // 4)
    found &= ~_grows(far, lasts, middle[:, 0])
    for at_candidate in np.flatnonzero(found).tolist():
        row, first = int(candidates[at_candidate]), int(since[at_candidate])
        after = slice(min(first + holds // 2, columns - holds // 2), columns)
        expected = season[row, first - per_day : first]  # as it was on the day before
        then = expected[np.arange(after.start - first, columns - first) % per_day]
        same.slope[row], same.offset[row] = _line(then, filled[row, after], expected)
        same.age[row] = _last_run(far[at_candidate : at_candidate + 1, : after.start] > middle[at_candidate])[0]
        same.age[row] += columns - after.start
    return same


def stepped(filled: Floats32, season: Floats32, step: int) -> Mask:
    """Rows [S] of gapless values [S, T] that were within their season half an hour ago and are beyond it since.

    `season` [S, E] of the last columns, an hour of them at least. It is the first sign of a new level or a shift.
    """
    holds = HOLDS // step
    if holds < 3 or season.shape[1] < 2 * holds or filled.shape[1] < DAY // step:
        return np.zeros(len(filled), np.bool_)
    last = slice(-2 * holds, None)
    beyond = _beyond(filled[:, last], season[:, last], filled.mean(axis=1), step)
    now = beyond[:, holds:].mean(axis=1)
    far = beyond * np.sign(now)[:, None]
    middle = np.abs(now)[:, None] / 2
    there = (far[:, holds:] > middle).sum(axis=1) >= holds - 1
    found = (np.abs(now) > LEAST) & there & (far[:, :holds].mean(axis=1) < middle[:, 0])
    return np.asarray(found & _unusual(filled, season, holds, DAY // step))


def _unusual(filled: Floats32, season: Floats32, holds: int, per_day: int) -> Mask:
    """Rows [S] whose last half hour differs from the one before, season apart, as half hours of a day hardly do."""
    tail = filled[:, -(per_day // holds * holds) :]
    usual = np.median(np.abs(np.diff(tail.reshape(len(tail), -1, holds).mean(axis=2), axis=1)), axis=1)
    rest = filled[:, -2 * holds :] - season[:, -2 * holds :]
    change = rest[:, holds:].mean(axis=1) - rest[:, :holds].mean(axis=1)
    return np.asarray(np.abs(change) > UNUSUAL * usual)


def _beyond(filled: Floats32, season: Floats32, mean: Floats32, step: int) -> Floats32:
    """How far [S, T] loads of that `mean` [S] are beyond what the season is around that time, in logarithms."""
    floor = FLOOR * mean[:, None] + np.float32(1e-9)
    low, high = _band(season, AROUND // step)
    return np.asarray(np.log((filled + floor) / (np.clip(filled, low, high) + floor)), np.float32)


def _band(season: Floats32, around: int) -> tuple[Floats32, Floats32]:
    """The lowest and the highest [S, T] that a season is around each column."""
    low, high = season.copy(), season.copy()
    for shift in range(1, around + 1):
        for out, pick in ((low, np.minimum), (high, np.maximum)):
            pick(out[:, shift:], season[:, :-shift], out=out[:, shift:])
            pick(out[:, :-shift], season[:, shift:], out=out[:, :-shift])
    return low, high


def _last_run(marks: Mask) -> NDArray[np.int64]:
    """How many of the last columns [S] are marked without a break."""
    backwards = ~marks[:, ::-1]
    lasts: NDArray[np.int64] = np.where(backwards.any(axis=1), backwards.argmax(axis=1), marks.shape[1])
    return lasts


def _grows(far: Floats32, lasts: Ints, middle: Floats32) -> Mask:
    """Rows [S] that go on moving away from where they were, in the last so many columns [S]: growth is no level."""
    sums, end = running(far), far.shape[1]
    rows, half = np.arange(len(far)), np.maximum(lasts // 2, 1)
    early = (sums[rows, end - lasts + half] - sums[rows, end - lasts]) / half
    late = (sums[rows, end] - sums[rows, end - half]) / half
    return np.asarray(late - early > GROWS * middle)


def _line(season: Floats32, load: Floats32, day: Floats32) -> tuple[float, float]:
    """Slope and offset from what was expected to what came: the same swing until another one has been seen."""
    x, y = season.astype(np.float64), load.astype(np.float64)
    swing = float(day.max() - day.min()) ** 2 * TOWARDS_SAME_SWING
    swing += float((np.diff(y) ** 2).mean()) * 10 / len(y)  # and noise is no swing
    centred = x - x.mean()
    spread, common = float((centred**2).mean()), float((centred * (y - y.mean())).mean())
    slope = (common + swing) / (spread + swing) if spread + swing > 0 else 1.0
    slope = min(max(slope, 0.0), STEEPEST)
    return slope, float(y.mean() - slope * x.mean())
