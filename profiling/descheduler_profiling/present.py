"""The past as it would have been today: what all models learn from.

Single samples that nothing before them resembles are left out, and what was before a new level is restated at it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats32, Ints
from descheduler_profiling.features import Features, features
from descheduler_profiling.growth import Growth, growth
from descheduler_profiling.levels import Restated, new_levels

LONE = 1.5  # times the next largest sample of the row, and
ALONE = 2.0  # times its neighbours
TWICE = 2  # lone samples that are looked for in one row
ROOF = 1.1  # times the largest load: a level and a season may not be added to more


@dataclass(frozen=True, slots=True)
class Present:
    """`values` [S, T] with gaps, their features, and how they were restated: at a new level, and without growth."""

    values: Floats32
    features: Features
    restated: Restated
    growth: Growth

    def whole(self, values: Floats32) -> Floats32:
        """Other values [S, T] of the same rows, restated in the same way."""
        return self.restated.of(self.growth.taken_off(values))


def in_the_present(values: Floats32, step: int, half_life: float, end: int) -> Present:
    """What cleaned values [S, T] up to `end` (unix seconds) say of today; `half_life` of the season in seconds."""
    values = without_glitches(values)
    made = features(values, step, half_life, end)
    grown = growth(made.filled, step)
    growing = np.flatnonzero(grown.lasts)
    if growing.size:
        values = grown.taken_off(values)
        made = made.put(growing, features(values[growing], step, half_life, end))
    restated = new_levels(made.filled, made.exact, step)
    changed = np.flatnonzero(restated.age)
    if changed.size:
        values = restated.of(values)
        made = made.put(changed, features(values[changed], step, half_life, end))
    if made.unlike is not None:
        values = np.where(made.unlike, np.float32(np.nan), values)
    return Present(values, made, restated, grown)


def roof(filled: Floats32) -> Floats32:
    """What points [S] of forecasts of gapless values [S, T] stay under."""
    return np.asarray(ROOF * filled.max(axis=1), np.float32)


def reachable(bounds: Floats32, whole: Floats32, most: Floats32 | float) -> Floats32:
    """What may be forecast at the most [S]: the bounds [S], or what was measured [S, T] where that was more; never
    above what there is at the `most`."""
    return np.minimum(np.maximum(bounds, np.fmax.reduce(whole, axis=1, initial=np.float32(0))), most)


def bounded(forecast: Floats32, roofs: Floats32 | None, ahead: Floats32, limit: Floats32) -> None:
    """Keep forecasts [S, N] under roofs [S], add the growth [S, N] that is ahead, and keep all under a limit [S]; in
    place."""
    if roofs is not None:
        np.minimum(forecast, roofs[:, None], out=forecast)
    forecast += ahead
    np.minimum(forecast, limit[:, None], out=forecast)


def without_glitches(values: Floats32) -> Floats32:
    """Values [S, T] with gaps for single samples far above all others of their row: no load is that short.

    The newest sample is doubted until the next one says the same.
    """
    if values.shape[1] < 3:
        return values
    known = np.where(np.isnan(values), np.float32(0), values) if np.isnan(values).any() else values
    suspects, out = np.arange(len(values)), values
    for _ in range(TWICE):
        suspects, at = _lone(known, suspects)
        if not suspects.size:
            break
        if out is values:
            out, known = values.copy(), known.copy()
        out[suspects, at], known[suspects, at] = np.nan, 0
    return out


def _lone(known: Floats32, rows: Ints) -> tuple[Ints, Ints]:
    """Those of some rows of [S, T] whose largest sample stands alone, and where it is."""
    some = known if len(rows) == len(known) else known[rows]
    at, each = some.argmax(axis=1), np.arange(len(rows))
    top = some[each, at]
    last = known.shape[1] - 1
    before, after = (
        np.where(at > 0, some[each, at - 1], 0),
        np.where(at < last, some[each, np.minimum(at + 1, last)], 0),
    )
    beside = np.maximum(before, after)
    alone = np.flatnonzero(top > ALONE * beside)
    others = some[alone]
    others[np.arange(len(alone)), at[alone]] = 0
    alone = alone[top[alone] > LONE * others.max(axis=1, initial=0)]
    return rows[alone], at[alone]
