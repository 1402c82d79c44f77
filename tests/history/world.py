"""Builders for the tests of history: series as servers hold them, and a client that neither sleeps nor guesses."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from controlplane.prometheus import Series
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.sessions import Connection

STEP = 300
NOW = 1_750_000_200  # 90 s behind the newest column: 1_750_000_200 - 90 -> 1_749_999_900
END = 1_749_999_900
DAY = 86400


GOOD = json.dumps(
    {"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {}, "values": [[300, "1"]]}]}}
)
"""An answer of one series with one sample."""


class Time:
    """A clock that goes on while somebody sleeps, and at no other time."""

    def __init__(self) -> None:
        self.now = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


def client(url: str, *, naps: list[float] | None = None, time: Time | None = None, **options: Any) -> HistoryClient:
    """A client of a server; its pauses are noted in `naps`, or pass in `time`, instead of slept."""
    rng = random.Random(1)
    if time is not None:
        options.setdefault("timeout", 3600.0)  # one thread's pause is time that passes for the requests of all
        return HistoryClient(Connection(url, **options), rng=rng, sleep=time.sleep, stopwatch=time)
    return HistoryClient(Connection(url, **options), rng=rng, sleep=(naps if naps is not None else []).append)


def times(seconds: int, *, every: int = 60, end: int = NOW) -> np.ndarray:
    """Scrape times of the last `seconds` and half an hour."""
    return np.arange(end - seconds - 1800, end + 1, every, dtype=np.float64)


def cpu_counter(namespace: str, pod: str, at: np.ndarray, cores: float | np.ndarray, **labels: str) -> Series:
    """cAdvisor's counter of a pod with one container that uses so many cores."""
    used = np.cumsum(np.broadcast_to(cores, at.shape) * np.diff(at, prepend=at[0]))
    return Series(
        "container_cpu_usage_seconds_total",
        {"namespace": namespace, "pod": pod, "container": "main", "image": "app:1", **labels},
        at,
        used,
    )


def gauge(name: str, at: np.ndarray, value: float | np.ndarray, **labels: str) -> Series:
    return Series(name, labels, at, np.broadcast_to(np.asarray(value, np.float64), at.shape))


def owned_by(owners: Mapping[tuple[str, str], WorkloadKey]) -> Callable[[str, str], WorkloadKey | None]:
    """What the cluster knows of the pods that exist now."""
    return lambda namespace, pod: owners.get((namespace, pod))
