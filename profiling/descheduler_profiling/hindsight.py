"""What a forecast of past days would have been worth: losses of models, and the coverage of their blend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32, Mask
from descheduler_profiling.layout import Layout
from descheduler_profiling.race import MODELS


@dataclass(frozen=True, slots=True)
class Past:
    """Samples of past days, newest first [W, J, S, G], NaN where unknown.

    `known` None when all are, else `filled` has 0 for the others; `counts` [J, S, G] of the W steps are known; `total`
    and `count` [J, S] are the sum and the number of what is known.
    """

    samples: Floats32
    filled: Floats32
    known: Mask | None
    counts: Floats32
    total: Floats32
    count: Floats32

    @classmethod
    def of(cls, samples: Floats32, past: int) -> Past:
        """The newest `past` days of samples [W, D, S, G] as they were tallied."""
        mine = samples[:, :past]
        filled, known, counts = mine, None, np.full(mine.shape[1:], len(mine), np.float32)
        unknown = np.isnan(mine)
        if unknown.any():
            known = ~unknown
            filled = np.where(known, mine, np.float32(0))
            counts = known.sum(axis=0, dtype=np.float32)
        return cls(mine, filled, known, counts, _of_day(filled.sum(axis=0)), _of_day(counts))

    def loss(self, margin: Floats32, level: float, room: Floats32) -> Floats32:
        """Mean pinball loss [J, S] of margins [J, S, G'], NaN on days without a sample; `room` is as the samples."""
        margin = np.ascontiguousarray(np.broadcast_to(margin, self.counts.shape))
        # The lesser of an unknown sample and a margin is the margin, which is taken away again.
        np.fmin(self.samples, margin, out=room)
        short = _of_day(room.sum(axis=0) - len(room) * margin)
        over = self.total - _of_day(self.counts * margin)
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
    """Share [Q, S, B] of outcomes of past days at or under what was then forecast for them, NaN where there is none.

    `promised` [Q, J, S, G'] by model, 0 where a model had no sample, and `weights` [Q, J, S, M], those known before
    each day, of the newest J days. They sum to one, so the error of the blend is the weighted sum of the errors; a
    model has no part in blocks where it knows nothing.
    """
    usage, past = pasts["usage"], weights.shape[1]
    steps, _, rows, blocks = usage.samples.shape
    out = np.full((len(weights), rows, len(plan.buckets)), np.nan, np.float32)
    if not past:
        return out
    shape = (past, rows, blocks)
    known = None if usage.known is None else usage.known[:, :past]
    counts = _by_bucket(np.full((steps, rows, blocks), past, np.uint8) if known is None else _days(known), plan)
    room, error = np.empty((steps, *shape), np.float32), np.empty((steps, *shape), np.float32)
    for i in range(len(weights)):
        error[:] = 0
        flat = np.zeros(shape, np.float32)
        for name, one in pasts.items():
            mine = [m for m, model in enumerate(MODELS) if model.samples == name]
            margin = np.zeros(shape, np.float32)
            for m in mine:
                margin += promised[m][i, :past] * weights[i, :, :, m, None]
            flat += margin * (one.counts[:past] > 0)
            share = np.broadcast_to(weights[i][..., mine].sum(axis=-1)[..., None], shape)
            np.multiply(one.filled[:, :past], np.ascontiguousarray(share), out=room)
            error += room
        error -= flat
        hit = error <= 0
        if known is not None:
            hit &= known
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
