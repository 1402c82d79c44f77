"""Finding what is stopped for a pod on the server, how it is there, and writing to it.

Who has stopped what stands on the object alone: so it is found by its mark too, when no pod of it is left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import msgspec

from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.executors.requeue.commands import asked
from descheduler.execution.executors.requeue.fitness import Looks
from descheduler.execution.executors.requeue.switches import (
    MARK,
    VOLCANO,
    WORKLOAD,
    Switch,
    Target,
    passed,
    switch_of,
    switches_named,
)
from descheduler.execution.executors.requeue.wire import Object, decoded, got, listed
from descheduler.execution.intents import Intent
from descheduler.model.bounds import OWNERS as LONGEST
from descheduler.model.owners import OwnerRef
from descheduler.model.plan import PodMove

_JOB_UID = "kueue.x-k8s.io/job-uid"  # kueue pkg/controller/constants/constants.go


@dataclass(frozen=True, slots=True)
class Seen:
    """A target at one moment, in its `version` (resourceVersion)."""

    looks: Looks
    version: str
    off: bool


def look(transport: Transport, target: Target) -> Seen | None:
    """The target as it is; None when it is not there. Raises ClusterError's kinds."""
    found = got(transport, target.path)
    if found is None or found["metadata"].get("uid") != target.uid:
        return None
    return _seen(target.switch, found)


def turn(writer: ClusterWriter, target: Target, seen: Seen, key: str = "", *, off: bool | None) -> Seen:
    """Stop it and mark it for the intent of that key, or start it and take the mark away, in one write; None: the mark
    alone is taken away.

    Raises ClusterError's kinds, Conflict when somebody else wrote it meanwhile, LeadershipLost.
    """
    labels = {MARK: key if off else None}
    meta = {"uid": target.uid, "resourceVersion": seen.version, "labels": labels}
    setting = {} if off is None else target.switch.setting(off=off)
    body = msgspec.json.encode({"metadata": meta, **setting})
    return _seen(target.switch, decoded(writer.patch(target.path, body)))


def locate(transport: Transport, move: PodMove) -> Target | None:
    """What is stopped for this pod; None when it, or that, is not there any more. Raises ClusterError's kinds."""
    pod = got(transport, f"/api/v1/namespaces/{move.namespace}/pods/{quote(move.pod)}")
    if pod is None or pod["metadata"].get("uid") != move.uid:
        return None
    chain = list(_above(transport, move.namespace, pod))
    return _queued(transport, move.namespace, chain) or _topmost(move.namespace, chain)


def marked(transport: Transport, intent: Intent) -> Iterator[Target]:
    """All that is stopped for an intent. Raises ClusterError's kinds."""
    of_kinds = {(move.namespace, *move.workload.split("/")[1:2]) for move in intent.action.pods}
    for namespace, kind in sorted(of_kinds):
        for switch in switches_named(kind):
            yield from _listed(transport, switch, namespace, f"{MARK}={intent.key}")
        if kind == VOLCANO.kind.name:
            yield from asked(transport, namespace, intent.key)


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


def _above(transport: Transport, namespace: str, found: Object) -> Iterator[OwnerRef]:
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
        above = got(transport, path)
        if above is None or above["metadata"].get("uid") != ref.uid:
            return
        yield ref
        found = above


def _listed(transport: Transport, switch: Switch, namespace: str, selector: str) -> Iterator[Target]:
    """Those that a selector finds, in the first version that has any; none where the cluster serves none."""
    for version in switch.kind.versions:
        found = listed(transport, switch.folder(version, namespace), selector)
        for one in found:
            meta = one["metadata"]
            yield Target(switch, version, namespace, meta["name"], meta["uid"])
        if found:
            return


def _seen(switch: Switch, found: Object) -> Seen:
    meta, spec = found["metadata"], found.get("spec") or {}
    looks = Looks(
        spec,
        found.get("status") or {},
        meta.get("labels") or {},
        meta.get("annotations") or {},
        meta.get("deletionTimestamp") is not None,
    )
    return Seen(looks, meta.get("resourceVersion", ""), switch.is_off(spec))
