"""Histories for tests: a level, or a daily peak, for each workload."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from builders import NOW
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.series import History

STEP = 300
UNITS = {"cpu": "cores", "memory": "bytes", "gpu": "fraction"}


def grid(days: int = 7) -> NDArray[np.int64]:
    """Times of the columns; the last one is the step at NOW."""
    last = int(NOW) // STEP * STEP
    return np.arange(last - days * 86400 + STEP, last + 1, STEP)


def steady(level: float, days: int = 7) -> NDArray[np.float32]:
    """The same use all the time, with a little deterministic ripple."""
    times = grid(days)
    return (level * (1 + 0.02 * np.sin(times / 1700.0))).astype(np.float32)


def peaking(low: float, high: float, minutes_ahead: float, minutes: float = 120, days: int = 7) -> NDArray[np.float32]:
    """`low` all day and `high` for `minutes` a day, next from `minutes_ahead` after NOW."""
    times = grid(days)
    since = (times - (NOW + minutes_ahead * 60)) % 86400
    return np.where(since < minutes * 60, high, low).astype(np.float32)


def history(
    signal: str, series: Mapping[WorkloadKey, float | NDArray[np.float32]], complete: bool = True, days: int = 7
) -> History:
    """One signal's history of the given workloads."""
    keys = tuple(sorted(series))
    rows = [steady(v, days) if isinstance(v := series[k], (int, float)) else v for k in keys]
    return History(
        signal=signal,
        unit=UNITS.get(signal, ""),
        keys=keys,
        start=int(grid(days)[0]),
        step=STEP,
        values=np.stack(rows) if rows else np.empty((0, len(grid(days))), np.float32),
        replicas=np.ones(len(keys), np.float32),
        complete=complete,
        problems=() if complete else ("2 of 7 days are missing",),
    )
