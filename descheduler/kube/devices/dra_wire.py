"""Dynamic resource allocation: what drivers offer (ResourceSlice) and what pods were given (ResourceClaim).

Fields after k8s.io/api resource/v1; v1beta1 and v1alpha3 have a device's attributes and capacity under `basic`, and a
request's class and number beside its name instead of under `exactly`. Attributes of the driver `gpu.nvidia.com` after
kubernetes-sigs/dra-driver-nvidia-gpu cmd/gpu-kubelet-plugin/deviceinfo.go, the standard ones after k8s.io
dynamic-resource-allocation/deviceattribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import field, structs

from descheduler.kube.convert.customs import convert_custom
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.wire import CustomWire, Int64, Slim
from descheduler.kube.devices.device_objects import ClaimedDevice, PoolDevice, ResourceClaim, ResourceSlice
from descheduler.kube.devices.resources import quantity
from descheduler.model.devices import Device, MigSlice
from descheduler.model.objects import CustomObject

_PCIE_ROOT = "resource.kubernetes.io/pcieRoot"
_PCI_BUS = ("resource.kubernetes.io/pciBusID", "pciBusID", "pcieBusID")
_NUMA = ("resource.kubernetes.io/numaNode", "numaNode", "numa")
_MODEL = ("productName", "model", "product")
# Fabric Manager's partitions of each size that the GPU is in, and names like gpu-3 and gpu-3-mig-9-4-4.
_PARTITION = re.compile(r"partition(\d+)")
_NAME = re.compile(r".*?(\d+)(-mig-.*)?")


class _Attribute(Slim, frozen=True, gc=False):
    text: str | None = field(default=None, name="string")
    number: Int64 | None = field(default=None, name="int")


class _Taint(Slim, frozen=True, gc=False):
    effect: str = ""


class _Basic(Slim, frozen=True, gc=False):
    attributes: dict[str, _Attribute] | None = None
    capacity: dict[str, Any] | None = None
    taints: tuple[_Taint, ...] | None = None
    node_name: str = ""


class _Device(_Basic, frozen=True, gc=False):
    name: str = ""
    basic: _Basic | None = None


class _Pool(Slim, frozen=True, gc=False):
    name: str = ""
    generation: Int64 = 0
    resource_slice_count: Int64 = 1


class _SliceSpec(Slim, frozen=True, gc=False):
    driver: str = ""
    pool: _Pool = _Pool()
    node_name: str | None = None
    devices: tuple[_Device, ...] | None = None


class _Result(Slim, frozen=True, gc=False):
    driver: str = ""
    pool: str = ""
    device: str = ""
    admin_access: bool | None = None
    share_id: str | None = field(default=None, name="shareID")
    consumed_capacity: dict[str, str | int | float] | None = None


class _Results(Slim, frozen=True, gc=False):
    results: tuple[_Result, ...] | None = None


class _Allocation(Slim, frozen=True, gc=False):
    devices: _Results = _Results()


class _Holder(Slim, frozen=True, gc=False):
    api_group: str = ""
    resource: str = ""
    uid: str = ""


class _ClaimStatus(Slim, frozen=True, gc=False):
    allocation: _Allocation | None = None
    reserved_for: tuple[_Holder, ...] | None = None


class _Request(Slim, frozen=True, gc=False):
    device_class_name: str = ""
    allocation_mode: str = "ExactCount"
    count: Int64 = 1
    selectors: tuple[Any, ...] | None = None
    admin_access: bool | None = None
    capacity: dict[str, Any] | None = None
    exactly: _Request | None = None
    first_available: tuple[Any, ...] | None = None


class _Asked(Slim, frozen=True, gc=False):
    requests: tuple[_Request, ...] | None = None
    constraints: tuple[Any, ...] | None = None
    config: tuple[Any, ...] | None = None


class _ClaimSpec(Slim, frozen=True, gc=False):
    devices: _Asked = _Asked()


def of_gpus(driver: str) -> bool:
    """Whether a driver is one of GPUs: `gpu.nvidia.com`, `gpu.amd.com`, `gpu.intel.com` and others by that custom."""
    return driver.startswith("gpu.")


def convert_slice(wire: CustomWire, intern: Interner, *, kind: str, api_version: str) -> CustomObject:
    """One ResourceSlice, without its spec."""
    found = _kept(wire, intern, kind, api_version)
    base = {name: getattr(found, name) for name in CustomObject.__slots__}
    spec = msgspec.convert(wire.spec or {}, _SliceSpec)
    devices = tuple(_pool_device(d) for d in spec.devices or ()) if of_gpus(spec.driver) else ()
    pool = spec.pool
    return ResourceSlice(
        **base,
        driver=spec.driver,
        pool=pool.name,
        pool_generation=pool.generation,
        pool_slices=pool.resource_slice_count,
        node=intern.text(spec.node_name or ""),
        devices=devices,
    )


def convert_claim(wire: CustomWire, intern: Interner, *, kind: str, api_version: str) -> CustomObject:
    """One ResourceClaim, without its spec and status."""
    found = _kept(wire, intern, kind, api_version)
    base = {name: getattr(found, name) for name in CustomObject.__slots__}
    spec = msgspec.convert(wire.spec or {}, _ClaimSpec)
    status = msgspec.convert(wire.status or {}, _ClaimStatus)
    results = (status.allocation.devices.results or ()) if status.allocation else ()
    devices = tuple(_claimed(r) for r in results if of_gpus(r.driver) and not r.admin_access)
    return ResourceClaim(
        **base,
        allocated=status.allocation is not None,
        devices=devices,
        holders=tuple(h.uid for h in status.reserved_for or () if h.resource == "pods" and not h.api_group),
        plain=_plain(spec.devices),
    )


def _kept(wire: CustomWire, intern: Interner, kind: str, api_version: str) -> CustomObject:
    bare = structs.replace(wire, spec=None, status=None)
    return convert_custom(bare, intern, kind=kind, api_version=api_version)


def _pool_device(found: _Device) -> PoolDevice:
    facts = found.basic or found
    attributes = facts.attributes or {}
    uuid, parent = _text(attributes, "uuid"), _text(attributes, "parentUUID")
    # A taint of any effect keeps new pods off: NoExecute drives out those that are there, too.
    healthy = all(t.effect not in ("NoSchedule", "NoExecute") for t in facts.taints or ())
    memory = _memory(facts.capacity or {})
    numbered = _NAME.fullmatch(found.name)
    number = int(numbered[1]) if numbered and len(numbered[1]) <= 4 else -1
    if parent or _text(attributes, "type") == "mig":
        profile = _text(attributes, "profile")
        return PoolDevice(
            found.name,
            mig=MigSlice(profile, parent, uuid, found.name, memory, healthy),
            parent_index=number if numbered and numbered[2] else -1,
            node=facts.node_name,
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
    return PoolDevice(found.name, gpu, node=facts.node_name, partitions=tuple(_partitions(attributes)))


def _partitions(attributes: Mapping[str, _Attribute]) -> Iterator[tuple[int, int]]:
    for key, value in sorted(attributes.items()):
        sized = _PARTITION.fullmatch(key)
        if sized and value.number is not None:
            yield int(sized[1]), value.number


def _text(attributes: Mapping[str, _Attribute], key: str) -> str:
    value = attributes.get(key)
    return "" if value is None or value.text is None else value.text


def _number(attributes: Mapping[str, _Attribute], key: str, absent: int) -> int:
    value = attributes.get(key)
    return absent if value is None or value.number is None else value.number


def _memory(capacity: Mapping[str, Any]) -> int:
    """`memory` in whichever form the version writes it, bytes."""
    found = capacity.get("memory", 0)
    return quantity(found.get("value", 0) if isinstance(found, dict) else found, "capacity.memory")


def _claimed(result: _Result) -> ClaimedDevice:
    consumed = result.consumed_capacity or {}
    memory = quantity(consumed.get("memory", 0), "status.allocation.devices.results.consumedCapacity.memory")
    return ClaimedDevice(result.driver, result.pool, result.device, memory, shared=result.share_id is not None)


def _plain(asked: _Asked) -> str:
    if asked.constraints or asked.config:
        return ""
    parts = []
    for request in asked.requests or ():
        one = request.exactly or request
        bare = not (one.selectors or one.admin_access or one.capacity or one.first_available)
        if not bare or one.allocation_mode != "ExactCount" or not one.device_class_name:
            return ""
        parts.append(f"{one.count} of {one.device_class_name}")
    return ", ".join(parts)
