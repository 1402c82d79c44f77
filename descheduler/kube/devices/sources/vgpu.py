"""HAMi and Volcano: annotations with a node's devices, and with the parts of them that a pod holds.

Nodes: one entry for each device, ended by ":"; `uuid,splits,MiB,cores,type,numa,healthy[,index,mode]` of HAMi (which
newer versions write as JSON), `uuid,splits,MiB,type,healthy[,mode]` of Volcano. Pods: `uuid,type,MiB,cores`,
each ended by ":", containers apart by ";" (Project-HAMi/HAMi pkg/device, volcano
pkg/scheduler/api/devices/nvidia/vgpu/utils.go).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from descheduler.kube.convert.wire import Int32, Slim
from descheduler.kube.devices.resources import MIB
from descheduler.kube.devices.source import Cluster, DeviceSource, NodeReport, Report
from descheduler.model.bounds import INT32, integer_of
from descheduler.model.devices import UNREPORTED, WHOLE, Device, GpuShare, GpuSource, GpuStatement
from descheduler.model.fence import Unreadable, fenced, shortened

HAMI_NODE = "hami.io/node-nvidia-register"
HAMI_POD = "hami.io/vgpu-devices-allocated"
VOLCANO_NODE = "volcano.sh/node-vgpu-register"
VOLCANO_POD = "volcano.sh/vgpu-ids-new"


class _Json(Slim, frozen=True, gc=False):
    id: str = ""
    index: Int32 = -1
    count: Int32 = 1
    devmem: Int32 = 0
    type: str = ""
    numa: Int32 = -1
    health: bool = True


Read = Callable[[str], list[tuple[Device, int]]]
"""From the text of an annotation to devices, and how many pods are let onto each. Raises anything."""

_json = msgspec.json.Decoder(tuple[_Json, ...])


def registered(annotations: Mapping[str, str]) -> NodeReport | None:
    """The devices that a node's annotation lists, or None."""
    for key, source, read in _NODES:
        text = annotations.get(key)
        if text is not None:
            found = fenced(partial(_listed, source, read, text), partial(_unlisted, source, key))
            if found is not None:
                return found
    return None


def _listed(source: GpuSource, read: Read, text: str) -> NodeReport | None:
    found = read(text)
    if not found:
        return None
    return NodeReport(source, tuple(d for d, _ in found), splits=max(1, *(splits for _, splits in found)))


def _unlisted(source: GpuSource, key: str, why: str) -> NodeReport:
    return NodeReport(source, problem=f"metadata.annotations[{key}]: {why}")


def allocated(annotations: Mapping[str, str]) -> tuple[GpuStatement, ...]:
    """What the pod's annotations say it holds."""
    found = []
    for key, source in ((HAMI_POD, GpuSource.HAMI), (VOLCANO_POD, GpuSource.VOLCANO)):
        text = annotations.get(key)
        if text is not None:
            one = fenced(partial(_held, source, text), partial(_unheld, source, key))
            if one.shares or one.problem:
                found.append(one)
    return tuple(found)


def _held(source: GpuSource, text: str) -> GpuStatement:
    return GpuStatement(source, tuple(_assigned(row) for container in text.split(";") for row in _rows(container)))


def _unheld(source: GpuSource, key: str, why: str) -> GpuStatement:
    return GpuStatement(source, problem=f"metadata.annotations[{key}]: {why}")


def _rows(text: str) -> list[list[str]]:
    return [row.split(",") for row in text.split(":") if row.strip()]


def _assigned(row: list[str]) -> GpuShare:
    uuid = row[0].partition("[")[0]  # of a MIG slice it goes on with which: "[0-1]"
    memory, cores = _number(row[2]) * MIB, _number(row[3])
    return GpuShare(-1, uuid, min(WHOLE, 10 * cores) if memory or cores else UNREPORTED, memory)


def _hami(text: str) -> list[tuple[Device, int]]:
    if text.lstrip().startswith("["):
        return [
            (Device(d.index if d.index >= 0 else i, d.id, d.type, d.devmem * MIB, d.health, d.numa), d.count)
            for i, d in enumerate(_json.decode(text))
        ]
    return [(_hami_device(i, row), _number(row[1])) for i, row in enumerate(_rows(text))]


def _hami_device(i: int, row: list[str]) -> Device:
    index = _number(row[7]) if len(row) > 7 else i
    return Device(index, row[0], row[4], _number(row[2]) * MIB, _healthy(row[6]), _number(row[5]))


def _volcano(text: str) -> list[tuple[Device, int]]:
    return [
        (Device(i, row[0], row[3], _number(row[2]) * MIB, _healthy(row[4])), _number(row[1]))
        for i, row in enumerate(_rows(text))
    ]


def _number(text: str) -> int:
    found = integer_of(text.strip())
    if found is None or abs(found) > INT32:
        raise Unreadable("", f"{shortened(text)!r} is no number of 32 bits")
    return found


def _healthy(text: str) -> bool:
    if text not in ("true", "false"):
        raise Unreadable("health", f"{text!r} is neither true nor false")
    return text == "true"


_NODES: tuple[tuple[str, GpuSource, Read], ...] = (
    (HAMI_NODE, GpuSource.HAMI, _hami),
    (VOLCANO_NODE, GpuSource.VOLCANO, _volcano),
)


def report(cluster: Cluster) -> Report:
    """What the annotations of nodes list."""
    listed = ((node.name, registered(node.annotations)) for node in cluster.nodes if node.annotations)
    return Report(nodes={name: found for name, found in listed if found is not None})


SOURCE = DeviceSource(frozenset({HAMI_POD, VOLCANO_POD}), of_annotations=allocated, of_cluster=report)
