"""Backtest, weighing and blending of the racing models: the forecast of single workloads.

Weights are a softmax of the logarithms of backtest losses (pinball), per workload and quantile: almost a choice where
one model is clearly better, an average where several are alike. Recent days count more, as levels shift. With
profiles built before, weights move half of the way (hysteresis), so that a near tie does not flip at every build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats32, Mask
from descheduler_profiling.features import Features
from descheduler_profiling.hindsight import Past, coverage
from descheduler_profiling.layout import Layout
from descheduler_profiling.race import MODELS, PAST, Samples, known_blocks, samples
from descheduler_profiling.settings import DAY
from descheduler_profiling.tallies import margins, tally

# Exponent of the losses: of the mean of the last two days, and of the geometric mean of all.
SHARPNESS = 16.0
DOUBT = 4.0  # days of backtest at which evidence counts half
HYSTERESIS = 0.5


@dataclass(frozen=True, slots=True)
class Selection:
    """Per quantile Q and row S: `curves` [Q, S, H], model `weights` and mean `losses` [Q, S, M] (pinball in the unit
    of the signal, NaN where untested), and the `coverage` [Q, S, B] that the blend had on past days, forecast a day
    ahead from what was known then."""

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
    per_day = max(1, DAY // plan.step)
    blocks = known_blocks(per_day)
    sets = samples(values, made, per_day)
    past = min(past, sets["usage"].values.shape[1] // per_day)
    losses = np.empty((len(levels), len(MODELS), past, len(values)), np.float32)
    pasts: dict[str, Past] = {}
    promised: list[Floats32] = [losses] * len(MODELS)
    for name, one in sets.items():
        counted = tally(one.values, per_day, blocks)
        pasts[name] = lived = Past.of(counted.samples, past)
        room = np.empty(lived.samples.shape, np.float32)
        for m in _models_of(name):
            promised[m] = margins(MODELS[m].decay, counted, levels, past)
            for i, level in enumerate(levels):
                losses[i, m] = lived.loss(promised[m][i, 1:], level, room)
            np.nan_to_num(promised[m], copy=False)
    losses = np.ascontiguousarray(losses.transpose(0, 3, 1, 2))
    by_season = made.of_week | made.moved
    weights = _weights(losses, before, by_season)
    tested = np.isfinite(losses)
    mean = np.where(tested, losses, 0).sum(axis=-1) / np.maximum(tested.sum(axis=-1), 1)
    mean = np.where(tested.sum(axis=-1) > 0, mean, np.nan)
    blend = _blend(sets, [each[:, 0] for each in promised], weights, per_day)
    # What weighs today was learned from these very days; what is covered is told by what weighed before each.
    known_then = [_weights(losses[..., day:], None, made.of_week) for day in range(1, past)]
    then = np.stack(known_then, axis=1) if known_then else np.empty((len(levels), 0, *weights.shape[1:]), np.float32)
    covered = coverage(pasts, [each[:, 1:] for each in promised], then, plan)
    return Selection(blend[..., : min(plan.steps, per_day)], weights, mean.astype(np.float32), covered)


def _models_of(name: str) -> list[int]:
    return [m for m, model in enumerate(MODELS) if model.samples == name]


def _blend(sets: Mapping[str, Samples], now: Sequence[Floats32], weights: Floats32, per_day: int) -> Floats32:
    """The blended forecast of the next day [Q, S, H], from the margins [Q, S, G'] of each model."""
    out = np.zeros((*weights.shape[:2], per_day), np.float32)
    for name, one in sets.items():
        mine = _models_of(name)
        margin = np.zeros((*out.shape[:2], max(now[m].shape[-1] for m in mine)), np.float32)
        for m in mine:
            margin += now[m] * weights[..., m, None]
        above = np.repeat(margin, per_day // margin.shape[-1], axis=-1)
        out += weights[..., mine].sum(axis=-1)[..., None] * one.ahead
        out += above
    return np.maximum(out, np.float32(0))


def _weights(losses: Floats32, before: Floats32 | None, by_season: Mask) -> Floats32:
    """Weights [Q, S, M] from losses [Q, S, M, J], newest day first.

    Rows [S] `by_season` have a day ahead that is unlike those before it: only models that know of it have a say.
    """
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
    seasonal = np.array([model.seasonal for model in MODELS])
    score = np.where(
        by_season[:, None] & ~seasonal & (score[..., seasonal].max(axis=-1, keepdims=True) > -np.inf), -np.inf, score
    )
    score -= score.max(axis=-1, keepdims=True)
    weights = np.exp(score)
    weights /= weights.sum(axis=-1, keepdims=True)
    if before is not None and before.shape == weights.shape:
        usable = before.sum(axis=-1, keepdims=True) > 0.5
        usable &= ~by_season[:, None]
        weights = np.where(usable, HYSTERESIS * before + (1 - HYSTERESIS) * weights, weights)
    return weights.astype(np.float32)
