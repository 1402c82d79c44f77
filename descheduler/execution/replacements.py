"""Where evicted pods came up again: evicted pods matched with the pods that replaced them.

Kubernetes does not record which pod replaces which. A replacement has the same workload, is new, and stays. Whether a
pod is new is known by who was there before, or, where nobody looked, by when it was made. Of the new ones

- a pod that was matched before stays matched while it is there;
- one of the same name (a StatefulSet's) replaces that pod and no other;
- the others are taken in the order in which they were made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.execution.outcomes import PodOutcome
from descheduler.model.plan import PodMove
from descheduler.model.pods import Pod
from descheduler.model.removed_state import was_let_go, was_over, was_unready
from descheduler.model.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class LostPod:
    """A pod that was evicted: its `key` ("namespace/name"), and the uid of its replacement, empty while unknown."""

    uid: str
    key: str
    workload: str
    successor: str = ""


class ReplacementWatch:
    """Follows evicted pods until each has a ready replacement, or one with a node where the pod was not ready itself.
    Pods that nothing recreates are not waited for."""

    def __init__(self, moves: Sequence[PodMove], before: ClusterSnapshot) -> None:
        self._lost = [
            LostPod(move.uid, f"{move.namespace}/{move.pod}", move.workload) for move in moves if is_replaced(move)
        ]
        self._unready = frozenset(move.uid for move in moves if was_unready(move.state))
        pods = pods_of(before, {one.workload for one in self._lost})
        self._known = frozenset(pod.uid for found in pods.values() for pod in found)
        self._found: dict[str, Pod] = {}  # uid of the evicted pod -> its replacement
        self._ready: dict[str, float] = {}  # uid of the evicted pod -> unix seconds

    @property
    def waiting(self) -> int:
        """How many have no ready replacement yet."""
        return len(self._lost) - len(self._ready)

    @property
    def late(self) -> list[str]:
        """Keys of those that have no ready replacement yet."""
        return [one.key for one in self._lost if one.uid not in self._ready]

    @property
    def ready(self) -> list[str]:
        """Keys of those that have one."""
        return [one.key for one in self._lost if one.uid in self._ready]

    @property
    def unbound(self) -> int:
        """How many have no replacement yet that the scheduler gave a node."""
        return len(self._lost) - sum(bool(pod.node) for pod in self._found.values())

    def held_up(self, there: Collection[str]) -> bool:
        """Whether all that have no ready replacement yet are still `there` (by uid) and have none at all: some
        controllers make it only once the pod is gone."""
        waiting = [one.uid for one in self._lost if one.uid not in self._ready]
        return bool(waiting) and all(uid in there and uid not in self._found for uid in waiting)

    def look(self, snapshot: ClusterSnapshot, now: float) -> None:
        """Take in what the cluster is like now."""
        found = match(snapshot, self._lost, lambda _, pod: pod.uid not in self._known)
        self._lost = [replace(one, successor=found[one.uid].uid) if one.uid in found else one for one in self._lost]
        self._found.update(found)
        for uid, pod in self._found.items():
            if pod.ready or (pod.node and uid in self._unready):
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


def is_replaced(move: PodMove) -> bool:
    """Whether somebody makes the pod again, and it need not wait for others."""
    return not is_bare(move.workload) and not was_over(move.state) and not was_let_go(move.state)


def is_bare(workload: str) -> bool:
    """Whether the workload ("namespace/Kind/name") is a pod of its own, which nothing recreates."""
    return workload.split("/")[1:2] == ["Pod"]


def match(
    snapshot: ClusterSnapshot, lost: Sequence[LostPod], is_new: Callable[[LostPod, Pod], bool]
) -> Mapping[str, Pod]:
    """Uid of each lost pod to its replacement, as far as there is one; `is_new` says whether a pod can be one."""
    found: dict[str, Pod] = {}
    by_workload: dict[str, list[LostPod]] = {}
    for one in lost:
        by_workload.setdefault(one.workload, []).append(one)
    for workload, pods in pods_of(snapshot, by_workload).items():
        found.update(_pair(by_workload[workload], pods, is_new))
    return found


def _pair(lost: Sequence[LostPod], pods: Iterable[Pod], is_new: Callable[[LostPod, Pod], bool]) -> Mapping[str, Pod]:
    there = {p.uid: p for p in pods if p.deleting is None and not p.terminal}
    found = {one.uid: there.pop(one.successor) for one in lost if one.successor in there}
    left = [one for one in lost if one.uid not in found]
    by_name = {pod.key: pod for pod in there.values()}
    for one in left:
        pod = by_name.get(one.key)
        if pod is not None and is_new(one, pod):
            found[one.uid] = there.pop(pod.uid)
    left = [one for one in left if one.uid not in found]
    new = [p for p in there.values() if any(is_new(one, p) for one in left)]
    for pod in sorted(new, key=lambda p: (p.created, p.name)):
        first = next((one for one in left if one.uid not in found and is_new(one, pod)), None)
        if first is not None:
            found[first.uid] = pod
    return found


def pods_of(snapshot: ClusterSnapshot, workloads: Iterable[str]) -> Mapping[str, list[Pod]]:
    """Pods of the named workloads; one pass over the columns, none over the pods of others."""
    wanted = set(workloads)
    columns = snapshot.columns
    names = {i: str(key) for i, key in enumerate(columns.workloads) if str(key) in wanted}
    found: dict[str, list[Pod]] = {name: [] for name in wanted}
    for position in np.flatnonzero(np.isin(columns.pod_workload, list(names))).tolist():
        found[names[int(columns.pod_workload[position])]].append(snapshot.pods[position])
    return found
