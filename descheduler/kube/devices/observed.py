"""What series of GPUs say by their labels: which device of which node works for which pod.

dcgm-exporter asks the kubelet's pod resources socket (NVIDIA/dcgm-exporter internal/pkg/transformation/kubernetes.go),
so a plain device plug-in's choices are seen wherever Prometheus is. Its values are no matter here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from descheduler.kube.devices.merge import merge_statements, merged
from descheduler.model.devices import MAX_DEVICES, UNREPORTED, Device, GpuShare, GpuSource, GpuStatement, NodeGpus
from descheduler.model.nodes import Node
from descheduler.model.snapshot import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class ObservedGpu:
    """The labels of one series: `gpu`, `UUID`, `modelName`, and whose it is; `pod` is empty when nobody's.

    `node` is the name of the node. `mig`: the series is of a MIG slice (`GPU_I_ID`).
    """

    node: str
    index: int
    uuid: str = ""
    namespace: str = ""
    pod: str = ""
    model: str = ""
    mig: bool = False


# With honorLabels the exporter's own labels are `pod` and so on; without it those are of the exporter's pod, and what
# it said is under `exported_`. `pod_name` is the exporter before 2.0.
_HOLDERS = (("exported_namespace", "exported_pod"), ("namespace", "pod"), ("pod_namespace", "pod_name"))
_NODES = ("Hostname", "hostname", "node")  # the exporter wrote the first until 4.8.3


def observed_gpu(labels: Mapping[str, str], nodes: Mapping[str, str]) -> ObservedGpu | None:
    """The row of one series; None when it is of no node of `nodes` (see `node_names`) or names no device."""
    node = next((nodes[labels[key]] for key in _NODES if labels.get(key, "") in nodes), "")
    index = labels.get("gpu", "")
    if not node or not index.isdecimal() or len(index) > 4:
        return None
    namespace, pod = next(
        ((labels.get(space, ""), labels[name]) for space, name in _HOLDERS if labels.get(name)), ("", "")
    )
    return ObservedGpu(
        node,
        int(index),
        labels.get("UUID", ""),
        namespace,
        pod,
        labels.get("modelName", ""),
        bool(labels.get("GPU_I_ID")),
    )


def with_observed(snapshot: ClusterSnapshot, rows: Iterable[ObservedGpu]) -> ClusterSnapshot:
    """The snapshot with devices and holders as far as series tell them better than what is there.

    Pods that ask for no GPU hold none, whatever the labels say: without honorLabels an idle GPU is labelled as the
    exporter's. A list of devices counts only when it is as long as the node's count. Rows of pods that the snapshot
    does not have on that node are passed over: they are of another time.
    """
    devices: dict[str, dict[int, Device]] = defaultdict(dict)
    shares: dict[int, dict[int, GpuShare]] = defaultdict(dict)
    for row in rows:
        at = snapshot.node_index.get(row.node)
        if at is None or snapshot.nodes[at].gpus is None or not 0 <= row.index < MAX_DEVICES:
            continue
        before = devices[row.node].get(row.index)
        devices[row.node][row.index] = Device(
            row.index,
            row.uuid or (before.uuid if before else ""),
            row.model,
            mig=row.mig or bool(before and before.mig),
        )
        pod = snapshot.pod_index.get((row.namespace, row.pod)) if row.pod else None
        holder = snapshot.pods[pod] if pod is not None else None
        if pod is not None and holder is not None and holder.node == row.node and holder.spec.gpu and not row.mig:
            shares[pod][row.index] = GpuShare(row.index, row.uuid, UNREPORTED)
    nodes = tuple(_better(node, devices.get(node.name, {})) for node in snapshot.nodes)
    more = {pod: GpuStatement(GpuSource.DCGM, tuple(held[i] for i in sorted(held))) for pod, held in shares.items()}
    found = merge_statements(nodes, snapshot.pods, more)
    return replace(
        snapshot,
        nodes=found.nodes,
        pods=found.pods,
        problems=tuple(sorted({*snapshot.problems, *found.problems})),
    )


def _better(node: Node, seen: dict[int, Device]) -> Node:
    gpus = node.gpus
    if gpus is None or not seen:
        return node
    listed = tuple(seen[i] for i in sorted(seen))
    if gpus.source.trust < GpuSource.DCGM.trust:
        return replace(node, gpus=replace(gpus, devices=merged(gpus.devices, listed)))
    known = len(gpus.devices) or -(-gpus.count // gpus.units)
    if len(listed) < known or gpus.problem:
        return node
    return replace(node, gpus=_listed(gpus, listed))


def _listed(gpus: NodeGpus, listed: tuple[Device, ...]) -> NodeGpus:
    devices = merged(listed, gpus.devices)
    usable = sum(d.healthy and not d.mig for d in devices)
    return replace(
        gpus,
        devices=devices,
        source=GpuSource.DCGM,
        model=gpus.model or next((d.model for d in devices if d.model), ""),
        count=min(gpus.count, usable) if gpus.units == 1 else gpus.count,
    )
