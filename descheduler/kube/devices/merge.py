"""All that is told of devices, settled: what each node has, and what each pod holds.

Of several sources the most trusted wins (`GpuSource`), others fill in what it leaves out, and where they disagree there
is a line among the problems. What cannot be read leaves its node without GPU moves: the node has a `problem`, and so
have its pods with GPUs, which keeps them where they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from descheduler.kube.devices import kai
from descheduler.kube.devices.claims import Held, asking_for, held_by_claims
from descheduler.kube.devices.koordinator import reserved
from descheduler.kube.devices.locating import Located, NodeDevices, locate
from descheduler.kube.devices.objects import KoordinatorDevice, ResourceClaim, ResourceSlice
from descheduler.kube.devices.pools import DevicePool, pools_of
from descheduler.kube.devices.resources import NVIDIA
from descheduler.kube.devices.vgpu import Registered, registered
from descheduler.model.devices import MAX_DEVICES, Device, GpuShare, GpuSource, GpuStatement, NodeGpus
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Pod, PodSpec


@dataclass(slots=True)
class Settled:
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    problems: list[str] = field(default_factory=list)


def settle(
    nodes: Sequence[Node], pods: Sequence[Pod], objects: Iterable[object], *, claims_served: bool = True
) -> Settled:
    """Nodes and pods with their devices. `objects`: what was read of kinds that tell of devices.

    `claims_served`: whether ResourceClaims were read, so that one that is missing is missing.
    """
    slices: list[ResourceSlice] = []
    claims: list[ResourceClaim] = []
    koordinator: dict[str, KoordinatorDevice] = {}
    kept: dict[str, tuple[GpuShare, ...]] = defaultdict(tuple)
    for found in objects:
        match found:
            case ResourceSlice():
                slices.append(found)
            case ResourceClaim():
                claims.append(found)
            case KoordinatorDevice():
                koordinator[found.name] = found
            case CustomObject(kind="Reservation"):
                node, shares = reserved(found)
                kept[node] += shares
    pools = pools_of(slices)
    using = [i for i, pod in enumerate(pods) if pod.device_claims] if claims_served else []
    held = held_by_claims(pods, using, claims, pools)
    for name, shares in kept.items():
        held.reserved[name] += shares
    out = Settled(tuple(nodes), tuple(pods), [*pools.problems, *held.problems])
    told = _statements(pods, held)
    unhealthy = _unhealthy(pods, told)
    out.nodes = tuple(
        _with_gpus(node, pools.nodes.get(node.name), koordinator.get(node.name), held, out.problems) for node in nodes
    )
    return _settle_pods(out, told, held, unhealthy)


def resettle(nodes: Sequence[Node], pods: Sequence[Pod], more: Mapping[int, GpuStatement]) -> Settled:
    """Pods settled again on nodes whose devices are better known, with `more` statements by position."""
    told = {i: pod.gpu_statements for i, pod in enumerate(pods) if pod.gpu_statements}
    for i, one in more.items():
        before = tuple(s for s in told.get(i, ()) if s.source is not one.source)
        told[i] = tuple(sorted((*before, one), key=lambda s: s.source.trust))
    return _settle_pods(Settled(tuple(nodes), tuple(pods)), told, Held(), {})


def _statements(pods: Sequence[Pod], held: Held) -> dict[int, tuple[GpuStatement, ...]]:
    """By position, of the pods of which anything is said: the most trusted first."""
    asking = [i for i, pod in enumerate(pods) if pod.spec.gpu is not None or pod.gpu_statements]
    placeholders = [i for i in asking if kai.is_placeholder(pods[i])]
    groups = kai.groups(pods[i] for i in placeholders)
    reserving = set(placeholders)
    out: dict[int, tuple[GpuStatement, ...]] = {}
    for i in sorted({*asking, *held.statements}):
        pod = pods[i]
        extra = [held.statements.get(i)]
        if i in reserving:
            extra.append(kai.placeholder(pod, groups))
        elif groups and pod.labels:
            extra.append(kai.member(pod, groups))
        # What a placeholder holds for others is KAI's to say.
        own = () if i in reserving else pod.gpu_statements
        said = [*own, *(one for one in extra if one is not None)]
        if said:
            out[i] = tuple(sorted(said, key=lambda one: one.source.trust))
    return out


def _unhealthy(pods: Sequence[Pod], told: Mapping[int, tuple[GpuStatement, ...]]) -> dict[str, set[int | str]]:
    """By node, the devices (by index, UUID or name in their pool) that the kubelet calls unhealthy."""
    out: dict[str, set[int | str]] = defaultdict(set)
    for i, every in told.items():
        for one in every:
            for share in one.shares:
                if not share.healthy:
                    out[pods[i].node].add(share.index if share.index >= 0 else share.uuid)
    return out


# -- nodes ------------------------------------------------------------------------------------------------------------


def _with_gpus(
    node: Node, pool: DevicePool | None, device: KoordinatorDevice | None, held: Held, problems: list[str]
) -> Node:
    listed = registered(node.annotations) if node.annotations else None
    if pool is None and device is None and listed is None:
        return node
    said = [
        (source, devices, problem) for source, devices, problem in _told_of(pool, device, listed) if devices or problem
    ]
    if not said:
        return node
    source, devices, problem = said[0]
    beyond = [d.index for d in devices if d.index >= MAX_DEVICES]
    if beyond and not problem:
        problem = f"GPU {max(beyond)} of one node is absurd"
        devices = ()
    for other, others, why in said[1:]:
        if why:
            problems.append(f"Node {node.name}: {other}: {why}")
        elif devices:
            problems += _disputes(node.name, source, devices, other, others)
            devices = merged(devices, others)
    if problem:
        problems.append(f"Node {node.name}: {source}: {problem}")
    found = _counted(node.gpus, pool, listed, devices)
    found = replace(
        found,
        devices=devices,
        slices=pool.slices if pool else (),
        partitions=(device.partitions if device else ()) or (pool.partitions if pool else ()),
        partition_policy=device.partition_policy if device else "",
        reserved=tuple(held.reserved.get(node.name, ())),
        source=source,
        steerable=True,
        problem=f"{source}: {problem}" if problem else "",
    )
    offered = node.allocatable
    if pool is not None and node.gpus is None and found.count:
        offered = tuple(sorted((*((n, v) for n, v in offered if n != found.resource), (found.resource, found.count))))
    return replace(node, gpus=found, allocatable=offered)


def _told_of(
    pool: DevicePool | None, device: KoordinatorDevice | None, listed: Registered | None
) -> Iterator[tuple[GpuSource, tuple[Device, ...], str]]:
    if pool is not None:
        yield GpuSource.DRA, pool.devices, pool.problem
    if device is not None:
        yield GpuSource.KOORDINATOR, device.devices, device.problem
    if listed is not None:
        yield listed.source, listed.devices, listed.problem


def _counted(
    counts: NodeGpus | None, pool: DevicePool | None, listed: Registered | None, devices: Sequence[Device]
) -> NodeGpus:
    """The resource of the node and how many units of it can be given out."""
    usable = sum(d.healthy and not d.mig for d in devices)
    model = next((d.model for d in devices if d.model), "")
    if counts is None:
        return NodeGpus((pool.driver if pool is not None else "") or NVIDIA, usable, model)
    if listed is not None and listed.devices:
        return replace(counts, model=counts.model or model, replicas=max(listed.splits, counts.replicas))
    count = min(counts.count, usable) if counts.replicas == 1 and devices else counts.count
    return replace(counts, count=count, model=counts.model or model)


def merged(trusted: Sequence[Device], others: Sequence[Device]) -> tuple[Device, ...]:
    """The trusted devices with what only others know of them; a device that anybody calls unhealthy is."""
    by_uuid = {d.uuid: d for d in others if d.uuid}
    by_index = {d.index: d for d in others}
    out = []
    for device in trusted:
        other = by_uuid.get(device.uuid) if device.uuid and by_uuid else by_index.get(device.index)
        if other is not None:
            device = replace(
                device,
                uuid=device.uuid or other.uuid,
                model=device.model or other.model,
                memory=device.memory or other.memory,
                healthy=device.healthy and other.healthy,
                numa=device.numa if device.numa >= 0 else other.numa,
                pcie_root=device.pcie_root or other.pcie_root,
                pci_bus=device.pci_bus or other.pci_bus,
                name=device.name or other.name,
                mig=device.mig or other.mig,
            )
        out.append(device)
    return tuple(sorted(out, key=lambda d: d.index))


def _disputes(
    node: str, source: GpuSource, devices: Sequence[Device], other: GpuSource, others: Sequence[Device]
) -> Iterator[str]:
    mine, theirs = {d.uuid for d in devices if d.uuid}, {d.uuid for d in others if d.uuid}
    if len(devices) != len(others):
        yield f"Node {node}: {source} tells of {len(devices)} GPUs, {other} of {len(others)}"
    elif mine and theirs and mine != theirs:
        yield f"Node {node}: {source} and {other} tell of different GPUs"


# -- pods -------------------------------------------------------------------------------------------------------------


def _settle_pods(
    out: Settled,
    told: Mapping[int, tuple[GpuStatement, ...]],
    held: Held,
    unhealthy: Mapping[str, set[int | str]],
) -> Settled:
    nodes = {node.name: node for node in out.nodes if node.gpus is not None}
    for name, marks in unhealthy.items():
        if name in nodes:
            nodes[name] = _marked(nodes[name], marks)
    devices: dict[str, NodeDevices] = {}
    located: dict[int, Located] = {}
    for i, statements in told.items():
        pod = out.pods[i]
        node = nodes.get(pod.node)
        if pod.node not in devices:
            devices[pod.node] = NodeDevices(node.gpus if node is not None else None)
        located[i] = found = locate(statements, devices[pod.node], pod.spec.gpu)
        out.problems += [f"Pod {pod.key}: {line}" for line in found.disputes]
        if found.problem:
            out.problems.append(f"Pod {pod.key}: {found.problem}")
            if node is not None and node.gpus is not None and not pod.terminal and not node.gpus.problem:
                nodes[pod.node] = replace(node, gpus=replace(node.gpus, problem=f"pod {pod.key}: {found.problem}"))
    out.nodes = tuple(nodes.get(node.name, node) for node in out.nodes)
    if located or held.notes or any(node.gpus is not None and node.gpus.problem for node in nodes.values()):
        out.pods = tuple(_rewritten(out.pods, nodes, told, located, held))
    return out


def _why(pod: Pod, found: Located) -> str:
    needs = pod.spec.gpu is not None or bool(pod.device_claims)
    return f"its GPUs: {found.problem}" if found.problem and needs else ""


def _marked(node: Node, marks: set[int | str]) -> Node:
    """The node with some devices unhealthy. A plug-in's have been taken from allocatable by the kubelet itself."""
    gpus = node.gpus
    if gpus is None or not gpus.devices:
        return node
    devices = tuple(
        replace(d, healthy=False) if marks & {d.index, d.uuid or d.index, d.name or d.index} else d
        for d in gpus.devices
    )
    usable = sum(d.healthy and not d.mig for d in devices)
    return replace(node, gpus=replace(gpus, devices=devices, count=min(gpus.count, usable * gpus.replicas)))


