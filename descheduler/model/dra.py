"""Dynamic resource allocation: the devices that drivers publish, and what is asked and held of them.

After k8s.io/api resource/v1; older versions are read into the same words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from descheduler.model.objects import CustomObject
from descheduler.model.selectors import NodeSelectorTerm

SLICES = "resource.k8s.io/ResourceSlice"
CLAIMS = "resource.k8s.io/ResourceClaim"
TEMPLATES = "resource.k8s.io/ResourceClaimTemplate"
CLASSES = "resource.k8s.io/DeviceClass"
TAINT_RULES = "resource.k8s.io/DeviceTaintRule"
"""Keys of the kinds."""

MOST_DEVICES = 32
"""Of one claim (AllocationResultsMaxSize)."""
MOST_OPTIONS = 8
"""Of one request (FirstAvailableDeviceRequestMaxSize)."""
MOST_PODS = 256
"""That one claim is reserved for (ResourceClaimReservedForMaxSize)."""

_A_PART = re.compile(r"""["']mig["']""")

Amounts = tuple[tuple[str, Decimal], ...]
"""Exact amounts by name."""


def of_gpus(driver: str) -> bool:
    """Whether a driver is one of GPUs: `gpu.nvidia.com`, `gpu.amd.com`, `gpu.intel.com` and others by that custom."""
    return driver.startswith("gpu.")


def by_claims(resource: str) -> bool:
    """Whether a resource is a driver of GPUs: what pods hold of its devices by claims counts as if they asked for it.

    Extended resources have a slash in their names.
    """
    return of_gpus(resource) and "/" not in resource


def driver_for(resource: str) -> str:
    """The driver that gives out by claims what is else asked for as a resource: `gpu.nvidia.com` for `nvidia.com/gpu`,
    as vendors name them; empty where there is none."""
    vendor, _, kind = resource.partition("/")
    return f"gpu.{vendor}" if kind == "gpu" else ""


def driver_of(selectors: Iterable[str], drivers: Iterable[str]) -> str:
    """The driver of which selectors choose whole GPUs: the one that they name; empty where none, or parts are meant."""
    texts = tuple(selectors)
    if any(_A_PART.search(text) for text in texts):
        return ""
    return next((name for name in sorted(drivers) if any(name in text for text in texts)), "")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of a device. `kind` is string, int, bool or version; empty for what is none of these."""

    kind: str
    value: str | int | bool


@dataclass(frozen=True, slots=True)
class RequestPolicy:
    """How much of a capacity one request may take: the `values`, or from `low` to `high` in steps."""

    default: Decimal | None = None
    values: tuple[Decimal, ...] = ()
    low: Decimal | None = None
    high: Decimal | None = None
    step: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Capacity:
    value: Decimal
    policy: RequestPolicy | None = None


@dataclass(frozen=True, slots=True)
class DeviceTaint:
    key: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class DeviceToleration:
    """An empty key stands for all, as does an empty effect."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """From which nodes a device can be used: one, all of them, or those that the terms select; else from none."""

    node: str = ""
    everywhere: bool = False
    terms: tuple[NodeSelectorTerm, ...] | None = None


@dataclass(frozen=True, slots=True)
class PooledDevice:
    """One device of a ResourceSlice.

    `reach` is None where the slice says it for all. `counters`: what it uses up of each counter set of its pool. With
    `shareable` several claims may have a part of it (consumable capacity). `binds_to_node`: whoever is given it stays
    on that node; `waits`: it must be made ready after it was given out (binding conditions).
    """

    name: str
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    capacity: Mapping[str, Capacity] = field(default_factory=dict)
    taints: tuple[DeviceTaint, ...] = ()
    counters: tuple[tuple[str, Amounts], ...] = ()
    reach: Reach | None = None
    shareable: bool = False
    binds_to_node: bool = False
    waits: bool = False


@dataclass(frozen=True, slots=True)
class ResourceSlice(CustomObject):
    """A ResourceSlice. `reach` is None where each device says it, or where nothing is said that we know."""

    driver: str = ""
    pool: str = ""
    pool_generation: int = 0
    pool_slices: int = 1
    reach: Reach | None = None
    per_device: bool = False
    devices: tuple[PooledDevice, ...] = ()
    counter_sets: tuple[tuple[str, Amounts], ...] = ()

    @property
    def node(self) -> str:
        """The one node whose devices they are; empty otherwise."""
        return "" if self.reach is None else self.reach.node


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """So many devices (or, where `count` is None, all) of a class that every selector chooses. `mode` is the
    allocation mode where it is none that we know."""

    name: str
    device_class: str
    selectors: tuple[str, ...] = ()
    count: int | None = 1
    admin: bool = False
    tolerations: tuple[DeviceToleration, ...] = ()
    capacity: Amounts = ()
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of a claim: the first of the `options` that can be had. With `listed` they are subrequests."""

    name: str
    options: tuple[DeviceRequest, ...]
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Constraint:
    """Devices of these requests (none: of all) have the same value of an attribute, or each another (`distinct`)."""

    requests: tuple[str, ...]
    attribute: str
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class ClaimSpec:
    """What a claim asks for. With a `problem` that is not known."""

    asks: tuple[Ask, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ClaimedDevice:
    """One device that a claim was given: all of it, or with `shared` as much of its capacity as was `consumed`.

    With `admin` it only looks on, and takes nothing.
    """

    driver: str
    pool: str
    device: str
    shared: bool = False
    consumed: Amounts = ()
    admin: bool = False


@dataclass(frozen=True, slots=True)
class ResourceClaim(CustomObject):
    """A ResourceClaim. `holders` are the uids of the pods that it is reserved for, `others` counts other consumers.

    `terms` are those of the nodes from which its devices can be used; None: from any.
    """

    asked: ClaimSpec = ClaimSpec()
    allocated: bool = False
    devices: tuple[ClaimedDevice, ...] = ()
    terms: tuple[NodeSelectorTerm, ...] | None = None
    holders: tuple[str, ...] = ()
    others: int = 0


@dataclass(frozen=True, slots=True)
class ResourceClaimTemplate(CustomObject):
    """What claims of pods are made from."""

    asked: ClaimSpec = ClaimSpec()


@dataclass(frozen=True, slots=True)
class DeviceClass(CustomObject):
    """A DeviceClass. `extended` is the extended resource that pods may ask for instead."""

    selectors: tuple[str, ...] = ()
    extended: str = ""


@dataclass(frozen=True, slots=True)
class DeviceTaintRule(CustomObject):
    """A taint of all devices that the rule selects, by whatever of their names is given."""

    driver: str | None = None
    pool: str | None = None
    device: str | None = None
    taint: DeviceTaint = DeviceTaint("", "", "NoSchedule")

    def selects(self, driver: str, pool: str, device: str) -> bool:
        """Whether the device has the taint. A rule without a selector taints every device, as the scheduler applies it
        (k8s.io/dynamic-resource-allocation/resourceslice/tracker), and so does one that cannot be read."""
        pairs = ((self.driver, driver), (self.pool, pool), (self.device, device))
        return all(wanted is None or wanted == name for wanted, name in pairs)
