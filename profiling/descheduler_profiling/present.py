"""The past as it would have been today: what all models learn from.

Single samples that nothing before them resembles are left out, and what was before a new level is restated at it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler_profiling.features import Features, features
from descheduler_profiling.levels import Restated, new_levels

LONE = 1.5  # times the next largest sample of the row, and
ALONE = 2.0  # times its neighbours
TWICE = 2  # lone samples that are looked for in one row
ROOF = 1.1  # times the largest load: a level and a season may not be added to more


@dataclass(frozen=True, slots=True)
class Present:
    """`values` [S, T] with gaps, their features, and how they were restated."""

    values: Floats32
    features: Features
    restated: Restated


def in_the_present(values: Floats32, step: int, half_life: float, end: int) -> Present:
    """What cleaned values [S, T] up to `end` (unix seconds) say of today; `half_life` of the season in seconds."""
    values = without_glitches(values)
    made = features(values, step, half_life, end)
    restated = new_levels(made.filled, made.exact, step)
    if restated.age.any():
        values = restated.of(values)
        made = features(values, step, half_life, end)
    if made.unlike is not None:
        values = np.where(made.unlike, np.float32(np.nan), values)
    return Present(values, made, restated)


def roof(filled: Floats32) -> Floats32:
    """What points [S] of forecasts of gapless values [S, T] stay under."""
    return np.asarray(ROOF * filled.max(axis=1), np.float32)


def without_glitches(values: Floats32) -> Floats32:
    """Values [S, T] with gaps for single samples far above all others of their row: no load is that short.

    The newest sample is doubted until the next one says the same.
    """
    columns = values.shape[1]
    if columns < 3:
        return values
    out, copied = values, False
    for _ in range(TWICE):
        known = np.where(np.isnan(out), np.float32(0), out)
        at, rows = known.argmax(axis=1), np.arange(len(known))
        top = known[rows, at]
        known[rows, at] = 0
        beside = np.maximum(known[rows, np.maximum(at - 1, 0)], known[rows, np.minimum(at + 1, columns - 1)])
        lone = np.flatnonzero(top > ALONE * beside)
        lone = lone[top[lone] > LONE * known[lone].max(axis=1)]
        if not lone.size:
            break
        if not copied:
            out, copied = values.copy(), True
        out[lone, at[lone]] = np.nan
    return out
