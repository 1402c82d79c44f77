"""Extended resources and annotations by which nodes offer GPUs and pods ask for them.

- `<vendor>/gpu` of device plug-ins: whole devices, unless labels say that a unit is a turn on a device or a part of one
  (`sharing.py`). Under their own names, `nvidia.com/gpu.shared` and `nvidia.com/mig-<g>g.<m>gb`, such units are
  resources like any other (NVIDIA/k8s-device-plugin README).
- Koordinator: per cent or memory, sums over `koordinator.sh/gpu.shared` devices or as many as the hundreds say
  (koordinator pkg/scheduler/plugins/deviceshare/devicehandler_gpu.go).
- HAMi and Volcano: a number of devices, and memory and per cent of each. Requests add up over containers while these
  are meant for each of a container's devices, so where several containers ask, the sum is a part that suffices.
- gpushare: memory of one device (AliyunContainerService/gpushare-device-plugin).
- KAI: annotations for a part or memory of each of some devices.
- the openb traces: annotations with thousandths of each of some devices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from descheduler.kube.devices.sharing import Units, number, units
from descheduler.model.bounds import AMOUNT, GPU_UNITS
from descheduler.model.device_parts import SHARED
from descheduler.model.devices import WHOLE, NodeGpus
from descheduler.model.fence import Unreadable
from descheduler.model.pods import Amounts, GpuRequest
from descheduler.model.quantity import InvalidQuantity, amount

NVIDIA = "nvidia.com/gpu"
SHARED_COUNT = "alibabacloud.com/gpu-count"
VGPU = "volcano.sh/vgpu-number"
GPU_MEM = "aliyun.com/gpu-mem"
GPU_COUNT = "aliyun.com/gpu-count"
KOORDINATOR_MEMORY = "koordinator.sh/gpu-memory"
KOORDINATOR_PARTS = ("koordinator.sh/gpu-core", "koordinator.sh/gpu-memory-ratio")
KOORDINATOR_MODEL = "node.koordinator.sh/gpu-model"

MILLI = "alibabacloud.com/gpu-milli"
COUNT = "alibabacloud.com/gpu-count"
MODEL = "alibabacloud.com/gpu-card-model"
FRACTION = "gpu-fraction"
FRACTION_MEMORY = "gpu-memory"
FRACTION_DEVICES = "gpu-fraction-num-devices"
REQUEST_ANNOTATIONS = (MILLI, COUNT, MODEL, FRACTION, FRACTION_MEMORY, FRACTION_DEVICES)

MIB = 1 << 20
GIB = 1 << 30

WHOLE_DEVICES = frozenset({"gpu.intel.com/i915", "gpu.intel.com/xe"})
"""Resources of whole devices besides all that are named `<vendor>/gpu`."""

UNSCHEDULED = frozenset({"nvidia.com/gpumem", "nvidia.com/gpumem-percentage", "nvidia.com/gpucores"})
"""What HAMi's extender alone looks at: no node offers it, and the scheduler is told to ignore it."""

_MODEL_LABELS = (
    "nvidia.com/gpu.product",
    "alibabacloud.com/gpu-card-model",
    KOORDINATOR_MODEL,
    "aliyun.accelerator/nvidia_name",
    "amd.com/gpu.product-name",
    "cloud.google.com/gke-accelerator",
    "k8s.amazonaws.com/accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
)
_MEMORY = "nvidia.com/gpu.memory"  # MiB of each device


@dataclass(frozen=True, slots=True)
class ShareNames:
    """The resources of one way to ask for parts of devices; `unit` bytes are one of `memory`.

    `summed`: amounts are those of all devices together, else of each.
    """

    resource: str
    count: str = ""
    memory: str = ""
    unit: int = 1
    per_cent: tuple[str, ...] = ()
    summed: bool = False


SHARES: tuple[ShareNames, ...] = (
    ShareNames(
        NVIDIA, NVIDIA, "nvidia.com/gpumem", MIB, per_cent=("nvidia.com/gpumem-percentage", "nvidia.com/gpucores")
    ),
    ShareNames(
        VGPU,
        VGPU,
        "volcano.sh/vgpu-memory",
        MIB,
        per_cent=("volcano.sh/vgpu-memory-percentage", "volcano.sh/vgpu-cores"),
    ),
    ShareNames(
        NVIDIA,
        "koordinator.sh/gpu.shared",
        KOORDINATOR_MEMORY,
        per_cent=("koordinator.sh/gpu", *KOORDINATOR_PARTS),
        summed=True,
    ),
    ShareNames(GPU_COUNT, memory=GPU_MEM, unit=GIB),
)

_COUNTS = (SHARED_COUNT, SHARED, VGPU, GPU_COUNT)
_NOT_WHOLE = frozenset(name for one in SHARES for name in one.per_cent)


