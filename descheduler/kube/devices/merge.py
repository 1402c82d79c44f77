"""All that sources report of devices, merged: what each node has, and what each pod holds.

Of several sources the most trusted wins (`GpuSource`), others fill in what it leaves out, and where they disagree there
is a line among the problems. What cannot be read leaves its node without GPU moves: the node has a `problem`, and so
have its pods with GPUs, which keeps them where they are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from descheduler.kube.devices.claims import asking_for
from descheduler.kube.devices.locating import Located, NodeDevices, locate
from descheduler.kube.devices.resources import NVIDIA
from descheduler.kube.devices.source import Cluster, NodeReport, Report
from descheduler.kube.devices.sources import SOURCES
from descheduler.model.device_parts import devices_in_parts
from descheduler.model.devices import MAX_DEVICES, WHOLE, Device, GpuShare, GpuSource, GpuStatement, NodeGpus
from descheduler.model.fence import Fence, fenced
from descheduler.model.nodes import Node
from descheduler.model.pods import Pod, PodSpec

NATIVE = "kubernetes.io/"
"""Of resources that every node may have (k8s.io/component-helpers resource `IsNativeResource`)."""


@dataclass(slots=True)
class Merged:
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    problems: list[str] = field(default_factory=list)


def merge_reports(nodes: Sequence[Node], pods: Sequence[Pod], objects: Mapping[str, Iterable[object]]) -> Merged:
    """Nodes and pods with their devices, as all sources report them. `objects` by the key of their kind."""
    asking = [i for i, pod in enumerate(pods) if (pod.spec.gpu or pod.spec.gpu_problem or pod.gpu_statements)]
    cluster = Cluster(nodes, pods, objects, asking)
    reports = [source.of_cluster(cluster) for source in SOURCES if source.of_cluster is not None]
    out = Merged(tuple(nodes), tuple(pods), [line for report in reports for line in report.problems])
    statements = _statements(pods, reports)
    unhealthy = _unhealthy(pods, statements)
    fence = Fence()
    out.nodes = tuple(
        fence.around(
            f"Node {node.name}", partial(_with_gpus, node, reports, out.problems), partial(_without_gpus, node)
        )
        for node in nodes
    )
    out.problems += fence.problems
    return _merge_pods(out, statements, reports, unhealthy)


def merge_statements(nodes: Sequence[Node], pods: Sequence[Pod], more: Mapping[int, GpuStatement]) -> Merged:
    """Pods merged again on nodes whose devices are better known, with `more` statements by position."""
    statements = {i: pod.gpu_statements for i, pod in enumerate(pods) if pod.gpu_statements}
    for i, one in more.items():
        before = (s for s in statements.get(i, ()) if s.source is not one.source)
        statements[i] = _by_trust((*before, one))
    return _merge_pods(Merged(tuple(nodes), tuple(pods)), statements, (), {})


def _statements(pods: Sequence[Pod], reports: Sequence[Report]) -> dict[int, tuple[GpuStatement, ...]]:
    """By position, of the pods of which anything is reported: the most trusted first."""
    overruled = frozenset[int]().union(*(report.overruled for report in reports))
    found = {
        i: pod.gpu_statements
        for i, pod in enumerate(pods)
        if pod.gpu_statements and i not in overruled and may_hold_devices(pod)
    }
    for report in reports:
        for i, one in report.statements.items():
            found[i] = (*found.get(i, ()), one)
    return {i: _by_trust(found[i]) for i in sorted(found)}


def _by_trust(statements: Iterable[GpuStatement]) -> tuple[GpuStatement, ...]:
    return tuple(sorted(statements, key=lambda one: one.source.trust))


def _unhealthy(pods: Sequence[Pod], statements: Mapping[int, tuple[GpuStatement, ...]]) -> dict[str, set[int | str]]:
    """By node, the devices (by index, UUID or name in their pool) that the kubelet calls unhealthy."""
    out: dict[str, set[int | str]] = defaultdict(set)
    for i, every in statements.items():
        for one in every:
            for share in one.shares:
                if not share.healthy:
                    out[pods[i].node].add(share.index if share.index >= 0 else share.uuid)
    return out


# -- nodes ------------------------------------------------------------------------------------------------------------


def _with_gpus(node: Node, reports: Sequence[Report], problems: list[str]) -> Node:
    every = sorted((r.nodes[node.name] for r in reports if node.name in r.nodes), key=lambda found: found.source.trust)
    lists = [found for found in every if found.devices or found.problem]
    if not lists:
        return node
    source, devices, problem = lists[0].source, lists[0].devices, lists[0].problem
    beyond = [d.index for d in devices if not 0 <= d.index < MAX_DEVICES]
    if beyond and not problem:
        problem = f"GPU {max(beyond)} of one node is absurd"
        devices = ()
    for other in lists[1:]:
        if other.problem:
            problems.append(f"Node {node.name}: {other.source}: {other.problem}")
        elif devices:
            problems += _disputes(node.name, source, devices, other.source, other.devices)
            devices = merged(devices, other.devices)
    if problem:
        problems.append(f"Node {node.name}: {source}: {problem}")
    found = replace(
        _counted(node.gpus, every, devices),
        devices=devices,
        slices=next((one.slices for one in every if one.slices), ()),
        # Koordinator's partitions have bandwidths, those of DRA do not.
        partitions=next((one.partitions for one in reversed(every) if one.partitions), ()),
        partition_policy=next((one.partition_policy for one in every if one.partition_policy), ""),
        reserved=tuple(share for report in reports for share in report.reserved.get(node.name, ())),
        source=source,
        steerable=True,
        problem=f"{source}: {problem}" if problem else "",
    )
    offered = node.allocatable
    if node.gpus is None and found.count and any(one.driver for one in every):
        offered = tuple(sorted((*((n, v) for n, v in offered if n != found.resource), (found.resource, found.count))))
    return replace(node, gpus=found, allocatable=offered)


def _without_gpus(node: Node, why: str) -> Node:
    """A node of whose devices nothing is known."""
    return node if node.gpus is None else replace(node, gpus=replace(node.gpus, problem=why))


def _counted(counts: NodeGpus | None, reports: Sequence[NodeReport], devices: Sequence[Device]) -> NodeGpus:
    """The resource of the node and how many units of it can be given out."""
    usable = sum(d.healthy and not d.mig for d in devices)
    model = next((d.model for d in devices if d.model), "")
    if counts is None:
        return NodeGpus(next((one.driver for one in reports if one.driver), NVIDIA), usable, model)
    splits = max((one.splits for one in reports), default=0)
    if splits:
        return replace(counts, model=counts.model or model, replicas=max(splits, counts.replicas))
    count = min(counts.count, usable) if counts.units == 1 and devices else counts.count
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


def _merge_pods(
    out: Merged,
    statements: Mapping[int, tuple[GpuStatement, ...]],
    reports: Sequence[Report],
    unhealthy: Mapping[str, set[int | str]],
) -> Merged:
    nodes = {node.name: node for node in out.nodes if node.gpus is not None}
    for name, marks in unhealthy.items():
        if name in nodes:
            nodes[name] = _marked(nodes[name], marks)
    devices: dict[str, NodeDevices] = {}
    located: dict[int, Located] = {}
    for i, every in statements.items():
        pod = out.pods[i]
        node = nodes.get(pod.node)
        if pod.node not in devices:
            devices[pod.node] = NodeDevices(node.gpus if node is not None else None)
        located[i] = found = fenced(
            partial(locate, every, devices[pod.node], pod.spec.gpu), lambda why: Located(problem=why)
        )
        out.problems += [f"Pod {pod.key}: {line}" for line in found.disputes]
        if found.problem:
            out.problems.append(f"Pod {pod.key}: {found.problem}")
            if node is not None and node.gpus is not None and not pod.terminal and not node.gpus.problem:
                nodes[pod.node] = replace(node, gpus=replace(node.gpus, problem=f"pod {pod.key}: {found.problem}"))
    out.nodes = tuple(nodes.get(node.name, node) for node in out.nodes)
    wanted = {i: count for report in reports for i, count in report.wanted.items()}
    if located or wanted or any(node.gpus is not None and node.gpus.problem for node in nodes.values()):
        counts = {i: count for report in reports for i, count in report.counts.items()}
        out.pods = tuple(_rewritten(out.pods, nodes, statements, located, counts, wanted))
    return out


def may_hold_devices(pod: Pod) -> bool:
    """Whether what the pod's own object says of devices can be true: it asks for something that the scheduler does not
    know by itself, or names claims. Anybody can write annotations on any pod."""
    spec = pod.spec
    if spec.gpu is not None or spec.gpu_problem or pod.device_claims:
        return True
    return any("/" in name and not name.startswith(NATIVE) for name, _ in spec.requests)


def _holding() -> Callable[[Pod], bool]:
    """Whether a pod holds GPUs or parts of them; specs that pods share are looked at once."""
    parts: dict[int, bool] = {}

    def holds(pod: Pod) -> bool:
        spec = pod.spec
        if spec.gpu is not None or pod.device_claims:
            return True
        if id(spec) not in parts:
            parts[id(spec)] = devices_in_parts(spec.requests) > 0
        return parts[id(spec)]

    return holds


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
    return replace(node, gpus=replace(gpus, devices=devices, count=min(gpus.count, usable * gpus.units)))


def _rewritten(
    pods: Sequence[Pod],
    nodes: Mapping[str, Node],
    statements: Mapping[int, tuple[GpuStatement, ...]],
    located: Mapping[int, Located],
    counted: Mapping[int, Mapping[str, int]],
    wanted: Mapping[int, Mapping[str, int]],
) -> Iterator[Pod]:
    holding = _holding()
    doubtful = {name: node.gpus.problem for name, node in nodes.items() if node.gpus is not None and node.gpus.problem}
    specs: dict[tuple[int, tuple[tuple[str, int], ...], int, str], PodSpec] = {}

    def claiming(spec: PodSpec, counts: Mapping[str, int], shares: Sequence[GpuShare], resource: str) -> PodSpec:
        key = (id(spec), tuple(sorted(counts.items())), max((s.milli for s in shares), default=WHOLE), resource)
        if key not in specs:
            specs[key] = asking_for(spec, counts, shares, resource)
        return specs[key]

    for i, pod in enumerate(pods):
        found = located.get(i)
        if i in wanted:
            pod = replace(pod, spec=claiming(pod.spec, wanted[i], (), min(wanted[i])))
        if found is not None:
            spec = pod.spec
            counts = counted.get(i)
            if counts:
                node = nodes.get(pod.node)
                resource = node.gpus.resource if node is not None and node.gpus is not None else ""
                spec = claiming(spec, counts, found.shares, resource)
            pod = replace(
                pod,
                spec=spec,
                gpu_indices=found.indices,
                gpu_shares=found.shares,
                gpu_source=found.source,
                gpu_statements=statements[i],
                problem=pod.problem or _why(pod, found),
            )
        if doubtful and pod.node in doubtful and not pod.problem and holding(pod):
            pod = replace(pod, problem=f"the GPUs of {pod.node}: {doubtful[pod.node]}")
        yield pod
