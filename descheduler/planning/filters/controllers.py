"""Whether anybody would make a pod again: its controllers must be there, want it, and be able to make it.

A controller makes up for a pod only while it exists itself: one that is gone, is being deleted or was made anew under
another uid leaves its pods to the garbage collector (kubernetes pkg/controller/garbagecollector), and so does what is
above it. One that wants fewer pods than there are takes the eviction for its own scaling down. In a namespace that is
being deleted the API server makes nothing new (plugin/pkg/admission/namespace/lifecycle).

Of kinds that are not read nothing is known, and so nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from descheduler.model.objects import CustomObject
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import OwnerRef, Workload
from descheduler.planning.filters.context import Filter, FilterContext

_SCALED = ("ReplicaSet", "Deployment", "StatefulSet", "Job")
"""Kinds whose `replicas` say how many pods they want at a time."""
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
    yield Filter(Reason.WOULD_BE_LOST, np.isin(owners, list(refused)), lambda i: refused[int(owners[i])])


def _refusal(snapshot: ClusterSnapshot, pod: Pod, standing: Mapping[str, int]) -> Blocked | None:
    """Why the controllers of a pod would not make it again, as far as that is known."""
    nearest = above = pod.controller
    wanted: int | None = None
    passed: set[str] = set()
    while above is not None and above.uid not in passed:
        passed.add(above.uid)
        found = snapshot.controller(pod.namespace, above)
        why = _absence(snapshot, above) if found is None else _unwilling(above, found)
        if why:
            return Blocked(Reason.WOULD_BE_LOST, f"{above.kind}/{above.name}", why)
        if isinstance(found, Workload) and found.kind in _SCALED and found.sized and snapshot.reads(above):
            wanted = found.replicas if wanted is None else min(wanted, found.replicas)
        above = found.controller if found is not None else None
    count = standing.get(nearest.uid, 0) if nearest is not None else 0
    if nearest is None or wanted is None or count <= wanted or nearest.kind == _NUMBERED:
        return None
    text = f"{count} pods are there and {wanted} wanted"
    return Blocked(Reason.WOULD_BE_LOST, f"{nearest.kind}/{nearest.name}", text)


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
    if isinstance(found, CustomObject) or found.kind not in _SCALED:
        return ""
    if found.kind == "Job" and found.suspended:
        return "it is suspended"
    if found.left == 0:
        return "it has ended"
    return "" if found.replicas else "it is scaled to 0"