def node_gpus(allocatable: Amounts, labels: Mapping[str, str]) -> NodeGpus | None:
    """The node's GPUs as its resources and labels count them, or None when it offers none."""
    offered = {name: value for name, value in allocatable if value > 0}
    model = next((labels[key] for key in _MODEL_LABELS if key in labels), "")
    whole = [name for name in offered if whole_resource(name)]
    absurd = next((name for name in (*whole, *_COUNTS) if offered.get(name, 0) > GPU_UNITS), "")
    if absurd:
        raise Unreadable(absurd, f"{offered[absurd]} is absurd")
    if whole:
        resource = NVIDIA if NVIDIA in offered else min(whole)
        unit = units(resource, offered[resource], labels, renamed=SHARED in offered)
        memory = number(labels, _MEMORY) * MIB if resource == NVIDIA else 0
        return NodeGpus(
            resource, offered[resource], model, parts=unit.parts, replicas=unit.replicas, device_memory=memory
        )
    for resource in _COUNTS:
        if resource in offered:
            sliced, count = resource == SHARED, offered[resource]
            unit = units(resource, count, labels, renamed=False) if sliced else Units()
            return NodeGpus(
                resource,
                count,
                model,
                parts=unit.parts,
                replicas=max(2, unit.replicas) if sliced else 1,
                device_memory=offered.get(GPU_MEM, 0) * GIB // count if resource == GPU_COUNT else 0,
                steerable=not sliced,
            )
    return None


def gpu_request(requests: Mapping[str, Decimal], annotations: Mapping[str, str]) -> GpuRequest | None:
    """What a pod asks for, or None. Raises Unreadable where an annotation is no number, or more than any node has."""
    found = _gpu_request(requests, annotations)
    if found is not None and found.count > GPU_UNITS:
        raise Unreadable(found.resource, f"{found.count} is absurd")
    return found


def _gpu_request(requests: Mapping[str, Decimal], annotations: Mapping[str, str]) -> GpuRequest | None:
    models = tuple(part for part in annotations.get(MODEL, "").split("|") if part)
    whole = next((name for name in sorted(requests) if whole_resource(name) and requests[name] > 0), "")
    if COUNT in annotations or MILLI in annotations:
        count = _number(annotations, COUNT, 1)
        milli = _number(annotations, MILLI, WHOLE)
        return GpuRequest(whole or SHARED_COUNT, count, milli, models) if count and milli else None
    if FRACTION in annotations or _mebibytes(annotations):
        return _fraction(annotations, models)
    for names in SHARES:
        found = _shared_request(requests, names, models)
        if found is not None:
            return found
    return GpuRequest(whole, int(requests[whole]), WHOLE, models) if whole else None


def _shared_request(requests: Mapping[str, Decimal], names: ShareNames, models: tuple[str, ...]) -> GpuRequest | None:
    per_cent = max((requests.get(name, Decimal(0)) for name in names.per_cent), default=Decimal(0))
    memory = requests.get(names.memory, Decimal(0)) * names.unit
    count = int(requests.get(names.count, Decimal(0)))
    if per_cent <= 0 and memory <= 0:
        if count and names.resource == VGPU:
            return GpuRequest(VGPU, count, WHOLE, models)
        return None
    if not names.summed:
        milli = min(WHOLE, _up(per_cent * 10))
        return GpuRequest(names.resource, max(count, 1), milli, models, _up(memory))
    if not count:
        # Up to 100 is a share of one device; beyond it only whole hundreds are admitted.
        count = 1 if per_cent <= 100 else int(per_cent // 100)
    milli = min(WHOLE, _up(per_cent * 10 / count))
    return GpuRequest(names.resource, count, milli, models, _up(memory / count) if milli < WHOLE else 0)


def _fraction(annotations: Mapping[str, str], models: tuple[str, ...]) -> GpuRequest:
    count = _number(annotations, FRACTION_DEVICES, 1)
    text = annotations.get(FRACTION, "")
    if not text:
        return GpuRequest(NVIDIA, count, 0, models, _mebibytes(annotations) * MIB)
    try:
        part = Decimal(text)
        sensible = 0 < part <= 1
    except ArithmeticError:
        sensible = False
    if not sensible:
        raise Unreadable(f"metadata.annotations[{FRACTION}]", f"{text!r} is no part of a device")
    return GpuRequest(NVIDIA, count, _up(part * WHOLE), models)


def _mebibytes(annotations: Mapping[str, str]) -> int:
    """Of an annotation whose plain name others may use for something else: then it is not meant."""
    text = annotations.get(FRACTION_MEMORY, "")
    return int(text) if text.isdecimal() and len(text) <= 9 else 0


def _up(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_CEILING))


def whole_resource(resource: str) -> bool:
    """Whether one of the resource is one whole device."""
    return (resource.endswith("/gpu") and resource not in _NOT_WHOLE) or resource in WHOLE_DEVICES


def _number(annotations: Mapping[str, str], key: str, absent: int) -> int:
    text = annotations.get(key, "")
    if not text:
        return absent
    if not text.isdecimal() or len(text) > 6:
        raise Unreadable(f"metadata.annotations[{key}]", f"{text!r} is not a number of devices or thousandths")
    return int(text)


def quantity(value: object, where: str) -> int:
    """The quantity in whole units. Raises Unreadable."""
    try:
        found = amount("memory", str(value))
    except InvalidQuantity as e:
        raise Unreadable(where, str(e)) from e
    if not 0 <= found <= AMOUNT:
        raise Unreadable(where, f"{value} is absurd")
    return found
