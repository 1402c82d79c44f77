"""A ring as the `History` that profiles are built from: in its unit, checked for freshness, rounded."""

from __future__ import annotations

import math

import numpy as np

from descheduler.model.arrays import Floats32
from descheduler_profiling.history.align import unit_factors
from descheduler_profiling.history.owners import Owners
from descheduler_profiling.history.pods_here import PodsHere
from descheduler_profiling.history.ring import Ring
from descheduler_profiling.history.rollup import group, last_mean
from descheduler_profiling.history.serial import coarse
from descheduler_profiling.history.signals import Signal
from descheduler_profiling.history.update import Notes, Recent
from descheduler_profiling.series import History

_STALE_COLUMNS = 3
_SEVERAL, _STRANGE = 5, 1 / 3  # pods, and share of the measured, that do not exist here: those of another cluster
_SILENT = 0.5  # share of present pods without a recent sample at which scraping must be broken


def to_history(
    signal: Signal, ring: Ring, recent: Recent | None, owners: Owners, notes: Notes, here: PodsHere | None = None
) -> History:
    """The history of a settled ring; complete only if every column was read and the newest samples are fresh."""
    keys, raw = ring.keys, ring.values
    values = raw if signal.conversion == "none" else coarse(_converted(raw, signal))
    level: dict[tuple[str, str], float] = {}
    replicas = np.zeros(len(keys), np.float32)
    single: tuple[tuple[tuple[str, str], ...], Floats32] = ((), np.empty((0, 0), np.float32))
    if recent is not None and recent.pods:
        now = _present(recent, owners)
        converted = _converted(recent.values, signal)
        means = last_mean(converted).tolist()
        level = {recent.pods[i]: means[i] for i in now if math.isfinite(means[i])}
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
        if here is not None and signal.name in here.of_node:
            _check_strangers(recent, now, notes)
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
        standing_still=tuple(sorted(set(notes.standing_still.values()))),
        absent=notes.absent and not keys,
        pinned=signal.pinned,
    )


def _converted(raw: Floats32, signal: Signal) -> Floats32:
    values: Floats32 = raw * unit_factors(raw, signal.conversion)
    if signal.conversion == "ratio":
        values = np.where(values > 1.5, np.float32(np.nan), np.minimum(values, np.float32(1.0)))
    return values


def _present(recent: Recent, owners: Owners) -> list[int]:
    """The pods that exist now; without a cluster to say so, those with a sample in the newest columns."""
    existing = [i for i, owner in enumerate(owners.all_present(recent.pods)) if owner is not None]
    if existing:
        return existing
    return [int(i) for i in np.flatnonzero(np.isfinite(recent.values[:, -_STALE_COLUMNS:]).any(axis=1))]


def _check_silence(recent: Recent, now: list[int], notes: Notes) -> None:
    """Of those that stand still it is known; too many of them are as bad as silence."""
    still = [i for i in now if recent.pods[i] in notes.standing_still]
    heard = int(np.count_nonzero(np.isfinite(recent.values[now][:, -_STALE_COLUMNS:]).any(axis=1)))
    if now and (heard <= _SILENT * (len(now) - len(still)) or len(still) > _SILENT * len(now)):
        silent = len(now) - heard
        notes.problems.append(f"{silent} of {len(now)} pods have no recent sample: is scraping broken?")


def _check_strangers(recent: Recent, now: list[int], notes: Notes) -> None:
    """Pods that are measured all through the hour, to its end, and do not exist: of a cluster that has no label."""
    throughout = np.flatnonzero(np.isfinite(recent.values).all(axis=1))
    found, measured = len(set(throughout.tolist()) - set(now)), len(throughout)
    if found >= _SEVERAL and found > _STRANGE * measured:
        notes.problems.append(
            f"{found} of {measured} pods that the server measures are not of this cluster: name its series in "
            "history.match, by a label that other clusters do not have"
        )


def _check_freshness(ring: Ring, raw: Floats32, notes: Notes) -> None:
    there = np.flatnonzero(np.isfinite(raw).any(axis=0))
    if not there.size:
        if not notes.problems:
            notes.problems.append("the server has no samples in the whole window")
        return
    late = ring.grid.count - 1 - int(there[-1])
    if late >= _STALE_COLUMNS:
        notes.problems.append(f"the newest sample is {late * ring.grid.step // 60} minutes older than it should be")