def _rewritten(
    pods: Sequence[Pod],
    nodes: Mapping[str, Node],
    told: Mapping[int, tuple[GpuStatement, ...]],
    located: Mapping[int, Located],
    held: Held,
) -> Iterator[Pod]:
    doubtful = {name: node.gpus.problem for name, node in nodes.items() if node.gpus is not None and node.gpus.problem}
    specs: dict[tuple[int, tuple[tuple[str, int], ...], int, str], PodSpec] = {}
    for i, pod in enumerate(pods):
        found = located.get(i)
        if found is not None:
            spec = pod.spec
            counts = held.counts.get(i)
            if counts:
                node = nodes.get(pod.node)
                resource = node.gpus.resource if node is not None and node.gpus is not None else ""
                key = (id(spec), tuple(sorted(counts.items())), max(s.milli for s in found.shares or ()), resource)
                if key not in specs:
                    specs[key] = asking_for(spec, counts, found.shares, resource)
                spec = specs[key]
            pod = replace(
                pod,
                spec=spec,
                gpu_indices=found.indices,
                gpu_shares=found.shares,
                gpu_source=found.source,
                gpu_statements=told[i],
                problem=pod.problem or _why(pod, found),
            )
        if i in held.notes:
            pod = replace(pod, claims_note=held.notes[i])
        if doubtful and pod.node in doubtful and not pod.problem and (pod.spec.gpu is not None or pod.device_claims):
            pod = replace(pod, problem=f"the GPUs of {pod.node}: {doubtful[pod.node]}")
        yield pod
