"""A ring as the `History` that profiles are built from: in its unit, checked for freshness, rounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats32
from descheduler_profiling.history.align import unit_factors
from descheduler_profiling.history.owners import Owners
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.rollup import group, last_mean
from descheduler_profiling.history.serial import coarse
from descheduler_profiling.history.signals import Signal
from descheduler_profiling.history.update import Notes, Recent
from descheduler_profiling.series import History

_STALE_COLUMNS = 3
_SILENT = 0.5  # share of present pods without a recent sample at which scraping must be broken


def to_history(signal: Signal, ring: Ring, recent: Recent | None, owners: Owners, notes: Notes) -> History:
    """The history of a settled ring; complete only if every column was read and the newest samples are fresh."""
    keys, raw = ring.keys, ring.values
    factors = unit_factors(raw, signal.conversion)
    values = raw if signal.conversion == "none" else coarse(_converted(raw, factors, signal))
    level: dict[tuple[str, str], float] = {}
    replicas = np.zeros(len(keys), np.float32)
    single: tuple[tuple[tuple[str, str], ...], Floats32] = ((), np.empty((0, 0), np.float32))
    if recent is not None and recent.pods:
        now = _present(recent, owners)
        converted = _converted(recent.values, factors[-recent.values.shape[1] :], signal)
        means = last_mean(converted)
        level = {recent.pods[i]: float(means[i]) for i in now if np.isfinite(means[i])}
        if signal.by_pod:
            order = sorted(now, key=recent.pods.__getitem__)
            single = tuple(recent.pods[i] for i in order), coarse(converted[order])
        numbers = {key: row for row, key in enumerate(keys)}
        distinct, index = group([recent.keys[i] for i in now])
        counts = np.bincount(index, minlength=len(distinct))
        for key, count in zip(distinct, counts, strict=True):
            if key in numbers:
                replicas[numbers[key]] = count
        _check_silence(recent, now, notes)
    _check_freshness(ring, raw, notes)
    unread = int(np.count_nonzero(~ring.read))
    if unread and not notes.problems:
        notes.problems.append(f"{unread} of {ring.grid.count} steps of signal {signal.name} were never read whole")
    return History(
        signal=signal.name,
        unit=signal.unit,
        keys=tuple(keys),
        start=ring.grid.start,
        step=ring.grid.step,
        values=values,
        replicas=replicas,
        pod_level=level,
        complete=not unread and not notes.problems,
        problems=tuple(notes.problems),
        pods=single[0],
        recent=single[1],
        absent=notes.absent and not keys,
    )


def _converted(raw: Floats32, factors: NDArray[np.float32], signal: Signal) -> Floats32:
    values: Floats32 = raw * factors[None, :]
    if signal.conversion == "ratio":
        values = np.where(values > 1.5, np.float32(np.nan), np.minimum(values, np.float32(1.0)))
    return values


def _present(recent: Recent, owners: Owners) -> list[int]:
    """The pods that exist now; without a cluster to say so, those with a sample in the newest columns."""
    existing = [i for i, (namespace, pod) in enumerate(recent.pods) if owners.present(namespace, pod) is not None]
    if existing:
        return existing
    return [int(i) for i in np.flatnonzero(np.isfinite(recent.values[:, -_STALE_COLUMNS:]).any(axis=1))]


def _check_silence(recent: Recent, now: list[int], notes: Notes) -> None:
    heard = np.isfinite(recent.values[now][:, -_STALE_COLUMNS:]).any(axis=1)
    if now and np.count_nonzero(heard) <= _SILENT * len(now):
        silent = len(now) - int(np.count_nonzero(heard))
        notes.problems.append(f"{silent} of {len(now)} pods have no recent sample: is scraping broken?")


def _check_freshness(ring: Ring, raw: Floats32, notes: Notes) -> None:
    there = np.flatnonzero(np.isfinite(raw).any(axis=0))
    if not there.size:
        if not notes.problems:
            notes.problems.append("the server has no samples in the whole window")
        return
    late = ring.grid.count - 1 - int(there[-1])
    if late >= _STALE_COLUMNS:
        notes.problems.append(f"the newest sample is {late * ring.grid.step // 60} minutes older than it should be")
