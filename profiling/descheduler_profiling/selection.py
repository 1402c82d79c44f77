"""Backtest, weighing and blending of the racing models: the forecast of single workloads.

Weights are a softmax of the logarithms of backtest losses (pinball), per workload and quantile: almost a choice where
one model is clearly better, an average where several are alike. Recent days count more, as levels shift. With
profiles built before, weights move half of the way (hysteresis), so that a near tie does not flip at every build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats32, Mask
from descheduler_profiling.features import Features
from descheduler_profiling.layout import Layout
from descheduler_profiling.race import MODELS, PAST, Samples, known_blocks, margins, ranked, samples
from descheduler_profiling.settings import DAY

# Exponent of the losses: of the mean of the last two days, and of the geometric mean of all.
SHARPNESS = 16.0
DOUBT = 4.0  # days of backtest at which evidence counts half
HYSTERESIS = 0.5


@dataclass(frozen=True, slots=True)
class Selection:
    """Per quantile Q and row S: `curves` [Q, S, H], model `weights` and mean `losses` [Q, S, M] (pinball in the unit
    of the signal, NaN where untested), and the `coverage` [Q, S, B] of the blend in the backtest."""

    curves: Floats32
    weights: Floats32
    losses: Floats32
    coverage: Floats32


def select(
    values: Floats32,
    made: Features,
    plan: Layout,
    levels: Sequence[float],
    before: Floats32 | None = None,
    past: int = PAST,
) -> Selection:
    """Race all models on cleaned values [S, T]; `before` [Q, S, M] are the weights of an earlier build."""
    rows = values.shape[0]
    per_day = max(1, DAY // plan.step)
    blocks = known_blocks(per_day)
    sets = samples(values, made, per_day)
    sorted_sets = {name: ranked(s.values, per_day, blocks) for name, s in sets.items()}
    days = sets["usage"].values.shape[1] // per_day
    past = min(past, days)
    shape = (len(levels), rows, len(MODELS))
    curves = np.empty((*shape, per_day), np.float32)
    losses = np.empty((*shape, past), np.float32)
    promised = []
    pasts = {name: _past(s, days, blocks, past) for name, s in sets.items()}
    for m, model in enumerate(MODELS):
        chosen = sets[model.samples]
        margin = margins(model, sorted_sets[model.samples], levels, past)
        promised.append(margin[:, :, 1:])
        for i, level in enumerate(levels):
            losses[i, :, m] = _losses(pasts[model.samples], margin[i, :, 1:], level)
        now = np.repeat(np.nan_to_num(margin[:, :, 0]), per_day // blocks, axis=-1)
        if chosen.ahead_scale is not None:
            now *= chosen.ahead_scale
        np.add(chosen.ahead, now, out=curves[:, :, m])
    weights = _weights(losses, before)
    blend = np.maximum(np.einsum("qsm,qsmh->qsh", weights, curves), np.float32(0))
    coverage = _coverage(pasts, promised, weights, plan)
    tested = np.isfinite(losses)
    mean = np.where(tested, losses, 0).sum(axis=-1) / np.maximum(tested.sum(axis=-1), 1)
    mean = np.where(tested.sum(axis=-1) > 0, mean, np.nan)
    steps = min(plan.steps, per_day)
    return Selection(blend[..., :steps], weights, mean.astype(np.float32), coverage)


@dataclass(frozen=True, slots=True)
class _Past:
    """Samples of past days, newest first [S, J, G, W], 0 where unknown; `known` None when all are."""

    samples: Floats32
    known: Mask | None
    count: Floats32
    total: Floats32
    scale: Floats32 | None


def _past(made: Samples, days: int, blocks: int, past: int) -> _Past:
    shape = (len(made.values), days, blocks, -1)
    samples = np.ascontiguousarray(made.values.reshape(shape)[:, ::-1][:, :past])
    scale = None
    if made.scale is not None:
        scale = np.ascontiguousarray(made.scale.reshape(shape)[:, ::-1][:, :past])
    known: Mask | None = np.isfinite(samples)
    count = np.full(samples.shape[:2], samples.shape[2] * samples.shape[3], np.float32)
    if known is not None and known.all():
        known = None
    elif known is not None:
        samples = np.where(known, samples, np.float32(0))
        count = known.sum(axis=(2, 3)).astype(np.float32)
    total = (samples if scale is None else samples * scale).sum(axis=(2, 3))
    return _Past(samples, known, count, total, scale)


def _losses(past: _Past, margin: Floats32, level: float) -> Floats32:
    """Mean pinball loss [S, J] of margins [S, J, G] over the samples of past days, NaN where there is none."""
    steps = past.samples.shape[-1]
    error = past.samples - margin[..., None]
    if past.scale is not None:
        error *= past.scale
    if past.known is not None:
        np.copyto(error, np.float32(0), where=~past.known)
        total = error.sum(axis=(2, 3))
    elif past.scale is not None:
        total = error.sum(axis=(2, 3))
    else:
        total = past.total - steps * np.broadcast_to(margin, past.samples.shape[:3]).sum(axis=-1)
    np.minimum(error, np.float32(0), out=error)
    # A loss is never negative, but the difference of two large sums in single precision may be.
    loss = np.maximum(np.float32(level) * total - error.sum(axis=(2, 3)), np.float32(0))
    with np.errstate(invalid="ignore", divide="ignore"):
        out: Floats32 = np.where(past.count > 0, loss / past.count, np.float32(np.nan))
    return out


def _weights(losses: Floats32, before: Floats32 | None) -> Floats32:
    """Weights [Q, S, M] from losses [Q, S, M, J], newest day first."""
    known = np.isfinite(losses)
    some = known.sum(axis=(2, 3)) > 0
    # A day counts only where every model was tested on it: no model is tested on an easier set of days.
    fair = known.all(axis=2, keepdims=True)
    fair = np.where(fair.sum(axis=3, keepdims=True) > 0, fair, known)
    filled = np.where(fair, losses, np.float32(0))
    size = filled.sum(axis=(2, 3), keepdims=True) / np.maximum(fair.sum(axis=(2, 3), keepdims=True), 1)
    little = np.float32(0.01) * size[..., 0] + np.float32(1e-30)
    days = losses.shape[-1]
    lately = fair & (np.arange(days) < 2)
    count = lately.sum(axis=-1)
    mean = np.where(lately, losses, np.float32(0)).sum(axis=-1) / np.maximum(count, 1)
    score = -np.float32(SHARPNESS) * np.log(np.where(count > 0, mean, size[..., 0]) + little)
    logs = np.where(fair, np.log(filled + little[..., None]), 0).sum(axis=-1) / np.maximum(fair.sum(axis=-1), 1)
    score -= np.float32(SHARPNESS) * logs
    # Few days prove little: the fewer, the nearer to an average of all.
    tested = (fair.sum(axis=2) > 0).sum(axis=-1, keepdims=True)
    score = score * (tested / (tested + np.float32(DOUBT))).astype(np.float32)
    # What could not be tested at all has no say, unless nothing could.
    score = np.where((known.sum(axis=3) > 0) | ~some[..., None], score, -np.inf)
    score -= score.max(axis=-1, keepdims=True)
    weights = np.exp(score)
    weights /= weights.sum(axis=-1, keepdims=True)
    if before is not None and before.shape == weights.shape:
        usable = before.sum(axis=-1, keepdims=True) > 0.5
        weights = np.where(usable, HYSTERESIS * before + (1 - HYSTERESIS) * weights, weights)
    return weights.astype(np.float32)


def _coverage(pasts: dict[str, _Past], promised: list[Floats32], weights: Floats32, plan: Layout) -> Floats32:
    """Share [Q, S, B] of past outcomes at or under the blended forecast, NaN where there is none.

    Weights sum to one, so the error of the blend is the weighted sum of the errors.
    """
    usage = pasts["usage"]
    rows, past, blocks, steps = usage.samples.shape
    out = np.full((len(weights), rows, len(plan.buckets)), np.nan, np.float32)
    known = (
        np.ones((rows, past, blocks * steps), np.bool_) if usage.known is None else usage.known.reshape(rows, past, -1)
    )
    for i in range(len(weights)):
        error = np.zeros(usage.samples.shape, np.float32)
        for m, model in enumerate(MODELS):
            of_model = pasts[model.samples]
            part = of_model.samples - np.nan_to_num(promised[m][i])[..., None]
            if of_model.scale is not None:
                part *= of_model.scale
            if of_model.known is not None:
                np.copyto(part, np.float32(0), where=~of_model.known)
            part *= weights[i, :, m, None, None, None]
            error += part
        hit = (error.reshape(rows, past, -1) <= 0) & known
        for b, bucket in enumerate(plan.buckets):
            there = slice(bucket.first - 1, bucket.last)
            count = known[..., there].sum(axis=(1, 2))
            hits = hit[..., there].sum(axis=(1, 2))
            out[i, :, b] = np.where(count > 0, hits / np.maximum(count, 1), np.nan)
    return out
