"""KAI: pods that share a GPU are in a group, and a placeholder pod of the group holds the GPU from the device plug-in.

Label `runai-gpu-group`, of pods on several devices one `runai-gpu-group/<group>` for each, with the group as value. The
placeholder's annotation `run.ai/reserve_for_gpu_index` has the device's UUID, in older versions its index, -1 when that
failed (NVIDIA/KAI-Scheduler pkg/binder/binding/resourcereservation, pkg/resourcereservation). Whole GPUs are the
kubelet's choice.

Members are pods of any namespace, placeholders are in KAI's. Elsewhere anybody can make a pod look like one: it is
believed where KAI's has not spoken and nobody contradicts it, for the namespace can be set.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from descheduler.kube.devices.source import Cluster, DeviceSource, Report
from descheduler.model.devices import UNREPORTED, GpuShare, GpuSource, GpuStatement
from descheduler.model.pods import Pod

RESERVED = "run.ai/reserve_for_gpu_index"
GROUP = "runai-gpu-group"
RESERVATIONS = frozenset({"kai-resource-reservation", "runai-reservation"})
"""Namespaces of placeholders, by default, since and before 0.6. Where there are any in one of them, no others are
heard: anybody can call his pod a placeholder."""

NAMESPACES = ("kai-resource-reservation", "runai-reservation")
"""Of placeholders (pkg/common/constants, DefaultResourceReservationName), and before KAI 0.6."""

Groups = Mapping[tuple[str, str], GpuShare]
"""The device of each (node, group)."""


def is_placeholder(pod: Pod) -> bool:
    return bool(pod.annotations) and RESERVED in pod.annotations and GROUP in pod.labels


def groups(pods: Iterable[Pod]) -> Groups:
    """The devices of the groups, as their placeholders tell."""
    told: dict[tuple[str, str], set[GpuShare]] = defaultdict(set)
    told_by_kai: dict[tuple[str, str], set[GpuShare]] = defaultdict(set)
    for pod in pods:
        share = _device(pod.annotations[RESERVED])
        if share is not None:
            by = told_by_kai if pod.namespace in NAMESPACES else told
            by[pod.node, pod.labels[GROUP]].add(share)
    every = {**told, **told_by_kai}
    return {group: next(iter(shares)) for group, shares in every.items() if len(shares) == 1}


def _device(written: str) -> GpuShare | None:
    if written.isdecimal() and len(written) <= 4:
        return GpuShare(int(written), milli=UNREPORTED)
    return GpuShare(-1, written, UNREPORTED) if written and written != "-1" else None


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


def report(cluster: Cluster) -> Report:
    """What placeholders hold, and the pods of their groups. What a placeholder's own object says is held by others."""
    holding = [i for i in cluster.asking if is_placeholder(cluster.pods[i])]
    usual = [i for i in holding if cluster.pods[i].namespace in RESERVATIONS]
    holding = usual or holding
    devices = groups(cluster.pods[i] for i in holding)
    found: dict[int, GpuStatement | None] = {i: placeholder(cluster.pods[i], devices) for i in holding}
    if devices:
        others = (i for i in cluster.asking if i not in found and cluster.pods[i].labels)
        found |= {i: member(cluster.pods[i], devices) for i in others}
    statements = {i: one for i, one in found.items() if one is not None}
    return Report(statements=statements, overruled=frozenset(holding))


SOURCE = DeviceSource(of_cluster=report)
