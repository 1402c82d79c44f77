"""The models that race: decaying quantiles of usage, and of what is left of it after a point forecast.

Samples are counted once (tallies.py), by day and block of two hours, for every model at every past origin. Past origins
lie whole days before the end, so that each backtest sees a whole day as far ahead as the next one will be.

What won its place on the half of the benchmark's series that constants were chosen on: short memories of raw usage
for those without a pattern; for the others not a smooth seasonal mean, but an *envelope*, the largest usage within
five minutes of the same time on the days before: jobs start on the minute, and smoothing erases them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.features import Features
from descheduler_profiling.rhythm import repeated
from descheduler_profiling.seasons import seasonal
from descheduler_profiling.tallies import Decay
from descheduler_profiling.windows import trailing

PAST = 7  # past origins
HALF_LIFE_DAYS = 3.0  # of the seasonal envelope


@dataclass(frozen=True, slots=True)
class Model:
    """A decaying quantile of a sample set; `seasonal` ones go by the season of the features, so they know weekends."""

    name: str
    samples: str
    decay: Decay
    seasonal: bool = False


MODELS = (
    Model("last day", "usage", Decay(1000.0, window=1)),
    Model("time of day", "usage", Decay(1.5, width=2.0, floor=0.2)),
    Model("spikes of two days", "two days", Decay(3.0)),
    Model("seasonal envelope", "envelope", Decay(3.0)),
    Model("season and level", "season and level", Decay(3.0, width=2.0, floor=0.1), seasonal=True),
    Model("own rhythm", "rhythm", Decay(3.0, width=2.0, floor=0.2)),
)


@dataclass(frozen=True, slots=True)
class Samples:
    """`values` [S, D * per_day] on whole days counted back from the end, NaN where unknown, and the forecast that
    they are relative to in the next day, `ahead` [S, per_day]."""

    values: Floats32
    ahead: Floats32


def samples(values: Floats32, made: Features, per_day: int) -> dict[str, Samples]:
    """The sample sets of the models, from cleaned values [S, T] and their features."""
    columns = values.shape[1]
    # With less than a day and a half there is no telling a pattern.
    ripe = made.first + 1.5 * per_day
    days = np.broadcast_to(per_day * np.arange(1, 3), made.lags.shape)
    usual = made.filled.mean(axis=1, keepdims=True)
    out = {"usage": Samples(_days(values - usual, per_day), np.repeat(usual, per_day, axis=1))}
    for name, base, since in (
        ("two days", repeated(made.envelope, days, per_day), ripe + 0.75 * per_day),
        ("envelope", seasonal(made.envelope, made.first, per_day, per_day, HALF_LIFE_DAYS), ripe),
        ("rhythm", made.rhythm, made.first + made.lags.max(axis=1)),
    ):
        rest = values - base[:, :columns]
        np.copyto(rest, np.float32(np.nan), where=np.arange(columns)[None, :] < since[:, None])
        out[name] = Samples(_days(rest, per_day), base[:, columns:])
    out["season and level"] = _with_level(values, made, ripe, per_day)
    return out


def _with_level(values: Floats32, made: Features, ripe: NDArray[np.floating], per_day: int) -> Samples:
    """Relative to the smooth seasonal profile, moved half of the way to the level of the last day."""
    columns = values.shape[1]
    season = made.season[:, :columns]
    error = np.float32(0.5) * trailing(made.sums - made.season_sums, per_day)
    rest = values - season
    lead = (3 * per_day) // 4
    if columns > lead:
        rest[:, lead:] -= error[:, : columns - lead]
    np.copyto(rest, np.float32(np.nan), where=np.arange(columns)[None, :] < ripe[:, None])
    return Samples(_days(rest, per_day), made.season[:, columns : columns + per_day] + error[:, -1:])


def _days(values: Floats32, per_day: int) -> Floats32:
    days = max(1, -(-values.shape[1] // per_day))
    lead_in = days * per_day - values.shape[1]
    if lead_in == 0:
        return values
    return np.concatenate([np.full((values.shape[0], lead_in), np.nan, np.float32), values], axis=1)


def known_blocks(per_day: int) -> int:
    """Blocks of a day: twelve where the grid allows it."""
    return int(np.gcd(per_day, 12))
