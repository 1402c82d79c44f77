"""Backtest, weighing and blending of the racing models: the forecast of single workloads.

Weights are a softmax of the logarithms of backtest losses (pinball), per workload and quantile: almost a choice where
one model is clearly better, an average where several are alike. Recent days count more, as levels shift. With
profiles built before, weights move half of the way (hysteresis), so that a near tie does not flip at every build.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler_profiling.features import Features
from descheduler_profiling.layout import Layout
from descheduler_profiling.race import MODELS, PAST, known_blocks, margins, ranked, samples
from descheduler_profiling.series import Floats

# Exponent of the losses: of the mean of the last two days, and of the geometric mean of all.
TRUST = 16.0
DOUBT = 4.0  # days of backtest at which evidence counts half
HYSTERESIS = 0.5


@dataclass(frozen=True, slots=True)
class Judged:
    """Per quantile Q and row S: `curves` [Q, S, H], model `weights` and mean `losses` [Q, S, M] (pinball in the unit
    of the signal, NaN where untested), and the `coverage` [Q, S, B] of the blend in the backtest."""

    curves: Floats
    weights: Floats
    losses: Floats
    coverage: Floats


def judge(
    values: Floats,
    made: Features,
    plan: Layout,
    levels: Sequence[float],
    before: Floats | None = None,
    past: int = PAST,
) -> Judged:
    """Race all models on cleaned values [S, T]; `before` [Q, S, M] are the weights of an earlier build."""
    rows = values.shape[0]
    per_day = max(1, 86400 // plan.step)
    blocks = known_blocks(per_day)
    sets = samples(values, made, per_day)
    sorted_sets = {name: ranked(s.values, per_day, blocks) for name, s in sets.items()}
    days = sets["usage"].values.shape[1] // per_day
    past = min(past, days)
    shape = (len(levels), rows, len(MODELS))
    curves = np.empty((*shape, per_day), np.float32)
    errors = np.empty((*shape, past, per_day), np.float32)
    for m, model in enumerate(MODELS):
        chosen = sets[model.samples]
        margin = margins(model, sorted_sets[model.samples], levels, past)
        recent = chosen.values.reshape(rows, days, blocks, -1)[:, ::-1][:, :past]
        np.subtract(recent, margin[:, :, 1:, :, None], out=errors[:, :, m].reshape(len(levels), *recent.shape))
        if chosen.scale is not None:
            errors[:, :, m] *= chosen.scale.reshape(rows, days, per_day)[:, ::-1][:, :past]
        now = np.repeat(np.nan_to_num(margin[:, :, 0]), per_day // blocks, axis=-1)
        if chosen.ahead_scale is not None:
            now *= chosen.ahead_scale
        np.add(chosen.ahead, now, out=curves[:, :, m])
    losses = _losses(errors, levels)
    weights = _weights(losses, before)
    blend = np.maximum(np.einsum("qsm,qsmh->qsh", weights, curves), np.float32(0))
    coverage = _coverage(errors, weights, plan)
    with np.errstate(invalid="ignore"):
        tested = np.isfinite(losses)
        mean = np.where(tested, losses, 0).sum(axis=-1) / np.maximum(tested.sum(axis=-1), 1)
        mean = np.where(tested.sum(axis=-1) > 0, mean, np.nan)
    steps = min(plan.steps, per_day)
    return Judged(blend[..., :steps], weights, mean.astype(np.float32), coverage)


def _losses(errors: Floats, levels: Sequence[float]) -> Floats:
    """Mean pinball loss [Q, S, M, J] of errors (outcome minus forecast) [Q, S, M, J, H], NaN where all are unknown."""
    out = np.empty(errors.shape[:-1], np.float32)
    for i, level in enumerate(levels):
        error = errors[i]
        known = np.isfinite(error)
        complete = bool(known.all())
        filled = error if complete else np.where(known, error, np.float32(0))
        count = error.shape[-1] if complete else known.sum(axis=-1)
        total = np.float32(level) * filled.sum(axis=-1) - np.minimum(filled, 0).sum(axis=-1)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[i] = np.where(np.asarray(count) > 0, total / count, np.nan)
    return out


def _weights(losses: Floats, before: Floats | None) -> Floats:
    """Weights [Q, S, M] from losses [Q, S, M, J], newest day first."""
    known = np.isfinite(losses)
    some = known.sum(axis=(2, 3)) > 0
    # A day counts only where every model was tested on it: no model is judged by an easier set of days.
    fair = known.all(axis=2, keepdims=True)
    fair = np.where(fair.sum(axis=3, keepdims=True) > 0, fair, known)
    filled = np.where(fair, losses, np.float32(0))
    size = filled.sum(axis=(2, 3), keepdims=True) / np.maximum(fair.sum(axis=(2, 3), keepdims=True), 1)
    little = np.float32(0.01) * size[..., 0] + np.float32(1e-30)
    days = losses.shape[-1]
    lately = fair & (np.arange(days) < 2)
    count = lately.sum(axis=-1)
    mean = np.where(lately, losses, np.float32(0)).sum(axis=-1) / np.maximum(count, 1)
    score = -np.float32(TRUST) * np.log(np.where(count > 0, mean, size[..., 0]) + little)
    logs = np.where(fair, np.log(filled + little[..., None]), 0).sum(axis=-1) / np.maximum(fair.sum(axis=-1), 1)
    score -= np.float32(TRUST) * logs
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


def _coverage(errors: Floats, weights: Floats, plan: Layout) -> Floats:
    """Share [Q, S, B] of past outcomes at or under the blended forecast, NaN where there is none."""
    blended = np.einsum("qsm,qsmjh->qsjh", weights, np.nan_to_num(errors), optimize=True)
    known = np.isfinite(errors[:, :, 0])
    out = np.full((*blended.shape[:2], len(plan.buckets)), np.nan, np.float32)
    for b, bucket in enumerate(plan.buckets):
        part = slice(bucket.first - 1, min(bucket.last, blended.shape[-1]))
        count = known[..., part].sum(axis=(2, 3))
        hits = ((blended[..., part] <= 0) & known[..., part]).sum(axis=(2, 3))
        out[..., b] = np.where(count > 0, hits / np.maximum(count, 1), np.nan)
    return out
