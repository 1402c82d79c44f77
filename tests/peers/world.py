"""A shop whose week every server is given: rollouts, a database, and a second pair of hands that scrapes it too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from controlplane.prometheus import Series
from descheduler_profiling.history.prometheus.client import HistoryClient
from history.world import DAY, client, cpu_counter, gauge, times
from peers.servers import Peer

WEEK: Final = 7 * DAY


def shop(seconds: int = WEEK, *, every: int = 60) -> Iterator[Series]:
    """Daily waves with some noise; ``web`` is rolled out in the middle of it; its third replica is idle."""
    at = times(seconds, every=every)
    rng = np.random.default_rng(7)
    for name, level, seen in _pods(at):
        cores = level * (1 + 0.5 * np.sin(2 * np.pi * seen / DAY)) * rng.normal(1.0, 0.02, seen.shape)
        yield cpu_counter("shop", name, seen, np.abs(cores))
        memory = (1 << 30) * (1 + 0.2 * np.sin(2 * np.pi * seen / DAY + level))
        labels = {"container": "main", "image": "app:1"}
        yield gauge("container_memory_working_set_bytes", seen, memory.round(), namespace="shop", pod=name, **labels)


def _pods(at: np.ndarray) -> Iterator[tuple[str, float, np.ndarray]]:
    old, new = np.array_split(at, 2)
    for i in (4, 5, 6):
        yield f"web-6d4cf56db6-cccc{i}", 1.0, old
        yield f"web-7bb4c5d9f4-bbbb{i}", 0.0 if i == 6 else 1.2, new
    yield "db-0", 2.0, at
    yield "db-1", 0.5, at


def asking(peer: Peer, **options: Any) -> HistoryClient:
    """A client of a server, as the policy makes one for servers of its kind."""
    return client(peer.url, kind=peer.kind, **options)
