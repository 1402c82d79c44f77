"""Shapes of usage over time, from which histories are drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats, Ints


@dataclass(frozen=True, slots=True)
class Shape:
    """Usage of one replica: `base`, plus a daily bump of height `daily` around `peak_hour` (UTC), with relative noise.

    `spike` is added once a day for `spike_minutes` at the time of day of `spike_at` (unix seconds), every day alike.
    """

    base: float
    daily: float = 0.0
    peak_hour: float = 14.0
    width_hours: float = 4.0
    noise: float = 0.05
    spike: float = 0.0
    spike_at: float = 0.0
    spike_minutes: float = 0.0


def series(shape: Shape, times: Ints, rng: np.random.Generator) -> Floats:
    """[T] usage at each of `times` [T] (unix seconds), in the unit of the shape; noise is AR(1), so that it looks like
    load and not like static."""
    hour = (times % 86400) / 3600.0
    away = np.abs(hour - shape.peak_hour % 24.0)
    away = np.minimum(away, 24.0 - away)
    level = shape.base + shape.daily * np.exp(-0.5 * (away / shape.width_hours) ** 2)
    if shape.spike:
        since = (times - shape.spike_at) % 86400
        level = level + np.where(since < shape.spike_minutes * 60.0, shape.spike, 0.0)
    return np.maximum(level * (1.0 + shape.noise * _ar1(len(times), rng)), 0.0)


def _ar1(length: int, rng: np.random.Generator, phi: float = 0.8) -> Floats:
    shocks = rng.standard_normal(length) * np.sqrt(1.0 - phi * phi)
    out = np.empty(length)
    last = 0.0
    for i in range(length):
        last = phi * last + shocks[i]
        out[i] = last
    return out
