"""Koordinator: Device objects (one for each node), and the annotation with what its scheduler gave to a pod.

After koordinator apis/scheduling/v1alpha1/device_types.go and apis/extension/device_share.go.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from descheduler.kube.convert.customs import convert_custom
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.wire import CustomWire, Int32, Slim
from descheduler.kube.devices.device_objects import DEVICES, RESERVATIONS, KoordinatorDevice
from descheduler.kube.devices.resources import KOORDINATOR_MEMORY, KOORDINATOR_MODEL, KOORDINATOR_PARTS, quantity
from descheduler.kube.devices.source import Cluster, DeviceSource, NodeReport, Report
from descheduler.model.devices import (
    MAX_DEVICES,
    UNREPORTED,
    WHOLE,
    Device,
    GpuPartition,
    GpuShare,
    GpuSource,
    GpuStatement,
)
from descheduler.model.fence import Unreadable, fenced
from descheduler.model.objects import CustomObject

ALLOCATED = "scheduling.koordinator.sh/device-allocated"

_PARTITIONS = "scheduling.koordinator.sh/gpu-partitions"
_POLICY = "node.koordinator.sh/gpu-partition-policy"

_Quantities = dict[str, str | int | float]


class _Topology(Slim, frozen=True, gc=False):
    node_id: Int32 = msgspec.field(default=-1, name="nodeID")
    pcie_id: str = msgspec.field(default="", name="pcieID")
    bus_id: str = msgspec.field(default="", name="busID")


class _Info(Slim, frozen=True, gc=False):
    type: str = ""
    id: str = ""
    minor: Int32 | None = None
    health: bool = False  # as the API defaults it
    resources: _Quantities | None = None
    topology: _Topology | None = None


class _Spec(Slim, frozen=True, gc=False):
    devices: tuple[_Info, ...] | None = None


class _Partition(Slim, frozen=True, gc=False):
    minors: tuple[Int32, ...] = ()
    link: str = msgspec.field(default="", name="gpuLinkType")
    ring_bus_bandwidth: str | int | float | None = None
    allocation_score: Int32 = 0


class _Given(Slim, frozen=True, gc=False):
    minor: Int32 = -1
    id: str = ""
    resources: _Quantities | None = None


_partitions = msgspec.json.Decoder(dict[str, tuple[_Partition, ...] | None] | None)
_allocated = msgspec.json.Decoder(dict[str, tuple[_Given, ...] | None] | None)


def convert_device(wire: CustomWire, intern: Interner, *, kind: str, api_version: str) -> CustomObject:
    """One Device with its GPUs; its spec is kept."""
    found = convert_custom(wire, intern, kind=kind, api_version=api_version)
    base = {name: getattr(found, name) for name in CustomObject.__slots__}
    spec = msgspec.convert(wire.spec or {}, _Spec)
    model = found.labels.get(KOORDINATOR_MODEL, "")
    devices = tuple(_device(info, model) for info in spec.devices or () if info.type == "gpu")
    table = _partitions.decode(found.annotations.get(_PARTITIONS, "null")) or {}
    partitions = tuple(_partition(p) for size in sorted(table) for p in table[size] or ())
    return KoordinatorDevice(
        **base, devices=devices, partitions=partitions, partition_policy=found.labels.get(_POLICY, "")
    )


def allocated(annotations: Mapping[str, str]) -> GpuStatement | None:
    """What the annotation `device-allocated` says the pod holds; None when it speaks of no GPU."""
    text = annotations.get(ALLOCATED)
    if text is None:
        return None

    def said() -> GpuStatement | None:
        found = (_allocated.decode(text) or {}).get("gpu")
        shares = tuple(_granted(given) for given in found or ())
        return GpuStatement(GpuSource.KOORDINATOR, shares) if shares else None

    return fenced(
        said, lambda why: GpuStatement(GpuSource.KOORDINATOR, problem=f"metadata.annotations[{ALLOCATED}]: {why}")
    )


def reserved(found: CustomObject) -> tuple[str, tuple[GpuShare, ...]]:
    """The node of a Reservation and the GPUs that it keeps for pods which are not there yet; of one that pods are in
    already, those pods say what they hold."""
    status = found.status
    node = status.get("nodeName")
    kept = allocated(found.annotations)
    if not isinstance(node, str) or status.get("phase") != "Available" or status.get("currentOwners") or kept is None:
        return "", ()
    return node, kept.shares if not kept.problem else (GpuShare(),)


def report(cluster: Cluster) -> Report:
    """The GPUs of Device objects, and what Reservations keep of them."""
    found = Report()
    for device in cluster.objects.get(DEVICES, ()):
        if isinstance(device, KoordinatorDevice):
            found.nodes[device.name] = NodeReport(
                GpuSource.KOORDINATOR,
                device.devices,
                partitions=device.partitions,
                partition_policy=device.partition_policy,
                problem=device.problem,
            )
    for reservation in cluster.objects.get(RESERVATIONS, ()):
        if isinstance(reservation, CustomObject):
            node, shares = reserved(reservation)
            found.reserved.setdefault(node, []).extend(shares)
    return found


def _device(info: _Info, model: str) -> Device:
    if info.minor is None:
        raise Unreadable("spec.devices.minor", "a GPU has none")
    at = info.topology or _Topology()
    memory = (info.resources or {}).get(KOORDINATOR_MEMORY, 0)
    return Device(
        index=info.minor,
        uuid=info.id,
        model=model,
        memory=quantity(memory, f"spec.devices.resources.{KOORDINATOR_MEMORY}"),
        healthy=info.health,
        numa=at.node_id,
        pcie_root=at.pcie_id,
        pci_bus=at.bus_id,
    )


def _partition(found: _Partition) -> GpuPartition:
    if any(not 0 <= minor < MAX_DEVICES for minor in found.minors):
        raise Unreadable(f"metadata.annotations[{_PARTITIONS}].minors", f"{max(found.minors)} is no device")
    bandwidth = quantity(found.ring_bus_bandwidth or 0, f"metadata.annotations[{_PARTITIONS}].ringBusBandwidth")
    return GpuPartition(tuple(sorted(found.minors)), found.link, bandwidth, found.allocation_score)


def _granted(given: _Given) -> GpuShare:
    if not 0 <= given.minor < MAX_DEVICES:
        raise Unreadable("gpu.minor", f"{given.minor} is no device")
    resources = given.resources or {}
    parts = [quantity(resources[name], name) for name in KOORDINATOR_PARTS if name in resources]
    milli = min(WHOLE, max(parts) * 10) if parts else UNREPORTED
    return GpuShare(given.minor, given.id, milli, quantity(resources.get(KOORDINATOR_MEMORY, 0), KOORDINATOR_MEMORY))


SOURCE = DeviceSource(
    annotations=frozenset({ALLOCATED}),
    of_annotations=lambda annotations: (allocated(annotations),),
    of_cluster=report,
)
