"""What is kept of the objects that tell of devices. With a `problem` they could not be read, and what they tell of is
not known."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.model.devices import Device, GpuPartition, MigSlice
from descheduler.model.objects import CustomObject

SLICES = "resource.k8s.io/ResourceSlice"
CLAIMS = "resource.k8s.io/ResourceClaim"
DEVICES = "scheduling.koordinator.sh/Device"
RESERVATIONS = "scheduling.koordinator.sh/Reservation"
"""Keys of the kinds."""


@dataclass(frozen=True, slots=True)
class PoolDevice:
    """One device of a DRA pool: a GPU or a MIG slice. `node` is empty when the whole ResourceSlice is of one node.

    `parent_index` is that of the GPU a slice is a part of, as far as its name says it; `partitions` are pairs of a
    size and the number of the Fabric Manager's partition of that size which the GPU is in.
    """

    name: str
    gpu: Device | None = None
    mig: MigSlice | None = None
    parent_index: int = -1
    node: str = ""
    partitions: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ResourceSlice(CustomObject):
    """A ResourceSlice; `devices` is empty unless its driver is one of GPUs."""

    driver: str = ""
    pool: str = ""
    pool_generation: int = 0
    pool_slices: int = 1
    node: str = ""
    devices: tuple[PoolDevice, ...] = ()


@dataclass(frozen=True, slots=True)
class ClaimedDevice:
    """One device that a claim was given; `memory` in bytes where only that much of it was (consumable capacity)."""

    driver: str
    pool: str
    device: str
    memory: int = 0
    shared: bool = False


@dataclass(frozen=True, slots=True)
class ResourceClaim(CustomObject):
    """A ResourceClaim. `holders` are the uids of the pods that it is reserved for.

    `plain` says what it asks for ("2 of gpu.nvidia.com") when that is nothing but numbers of devices, else it is empty.
    """

    allocated: bool = False
    devices: tuple[ClaimedDevice, ...] = ()
    holders: tuple[str, ...] = ()
    plain: str = ""


@dataclass(frozen=True, slots=True)
class KoordinatorDevice(CustomObject):
    """A Device of Koordinator: the GPUs of the node of its name."""

    devices: tuple[Device, ...] = ()
    partitions: tuple[GpuPartition, ...] = ()
    partition_policy: str = ""
