"""Growth: load that does nothing but rise, as leaks do and caches that fill.

A trend is one where hardly any part of its time is not above the part before it (a random walk rises in half of them),
where it has never been as high before, and where it still rises at the end as it did. It is taken to go on for as long
as it has lasted. What slows down, what wanders, and a morning are no growth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from descheduler.model.arrays import Floats32, Ints, Mask
from descheduler_profiling.settings import HOUR

PARTS = 16
WINDOWS = (HOUR // 3, 3 * HOUR // 2, 6 * HOUR)
"""Seconds of each of so many parts of the time for which it may have lasted."""
RISING = 14  # of the 15 changes between parts
LEAST = 0.05  # rise in all, of the level
CLEAR = 6.0  # rise in all, in standard deviations around the trend
STILL = 0.6  # of the mean rise: how fast it is in the last quarter
HIGHER = 1.01  # times all that was before


@dataclass(frozen=True, slots=True)
class Growth:
    """Rise in each column [S], and for how many columns [S] it has lasted; 0 where there is none."""

    rise: Floats32
    lasts: Ints

    def later(self, new: int) -> Growth:
        """The same when so many columns have come."""
        return replace(self, lasts=np.where(self.lasts > 0, self.lasts + new, 0))

    def taken_off(self, values: Floats32) -> Floats32:
        """Values [S, T] as if they had always been as high as now, gaps as they are."""
        rows = np.flatnonzero(self.lasts)
        if not rows.size:
            return values
        out, columns = values.copy(), values.shape[1]
        ages = np.minimum(columns - 1 - np.arange(columns)[None, :], self.lasts[rows, None])
        out[rows] += self.rise[rows, None] * ages.astype(np.float32)
        return out

    def ahead(self, leads: Ints) -> Floats32:
        """What comes on top [S, L] so many columns ahead [L]."""
        out: Floats32 = self.rise[:, None] * np.minimum(leads[None, :], self.lasts[:, None]).astype(np.float32)
        return out


def growth(filled: Floats32, step: int) -> Growth:
    """Trends of gapless values [S, T]; of several that hold, the one that has lasted longest."""
    rows, columns = filled.shape
    found = Growth(np.zeros(rows, np.float32), np.zeros(rows, np.int64))
    for seconds in WINDOWS:
        part = seconds // step
        window = PARTS * part
        if not part or columns < window + part:
            continue
        highest = filled[:, : columns - window + 1].max(axis=1)  # before it
        candidates = np.flatnonzero(filled[:, -part:].mean(axis=1) > HIGHER * highest)
        if not candidates.size:
            continue
        parts = filled[candidates, columns - window :].reshape(len(candidates), PARTS, part).mean(axis=2)
        rise, sure = _trend(parts)
        grows = candidates[sure]
        found.rise[grows], found.lasts[grows] = rise[sure] / part, window
    return found


def _trend(parts: Floats32) -> tuple[Floats32, Mask]:
    """Rise [S] from one part to the next of [S, PARTS], that of the last quarter at most, and whether it is a trend."""
    at = np.arange(PARTS) - (PARTS - 1) / 2
    centred = parts - parts.mean(axis=1, keepdims=True)
    slope = (centred @ at) / (at @ at)
    around = (centred - slope[:, None] * at).std(axis=1)
    last = PARTS // 4
    late = (parts[:, -1] - parts[:, -1 - last]) / last
    total = slope * (PARTS - 1)
    sure = (np.diff(parts, axis=1) > 0).sum(axis=1) >= RISING
    sure &= (total > LEAST * parts[:, -1]) & (total > CLEAR * around) & (late > STILL * slope)
    return np.asarray(np.minimum(slope, late), np.float32), sure
