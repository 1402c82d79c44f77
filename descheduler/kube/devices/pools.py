"""ResourceSlices put together: the GPUs of each node, and where each device of a pool is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from descheduler.kube.devices.dra_gpus import PoolDevice, pool_device
from descheduler.kube.devices.source import NodeReport
from descheduler.model.devices import WHOLE, Device, GpuPartition, GpuShare, GpuSource, MigSlice
from descheduler.model.dra import ResourceSlice, of_gpus
from descheduler.model.fence import fenced

DeviceKey = tuple[str, str, str]
"""(driver, pool, device)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a device of a pool is, and what whoever is given it holds; `whole`: of a GPU, not of a part of one."""

    node: str
    share: GpuShare
    memory: int
    whole: bool


@dataclass(slots=True)
class Pools:
    nodes: dict[str, NodeReport] = field(default_factory=dict)
    places: dict[DeviceKey, Place] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def pools_of(slices: Iterable[ResourceSlice]) -> Pools:
    """All pools of GPU drivers. Only the newest generation of a pool counts, and only whole (KEP-4381)."""
    out = Pools()
    broken: dict[str, str] = {}
    by_pool: dict[tuple[str, str], list[ResourceSlice]] = defaultdict(list)
    for found in slices:
        if found.problem:
            out.problems.append(f"ResourceSlice {found.name}: {found.problem}")
            broken.setdefault(found.node, f"ResourceSlice {found.name}: {found.problem}")
        elif found.devices and of_gpus(found.driver):
            by_pool[found.driver, found.pool].append(found)
    by_node: dict[str, dict[str, list[tuple[str, PoolDevice]]]] = defaultdict(lambda: defaultdict(list))
    for (driver, pool), every in sorted(by_pool.items()):
        newest = max(s.pool_generation for s in every)
        current = [s for s in every if s.pool_generation == newest]
        for one in current:
            for device in one.devices:
                node = one.node or (device.reach.node if device.reach is not None else "")
                if node:  # a device that several nodes can reach is not a node's own
                    by_node[node][driver].append((pool, pool_device(device)))
                    if len(current) < one.pool_slices:
                        broken.setdefault(
                            node,
                            f"pool {pool} of {driver}: {len(current)} of {one.pool_slices} ResourceSlices are there",
                        )
    for node, drivers in by_node.items():
        driver = max(sorted(drivers), key=lambda name: len(drivers[name]))
        out.nodes[node] = fenced(
            partial(_node_pool, node, driver, drivers[driver], broken.get(node, ""), out.places),
            lambda why: NodeReport(GpuSource.DRA, problem=why),
        )
        if len(drivers) > 1:
            out.problems.append(f"Node {node}: GPUs of several drivers: only those of {driver} are counted")
    for node, why in broken.items():
        if node and node not in out.nodes:
            out.nodes[node] = NodeReport(GpuSource.DRA, problem=why)
    if "" in broken:  # of an unknown node, so of any
        out.nodes = {node: replace(pool, problem=pool.problem or broken[""]) for node, pool in out.nodes.items()}
    return out


def _node_pool(
    node: str, driver: str, found: list[tuple[str, PoolDevice]], problem: str, places: dict[DeviceKey, Place]
) -> NodeReport:
    gpus = _numbered({p.name: p.gpu for _, p in found if p.gpu is not None})
    by_uuid = {gpu.uuid: gpu for gpu in gpus.values() if gpu.uuid}
    parents: dict[int, Device] = {}
    for _, device in found:
        mig = device.mig
        if mig is not None and mig.parent not in by_uuid and device.parent_index >= 0:
            # A GPU that is cut up for good is published as its slices only.
            parents[device.parent_index] = Device(device.parent_index, mig.parent, mig=True)
    taken = {gpu.index for gpu in gpus.values()}
    by_uuid |= {p.uuid: p for p in parents.values() if p.index not in taken}
    for pool, device in found:
        key = (driver, pool, device.name)
        if device.name in gpus:
            gpu = gpus[device.name]
            places[key] = Place(node, GpuShare(gpu.index, gpu.uuid), gpu.memory, whole=True)
        elif device.mig is not None:
            places[key] = Place(node, _of_slice(device.mig, by_uuid), device.mig.memory, whole=False)
    devices = (*gpus.values(), *(p for p in parents.values() if p.index not in taken))
    return NodeReport(
        GpuSource.DRA,
        tuple(sorted(devices, key=lambda d: d.index)),
        tuple(sorted((p.mig for _, p in found if p.mig is not None), key=lambda s: s.name)),
        _partitions((p, gpus[p.name]) for _, p in found if p.name in gpus),
        driver=driver,
        problem=problem,
    )


def _numbered(gpus: Mapping[str, Device]) -> dict[str, Device]:
    """Every device with an index of its own: the one that it has, else those that fill the gaps, by name."""
    out: dict[str, Device] = {}
    used: set[int] = set()
    for name in sorted(gpus, key=lambda n: (gpus[n].index < 0, n)):
        gpu = gpus[name]
        index = gpu.index
        if index < 0 or index in used:
            index = next(i for i in range(len(gpus) + len(used) + 1) if i not in used)
            gpu = replace(gpu, index=index)
        used.add(index)
        out[name] = gpu
    return out


def _of_slice(mig: MigSlice, by_uuid: Mapping[str, Device]) -> GpuShare:
    parent = by_uuid.get(mig.parent)
    if parent is None:
        return GpuShare(-1, mig.uuid or mig.name)
    part = -(-mig.memory * WHOLE // parent.memory) if mig.memory and parent.memory else WHOLE
    return GpuShare(parent.index, parent.uuid, min(WHOLE, part), mig.memory)


def _partitions(found: Iterable[tuple[PoolDevice, Device]]) -> tuple[GpuPartition, ...]:
    sets: dict[tuple[int, int], list[int]] = defaultdict(list)
    for device, gpu in found:
        for size, number in device.partitions:
            sets[size, number].append(gpu.index)
    return tuple(
        GpuPartition(tuple(sorted(indices)), "NVLink")
        for (size, _), indices in sorted(sets.items())
        if size > 1 and len(indices) == size
    )
