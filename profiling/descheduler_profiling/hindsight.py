"""What a forecast of past days would have been worth: losses of models, and the coverage of their blend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Mask
from descheduler_profiling.layout import Layout
from descheduler_profiling.race import MODELS, Samples
from descheduler_profiling.tallies import by_block


@dataclass(frozen=True, slots=True)
class Past:
    """Samples of past days, newest first [W, J, S, G], NaN where unknown; usage is `scale` (None: 1) times that.

    `known` None when all are, else `filled` has 0 for the others; `known_size` and `size` [J, S, G] are the sums of
    scales over the W steps, of those that are known and of all; `total` and `count` [J, S] are of what is known: the
    sum in the unit of usage, and the number.
    """

    samples: Floats32
    filled: Floats32
    scale: Floats32 | None
    known: Mask | None
    known_size: Floats32
    size: Floats32
    total: Floats32
    count: Floats32

    @classmethod
    def of(cls, samples: Floats32, made: Samples, per_day: int, past: int) -> Past:
        """The newest `past` days of samples [W, D, S, G] as they were tallied."""
        steps, _, _, blocks = samples.shape
        mine, scale = samples[:, :past], None
        if made.scale is not None:
            scale = by_block(made.scale[:, -past * per_day :], per_day, blocks)
        flat = np.full(mine.shape[1:], steps, np.float32)
        size = known_size = flat if scale is None else scale.sum(axis=0)
        filled, known, count = mine, None, flat
        unknown = np.isnan(mine)
        if unknown.any():
            known = ~unknown
            filled = np.where(known, mine, np.float32(0))
            count = known.sum(axis=0, dtype=np.float32)
            known_size = count if scale is None else np.where(known, scale, np.float32(0)).sum(axis=0)
        total = (filled if scale is None else filled * scale).sum(axis=0)
        return cls(mine, filled, scale, known, known_size, size, _of_day(total), _of_day(count))

    def loss(self, margin: Floats32, level: float, room: Floats32) -> Floats32:
        """Mean pinball loss [J, S] of margins [J, S, G'], NaN on days without a sample; `room` is as the samples."""
        margin = np.ascontiguousarray(np.broadcast_to(margin, self.size.shape))
        # The lesser of an unknown sample and a margin is the margin, which `size` takes away again.
        np.fmin(self.samples, margin, out=room)
        if self.scale is not None:
            np.multiply(room, self.scale, out=room)
        short = _of_day(room.sum(axis=0) - self.size * margin)
        over = self.total - _of_day(self.known_size * margin)
        with np.errstate(invalid="ignore", divide="ignore"):
            out: Floats32 = np.where(
                self.count > 0, (np.float32(level) * over - short) / self.count, np.float32(np.nan)
            )
        return np.maximum(out, np.float32(0))


def _of_day(blocks: Floats32) -> Floats32:
    """Sums [J, S] of [J, S, G]; as a product, for few numbers are summed at a time."""
    out: Floats32 = blocks @ np.ones(blocks.shape[2], np.float32)
    return out


def coverage(pasts: Mapping[str, Past], promised: list[Floats32], weights: Floats32, plan: Layout) -> Floats32:
    """Share [Q, S, B] of past outcomes at or under the blended forecast, NaN where there is none.

    `promised` [Q, J, S, G'] by model, 0 where a model had no sample. Weights [Q, S, M] sum to one, so the error of the
    blend is the weighted sum of the errors; a model has no part in blocks where it knows nothing.
    """
    usage = pasts["usage"]
    steps, _, rows, blocks = usage.samples.shape
    shape = (steps, rows, blocks)
    known = np.full(shape, len(usage.size), np.uint8) if usage.known is None else _days(usage.known)
    counts = _by_bucket(known, plan)
    out = np.empty((len(weights), rows, len(plan.buckets)), np.float32)
    room, error = np.empty(usage.samples.shape, np.float32), np.empty(usage.samples.shape, np.float32)
    for i in range(len(weights)):
        error[:] = 0
        flat = np.zeros(usage.size.shape, np.float32)
        for name, past in pasts.items():
            mine = [m for m, model in enumerate(MODELS) if model.samples == name]
            margin = np.zeros(usage.size.shape, np.float32)
            for m in mine:
                margin += promised[m][i] * weights[i, :, m, None]
            margin *= past.known_size > 0
            share = np.broadcast_to(weights[i][:, mine].sum(axis=1)[:, None], usage.size.shape)
            np.multiply(past.filled, np.ascontiguousarray(share), out=room)
            if past.scale is None:
                flat += margin
            else:
                room -= margin
                room *= past.scale
            error += room
        error -= flat
        hit = error <= 0
        if usage.known is not None:
            hit &= usage.known
        hits = _by_bucket(_days(hit), plan)
        out[i] = np.where(counts > 0, hits / np.maximum(counts, 1), np.float32(np.nan))
    return out


def _days(mask: Mask) -> NDArray[np.uint8]:
    """How many days [W, S, G] have it, of [W, J, S, G]."""
    out: NDArray[np.uint8] = np.add.reduce(mask.view(np.uint8), axis=1, dtype=np.uint8)
    return out


def _by_bucket(days: NDArray[np.uint8], plan: Layout) -> Floats32:
    """Sums [S, B] of [W, S, G] over the steps of each bucket."""
    in_order = days.transpose(1, 2, 0).reshape(days.shape[1], -1)
    parts = [in_order[:, b.first - 1 : b.last].sum(axis=1, dtype=np.float32) for b in plan.buckets]
    return np.stack(parts, axis=1)
