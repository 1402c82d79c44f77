"""Small histories for the tests of profiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.series import History

STEP, DAY = 300, 288


def key(name: str) -> WorkloadKey:
    return WorkloadKey("shop", "Deployment", name)


def history(
    values: NDArray[np.float32], pod_level: Mapping[tuple[str, str], float] | None = None, step: int = STEP
) -> History:
    rows = np.asarray(values, np.float32)
    keys = tuple(key(f"w{i:04d}") for i in range(len(rows)))
    return History("cpu", "cores", keys, 1_700_000_100, step, rows, np.ones(len(rows), np.float32), pod_level or {})


def noise(rows: int, days: int, seed: int = 1, level: float = 1.0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (level * (0.5 + 0.5 * rng.gamma(2.0, 0.5, (rows, days * DAY)))).astype(np.float32)


def daily(rows: int, days: int, seed: int = 1, phase: float = 0.0) -> NDArray[np.float32]:
    """Noise on a strong daily wave."""
    wave = 1 + 0.9 * np.sin(2 * np.pi * np.arange(days * DAY) / DAY + phase)
    return (noise(rows, days, seed, 0.1) + wave).astype(np.float32)
