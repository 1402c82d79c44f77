"""The history of CPU as that of a replica among as many as there will be: divided anew where that is another number.

Only of workloads whose replicas share one load and come and go by a number that somebody sets. Where autoscalers cannot
be read nobody knows who sets it, and history stays that of a replica among those of its time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from descheduler.model.arrays import Floats, Floats32, Ints
from descheduler.model.pods import PodSpec, amount_of
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.autoscalers import Autoscaler, autoscalers
from descheduler_profiling.history.pods_here import SETTLED, machines
from descheduler_profiling.history.replicas import COUNTED, REPLICAS
from descheduler_profiling.series import History
from descheduler_profiling.settings import HOUR
from descheduler_profiling.sharing import Scaling, shared

SHARED_KINDS: Final = frozenset(
    {"Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Rollout", "CloneSet", "DeploymentConfig"}
)
"""Kinds with `replicas`; pods of others have each its own load."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A workload whose load is divided: its row of the history, how, and in what words."""

    at: int
    scaling: Scaling
    told: str


def with_shares(histories: Mapping[str, History], snapshot: ClusterSnapshot) -> Mapping[str, History]:
    """The histories, that of CPU divided anew where the numbers of replicas are known."""
    cpu, counted, known = histories.get(COUNTED), histories.get(REPLICAS), autoscalers(snapshot)
    if cpu is None or counted is None or known is None or not {*counted.keys, *known} & {*cpu.keys}:
        return histories
    specs = _specs(snapshot)
    rows = list(_rows(cpu, counted, known, snapshot, specs))
    if not rows:
        return histories
    at = np.array([row.at for row in rows], np.int64)
    counts = _counts(cpu, counted, at)
    before = cpu.values[at]
    made = shared(before, counts, [row.scaling for row in rows], cpu.step)
    made = np.minimum(made, np.maximum(_most(specs, cpu, snapshot, at), np.fmax.reduce(before, axis=1))[:, None])
    changed = [i for i in range(len(rows)) if not np.array_equal(made[i], before[i], equal_nan=True)]
    values = cpu.values.copy()
    values[at[changed]] = made[changed]
    hour = max(1, HOUR // cpu.step)
    lately = {cpu.keys[at[i]]: _ratio(made[i, -hour:], before[i, -hour:]) for i in changed}
    told = {cpu.keys[rows[i].at]: rows[i].told for i in changed}
    divided = replace(cpu, values=values, pod_level=_levels(cpu, snapshot, lately), divided=told)
    return {**histories, COUNTED: divided}


def _rows(
    cpu: History,
    counted: History,
    known: Mapping[WorkloadKey, Autoscaler | None],
    snapshot: ClusterSnapshot,
    specs: Mapping[WorkloadKey, PodSpec],
) -> Iterator[_Row]:
    """Workloads whose replicas changed, and those with an autoscaler."""
    row_of = {key: at for at, key in enumerate(cpu.keys)}
    present = _present(snapshot)
    for key in sorted({*counted.keys, *known} & row_of.keys()):
        workload, scaler = snapshot.workloads.get(key), known.get(key)
        if key.kind not in SHARED_KINDS or (key in known and scaler is None):
            continue
        settled, live = present.get(key, (0, 0))
        measured = float(cpu.replicas[row_of[key]])
        spec = float(workload.wanted if workload is not None else live)
        # Of pods that are never measured the total knows nothing, so it is not divided among them either.
        now = spec * min(1.0, measured / settled) if settled else spec
        if now > 0:
            request = amount_of(specs[key].requests, "cpu") / 1000.0 if key in specs else 0.0
            yield _row(row_of[key], now, scaler, request)


def _row(at: int, now: float, scaler: Autoscaler | None, request: float) -> _Row:
    least = most = now
    if scaler is not None and scaler.active:
        least = scaler.least if scaler.fewer else max(scaler.least, now)
        most = max(least, scaler.most if scaler.more else min(scaler.most, now))
    if scaler is None or least == most:
        return _Row(at, Scaling(least, least), f"its total, divided among {least:g} replicas")
    target = scaler.cores or scaler.share * request
    told = f"its total, divided among the {least:g} to {most:g} replicas that autoscaler {scaler.name} makes of it"
    return _Row(at, Scaling(least, most, target, scaler.down, scaler.up), told)


def _counts(cpu: History, counted: History, at: Ints) -> Floats32:
    """[K, T] replicas of some rows; those whose number never changed have as many as now."""
    row_of = {key: row for row, key in enumerate(counted.keys)}
    out = np.empty((len(at), cpu.values.shape[1]), np.float32)
    for i, row in enumerate(at.tolist()):
        found = row_of.get(cpu.keys[row])
        out[i] = max(1.0, float(cpu.replicas[row])) if found is None else _beside(cpu, counted, found)
    return out


def _beside(cpu: History, counted: History, row: int) -> Floats32:
    """[T] one row of the numbers on the columns of CPU."""
    out = np.full(cpu.values.shape[1], np.nan, np.float32)
    ahead = (counted.start - cpu.start) // cpu.step
    first, last = max(0, ahead), min(len(out), ahead + counted.values.shape[1])
    if counted.step == cpu.step and first < last:
        out[first:last] = counted.values[row, first - ahead : last - ahead]
    return out


def _present(snapshot: ClusterSnapshot) -> dict[WorkloadKey, tuple[int, int]]:
    """How many pods each workload has that run for long enough to be measured, and how many in all."""
    columns = snapshot.columns
    pods = columns.order
    begun = columns.pod_started[pods]
    owner, size = columns.pod_workload[pods], len(columns.workloads)
    old = np.bincount(owner[(begun > 0) & (begun <= snapshot.taken_at - SETTLED)], minlength=size)
    every = np.bincount(owner, minlength=size)
    return {key: (int(old[i]), int(every[i])) for i, key in enumerate(columns.workloads)}


def _specs(snapshot: ClusterSnapshot) -> dict[WorkloadKey, PodSpec]:
    """What a pod of each workload is like: as its first one is."""
    columns = snapshot.columns
    workloads, first = np.unique(columns.pod_workload, return_index=True)
    of_first = columns.pod_spec[first].tolist()
    return {columns.workloads[at]: columns.specs[spec] for at, spec in zip(workloads.tolist(), of_first, strict=True)}


def _most(limits: Mapping[WorkloadKey, PodSpec], cpu: History, snapshot: ClusterSnapshot, at: Ints) -> Floats:
    """[K] what one replica can use at the most: its limit, or all that the largest node has."""
    largest = float(machines(snapshot.nodes, "cpu").max(initial=0.0)) or np.inf
    found = (
        amount_of(limits[key].bounds, "cpu") / 1000.0 if key in limits else 0.0 for key in (cpu.keys[i] for i in at)
    )
    return np.array([min(largest, limit or np.inf) for limit in found])


def _ratio(made: Floats32, before: Floats32) -> float:
    told = np.isfinite(made) & np.isfinite(before) & (before > 0)
    return float(made[told].mean() / before[told].mean()) if told.any() else 1.0


def _levels(
    cpu: History, snapshot: ClusterSnapshot, lately: Mapping[WorkloadKey, float]
) -> Mapping[tuple[str, str], float]:
    """Levels of single pods that stand to one another and to the mean of their kin as before."""
    out = dict(cpu.pod_level)
    owners, names = snapshot.columns, snapshot.pod_names
    wanted = np.array([lately.get(key, 1.0) for key in owners.workloads])
    for pod in np.flatnonzero(wanted[owners.pod_workload] != 1.0).tolist() if len(wanted) else ():
        if names[pod] in out:
            out[names[pod]] *= float(wanted[owners.pod_workload[pod]])
    return out
