"""Resources whose units are parts of devices: MIG instances, by the name of their profile, and turns on a device.

An A100, H100 or later has seven compute slices, an A30 and an RTX PRO 6000 four; a profile takes some of them, and
memory of which there may be less (NVIDIA Multi-Instance GPU User Guide, supported MIG profiles).
"""

from __future__ import annotations

import re
from functools import lru_cache

from descheduler.model.pods import Amounts

SHARED = "nvidia.com/gpu.shared"
"""Turns on whole devices, where they have a name of their own; how many there are of each device, the node knows."""

_SLICES = 7
_PROFILE = re.compile(r"(\d)g\.\d+gb")
_RESOURCE = re.compile(r"nvidia\.com/mig-(\d)g\.(\d+)gb(?:\.me(?:\.all)?)?(?:\.shared)?")

_FOUR_SLICES = {"1g.6gb": 4, "2g.12gb": 2, "4g.24gb": 1, "1g.24gb": 4, "2g.48gb": 2, "4g.96gb": 1}
_TWICE_THE_MEMORY = {"1g.20gb": 4, "1g.35gb": 4, "1g.45gb": 4}  # it runs out before the slices do
_FEWER = _FOUR_SLICES | _TWICE_THE_MEMORY


def instances(text: str) -> int:
    """How many instances of the profile named in a text one device has room for; 0 where none is named.

    `NVIDIA-A100-SXM4-40GB-MIG-1g.5gb`, as a node's product label has it, or the profile alone.
    """
    found = _PROFILE.search(text)
    if found is None:
        return 0
    if found[0] == "1g.10gb" and "40GB" in text:
        return 4
    return _FEWER.get(found[0], max(1, _SLICES // max(1, int(found[1]))))


@lru_cache(maxsize=1024)  # whoever makes pods makes names of resources
def mig_part(resource: str) -> float:
    """The part of a device that one of a resource is; 0 for one that counts no MIG instances."""
    found = _RESOURCE.fullmatch(resource)
    if found is None:
        return 0.0
    fewer = _FEWER.get(f"{found[1]}g.{found[2]}gb")
    return 1 / fewer if fewer else min(1.0, int(found[1]) / _SLICES)


def devices_in_parts(amounts: Amounts) -> float:
    """How many devices the parts among the amounts come to; each turn counts as one device, whoever takes turns."""
    return sum(value * (1.0 if name == SHARED else mig_part(name)) for name, value in amounts)
