"""Nodes: wire to model."""

from __future__ import annotations

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.node_marks import is_virtual, leaving
from descheduler.kube.convert.pod_requests import quantities
from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import NodeWire
from descheduler.kube.devices.resources import node_gpus
from descheduler.model.nodes import Node, Taint
from descheduler.model.quantity import amounts


def convert_node(wire: NodeWire, intern: Interner) -> Node:
    """One node; without a `Ready` condition it is not ready."""
    meta = wire.metadata
    labels = intern.labels(meta.labels)
    with under("status.allocatable"):
        allocatable = amounts(quantities(wire.status.allocatable))
        gpus = node_gpus(allocatable, labels)
    annotations = intern.annotations(meta.annotations)
    with under("status.capacity"):
        machine = {name: (wire.status.capacity or {}).get(name) for name in ("cpu", "memory")}
        capacity = amounts(quantities({name: size for name, size in machine.items() if size is not None}))
    taints = tuple(Taint(t.key, t.value, t.effect) for t in wire.spec.taints or ())
    conditions = wire.status.conditions or ()
    going = leaving(
        deleted=meta.deletion_timestamp is not None,
        taints=taints,
        labels=labels,
        annotations=annotations,
        conditions=conditions,
    )
    return Node(
        name=intern.text(meta.name),
        uid=meta.uid,
        labels=labels,
        annotations=annotations,
        allocatable=allocatable,
        capacity=capacity,
        taints=taints,
        unschedulable=wire.spec.unschedulable,
        ready=any(c.type == "Ready" and c.status == "True" for c in conditions),
        created=meta.creation_timestamp.timestamp() if meta.creation_timestamp else 0.0,
        addresses=tuple(dict.fromkeys(one.address for one in wire.status.addresses or () if one.address)),
        gpus=gpus,
        virtual=is_virtual(labels, taints),
        leaving=going.mark,
        drained=going.drained,
    )
