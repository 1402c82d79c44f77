"""Jobs that kube-queue queues: a QueueUnit says of each whether it waits (Enqueued) or may run (Dequeued).

Its extension for Jobs starts one, by `spec.suspend`, whenever it sees that the unit is Dequeued. So we stop such a Job
ourselves and then put its unit back to Enqueued: kube-queue gives back its quota and starts it when it lets it go once
more. It waits by its priority, but behind those of the same one, for kube-queue counts from when it was queued last.

Sources: kube-queue/batch-job-extension pkg/controller/controller.go, kube-queue pkg/controller/eventhandler.go,
pkg/scheduler/scheduler.go and pkg/framework/plugins/priority. The definition has no status subresource.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec

from descheduler.apiwrite.transport import Transport
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.executors.requeue.switches import QUEUE_UNIT, Target
from descheduler.execution.executors.requeue.wire import Object, listed
from descheduler.gangs.spec_reading import child
from descheduler.model.objects import Json

_WAITS = "Enqueued"


@dataclass(frozen=True, slots=True)
class QueueUnit:
    """One of them, as it is at one moment."""

    path: str
    uid: str
    version: str  # resourceVersion
    phase: str


def is_for(spec: Mapping[str, Json], group: str, kind: str, name: str) -> bool:
    """Whether a unit of that spec is for that object; one that says no API group may be of any."""
    reference = child(spec, "consumerRef")
    version = str(child(reference, "apiVersion") or "")
    said = (child(reference, "kind"), child(reference, "name"))
    return said == (kind, name) and (not version or version.rpartition("/")[0] == group)


def units_of(transport: Transport, target: Target) -> list[QueueUnit]:
    """The units that are for it. Raises ClusterError's kinds."""
    kind = target.switch.kind
    folder = f"/apis/{QUEUE_UNIT.group}/{QUEUE_UNIT.versions[0]}/namespaces/{target.namespace}/{QUEUE_UNIT.plural}"
    return [
        _unit(folder, one)
        for one in listed(transport, folder)
        if is_for(one.get("spec") or {}, kind.group, kind.name, target.name)
    ]


def enqueue(writer: ClusterWriter, unit: QueueUnit) -> None:
    """Have it wait again, in the version that was seen. Raises ClusterError's kinds, Conflict, LeadershipLost."""
    if unit.phase != _WAITS:
        meta = {"uid": unit.uid, "resourceVersion": unit.version}
        writer.patch(unit.path, msgspec.json.encode({"metadata": meta, "status": {"phase": _WAITS}}))


def _unit(folder: str, found: Object) -> QueueUnit:
    meta: Mapping[str, Any] = found["metadata"]
    phase = str((found.get("status") or {}).get("phase") or "")
    return QueueUnit(f"{folder}/{quote(meta['name'])}", meta["uid"], meta.get("resourceVersion", ""), phase)
