"""What is kept of objects of Koordinator that tell of devices. With a `problem` they could not be read, and what they
tell of is not known."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.model.devices import Device, GpuPartition
from descheduler.model.objects import CustomObject

DEVICES = "scheduling.koordinator.sh/Device"
RESERVATIONS = "scheduling.koordinator.sh/Reservation"
"""Keys of the kinds."""


@dataclass(frozen=True, slots=True)
class KoordinatorDevice(CustomObject):
    """A Device of Koordinator: the GPUs of the node of its name."""

    devices: tuple[Device, ...] = ()
    partitions: tuple[GpuPartition, ...] = ()
    partition_policy: str = ""
