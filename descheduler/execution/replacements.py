"""Where evicted pods came up again: evicted pods matched with the pods that replaced them.

Kubernetes does not record which pod replaces which. A replacement has the same workload, was not there before, and is
not being deleted; one of the same name (a StatefulSet's) is preferred,
the others are taken in the order they were made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from descheduler.execution.outcomes import PodOutcome
from descheduler.model.plan import PodMove
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot


class ReplacementWatch:
    """Follows evicted pods until each has a ready replacement. Pods that nothing recreates are not waited for."""

    def __init__(self, moves: Sequence[PodMove], before: ClusterSnapshot) -> None:
        self._lost = [move for move in moves if not is_bare(move.workload)]
        self._known = frozenset(
            p.uid for pods in _by_workload(before, {m.workload for m in self._lost}).values() for p in pods
        )
        self._found: dict[str, Pod] = {}  # uid of the evicted pod -> its replacement
        self._ready: dict[str, float] = {}  # uid of the evicted pod -> unix seconds

    @property
    def waiting(self) -> int:
        """How many have no ready replacement yet."""
        return len(self._lost) - len(self._ready)

    @property
    def unbound(self) -> int:
        """How many have no replacement yet that the scheduler gave a node."""
        return len(self._lost) - sum(bool(pod.node) for pod in self._found.values())

    def look(self, snapshot: ClusterSnapshot, now: float) -> None:
        """Take in what the cluster is like now."""
        self._found.update(match(snapshot, self._lost, self._known))
        for uid, pod in self._found.items():
            if pod.ready:
                self._ready.setdefault(uid, now)

    def fill(self, pod: PodOutcome) -> PodOutcome:
        """The outcome with where the replacement is and how long it took to be ready."""
        found = self._found.get(pod.move.uid)
        ready = self._ready.get(pod.move.uid)
        return replace(
            pod,
            landed=found.node if found else "",
            successor=found.uid if found else "",
            ready_seconds=None if ready is None else max(0.0, ready - pod.at),
        )


def is_bare(workload: str) -> bool:
    """Whether the workload ("namespace/Kind/name") is a pod of its own, which nothing recreates."""
    return workload.split("/")[1:2] == ["Pod"]


def match(snapshot: ClusterSnapshot, lost: Sequence[PodMove], known: frozenset[str]) -> Mapping[str, Pod]:
    """Uid of each evicted pod to its replacement, as far as there is one; `known` are uids that cannot be one."""
    fresh = _by_workload(snapshot, {one.workload for one in lost})
    found: dict[str, Pod] = {}
    for workload, pods in fresh.items():
        new = sorted(
            (p for p in pods if p.uid not in known and p.deleting is None and not p.terminal),
            key=lambda p: (p.created, p.name),
        )
        waiting = [one for one in lost if one.workload == workload]
        found.update(_pair(waiting, new))
    return found


def _pair(waiting: Sequence[PodMove], new: Sequence[Pod]) -> Mapping[str, Pod]:
    by_name = {(p.namespace, p.name): p for p in new}
    found = {one.uid: by_name[one.namespace, one.pod] for one in waiting if (one.namespace, one.pod) in by_name}
    taken = {p.uid for p in found.values()}
    rest = iter(p for p in new if p.uid not in taken)
    found.update({one.uid: pod for one, pod in zip((o for o in waiting if o.uid not in found), rest, strict=False)})
    return found


def _by_workload(snapshot: ClusterSnapshot, workloads: Iterable[str]) -> dict[str, list[Pod]]:
    """Pods of the named workloads; one pass over the columns, none over the pods of others."""
    wanted = set(workloads)
    columns = snapshot.columns
    names = {i: str(key) for i, key in enumerate(columns.workloads) if str(key) in wanted}
    found: dict[str, list[Pod]] = {name: [] for name in wanted}
    for position in np.flatnonzero(np.isin(columns.pod_workload, list(names))).tolist():
        found[names[int(columns.pod_workload[position])]].append(snapshot.pods[position])
    return found
