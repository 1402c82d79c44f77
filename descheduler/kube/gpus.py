"""GPU devices as nodes offer them and pods ask for them, in the ways that are in use.

- extended resources `<vendor>/gpu` (device plug-ins of NVIDIA, AMD and others): whole devices;
- Koordinator's `koordinator.sh/gpu`, `gpu-core`, `gpu-memory-ratio`: per cent of a device, several devices in hundreds
  (koordinator apis/extension/device_share.go), and the devices held in an annotation;
- annotations `alibabacloud.com/gpu-milli`, `gpu-count`, `gpu-index`, `gpu-card-model` of GPU-sharing schedulers, as in
  the openb traces.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from descheduler.kube.unreadable import Unreadable
from descheduler.model.labels import Labels
from descheduler.model.nodes import NodeGpus
from descheduler.model.pods import Amounts, GpuRequest, amount_of

NVIDIA = "nvidia.com/gpu"
SHARED_COUNT = "alibabacloud.com/gpu-count"
MILLI = "alibabacloud.com/gpu-milli"
COUNT = "alibabacloud.com/gpu-count"
INDEX = "alibabacloud.com/gpu-index"
MODEL = "alibabacloud.com/gpu-card-model"
ALLOCATED = "scheduling.koordinator.sh/device-allocated"
REQUEST_ANNOTATIONS = (MILLI, COUNT, MODEL)

_PER_CENT = ("koordinator.sh/gpu", "koordinator.sh/gpu-core", "koordinator.sh/gpu-memory-ratio")
_MODEL_LABELS = (
    "nvidia.com/gpu.product",
    "alibabacloud.com/gpu-card-model",
    "node.koordinator.sh/gpu-model",
    "aliyun.accelerator/nvidia_name",
    "amd.com/gpu.product-name",
    "cloud.google.com/gke-accelerator",
    "k8s.amazonaws.com/accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
)


class _Device(msgspec.Struct, frozen=True):
    minor: int = -1


_allocated = msgspec.json.Decoder(dict[str, tuple[_Device, ...] | None] | None)


def node_gpus(allocatable: Amounts, labels: Mapping[str, str]) -> NodeGpus | None:
    """The node's devices, or None when it offers none."""
    offered = {name: value for name, value in allocatable if _whole(name) and value > 0}
    shared = amount_of(allocatable, SHARED_COUNT)
    if offered:
        resource = NVIDIA if NVIDIA in offered else min(offered)
        count = offered[resource]
    elif shared:
        resource, count = SHARED_COUNT, shared
    else:
        return None
    return NodeGpus(resource, count, next((labels[key] for key in _MODEL_LABELS if key in labels), ""))


def gpu_request(requests: Mapping[str, Decimal], annotations: Mapping[str, str]) -> GpuRequest | None:
    """What a pod asks for, or None. Raises Unreadable when an annotation is no number."""
    models = tuple(part for part in annotations.get(MODEL, "").split("|") if part)
    whole = next((name for name in sorted(requests) if _whole(name) and requests[name] > 0), "")
    if COUNT in annotations or MILLI in annotations:
        count = _number(annotations, COUNT, 1)
        milli = _number(annotations, MILLI, 1000)
        return GpuRequest(whole or SHARED_COUNT, count, milli, models) if count and milli else None
    if whole:
        return GpuRequest(whole, int(requests[whole]), 1000, models)
    per_cent = max((requests.get(name, Decimal(0)) for name in _PER_CENT), default=Decimal(0))
    if per_cent <= 0:
        return None
    # Up to 100 is a share of one device; beyond it only whole hundreds are admitted.
    count, milli = (1, int(per_cent * 10)) if per_cent <= 100 else (int(per_cent // 100), 1000)
    return GpuRequest(NVIDIA, count, milli, models)


def gpu_indices(annotations: Labels) -> tuple[int, ...]:
    """The devices that an annotation says the pod holds, ascending; empty when none says it readably."""
    if ALLOCATED in annotations:
        try:
            found = _allocated.decode(annotations[ALLOCATED]) or {}
        except msgspec.MsgspecError:
            return ()
        return tuple(sorted({d.minor for d in found.get("gpu") or () if d.minor >= 0}))
    parts = annotations.get(INDEX, "").split("-")
    return tuple(sorted({int(part) for part in parts if part.isdecimal()}))


def _whole(resource: str) -> bool:
    return resource.endswith("/gpu") and resource not in _PER_CENT


def _number(annotations: Mapping[str, str], key: str, absent: int) -> int:
    text = annotations.get(key, "")
    if not text:
        return absent
    if not text.isdecimal() or len(text) > 6:
        raise Unreadable(f"metadata.annotations[{key}]", f"{text!r} is not a number of devices or thousandths")
    return int(text)
