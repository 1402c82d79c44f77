"""Decaying quantiles of many samples at once, by counting instead of sorting.

Each row has a few edges, dense where high quantiles lie: values of a thinned-out copy of its samples, in which the
largest of each half hour or so are kept. How many samples of each block of each day are at or under each edge is
counted over all of them, so that ranks are exact there; between two edges the thinned copy says what values there are.
The counts give every model at every past origin by a recursion over days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Ints

PARTS = 20  # of a block, shared among the days: of each, one sample and the largest are in the thinned copy
SHARES: NDArray[np.float64] = np.concatenate(
    [np.linspace(0, 0.5, 10, False), np.linspace(0.5, 0.7, 4, False), np.linspace(0.7, 0.93, 10, False),
     np.linspace(0.93, 1, 6)]
)[1:]  # fmt: skip
"""Where in the thinned copy the K edges stand; the last is the largest sample."""
FRESH = 0.3  # finite-sample correction, in weights of a new sample


@dataclass(frozen=True, slots=True)
class Decay:
    """How samples count: by their age with a `half_life` (days), none older than `window` days (0: all), and by how
    near their time of day is: `width` in hours (0: all alike), on a `floor`."""

    half_life: float
    width: float = 0.0
    floor: float = 0.0
    window: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """Samples of S rows on D whole days, the newest first, of G blocks of W steps.

    `samples` [W, D, S, G], NaN where unknown. `ordered` [S, N] is the thinned copy in rising order, `last` [S, K]
    the last position there that is at or under each edge, `counts` [K, D, S, G] the samples at or under it.
    """

    samples: Floats32
    ordered: Floats32
    last: Ints
    counts: Floats32


def by_block(values: Floats32, per_day: int, blocks: int) -> Floats32:
    """Values [S, D * per_day] as [W, D, S, G], the newest day first."""
    shape = (len(values), values.shape[1] // per_day, blocks, per_day // blocks)
    return np.ascontiguousarray(values.reshape(shape)[:, ::-1].transpose(3, 1, 0, 2))


def tally(values: Floats32, per_day: int, blocks: int) -> Tally:
    """The tally of samples [S, D * per_day], NaN where unknown."""
    samples = by_block(values, per_day, blocks)
    ordered = _thinned(samples)
    count = (ordered < np.inf).sum(axis=1)
    at = np.maximum(np.ceil(SHARES * count[:, None]).astype(np.int64) - 1, 0)
    edges = np.take_along_axis(ordered, at, axis=1)
    return Tally(samples, ordered, np.take_along_axis(_last_alike(ordered), at, axis=1), _counted(samples, edges))


def _thinned(samples: Floats32) -> Floats32:
    steps, days, rows, _ = samples.shape
    bounds = np.linspace(0, steps, min(-(-PARTS // days), steps) + 1).astype(int).tolist()
    parts = [slice(first, last) for first, last in pairwise(bounds)]
    picked = (samples[(part.start + part.stop) // 2] for part in parts)
    out = np.stack([*picked, *(np.fmax.reduce(samples[part], axis=0) for part in parts)])
    ordered = out.transpose(2, 0, 1, 3).reshape(rows, -1)
    ordered.sort(axis=1)
    np.copyto(ordered, np.float32(np.inf), where=np.isnan(ordered))  # at the end
    return ordered


def _last_alike(ordered: Floats32) -> Ints:
    """[S, N]: the last position of a value equal to that at each position."""
    rows, size = ordered.shape
    out = np.full((rows, size), size - 1, np.int64)
    np.copyto(out[:, :-1], np.arange(size - 1), where=ordered[:, 1:] > ordered[:, :-1])
    np.minimum.accumulate(out[:, ::-1], axis=1, out=out[:, ::-1])
    return out


def _counted(samples: Floats32, edges: Floats32) -> Floats32:
    steps, *shape = samples.shape
    flat = samples.reshape(steps, shape[0], -1)
    under = np.empty(flat.shape, np.bool_)
    counts = np.empty((edges.shape[1], *flat.shape[1:]), np.min_scalar_type(steps))
    for edge, count in zip(np.repeat(edges.T, shape[-1], axis=1), counts, strict=True):
        np.less_equal(flat, edge, out=under)
        np.add.reduce(under.view(np.uint8), axis=0, out=count, dtype=counts.dtype)
    return counts.astype(np.float32).reshape(-1, *shape)


def margins(decay: Decay, made: Tally, levels: Sequence[float], past: int) -> Floats32:
    """Quantiles of the samples at each origin, newest first: [Q, 1 + past, S, G'], NaN where there was no sample.

    G' is 1 where all of the day counts alike.
    """
    edges, days, rows, blocks = made.counts.shape
    kernel = _kernel(decay, blocks)
    daily = made.counts @ kernel
    fade = np.float32(0.5 ** (1.0 / decay.half_life))
    mass = np.zeros((1 + past, edges, rows, kernel.shape[1]), np.float32)
    state = np.zeros(mass.shape[1:], np.float32)
    for age in reversed(range(days)):
        state *= fade
        state += daily[:, age]
        if decay.window and age + decay.window < days:
            state -= daily[:, age + decay.window] * fade**decay.window
        if age <= past:
            mass[age] = state
    total = mass[:, -1]
    fresh = np.float32(FRESH * kernel.mean())
    quantiles = np.array(levels, np.float32)[:, None, None, None]
    return _values(made, mass, np.minimum(quantiles * (total + fresh), total * np.float32(0.99999)))


def _kernel(decay: Decay, blocks: int) -> Floats32:
    """Weight [G, G'] of a block of the day for forecasts of each block (one column when all count alike)."""
    within = np.exp2(-((blocks - np.arange(blocks)) - 0.5) / blocks / decay.half_life)[:, None]
    if not decay.width:
        return np.asarray(within, np.float32)
    apart = np.abs(np.arange(blocks)[:, None] - np.arange(blocks)[None, :])
    apart = np.minimum(apart, blocks - apart) * (24.0 / blocks)
    near = decay.floor + np.exp(-0.5 * (apart / decay.width) ** 2)
    return np.asarray(near * within, np.float32)


def _values(made: Tally, mass: Floats32, wanted: Floats32) -> Floats32:
    """The samples at wanted cumulative weights [Q, O, S, G'] of `mass` [O, K, S, G']; NaN where there is no weight."""
    origins, edges, rows, blocks = mass.shape
    found = np.empty(wanted.shape, np.uint8)
    for level, under in zip(wanted, found, strict=True):
        np.add.reduce((mass < level[:, None]).view(np.uint8), axis=1, dtype=np.uint8, out=under)
    edge = np.minimum(found, edges - 1).astype(np.intp)
    before = np.maximum(edge - 1, 0)
    size = rows * blocks
    here = np.arange(origins)[:, None] * (edges * size) + np.arange(size)
    here = here.reshape(origins, rows, blocks)
    upper = mass.take(edge * size + here)
    inside = edge > 0
    lower = mass.take(before * size + here) * inside
    share = (wanted - lower) / np.maximum(upper - lower, np.float32(1e-12))
    row = np.arange(rows)[:, None] * edges
    first = (made.last.take(before + row) + 1) * inside
    last = made.last.take(edge + row)
    at = first + np.ceil(share * (last + 1 - first)).astype(np.intp) - 1
    at = np.clip(at, first, last) + np.arange(rows)[:, None] * made.ordered.shape[1]
    out: Floats32 = np.where(wanted > 0, made.ordered.take(at), np.float32(np.nan))
    return out
