"""HAMi and Volcano: annotations with a node's devices, and with the parts of them that a pod holds.

Nodes: one entry for each device, ended by ":"; `uuid,splits,MiB,cores,type,numa,healthy[,index,mode]` of HAMi (which
newer versions write as JSON), `uuid,splits,MiB,type,healthy[,mode]` of Volcano. Pods: `uuid,type,MiB,cores`,
each ended by ":", containers apart by ";" (Project-HAMi/HAMi pkg/device, volcano
pkg/scheduler/api/devices/nvidia/vgpu/utils.go).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from descheduler.kube.convert.wire import Slim
from descheduler.kube.devices.resources import MIB
from descheduler.kube.devices.source import Cluster, DeviceSource, NodeReport, Report
from descheduler.model.devices import UNREPORTED, WHOLE, Device, GpuShare, GpuSource, GpuStatement
from descheduler.model.fence import Unreadable

HAMI_NODE = "hami.io/node-nvidia-register"
HAMI_POD = "hami.io/vgpu-devices-allocated"
VOLCANO_NODE = "volcano.sh/node-vgpu-register"
VOLCANO_POD = "volcano.sh/vgpu-ids-new"


class _Json(Slim, frozen=True, gc=False):
    id: str = ""
    index: int = -1
    count: int = 1
    devmem: int = 0
    type: str = ""
    numa: int = -1
    health: bool = True


_json = msgspec.json.Decoder(tuple[_Json, ...])


def registered(annotations: Mapping[str, str]) -> NodeReport | None:
    """The devices that a node's annotation lists, or None."""
    for key, source, read in _NODES:
        text = annotations.get(key)
        if text is not None:
            try:
                found = read(text)
            except (Unreadable, ValueError, IndexError, msgspec.MsgspecError) as e:
                return NodeReport(source, problem=f"metadata.annotations[{key}]: {e}")
            if found:
                return NodeReport(source, tuple(d for d, _ in found), splits=max(1, *(splits for _, splits in found)))
    return None


def allocated(annotations: Mapping[str, str]) -> tuple[GpuStatement, ...]:
    """What the pod's annotations say it holds."""
    found = []
    for key, source in ((HAMI_POD, GpuSource.HAMI), (VOLCANO_POD, GpuSource.VOLCANO)):
        text = annotations.get(key)
        if text is not None:
            try:
                rows = [row for container in text.split(";") for row in _rows(container)]
                shares = tuple(_assigned(row) for row in rows)
            except (ValueError, IndexError) as e:
                found.append(GpuStatement(source, problem=f"metadata.annotations[{key}]: {e}"))
            else:
                if shares:
                    found.append(GpuStatement(source, shares))
    return tuple(found)


def _rows(text: str) -> list[list[str]]:
    return [row.split(",") for row in text.split(":") if row.strip()]


def _assigned(row: list[str]) -> GpuShare:
    uuid = row[0].partition("[")[0]  # of a MIG slice it goes on with which: "[0-1]"
    memory, cores = int(row[2]) * MIB, int(row[3])
    return GpuShare(-1, uuid, min(WHOLE, 10 * cores) if memory or cores else UNREPORTED, memory)


def _hami(text: str) -> list[tuple[Device, int]]:
    if text.lstrip().startswith("["):
        return [
            (Device(d.index if d.index >= 0 else i, d.id, d.type, d.devmem * MIB, d.health, d.numa), d.count)
            for i, d in enumerate(_json.decode(text))
        ]
    return [
        (
            Device(
                int(row[7]) if len(row) > 7 else i, row[0], row[4], int(row[2]) * MIB, _healthy(row[6]), int(row[5])
            ),
            int(row[1]),
        )
        for i, row in enumerate(_rows(text))
    ]


def _volcano(text: str) -> list[tuple[Device, int]]:
    return [
        (Device(i, row[0], row[3], int(row[2]) * MIB, _healthy(row[4])), int(row[1]))
        for i, row in enumerate(_rows(text))
    ]


def _healthy(text: str) -> bool:
    if text not in ("true", "false"):
        raise Unreadable("health", f"{text!r} is neither true nor false")
    return text == "true"


_NODES: tuple[tuple[str, GpuSource, Callable[[str], list[tuple[Device, int]]]], ...] = (
    (HAMI_NODE, GpuSource.HAMI, _hami),
    (VOLCANO_NODE, GpuSource.VOLCANO, _volcano),
)


def report(cluster: Cluster) -> Report:
    """What the annotations of nodes list."""
    listed = ((node.name, registered(node.annotations)) for node in cluster.nodes if node.annotations)
    return Report(nodes={name: found for name, found in listed if found is not None})


SOURCE = DeviceSource(frozenset({HAMI_POD, VOLCANO_POD}), of_annotations=allocated, of_cluster=report)
