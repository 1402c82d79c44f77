"""Usage of random clusters: profiles are built once, for a pool of shapes, and lent to the workloads of each cluster.

Forecast vectors are linear, so the profile of a workload that uses k times a shape is k times the shape's vector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History

NOW = 1_793_275_200
STEP = 300
DAYS = 3
UNITS = {"cpu": "cores", "memory": "bytes"}


@dataclass(frozen=True, slots=True)
class UsagePool:
    """Profiles of usage shapes whose level is around 1.0, for each signal."""

    profiles: Mapping[str, SignalProfiles]

    @staticmethod
    def build(seed: int = 0, shapes: int = 40) -> UsagePool:
        """A pool: steady, with a peak now, soon, later or over, gaps, and nearly nothing measured."""
        rng = np.random.default_rng(seed)
        times = np.arange(NOW - DAYS * 86400 + STEP, NOW + 1, STEP)
        keys = tuple(WorkloadKey("pool", "Shape", f"{i:03d}") for i in range(shapes))
        made: dict[str, SignalProfiles] = {}
        for signal, unit in UNITS.items():
            values = np.stack([_shape(i, times, rng) for i in range(shapes)]).astype(np.float32)
            history = History(signal, unit, keys, int(times[0]), STEP, values, np.ones(shapes, np.float32))
            made[signal] = build(history)
        return UsagePool(made)

    def lend(
        self,
        rng: Random,
        levels: Mapping[str, Mapping[WorkloadKey, float]],
        pods: Mapping[str, Mapping[tuple[str, str], float]],
    ) -> dict[str, SignalProfiles]:
        """Profiles by signal, of workloads at `levels` per replica; `pods` weighs single pods by their level."""
        return {
            signal: _lent(rng, self.profiles[signal], sorted(of), of, pods.get(signal, {}))
            for signal, of in levels.items()
        }


def _lent(
    rng: Random,
    pool: SignalProfiles,
    keys: Sequence[WorkloadKey],
    levels: Mapping[WorkloadKey, float],
    pods: Mapping[tuple[str, str], float],
) -> SignalProfiles:
    rows = np.array([rng.randrange(len(pool.keys)) for _ in keys], np.int64)
    scale = np.array([levels[k] for k in keys], np.float32)
    return replace(
        pool,
        keys=tuple(keys),
        vectors=pool.vectors[rows] * scale[:, None],
        confidence=pool.confidence[rows],
        why=tuple(pool.why[r] for r in rows.tolist()),
        levels=scale,
        pod_level=dict(pods),
    )


def _shape(i: int, times: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    noise = 1.0 + 0.05 * rng.standard_normal(len(times))
    kind = i % 8
    if kind in (0, 1):
        return noise
    # A daily peak that began an hour ago, comes soon, comes later, is short, or is over.
    ahead, minutes = {2: (-60, 240), 3: (20, 180), 4: (150, 120), 5: (25, 10), 6: (-200, 120), 7: (30, 120)}[kind]
    since = (times - (NOW + ahead * 60)) % 86400
    values = np.where(since < minutes * 60, 1.3, 0.4) * noise
    if kind == 7:
        gap = rng.integers(0, len(times) - 200)
        values[gap : gap + 150] = np.nan
        if i % 16 == 7:
            values[:-6] = np.nan
    return values
