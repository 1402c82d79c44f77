"""Pods as surge sees them, and the mark on the one that is to leave.

The mark is the least `controller.kubernetes.io/pod-deletion-cost` there is, beside an annotation of ours that keeps
what it was before, so that whoever finds it can put it back.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.wire import Wire, decode
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.model.errors import Conflict, NotFound
from descheduler.model.rights import Right

MARKING: tuple[Right, ...] = (Right("", "pods", "list"), Right("", "pods", "patch"))
COST = "controller.kubernetes.io/pod-deletion-cost"
MARK = "rebalance.descheduler.dev/surge"
"""Annotation of a pod that is to leave: the uid of the pod for which, a slash, and the cost that it had before."""
LEAST = -(2**31)
"""The API has 32 bits for it (kubernetes pkg/apis/core/helper GetDeletionCostFromPodAnnotations)."""
_NUMBER = re.compile(r"-?[1-9][0-9]*|0")


class _Owner(Wire, frozen=True):
    uid: str = ""
    controller: bool | None = None


class _Meta(Wire, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    annotations: dict[str, str] | None = None
    owner_references: tuple[_Owner, ...] | None = None


class _Condition(Wire, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class _Status(Wire, frozen=True):
    phase: str = ""
    conditions: tuple[_Condition, ...] | None = None


class _Spec(Wire, frozen=True):
    node_name: str = ""


class _Pod(Wire, frozen=True):
    metadata: _Meta = _Meta()
    spec: _Spec = _Spec()
    status: _Status = _Status()


class _Pods(Wire, frozen=True):
    items: tuple[_Pod, ...] | None = None


@dataclass(frozen=True, slots=True)
class SurgePod:
    """One pod; `cost` is what the ReplicaSet controller goes by, `mark` whatever our annotation says."""

    namespace: str
    name: str
    uid: str
    created: str  # RFC 3339
    controller: str  # uid
    node: str
    ready: bool
    waits: str  # why the scheduler finds no node for it
    cost: int
    written_cost: str | None
    mark: str

    @property
    def marked_for(self) -> str:
        """The uid of the pod for whose move it is to leave; empty without a mark."""
        return self.mark.partition("/")[0]


def pods_of(transport: Transport, namespace: str, selector: str) -> tuple[SurgePod, ...]:
    """Pods that neither have ended nor are on their way out. Raises ClusterError's kinds."""
    answer = transport.request("GET", f"/api/v1/namespaces/{namespace}/pods", query={"labelSelector": selector})
    found = decode(answer, _Pods).items or ()
    return tuple(_seen(pod) for pod in found if _active(pod))


def pod_of(transport: Transport, namespace: str, name: str, uid: str) -> SurgePod | None:
    """Exactly this pod; None when it is gone or on its way out. Raises ClusterError's kinds."""
    try:
        found = decode(transport.request("GET", f"/api/v1/namespaces/{namespace}/pods/{name}"), _Pod)
    except NotFound:
        return None
    return _seen(found) if found.metadata.uid == uid and _active(found) else None


def mark(writer: ClusterWriter, pod: SurgePod, of: str) -> None:
    """Make it the first to leave, for the move of the pod `of`; one that is marked already stays as it is."""
    if not pod.mark:
        written = {MARK: f"{of}/{pod.written_cost or ''}", COST: str(LEAST)}
        writer.annotate(pod.namespace, pod.name, pod.uid, written)


def unmark(writer: ClusterWriter, namespace: str, name: str, uid: str, of: frozenset[str]) -> None:
    """Give it back the cost that it had, if it is there and marked for the move of one of those pods."""

    pod = pod_of(writer.transport, namespace, name, uid)
    if pod is not None and pod.marked_for in of:
        before = pod.mark.partition("/")[2] or None
        with suppress(NotFound, Conflict):  # it is gone, or another one by now
            writer.annotate(namespace, name, uid, {MARK: None, COST: before})


def _active(pod: _Pod) -> bool:
    return pod.metadata.deletion_timestamp is None and pod.status.phase not in ("Succeeded", "Failed")


def _seen(pod: _Pod) -> SurgePod:
    meta, annotations = pod.metadata, pod.metadata.annotations or {}
    conditions = {c.type: c for c in pod.status.conditions or ()}
    ready, scheduled = conditions.get("Ready"), conditions.get("PodScheduled")
    stuck = scheduled is not None and scheduled.status == "False" and scheduled.reason == "Unschedulable"
    written = annotations.get(COST)
    return SurgePod(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        created=meta.creation_timestamp,
        controller=next((o.uid for o in meta.owner_references or () if o.controller), ""),
        node=pod.spec.node_name,
        ready=ready is not None and ready.status == "True",
        waits=scheduled.message if stuck and scheduled is not None else "",
        cost=_cost(written),
        written_cost=written,
        mark=annotations.get(MARK, ""),
    )


def _cost(written: str | None) -> int:
    """What is no number counts as none at all, as with the controller."""
    if written is None or not _NUMBER.fullmatch(written):
        return 0
    value = int(written)
    return value if -(2**31) <= value < 2**31 else 0
