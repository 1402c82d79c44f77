"""Nodes and storage: wire to model."""

from __future__ import annotations

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.node_marks import is_virtual, leaving
from descheduler.kube.convert.pod_requests import quantities
from descheduler.kube.convert.selectors import node_terms
from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import ClaimWire, NodeWire, PersistentVolumeWire, StorageClassWire
from descheduler.kube.devices.resources import node_gpus
from descheduler.model.nodes import Claim, Node, StorageClass, Taint, Volume
from descheduler.model.quantity import amounts
from descheduler.model.selectors import NodeSelectorTerm, Operator, Requirement

_SELECTED_NODE = "volume.kubernetes.io/selected-node"


def convert_node(wire: NodeWire, intern: Interner) -> Node:
    """One node; without a `Ready` condition it is not ready."""
    meta = wire.metadata
    labels = intern.labels(meta.labels)
    with under("status.allocatable"):
        allocatable = amounts(quantities(wire.status.allocatable))
    annotations = intern.annotations(meta.annotations)
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
        taints=taints,
        unschedulable=wire.spec.unschedulable,
        ready=any(c.type == "Ready" and c.status == "True" for c in conditions),
        created=meta.creation_timestamp.timestamp() if meta.creation_timestamp else 0.0,
        gpus=node_gpus(allocatable, labels),
        virtual=is_virtual(labels, taints),
        leaving=going.mark,
        drained=going.drained,
    )


def convert_claim(wire: ClaimWire, intern: Interner) -> Claim:
    return Claim(
        namespace=intern.text(wire.metadata.namespace),
        name=wire.metadata.name,
        volume=wire.spec.volume_name,
        storage_class=intern.text(wire.spec.storage_class_name or ""),
        access_modes=wire.spec.access_modes or (),
        selected_node=(wire.metadata.annotations or {}).get(_SELECTED_NODE, ""),
    )


def convert_volume(wire: PersistentVolumeWire, intern: Interner) -> Volume:
    spec = wire.spec
    with under("spec.nodeAffinity"):
        affinity = node_terms(spec.node_affinity.required) if spec.node_affinity else None
    return Volume(
        name=wire.metadata.name,
        affinity=affinity,
        storage_class=intern.text(spec.storage_class_name),
        local=spec.local is not None or spec.host_path is not None,
        labels=intern.labels(wire.metadata.labels),
        csi_driver=intern.text(spec.csi.driver) if spec.csi else "",
    )


def convert_storage_class(wire: StorageClassWire, _intern: Interner) -> StorageClass:
    terms = (
        NodeSelectorTerm(
            tuple(Requirement(e.key, Operator.IN, e.values or ()) for e in term.match_label_expressions or ())
        )
        for term in wire.allowed_topologies or ()
    )
    return StorageClass(
        name=wire.metadata.name,
        binding_mode=wire.volume_binding_mode or "Immediate",
        provisioner=wire.provisioner,
        allowed_topologies=tuple(terms),
    )
