"""No pod uses more than its machine has, or than its limit lets it: larger values are glitches of counters.

A counter that is set back and forth, or written by two, makes `rate()` say a thousand cores on a machine of sixteen.
Such a sample becomes a gap. What a machine has, and a little more by the jitter of measuring, is taken for all of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descheduler.model.arrays import Floats, Floats32
from descheduler_profiling.history.grid import Grid
from descheduler_profiling.history.pods_here import PodsHere

JITTER = 1.25
"""cAdvisor reads control groups up to 15 s late (maxHousekeepingInterval, kubernetes pkg/kubelet/cadvisor), at both
ends of a window of five minutes, and rate() extrapolates to its ends."""
_CPU_BURST = 3.0
"""Above its CPU limit a pod gets at most this much of it, where bursts are allowed (koordinator pkg/util/sloconfig:
CFSQuotaBurstPercent 300)."""
_MEMORY_SUM = 2.0
"""Maxima of containers that were not there at once, as of an init container and what it made way for, are added."""
_OFTEN = 0.25
"""Share of a pod's samples beyond its CPU limit from which the limit is not enforced (cpuCFSQuota of the kubelet)."""
_TOO_FEW = 4  # samples by which nothing is often or seldom


def most(here: PodsHere | None, signal: str) -> float:
    """What no pod, and so no mean of pods, can exceed; infinite where nothing is known."""
    return np.inf if here is None else here.largest(signal) * JITTER


def bounded(
    here: PodsHere | None, signal: str, pods: Sequence[tuple[str, str]], columns: Grid, window: int, values: Floats32
) -> tuple[Floats32, int]:
    """Values [P, T] of pods without what is impossible, and how many samples that were.

    `window`: seconds that a sample looks back. Before a pod was made another of its name may have been elsewhere: the
    largest machine bounds that one, and no limit does.
    """
    if here is None or signal not in here.of_node or not values.size or not here.index:
        return values, 0
    row = here.rows(pods)
    known = row >= 0
    sizes = np.append(here.of_node[signal], here.largest(signal))
    machine = sizes[np.where(known, here.node[row], -1)]
    limit = np.where(known, here.of_pod[signal][row], np.inf)
    doubtful = np.flatnonzero(np.fmax.reduce(values, axis=1) > np.minimum(machine, limit))
    if not doubtful.size:
        return values, 0
    since = np.where(known, here.created[row], np.inf)[doubtful, None]
    own = columns.start + columns.step * np.arange(columns.count) - window >= since
    most = np.where(own, machine[doubtful, None], here.largest(signal))
    judged = _memory if signal == "memory" else _cpu
    kept = values.copy()
    kept[doubtful] = judged(values[doubtful], most, np.where(own, limit[doubtful, None], np.inf))
    return kept, int(np.count_nonzero(np.isfinite(values[doubtful]) & np.isnan(kept[doubtful])))


def _cpu(values: Floats32, machine: Floats, limit: Floats) -> Floats32:
    """Values [K, T] under what the machine has; what is seldom also under what the limit lets through."""
    beyond = np.isfinite(values) & (values > limit * _CPU_BURST * JITTER)
    count = np.isfinite(values).sum(axis=1)
    rare = (count >= _TOO_FEW) & (beyond.sum(axis=1) <= _OFTEN * count)
    impossible = (values > machine * JITTER) | (beyond & rare[:, None])
    return np.where(impossible, np.nan, np.minimum(values, machine)).astype(np.float32)


def _memory(values: Floats32, machine: Floats, limit: Floats) -> Floats32:
    """Values [K, T] under what the machine has and the limit lets through."""
    impossible = (values > machine * JITTER) | (values > limit * _MEMORY_SUM)
    return np.where(impossible, np.nan, np.minimum(values, np.minimum(machine, limit))).astype(np.float32)
