"""Whether anybody would make a pod again: its controllers must be there, want it, and be able to make it.

A controller makes up for a pod only while it exists itself: one that is gone, is being deleted or was made anew under
another uid leaves its pods to the garbage collector (kubernetes pkg/controller/garbagecollector), and so does what is
above it. One that wants fewer pods than there are takes the eviction for its own scaling down. In a namespace that is
being deleted the API server makes nothing new (plugin/pkg/admission/namespace/lifecycle).

Of kinds that are not read nothing is known, and so nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from descheduler.gangs.spec_reading import child
from descheduler.model.bounds import OWNERS
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import OwnerRef, Workload
from descheduler.planning.filters.context import ControllerId, Filter, FilterContext

_SCALED = ("ReplicaSet", "Deployment", "StatefulSet", "Job")
"""Kinds whose `replicas` say how many pods they want at a time."""
_SUSPENDED = (("suspend",), ("runPolicy", "suspend"))
"""Where objects of optional APIs say that they are to have no pods (JobSet, Ray, TrainJob; Kubeflow's jobs)."""
_NUMBERED = "StatefulSet"
"""The kind whose ordinals say which of its pods are too many (`model.remaking`)."""


def controller_filters(context: FilterContext) -> Iterator[Filter]:
    """Pods that nobody would make again."""
    ending = context.snapshot.ending
    yield Filter(
        Reason.WOULD_BE_LOST,
        context.by_namespace(ending.__contains__),
        lambda i: Blocked(Reason.WOULD_BE_LOST, f"namespace/{context.pods[i].namespace}", "it is being deleted"),
    )
    owners, first = context.looks.owners.rows, context.looks.first_of_owner
    refused = {
        row: blocked
        for row, pod in enumerate(first)
        if (blocked := _refusal(context.snapshot, pod, context.standing)) is not None
    }
    for reason in (Reason.DATA_PARTIAL, Reason.WOULD_BE_LOST):
        rows = [row for row, blocked in refused.items() if blocked.reason is reason]
        yield Filter(reason, np.isin(owners, rows), lambda i: refused[int(owners[i])])


def _refusal(snapshot: ClusterSnapshot, pod: Pod, standing: Mapping[ControllerId, int]) -> Blocked | None:
    """Why the controllers of a pod would not make it again, as far as that is known."""
    above = pod.controller
    known: list[Workload] = []
    passed: set[str] = set()
    while above is not None and above.uid not in passed:
        if len(passed) == OWNERS:
            text = f"more than {OWNERS} controllers are above one another: what they would make is not known"
            return Blocked(Reason.WOULD_BE_LOST, f"{above.kind}/{above.name}", text)
        passed.add(above.uid)
        found = snapshot.controller(pod.namespace, above)
        if found is not None and found.problem:
            return Blocked(Reason.DATA_PARTIAL, f"{above.kind}/{above.name}", found.problem)
        why = _absence(snapshot, above) if found is None else _unwilling(above, found)
        if why:
            return Blocked(Reason.WOULD_BE_LOST, f"{above.kind}/{above.name}", why)
        if isinstance(found, Workload):
            known.append(found)
        above = found.controller if found is not None else None
    return _surplus(known, standing)


def _surplus(chain: Sequence[Workload], standing: Mapping[ControllerId, int]) -> Blocked | None:
    """Whether the controller of pods is about to remove some, by what is there and by what it says is there."""
    if not chain or chain[0].kind == _NUMBERED:
        return None
    wanted = min((one.replicas for one in chain if one.kind in _SCALED and one.sized), default=None)
    count = min(standing.get((chain[0].namespace, chain[0].uid), 0), chain[0].present)
    if wanted is None or count <= wanted:
        return None
    text = f"{count} pods are there and {wanted} wanted"
    return Blocked(Reason.WOULD_BE_LOST, f"{chain[0].kind}/{chain[0].name}", text)


def _absence(snapshot: ClusterSnapshot, owner: OwnerRef) -> str:
    if not snapshot.reads(owner):
        return ""
    # A ReplicaSet of no pods is not kept when the cluster is read.
    return "it is gone or scaled to nothing" if owner.kind == "ReplicaSet" else "it is gone"


def _unwilling(owner: OwnerRef, found: Workload | CustomObject) -> str:
    if owner.uid and found.uid and owner.uid != found.uid:
        return "it was made anew and does not know this pod"
    if found.deleting:
        return "it is being deleted"
    if isinstance(found, CustomObject):
        return "it is suspended" if any(child(found.spec, *path) is True for path in _SUSPENDED) else ""
    if found.kind not in _SCALED:
        return ""
    if found.kind == "Job" and found.suspended:
        return "it is suspended"
    if found.left == 0:
        return "it makes no more pods"
    return "" if found.replicas else "it is scaled to 0"
