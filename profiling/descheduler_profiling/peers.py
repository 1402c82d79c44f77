"""The rules of others, exactly, to be measured against and shown beside ours: the decaying histograms of the Vertical
Pod Autoscaler's recommender and of Koordinator's koordlet, KRR's flat percentile, and N-sigma.

Sources: kubernetes/autoscaler vertical-pod-autoscaler/pkg/recommender (util/histogram.go, util/histogram_options.go,
util/decaying_histogram.go, model/aggregations_config.go); koordinator-sh/koordinator pkg/koordlet/prediction and
pkg/util/histogram; robusta-dev/krr strategies/simple.py; Bashir et al., EuroSys 2021 (N-sigma).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.settings import DAY, HOUR


@dataclass(frozen=True, slots=True)
class Histogram:
    """Exponential buckets: the first is `first` wide, each next one `growth` times the one before, up to `largest`.

    A sample loses half of its weight in `half_life` seconds. `weight` is that of a fresh sample.
    """

    largest: float
    first: float
    half_life: float
    growth: float = 1.05
    weight: float = 1.0
    epsilon: float = 1e-4

    @property
    def buckets(self) -> int:
        """NewExponentialHistogramOptions: enough buckets for the last one to start beyond `largest`."""
        g = self.growth
        return math.ceil(math.log(self.largest * (g - 1) / self.first + 1, g)) + 1

    def starts(self) -> NDArray[np.float64]:
        """[B + 1]: where each bucket starts."""
        g = self.growth
        return np.asarray(self.first * (g ** np.arange(self.buckets + 1) - 1) / (g - 1), np.float64)

    def bucket(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Bucket of each value, of any shape [...] -> [...]."""
        g = self.growth
        inside = np.maximum(values, self.first)
        index = np.floor(np.log(inside * (g - 1) / self.first + 1) / math.log(g))
        index = np.where(values < self.first, 0, index)
        return np.clip(index, 0, self.buckets - 1).astype(np.int64)

    def percentiles(self, values: Floats32, step: int, levels: tuple[float, ...]) -> Floats32:
        """Percentiles [S, Q] of histories [S, T]: the *end* of the bucket where the weight reaches the level.

        The last column is the newest. A row without samples gives 0, as upstream does.
        """
        rows, columns = values.shape
        out = np.zeros((rows, len(levels)), np.float32)
        age = (columns - 1 - np.arange(columns)) * step
        decay = self.weight * np.exp2(-age / self.half_life)
        known = np.isfinite(values)
        index = self.bucket(np.where(known, values, 0.0).astype(np.float64))
        flat = index + np.arange(rows)[:, None] * self.buckets
        weights = np.where(known, decay[None, :], 0.0)
        mass = np.bincount(flat.ravel(), weights.ravel(), rows * self.buckets).reshape(rows, self.buckets)
        starts = self.starts()
        heavy = mass > self.epsilon * 1.0
        lowest = heavy.argmax(axis=1)
        highest = self.buckets - 1 - heavy[:, ::-1].argmax(axis=1)
        columns_of = np.arange(self.buckets)[None, :]
        partial = np.cumsum(np.where(columns_of < lowest[:, None], 0.0, mass), axis=1)
        total = mass.sum(axis=1)
        for i, level in enumerate(levels):
            reached = (partial >= (level * total)[:, None]).argmax(axis=1)
            never = partial[:, -1] < level * total
            found = np.minimum(np.where(never, highest, reached), highest)
            end = np.where(found < self.buckets - 1, starts[np.minimum(found + 1, self.buckets)], starts[found])
            out[:, i] = np.where(heavy.any(axis=1), end, 0.0)
        return out


