"""The models that race: decaying quantiles of usage, and of what is left of it after a point forecast.

Samples are ranked once; ranks fall in bins that are fine where quantiles are asked for; the counts per day, block of
two hours and bin then give every model at every past origin by a recursion over days. Past origins lie whole days
before the end, so that each backtest sees a whole day as far ahead as the next one will be.

What won its place on the half of the benchmark's series that constants were chosen on: short memories of raw usage
for those without a pattern; for the others not a smooth seasonal mean, but an *envelope*, the largest usage within
five minutes of the same time on the days before: jobs start on the minute, and smoothing erases them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints
from descheduler_profiling.features import Features, fill
from descheduler_profiling.seasons import seasonal
from descheduler_profiling.settings import DAY, HOUR
from descheduler_profiling.windows import trailing

RESOLUTION = 1024
EDGES: Ints = np.concatenate(
    [np.linspace(0, 512, 8, False), np.linspace(512, 832, 12, False), np.linspace(832, 960, 20, False),
     np.linspace(960, 1024, 25)]
).astype(np.int64)  # fmt: skip
BINS = len(EDGES) - 1
PAST = 7  # past origins
FRESH = 0.3  # finite-sample correction, in weights of a new sample
HALF_LIFE_DAYS = 3.0  # of the seasonal envelope


@dataclass(frozen=True, slots=True)
class Model:
    """A decaying quantile of a sample set: `half_life` and `window` (0: none) in days.

    With a `width` (hours) samples count by how near their time of day is, on a `floor`. `seasonal` ones go by the
    season of the features, and so know of weekends where a week shows them.
    """

    name: str
    samples: str
    half_life: float
    width: float = 0.0
    floor: float = 0.0
    window: int = 0
    seasonal: bool = False


MODELS = (
    Model("decayed quantile", "usage", 0.5),
    Model("last day", "usage", 1000.0, window=1),
    Model("time of day", "usage", 1.5, width=2.0, floor=0.2),
    Model("spikes of two days", "two days", 3.0),
    Model("spikes of half days", "half days", 1.0),
    Model("seasonal envelope", "envelope", 3.0),
    Model("season and level", "season and level", 3.0, width=2.0, floor=0.1, seasonal=True),
    Model("season, own spread", "own spread", 2.0, seasonal=True),
    Model("last hour", "hour", 4.0, width=2.0, floor=0.1),
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


@dataclass(frozen=True, slots=True)
class Ranked:
    """Samples sorted once: `ordered` [S, N], `count` [S] of them known, `cells` [G, S, D, BINS] counts."""

    ordered: Floats32
    count: Ints
    cells: Floats32


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
    out = {
        "usage": Samples(_days(values, per_day), still),
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
    error = np.float32(0.5) * (made.mean(DAY) - trailing(made.season_sums, per_day))
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


def ranked(values: Floats32, per_day: int, blocks: int) -> Ranked:
    """Sort and count the samples [S, D * per_day].

    A sample and its column are packed into one integer that sorts like the sample: the low bits of the fraction give
    way to the column, so samples are kept to a two-thousandth, rounded up.
    """
    rows, columns = values.shape
    low = (1 << max(columns - 1, 1).bit_length()) - 1
    bits = np.ascontiguousarray(values).view(np.int32)
    keys = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    keys &= np.int32(~low)
    keys |= np.arange(columns, dtype=np.int32)
    known = np.isfinite(values)
    count = known.sum(axis=1)
    if not (count == columns).all():
        keys[~known] |= np.int32(0x7FFFFFFF ^ low)
        keys[~known] &= np.int32(0x7FFFFFFF)
    keys.sort(axis=1)
    days = columns // per_day
    day, within = np.divmod(np.arange(low + 1), per_day)
    base = (within // (per_day // blocks)) * (rows * days * BINS) + day * BINS
    index = base[keys & np.int32(low)]
    index += (np.arange(rows) * (days * BINS))[:, None]
    trash = rows * days * blocks * BINS
    lookup = np.searchsorted(EDGES, np.arange(RESOLUTION), side="right") - 1
    for size in np.unique(count).tolist():
        mine = slice(None) if size == columns and (count == size).all() else np.flatnonzero(count == size)
        part = index[mine]
        part[:, :size] += lookup[np.arange(size) * RESOLUTION // max(size, 1)]
        part[:, size:] = trash
        index[mine] = part
    counts = np.bincount(index.ravel(), minlength=trash + 1)[:trash].astype(np.float32)
    keys |= np.int32(low)
    keys ^= (keys >> 31) & np.int32(0x7FFFFFFF)
    return Ranked(keys.view(np.float32), count, counts.reshape(blocks, rows, days, BINS))


def margins(model: Model, made: Ranked, levels: Sequence[float], past: int) -> Floats32:
    """Quantiles of the samples at each origin, newest first: [Q, S, 1 + past, G], NaN where there was no sample."""
    blocks, rows, days, _ = made.cells.shape
    kernel = _kernel(model, blocks)
    daily = (kernel.T @ made.cells.reshape(blocks, -1)).reshape(-1, rows, days, BINS)
    fade = np.float32(0.5 ** (1.0 / model.half_life))
    mass = np.zeros((len(daily), rows, 1 + past, BINS), np.float32)
    state = np.zeros((len(daily), rows, BINS), np.float32)
    for day in range(days):
        state *= fade
        state += daily[:, :, day]
        if model.window and day >= model.window:
            state -= daily[:, :, day - model.window] * fade**model.window
        back = days - 1 - day
        if back <= past:
            mass[:, :, back] = state
    np.cumsum(mass, axis=-1, out=mass)
    total = mass[..., -1:]
    fresh = np.float32(FRESH * kernel.mean())
    out = np.empty((len(levels), rows, 1 + past, blocks), np.float32)
    for i, level in enumerate(levels):
        wanted = np.minimum(np.float32(level) * (total + fresh), total * np.float32(0.99999))
        out[i] = _values(made, mass, wanted).transpose(
            1, 2, 0
        )  # one column of blocks where all of the day counts alike
    return out


def _kernel(model: Model, blocks: int) -> Floats32:
    """Weight [G, G'] of a block of the day for forecasts of each block (one column when all count alike)."""
    within = np.exp2(-((blocks - np.arange(blocks)) - 0.5) / blocks / model.half_life)[:, None]
    if not model.width:
        return np.asarray(within, np.float32)
    apart = np.abs(np.arange(blocks)[:, None] - np.arange(blocks)[None, :])
    apart = np.minimum(apart, blocks - apart) * (24.0 / blocks)
    near = model.floor + np.exp(-0.5 * (apart / model.width) ** 2)
    return np.asarray(near * within, np.float32)


def _values(made: Ranked, mass: Floats32, wanted: Floats32) -> Floats32:
    """The sample at a wanted cumulative weight [G, S, O]; NaN where there is no weight at all."""
    found = (mass >= wanted).argmax(axis=-1, keepdims=True)
    upper = np.take_along_axis(mass, found, axis=-1)[..., 0]
    lower = np.take_along_axis(mass, np.maximum(found - 1, 0), axis=-1)[..., 0]
    found, wanted = found[..., 0], wanted[..., 0]
    lower = np.where(found == 0, np.float32(0), lower)
    share = np.clip((wanted - lower) / np.maximum(upper - lower, np.float32(1e-12)), 0, 1)
    n = np.maximum(made.count, 1)[None, :, None]
    first = -(-EDGES[found] * n // RESOLUTION)
    last = -(-EDGES[found + 1] * n // RESOLUTION)
    at = np.clip(first + np.ceil(share * (last - first)).astype(np.int64) - 1, 0, n - 1)
    out: Floats32 = np.where(wanted > 0, made.ordered[np.arange(at.shape[1])[None, :, None], at], np.float32(np.nan))
    return out


def known_blocks(per_day: int) -> int:
    """Blocks of a day: twelve where the grid allows it."""
    return int(np.gcd(per_day, 12))
