"""KAI: pods that share a GPU are in a group, and a placeholder pod of the group holds the GPU from the device plug-in.

Label `runai-gpu-group`, of pods on several devices one `runai-gpu-group/<group>` for each, with the group as value. The
placeholder's annotation `run.ai/reserve_for_gpu_index` has the device's UUID, in older versions its index, -1 when that
failed (NVIDIA/KAI-Scheduler pkg/binder/binding/resourcereservation, pkg/resourcereservation). Whole GPUs are the
kubelet's choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from descheduler.model.devices import UNTOLD, GpuShare, GpuSource, GpuStatement
from descheduler.model.pods import Pod

RESERVED = "run.ai/reserve_for_gpu_index"
GROUP = "runai-gpu-group"

Groups = Mapping[tuple[str, str], GpuShare]
"""The device of each (node, group)."""


def is_placeholder(pod: Pod) -> bool:
    return bool(pod.annotations) and RESERVED in pod.annotations and GROUP in pod.labels


def groups(pods: Iterable[Pod]) -> Groups:
    """The devices of the groups, as their placeholders tell."""
    found = {}
    for pod in pods:
        device = pod.annotations[RESERVED]
        if device.isdecimal() and len(device) <= 4:
            found[pod.node, pod.labels[GROUP]] = GpuShare(int(device), milli=UNTOLD)
        elif device and device != "-1":
            found[pod.node, pod.labels[GROUP]] = GpuShare(-1, device, UNTOLD)
    return found


def placeholder(pod: Pod, devices: Groups) -> GpuStatement | None:
    """What a placeholder holds: its device, and nothing of it that the pods of its group do not hold."""
    share = devices.get((pod.node, pod.labels[GROUP]))
    return None if share is None else GpuStatement(GpuSource.KAI, (GpuShare(share.index, share.uuid, 0),))


def member(pod: Pod, devices: Groups) -> GpuStatement | None:
    """What a pod of one or several groups holds; None when it is in none, or the device of one is not known."""
    named = [pod.labels[GROUP]] if GROUP in pod.labels else []
    named += [group for key, group in pod.labels.items() if key.startswith(f"{GROUP}/")]
    shares = [devices.get((pod.node, group)) for group in dict.fromkeys(named)]
    known = tuple(share for share in shares if share is not None)
    return GpuStatement(GpuSource.KAI, known) if known and len(known) == len(shares) else None