VPA_CPU = Histogram(largest=1000.0, first=0.01, half_life=24 * HOUR, weight=0.1, epsilon=0.001 * 0.1)
VPA_MEMORY = Histogram(largest=1e12, first=1e7, half_life=24 * HOUR, weight=1.0, epsilon=0.001 * 0.1)
KOORDINATOR_CPU = Histogram(largest=1024.0, first=0.025, half_life=12 * HOUR, epsilon=0.001)
KOORDINATOR_MEMORY = Histogram(largest=float(1 << 41), first=5.0 * (1 << 20), half_life=24 * HOUR, epsilon=0.001)

VPA_TARGET, VPA_MARGIN = 0.9, 0.15
KOORDINATOR_CPU_LEVEL, KOORDINATOR_MEMORY_LEVEL, KOORDINATOR_MARGIN = 0.95, 0.98, 0.10


def vpa_target(values: Floats32, step: int, memory: bool = False) -> Floats32:
    """VPA's target [S]: p90 of its histogram with its safety margin."""
    rule = VPA_MEMORY if memory else VPA_CPU
    return rule.percentiles(daily_peaks(values, step) if memory else values, *_memory_step(step, memory))[:, 0] * (
        np.float32(1 + VPA_MARGIN)
    )


def _memory_step(step: int, memory: bool) -> tuple[int, tuple[float, ...]]:
    return (DAY if memory else step), (VPA_TARGET,)


def koordinator_peak(values: Floats32, step: int, memory: bool = False) -> Floats32:
    """Koordinator's peak [S] of a pod: p95 (CPU) or p98 (memory) of its histogram with its margin."""
    rule = KOORDINATOR_MEMORY if memory else KOORDINATOR_CPU
    level = KOORDINATOR_MEMORY_LEVEL if memory else KOORDINATOR_CPU_LEVEL
    return rule.percentiles(values, step, (level,))[:, 0] * np.float32(1 + KOORDINATOR_MARGIN)


def daily_peaks(values: Floats32, step: int) -> Floats32:
    """[S, days]: the largest sample of each 24 h counted back from the end (VPA's memory aggregation interval)."""
    per_day = max(1, DAY // step)
    days = -(-values.shape[1] // per_day)
    padded = np.full((values.shape[0], days * per_day), -np.inf, np.float32)
    padded[:, days * per_day - values.shape[1] :] = np.where(np.isfinite(values), values, -np.inf)
    peaks = padded.reshape(values.shape[0], days, per_day).max(axis=2)
    return np.asarray(np.where(np.isfinite(peaks), peaks, np.nan), np.float32)


def flat_quantile(values: Floats32, step: int, q: float, seconds: int) -> Floats32:
    """The plain quantile [S] of the last so many seconds (KRR, before its margins); 0 for a row without samples."""
    tail = values[:, -max(1, seconds // step) :] if values.shape[1] else values
    ordered = np.sort(np.where(np.isfinite(tail), tail, np.inf), axis=1)
    count = np.isfinite(tail).sum(axis=1)
    if tail.shape[1] == 0:
        return np.zeros(values.shape[0], np.float32)
    rank = np.maximum(count - 1, 0) * q
    low = np.floor(rank).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    rows = np.arange(values.shape[0])
    with np.errstate(invalid="ignore"):
        mixed = ordered[rows, low] + (ordered[rows, high] - ordered[rows, low]) * (rank - low)
    return np.where(count > 0, mixed, 0.0).astype(np.float32)


def n_sigma(values: Floats32, step: int, sigmas: float = 5.0, seconds: int = DAY) -> Floats32:
    """Mean plus `sigmas` standard deviations [S] of the last so many seconds."""
    tail = values[:, -max(1, seconds // step) :]
    known = np.isfinite(tail)
    count = np.maximum(known.sum(axis=1), 1)
    filled = np.where(known, tail, 0.0)
    mean = filled.sum(axis=1) / count
    spread = np.sqrt((np.where(known, tail - mean[:, None], 0.0) ** 2).sum(axis=1) / count)
    return np.asarray(mean + sigmas * spread, np.float32)
