"""Finding what is stopped for a pod on the server, how it is there, and writing to it.

Who has stopped what stands on the object alone: so it is found by its mark too, when no pod of it is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

import msgspec

from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.executors.requeue.fitness import Looks
from descheduler.execution.executors.requeue.switches import (
    MARK,
    WORKLOAD,
    Switch,
    Target,
    passed,
    switch_of,
    switches_named,
)
from descheduler.execution.intents import Intent
from descheduler.model.bounds import OWNERS as LONGEST
from descheduler.model.errors import BadAnswer, NotFound
from descheduler.model.owners import OwnerRef
from descheduler.model.plan import PodMove

_Object: TypeAlias = Mapping[str, Any]
_JOB_UID = "kueue.x-k8s.io/job-uid"  # kueue pkg/controller/constants/constants.go


@dataclass(frozen=True, slots=True)
class Seen:
    """A target at one moment, in its `version` (resourceVersion)."""

    looks: Looks
    version: str
    off: bool


def look(transport: Transport, target: Target) -> Seen | None:
    """The target as it is; None when it is not there. Raises ClusterError's kinds."""
    found = _get(transport, target.path)
    if found is None or found["metadata"].get("uid") != target.uid:
        return None
    return _seen(target.switch, found)


def turn(writer: ClusterWriter, target: Target, seen: Seen, key: str, *, off: bool) -> Seen:
    """Stop it and mark it for the intent of that key, or start it and take the mark away, in one write.

    Raises ClusterError's kinds, Conflict when somebody else wrote it meanwhile, LeadershipLost.
    """
    labels = {MARK: key if off else None}
    meta = {"uid": target.uid, "resourceVersion": seen.version, "labels": labels}
    body = msgspec.json.encode({"metadata": meta, **target.switch.setting(off=off)})
    return _seen(target.switch, _decoded(writer.patch(target.path, body)))


def locate(transport: Transport, move: PodMove) -> Target | None:
    """What is stopped for this pod; None when it, or that, is not there any more. Raises ClusterError's kinds."""
    pod = _get(transport, f"/api/v1/namespaces/{move.namespace}/pods/{quote(move.pod)}")
    if pod is None or pod["metadata"].get("uid") != move.uid:
        return None
    chain = list(_above(transport, move.namespace, pod))
    return _queued(transport, move.namespace, chain) or _topmost(move.namespace, chain)


def marked(transport: Transport, intent: Intent) -> Iterator[Target]:
    """All that is stopped for an intent. Raises ClusterError's kinds."""
    asked = {(move.namespace, *move.workload.split("/")[1:2]) for move in intent.action.pods}
    for namespace, kind in sorted(asked):
        for switch in switches_named(kind):
            yield from _listed(transport, switch, namespace, f"{MARK}={intent.key}")


def _queued(transport: Transport, namespace: str, chain: list[OwnerRef]) -> Target | None:
    """The Workload of Kueue that is above one of these controllers, but for those that are over."""
    uids = [owner.uid for owner in chain]
    if not uids:
        return None
    found = _listed(transport, WORKLOAD, namespace, f"{_JOB_UID} in ({','.join(uids)})")
    return next((one for one in found if not _over(transport, one)), None)


def _over(transport: Transport, workload: Target) -> bool:
    seen = look(transport, workload)
    return seen is None or seen.looks.holds("Finished")


def _topmost(namespace: str, chain: list[OwnerRef]) -> Target | None:
    for owner in reversed(chain):
        switch = switch_of(owner)
        if switch is not None:
            return Target(switch, owner.api_version.rpartition("/")[2], namespace, owner.name, owner.uid)
    return None


def _above(transport: Transport, namespace: str, found: _Object) -> Iterator[OwnerRef]:
    """The controllers above an object that jobs are made of, nearest first."""
    for _ in range(LONGEST):
        owner = next((one for one in found["metadata"].get("ownerReferences") or () if one.get("controller")), None)
        if owner is None:
            return
        ref = OwnerRef(owner["apiVersion"], owner["kind"], owner["name"], owner["uid"], controller=True)
        kind = passed(ref)
        if kind is None:
            return
        path = f"/apis/{ref.api_version}/namespaces/{namespace}/{kind.plural}/{quote(ref.name)}"
        above = _get(transport, path)
        if above is None or above["metadata"].get("uid") != ref.uid:
            return
        yield ref
        found = above


def _listed(transport: Transport, switch: Switch, namespace: str, selector: str) -> Iterator[Target]:
    """Those that a selector finds, in the first version that the cluster serves; none where it serves none."""
    for version in switch.kind.versions:
        try:
            body = transport.request("GET", switch.folder(version, namespace), query={"labelSelector": selector})
        except NotFound:
            continue
        for one in _decoded(body).get("items") or ():
            meta = one["metadata"]
            yield Target(switch, version, namespace, meta["name"], meta["uid"])
        return


def _get(transport: Transport, path: str) -> _Object | None:
    try:
        return _decoded(transport.request("GET", path))
    except NotFound:
        return None


def _decoded(body: bytes) -> _Object:
    try:
        found = msgspec.json.decode(body)
    except msgspec.MsgspecError as error:
        raise BadAnswer(f"an answer that is no object: {error}") from error
    if not isinstance(found, dict):
        raise BadAnswer("an answer that is no object")
    return found


def _seen(switch: Switch, found: _Object) -> Seen:
    meta, spec = found["metadata"], found.get("spec") or {}
    looks = Looks(
        spec,
        found.get("status") or {},
        meta.get("labels") or {},
        meta.get("annotations") or {},
        meta.get("deletionTimestamp") is not None,
    )
    return Seen(looks, meta.get("resourceVersion", ""), switch.is_off(spec))
