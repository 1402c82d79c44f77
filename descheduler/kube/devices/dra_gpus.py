"""Devices of DRA pools as GPUs and their MIG slices.

Attributes of the driver `gpu.nvidia.com` after kubernetes-sigs/dra-driver-nvidia-gpu
cmd/gpu-kubelet-plugin/deviceinfo.go, the standard ones after k8s.io dynamic-resource-allocation/deviceattribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from descheduler.model.devices import Device, MigSlice
from descheduler.model.dra import Attribute, PooledDevice

_PCIE_ROOT = "resource.kubernetes.io/pcieRoot"
_PCI_BUS = ("resource.kubernetes.io/pciBusID", "pciBusID", "pcieBusID")
_NUMA = ("resource.kubernetes.io/numaNode", "numaNode", "numa")
_MODEL = ("productName", "model", "product")
# Fabric Manager's partitions of each size that the GPU is in, and names like gpu-3 and gpu-3-mig-9-4-4.
_PARTITION = re.compile(r"partition(\d+)")
_NAME = re.compile(r".*?(\d+)(-mig-.*)?")


@dataclass(frozen=True, slots=True)
class PoolDevice:
    """One device of a DRA pool: a GPU or a MIG slice.

    `parent_index` is that of the GPU a slice is a part of, as far as its name says it; `partitions` are pairs of a
    size and the number of the Fabric Manager's partition of that size which the GPU is in.
    """

    name: str
    gpu: Device | None = None
    mig: MigSlice | None = None
    parent_index: int = -1
    partitions: tuple[tuple[int, int], ...] = ()


def pool_device(found: PooledDevice) -> PoolDevice:
    """What a device of a driver of GPUs is."""
    attributes = found.attributes
    uuid, parent = _text(attributes, "uuid"), _text(attributes, "parentUUID")
    # A taint of any effect keeps new pods off: NoExecute drives out those that are there, too.
    healthy = all(t.effect not in ("NoSchedule", "NoExecute") for t in found.taints)
    memory = int(found.capacity["memory"].value) if "memory" in found.capacity else 0
    numbered = _NAME.fullmatch(found.name)
    number = int(numbered[1]) if numbered and len(numbered[1]) <= 4 else -1
    if parent or _text(attributes, "type") == "mig":
        profile = _text(attributes, "profile")
        return PoolDevice(
            found.name,
            mig=MigSlice(profile, parent, uuid, found.name, memory, healthy),
            parent_index=number if numbered and numbered[2] else -1,
        )
    index = _number(attributes, "index", _number(attributes, "minor", number))
    gpu = Device(
        index=index,
        uuid=uuid,
        model=next((t for t in (_text(attributes, key) for key in _MODEL) if t), ""),
        memory=memory,
        healthy=healthy,
        numa=next((n for n in (_number(attributes, key, -1) for key in _NUMA) if n >= 0), -1),
        pcie_root=_text(attributes, _PCIE_ROOT),
        pci_bus=next((t for t in (_text(attributes, key) for key in _PCI_BUS) if t), ""),
        name=found.name,
    )
    return PoolDevice(found.name, gpu, partitions=tuple(_partitions(attributes)))


def _partitions(attributes: Mapping[str, Attribute]) -> Iterator[tuple[int, int]]:
    for key, found in sorted(attributes.items()):
        sized = _PARTITION.fullmatch(key)
        if sized and found.kind == "int":
            yield int(sized[1]), int(found.value)


def _text(attributes: Mapping[str, Attribute], key: str) -> str:
    found = attributes.get(key)
    return str(found.value) if found is not None and found.kind == "string" else ""


def _number(attributes: Mapping[str, Attribute], key: str, absent: int) -> int:
    found = attributes.get(key)
    return int(found.value) if found is not None and found.kind == "int" else absent
