"""GPU devices: what a node has, who told it, and how much of which a pod holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

WHOLE = 1000
"""Thousandths of one device."""

MAX_DEVICES = 64
"""Of one node. No machine has more; sets of devices are the bits of one word in places."""

UNREPORTED = -1
"""For thousandths that a source does not report: then what the pod asks for counts."""


class GpuSource(StrEnum):
    """Who told which devices there are or which a pod holds; the most trusted first."""

    DRA = "dra"  # resource.k8s.io: ResourceSlice, ResourceClaim
    KOORDINATOR = "koordinator"  # Device objects, annotation device-allocated
    STATUS = "status"  # containerStatuses[].allocatedResourcesStatus, by the kubelet
    DCGM = "dcgm"  # labels of series
    HAMI = "hami"
    KAI = "kai"
    VOLCANO = "volcano"
    GPUSHARE = "gpushare"
    GPU_INDEX = "gpu-index"  # annotation alibabacloud.com/gpu-index
    COUNTS = "counts"  # extended resources only

    @property
    def trust(self) -> int:
        """0 for the most trusted."""
        return _TRUST[self]


_TRUST = {source: rank for rank, source in enumerate(GpuSource)}


@dataclass(frozen=True, slots=True)
class Device:
    """One GPU of a node. `index` is the device's minor, by which its node knows it.

    A device with `mig` is cut into slices and cannot be held as a whole. What is not known is empty, 0 or -1.
    """

    index: int
    uuid: str = ""
    model: str = ""
    memory: int = 0  # bytes
    healthy: bool = True
    numa: int = -1
    pcie_root: str = ""  # devices under one root share a switch or a host bridge; the name means nothing elsewhere
    pci_bus: str = ""  # PCI address, "0000:3b:00.0"
    name: str = ""  # of the device in its DRA pool
    mig: bool = False


@dataclass(frozen=True, slots=True)
class MigSlice:
    """One MIG instance: `parent` is the UUID of the device that it is a part of, `profile` as in "1g.10gb"."""

    profile: str
    parent: str
    uuid: str = ""
    name: str = ""  # of the device in its DRA pool
    memory: int = 0  # bytes
    healthy: bool = True


@dataclass(frozen=True, slots=True)
class GpuPartition:
    """A set of devices that may be given out together (koordinator apis/extension/device_share.go, GPUPartition).

    `bandwidth` is that of the ring over its links in bytes per second, 0 when it is not told.
    """

    indices: tuple[int, ...]
    link: str = ""  # NVLink | ...
    bandwidth: int = 0
    score: int = 0


@dataclass(frozen=True, slots=True)
class GpuShare:
    """What is held of one device: thousandths of it, and bytes of its memory where that is told (else 0).

    `index` is -1 as long as only the UUID is known. `milli` of 0: the pod is on the device but takes nothing of it that
    others could have (a placeholder of a sharing scheduler, time-slicing).
    """

    index: int = -1
    uuid: str = ""
    milli: int = WHOLE
    memory: int = 0
    healthy: bool = True


@dataclass(frozen=True, slots=True)
class GpuStatement:
    """What one source says a pod holds. With a `problem` it could not be read, and nothing is known from it."""

    source: GpuSource
    shares: tuple[GpuShare, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class NodeGpus:
    """GPU devices of a node: how many of one resource it offers, and what is known of each.

    `count` units of `resource` can be given out. A unit is one device, unless each device is cut into `parts` that are
    counted (MIG, strategy `single`), or `replicas` pods are let onto each device or part (time-slicing, MPS). `devices`
    is ascending by index and empty when nobody describes them; it has the unhealthy ones too, which `count` leaves out.
    `reserved` is held by no pod that is known. With a `problem` it is not known who holds what: the node is then
    neither source nor destination of pods with GPUs.
    """

    resource: str
    count: int
    model: str = ""
    devices: tuple[Device, ...] = ()
    slices: tuple[MigSlice, ...] = ()
    partitions: tuple[GpuPartition, ...] = ()
    partition_policy: str = ""  # Koordinator: Honor | Prefer; empty: not told
    parts: int = 1
    replicas: int = 1
    device_memory: int = 0  # bytes of each device, as labels and resources have it
    reserved: tuple[GpuShare, ...] = ()
    source: GpuSource = GpuSource.COUNTS
    steerable: bool = False  # the scheduler chooses the device, and can be asked for one; else the kubelet does
    problem: str = ""

    def device(self, index: int) -> Device | None:
        """The device of an index; None when no such device is described."""
        return next((d for d in self.devices if d.index == index), None)

    @property
    def units(self) -> int:
        """How many units of the resource each device is."""
        return self.parts * self.replicas

    @property
    def sliced(self) -> bool:
        """Whether units are no devices and nobody keeps account of which device a pod is on.

        More units than any machine has devices are that, too, whether the node says so or not.
        """
        accounted = self.steerable and bool(self.devices)
        return self.parts > 1 or ((self.replicas > 1 or self.count > MAX_DEVICES) and not accounted)

    @property
    def unit(self) -> float:
        """The part of a device that one unit is, where units are no devices; else 1."""
        return 1 / self.units if self.sliced else 1.0

    @property
    def physical(self) -> int:
        """How many devices the units are of, however many pods are let onto each."""
        if self.units == 1:
            return self.count
        usable = sum(d.healthy and (self.parts > 1 or not d.mig) for d in self.devices)
        return usable if self.devices else -(-self.count // self.units)

    @property
    def memory(self) -> int:
        """Bytes of the smallest usable device whose memory is known; 0 when none is."""
        known = (d.memory for d in self.devices if d.healthy and not d.mig and d.memory)
        return min(known, default=self.device_memory)


def not_steerable(gpus: Iterable[tuple[str, NodeGpus | None]]) -> tuple[str, ...]:
    """Names of the nodes, of those given with their GPUs, on which nobody but the kubelet chooses among devices.

    There a plan can improve which node a pod is on, but not which of its GPUs: what a report must say.
    """
    return tuple(name for name, found in gpus if found is not None and found.physical > 1 and not found.steerable)
