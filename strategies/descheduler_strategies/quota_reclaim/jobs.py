"""Who waits for what his namespace is guaranteed, and which whole jobs have borrowed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats
from descheduler.model.units import Unit
from descheduler_strategies.elastic_quotas import ElasticQuotas
from descheduler_strategies.gang_needs import UNRESOLVED
from descheduler_strategies.releases import waits

_WHOLE = frozenset({"Job", "JobSet", "TrainJob", "PyTorchJob", "TFJob", "MPIJob", "RayJob", "RayCluster"})
"""Kinds whose pods are one job, though they say nothing of a gang."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A gang or a pod that waits: the `pods` (ascending) that must start for it to run, of `quota`."""

    name: str
    pods: tuple[int, ...]
    quota: int
    priority: int
    since: float


@dataclass(frozen=True, slots=True)
class Borrows:
    """A job that runs, of a `quota` that is over what it is guaranteed: all its `pods` that have a node."""

    name: str
    pods: tuple[int, ...]
    quota: int


def entitled(view: RebalanceView, quotas: ElasticQuotas, older: float) -> list[Waits]:
    """Those who wait for longer and whose namespace stays within its guarantee with them, one after the other: the
    highest priority first, then the oldest."""
    used, found = quotas.used.copy(), list[Waits]()
    for one in sorted(_waiting(view, quotas, older), key=lambda w: (-w.priority, w.since, w.name)):
        asked = asks(view, one.pods)
        within = used[one.quota] + asked <= quotas.least[one.quota]
        if within[quotas.counted].all() and asked[quotas.counted].any():
            used[one.quota] += asked
            found.append(one)
    return found


def borrowers(view: RebalanceView, quotas: ElasticQuotas) -> list[Borrows]:
    """Jobs all of whose pods may let go, of quotas that use more than they are guaranteed; by name."""
    columns = view.snapshot.columns
    over = np.array((quotas.borrowed > 0).any(axis=1), np.bool_)
    groups: dict[str, tuple[int, list[int]]] = {}
    live = columns.pod_live & (quotas.of_pod >= 0)
    for pod in np.flatnonzero(live).tolist():
        quota = int(quotas.of_pod[pod])
        if over[quota]:
            groups.setdefault(_job_of(view, pod), (quota, []))[1].append(pod)
    return [
        Borrows(name, tuple(pods), quota)
        for name, (quota, pods) in sorted(groups.items())
        if view.releasable[pods].all() and asks(view, tuple(pods))[quotas.counted].any()
    ]


def asks(view: RebalanceView, pods: tuple[int, ...]) -> Floats:
    """[R] what they request together."""
    found: Floats = view.snapshot.columns.requests(np.array(pods, np.int32)).sum(axis=0).astype(np.float64)
    return found


def _job_of(view: RebalanceView, pod: int) -> str:
    """What goes together with the pod: its gang, its job, or itself."""
    unit = view.units.of(pod)
    if unit.gang:
        return unit.name
    columns = view.snapshot.columns
    workload = columns.workloads[columns.pod_workload[pod]]
    return str(workload) if workload.kind in _WHOLE else view.snapshot.pods[pod].key


def _waiting(view: RebalanceView, quotas: ElasticQuotas, older: float) -> Iterator[Waits]:
    snapshot = view.snapshot
    columns, before = snapshot.columns, snapshot.taken_at - older
    seated = {seat.pod for proposal in view.granted for seat in proposal.seats}
    units: dict[str, list[int]] = {}
    for pod in np.flatnonzero((columns.pod_node < 0) & (quotas.of_pod >= 0)).tolist():
        if pod not in seated and waits(snapshot.pods[pod], before):
            units.setdefault(view.units.of(pod).name, []).append(pod)
    for name, pods in units.items():
        unit = view.units.of(pods[0])
        needed = _needed(view, unit)
        if 0 < needed <= len(pods):
            chosen = tuple(pods[:needed])
            first = [snapshot.pods[pod] for pod in chosen]
            yield Waits(
                name,
                chosen,
                int(quotas.of_pod[chosen[0]]),
                max(pod.priority for pod in first),
                min(pod.created for pod in first),
            )


def _needed(view: RebalanceView, unit: Unit) -> int:
    """How many of the unit must still start; 0 where that is not known."""
    if unit.blocked is not None and unit.blocked.reason in UNRESOLVED:
        return 0
    placed = int(view.snapshot.columns.pod_live[list(unit.members)].sum())
    return max(1, unit.min_available - placed) if unit.gang else 1
