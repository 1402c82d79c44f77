"""What one unit of a node's GPU resource is, as labels tell: a device, a turn on one, or a part that is cut out of one.

- Turns (time-slicing, MPS): `nvidia.com/gpu.replicas` for each device. GPU feature discovery writes 0 where sharing is
  out of the question, ends the product in `-SHARED`, and counts devices, not turns, in `nvidia.com/gpu.count`
  (NVIDIA/k8s-device-plugin internal/lm/resource.go). GKE has labels of its own.
- Parts (MIG, strategy `single`): the product names the profile, and `nvidia.com/gpu.count` counts parts
  (internal/lm/mig-strategy.go). GKE names the partition size, NVIDIA's MIG manager the configuration.
- AMD's partitions under the strategy `single`; Intel's `-shared-dev-num`, which only the number of devices betrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from descheduler.model.device_parts import instances

_PRODUCT = "nvidia.com/gpu.product"
_REPLICAS = ("nvidia.com/gpu.replicas", "cloud.google.com/gke-max-shared-clients-per-gpu")
_STRATEGIES = ("nvidia.com/gpu.sharing-strategy", "cloud.google.com/gke-gpu-sharing-strategy")
_DEVICES = ("nvidia.com/gpu.count", "karpenter.k8s.aws/instance-gpu-count", "gpu.intel.com/device.count")
_INTEL_BY_ID = ("gpu.intel.com/device-id.", ".count")
_GKE_PARTITION = "cloud.google.com/gke-gpu-partition-size"
_MIG_STRATEGY, _MIG_CONFIG = "nvidia.com/mig.strategy", "nvidia.com/mig.config"
_AMD_PARTITIONS = ("amd.com/gpu.compute-memory-partition", "amd.com/compute-memory-partition")
_AMD_PARTS = {"dpx": 2, "tpx": 3, "qpx": 4, "cpx": 8}


@dataclass(frozen=True, slots=True)
class Units:
    """Of each device: how many `parts` it is cut into, and how many pods take turns on one part (`replicas`)."""

    parts: int = 1
    replicas: int = 1


def units(resource: str, count: int, labels: Mapping[str, str], *, renamed: bool) -> Units:
    """What `count` units of a resource are. `renamed`: turns are another resource, so that these are none."""
    vendor = resource.partition("/")[0]
    if vendor == "amd.com":
        mode = next((labels[key].partition("_")[0].lower() for key in _AMD_PARTITIONS if key in labels), "")
        return Units(parts=_AMD_PARTS.get(mode, 1))
    parts = _mig_parts(labels) if vendor == "nvidia.com" else 1
    if renamed:
        return Units(parts)
    told = max((number(labels, key) for key in _REPLICAS), default=0) if vendor == "nvidia.com" else 0
    if parts == 1 and not any(key in labels for key in _REPLICAS):
        # More units than devices. (Where parts are counted, there is no telling whether devices or parts are meant.)
        devices = _devices(labels)
        told = -(-count // devices) if devices else 0
    return Units(parts, max(2 if vendor == "nvidia.com" and _shared(labels) else 1, told))


def _shared(labels: Mapping[str, str]) -> bool:
    named = any(labels.get(key, "none") not in ("none", "") for key in _STRATEGIES)
    return named or labels.get(_PRODUCT, "").endswith("-SHARED")


def _mig_parts(labels: Mapping[str, str]) -> int:
    """Into how many MIG instances each device is cut where they are counted under the name of whole devices."""
    product = labels.get(_PRODUCT, "")
    named = product if "-MIG-" in product else labels.get(_GKE_PARTITION, "")
    if not named and not product and labels.get(_MIG_STRATEGY) == "single":
        named = labels.get(_MIG_CONFIG, "")  # "all-1g.5gb"
    return max(1, instances(named))


def _devices(labels: Mapping[str, str]) -> int:
    """How many devices the node has, as far as labels count them; 0 where none does."""
    told = next((found for key in _DEVICES if (found := number(labels, key))), 0)
    if told:
        return told
    prefix, suffix = _INTEL_BY_ID
    return sum(number(labels, key) for key in labels if key.startswith(prefix) and key.endswith(suffix))


def number(labels: Mapping[str, str], key: str) -> int:
    """The label as a number; 0 where it is absent or none."""
    text = labels.get(key, "")
    return int(text) if text.isdecimal() and len(text) <= 9 else 0
