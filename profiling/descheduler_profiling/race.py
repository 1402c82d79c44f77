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
from descheduler_profiling.features import Features, fill
from descheduler_profiling.seasons import seasonal
from descheduler_profiling.settings import HOUR
from descheduler_profiling.tallies import Decay
from descheduler_profiling.windows import trailing

PAST = 7  # past origins
HALF_LIFE_DAYS = 3.0  # of the seasonal envelope


@dataclass(frozen=True, slots=True)
class Model:
    """A decaying quantile of a sample set."""

    name: str
    samples: str
    decay: Decay


MODELS = (
    Model("decayed quantile", "usage", Decay(0.5)),
    Model("last day", "usage", Decay(1000.0, window=1)),
    Model("time of day", "usage", Decay(1.5, width=2.0, floor=0.2)),
    Model("spikes of two days", "two days", Decay(3.0)),
    Model("spikes of half days", "half days", Decay(1.0)),
    Model("seasonal envelope", "envelope", Decay(3.0)),
    Model("season and level", "season and level", Decay(3.0, width=2.0, floor=0.1)),
    Model("season, own spread", "own spread", Decay(2.0)),
    Model("last hour", "hour", Decay(4.0, width=2.0, floor=0.1)),
)


@dataclass(frozen=True, slots=True)
class Samples:
    """`values` [S, D * per_day] on whole days counted back from the end, NaN where unknown, and the forecast that
    they are relative to in the next day, `ahead` [S, per_day]. Usage is `base + scale * sample`, with the scale at
    the same columns as the values and in the next day (None: 1)."""

    values: Floats32
    ahead: Floats32
    scale: Floats32 | None = None
    ahead_scale: Floats32 | None = None


def samples(values: Floats32, made: Features, per_day: int) -> dict[str, Samples]:
    """The sample sets of the models, from cleaned values [S, T] and their features."""
    rows, columns = values.shape
    envelope = made.filled.copy()
    np.maximum(envelope[:, 1:], made.filled[:, :-1], out=envelope[:, 1:])
    np.maximum(envelope[:, :-1], made.filled[:, 1:], out=envelope[:, :-1])
    day, half = per_day, per_day + per_day // 2
    # With less than a day and a half there is no telling a pattern.
    young = np.arange(columns)[None, :] < (made.first + 1.5 * per_day)[:, None]
    younger = np.arange(columns)[None, :] < (made.first + 2.25 * per_day)[:, None]
    hour = np.full_like(values, np.nan)
    back = (5 * per_day) // 8  # the middle of the last bucket: how old the last hour's mean will be
    level = made.mean(HOUR)
    if columns > back:
        hour[:, back:] = values[:, back:] - level[:, : columns - back]
    still = np.zeros((rows, per_day), np.float32)
    usual = made.filled.mean(axis=1, keepdims=True)
    out = {
        "usage": Samples(_days(values - usual, per_day), still + usual),
        "hour": Samples(_days(hour, per_day), still + level[:, -1:]),
    }
    for name, base, unripe in (
        ("two days", _highest(envelope, (day, 2 * day), per_day), younger),
        ("half days", _highest(envelope, (day, half), per_day), young),
        ("envelope", seasonal(envelope, made.first, per_day, per_day, HALF_LIFE_DAYS), young),
    ):
        rest = values - base[:, :columns]
        rest[unripe] = np.nan
        out[name] = Samples(_days(rest, per_day), base[:, columns:])
    out["season and level"] = _with_level(values, made, young, per_day)
    out["own spread"] = _own_spread(out["season and level"], per_day)
    return out


def _own_spread(rest: Samples, per_day: int) -> Samples:
    """The same, in units of the size that the errors upward have at that time of the day (half of their mean at
    least)."""
    size = np.maximum(rest.values, np.float32(0))
    known = np.isfinite(size)
    mean = np.where(known, size, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    filled, first = fill(np.where(known, size, np.float32(np.nan)))
    profile = seasonal(filled, first, per_day, per_day, HALF_LIFE_DAYS)
    least = 0.5 * mean + 1e-6 * np.abs(rest.ahead).mean(axis=1) + 1e-12
    scale = np.maximum(profile, least.astype(np.float32)[:, None])
    columns = rest.values.shape[1]
    return Samples(rest.values / scale[:, :columns], rest.ahead, scale[:, :columns], scale[:, columns:])


def _with_level(values: Floats32, made: Features, young: NDArray[np.bool_], per_day: int) -> Samples:
    """Relative to the smooth seasonal profile, moved half of the way to the level of the last day."""
    columns = values.shape[1]
    season = made.season[:, :columns]
    error = np.float32(0.5) * trailing(made.sums - made.season_sums, per_day)
    rest = values - season
    lead = (3 * per_day) // 4
    if columns > lead:
        rest[:, lead:] -= error[:, : columns - lead]
    rest[young] = np.nan
    return Samples(_days(rest, per_day), made.season[:, columns : columns + per_day] + error[:, -1:])


def _highest(values: Floats32, lags: tuple[int, ...], ahead: int) -> Floats32:
    """[S, T + ahead]: the largest of the values so many columns before; the first value where there are none."""
    rows, columns = values.shape
    out = np.empty((rows, columns + ahead), np.float32)
    out[:, : min(lags)] = values[:, :1]
    for lag in sorted(lags):
        reach = max(0, columns + ahead - lag)
        source = values[:, : min(reach, columns)]
        there = out[:, lag : lag + source.shape[1]]
        if lag == min(lags):
            there[:] = source
        else:
            np.maximum(there, source, out=there)
    return out


def _days(values: Floats32, per_day: int) -> Floats32:
    days = max(1, -(-values.shape[1] // per_day))
    lead_in = days * per_day - values.shape[1]
    if lead_in == 0:
        return values
    return np.concatenate([np.full((values.shape[0], lead_in), np.nan, np.float32), values], axis=1)


def known_blocks(per_day: int) -> int:
    """Blocks of a day: twelve where the grid allows it."""
    return int(np.gcd(per_day, 12))
