"""Nodes: wire to model."""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.pod_requests import amounts, quantities
from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import NodeWire
from descheduler.kube.devices.resources import node_gpus
from descheduler.model.nodes import Node, Taint

_VIRTUAL_TAINT = "virtual-kubelet.io/provider"
_VIRTUAL_LABELS = {
    "type": "virtual-kubelet",
    "kubernetes.azure.com/role": "virtual-node",
    "eks.amazonaws.com/compute-type": "fargate",
}


def convert_node(wire: NodeWire, intern: Interner) -> Node:
    """One node; without a `Ready` condition it is not ready."""
    meta = wire.metadata
    labels = intern.labels(meta.labels)
    with under("status.allocatable"):
        allocatable = amounts(quantities(wire.status.allocatable))
    taints = tuple(Taint(t.key, t.value, t.effect) for t in wire.spec.taints or ())
    return Node(
        name=intern.text(meta.name),
        uid=meta.uid,
        labels=labels,
        annotations=intern.annotations(meta.annotations),
        allocatable=allocatable,
        taints=taints,
        unschedulable=wire.spec.unschedulable,
        ready=any(c.type == "Ready" and c.status == "True" for c in wire.status.conditions or ()),
        created=meta.creation_timestamp.timestamp() if meta.creation_timestamp else 0.0,
        gpus=node_gpus(allocatable, labels),
        virtual=_virtual(labels, taints),
    )


def _virtual(labels: Mapping[str, str], taints: tuple[Taint, ...]) -> bool:
    if any(taint.key == _VIRTUAL_TAINT for taint in taints):
        return True
    return any(labels.get(key) == value for key, value in _VIRTUAL_LABELS.items())
