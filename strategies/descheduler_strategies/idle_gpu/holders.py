"""Which pods hold GPUs, how much of them, and with whom they share a device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Indices, Mask
from descheduler.model.device_parts import devices_in_parts, mig_part
from descheduler.model.devices import WHOLE
from descheduler.model.nodes import Node
from descheduler.model.pods import Pod, PodSpec


@dataclass(frozen=True, eq=False, slots=True)
class Holders:
    """`pods` [K] live pods that hold GPUs, `gpus` [K] how many, parts counted as parts, of so many `devices` [K].

    A placeholder, which a sharing scheduler has hold the device that others use, holds 0. `shares` [K]: others are, or
    may be, on the same device, so that what is measured of the device is not the pod's alone. `group` [K]: the same
    number for all that are named as users of one device, placeholders too; -1 where nobody tells, or nobody shares.
    """

    pods: Indices
    gpus: NDArray[np.float64]
    devices: NDArray[np.int64]
    shares: Mask
    group: Indices


def holders(view: RebalanceView, pools: tuple[str, ...] = ()) -> Holders:
    """The live pods with GPUs on nodes of the pools (all when empty), ascending."""
    columns, needs = view.snapshot.columns, view.start.gpu_needs()
    specs = list(zip(columns.specs, needs, strict=True))
    parts = (n.count * min(n.milli, WHOLE) / WHOLE if n else devices_in_parts(spec.requests) for spec, n in specs)
    of_spec = np.fromiter(parts, np.float64, len(specs))
    many = np.fromiter((n.count if n else _instances(spec) for spec, n in specs), np.int64, len(specs))
    units = np.array([n is not None and n.milli >= WHOLE for n in needs], np.bool_)
    if not of_spec.size:
        none = np.empty(0, np.intp)
        return Holders(none, np.empty(0, np.float64), np.empty(0, np.int64), np.empty(0, np.bool_), none)
    chosen = np.array([not pools or pool in pools for pool in view.pools], np.bool_)
    there = columns.pod_live & (of_spec[columns.pod_spec] > 0)
    there &= chosen[view.pool_of[np.maximum(columns.pod_node, 0)]]
    found = np.flatnonzero(there)
    spec, node = columns.pod_spec[found], columns.pod_node[found]
    unit = np.array([n.gpus.unit if n.gpus else 1.0 for n in view.snapshot.nodes], np.float64)
    gpus = of_spec[spec] * np.where(units[spec], unit[node], 1.0)
    gpus[[_placeholder(view.snapshot.pods[p]) for p in found.tolist()]] = 0.0
    shares, group = _sharing(view, found, gpus > 0)
    return Holders(found, gpus, many[spec], shares, group)


def _instances(spec: PodSpec) -> int:
    """How many MIG instances a pod asks for under their own names."""
    return sum(value for name, value in spec.requests if mig_part(name))


def _placeholder(pod: Pod) -> bool:
    return bool(pod.gpu_shares) and not any(share.milli for share in pod.gpu_shares)


def _sharing(view: RebalanceView, pods: Indices, using: Mask) -> tuple[Mask, Indices]:
    """`shares` and `group` of `Holders`; `using` [K]: no placeholders."""
    snapshot, needs = view.snapshot, view.start.gpu_needs()
    columns = snapshot.columns
    alone = np.bincount(columns.pod_node[pods], using, minlength=len(snapshot.nodes)) < 2
    shares = np.zeros(len(pods), np.bool_)
    group = np.full(len(pods), -1, np.intp)
    number: dict[tuple[int, int], int] = {}
    for i, at in enumerate(pods.tolist()):
        node, need = int(columns.pod_node[at]), needs[columns.pod_spec[at]]
        part = need is not None and need.part(node) < WHOLE
        if using[i] and not _may_share(snapshot.pods[at], snapshot.nodes[node], part=part):
            continue
        shares[i] = using[i] and not alone[node]
        device = _device(snapshot.pods[at], snapshot.nodes[node])
        if device is not None:
            group[i] = number.setdefault((node, device), len(number))
    shares[(group >= 0) & (np.bincount(group + 1, using)[group + 1] < 2)] = False
    return shares, group


def _may_share(pod: Pod, node: Node, *, part: bool) -> bool:
    """Whether others may be on the pod's device: it takes turns on one, or holds a part that is not cut out of it."""
    gpus = node.gpus
    if any(name.endswith(".shared") and mig_part(name) for name, _ in pod.spec.requests):
        return True
    if gpus is None or not (part or (gpus.sliced and gpus.replicas > 1)):
        return False
    cut = {device.index for device in gpus.devices if device.mig}
    return not (part and pod.gpu_indices and cut.issuperset(pod.gpu_indices))


def _device(pod: Pod, node: Node) -> int | None:
    """The index of the device that the pod shares; None where nobody tells, or where it is on several."""
    if node.gpus is not None and node.gpus.physical == 1 and node.gpus.parts == 1:
        return 0  # whatever it is called
    return pod.gpu_indices[0] if len(pod.gpu_indices) == 1 else None
