"""Claims, volumes, storage classes, and what CSI drivers say of themselves and of nodes: wire to model."""

from __future__ import annotations

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.pod_requests import quantities
from descheduler.kube.convert.selectors import node_terms
from descheduler.kube.convert.storage_wire import (
    ClaimWire,
    CsiDriverWire,
    CsiNodeWire,
    PersistentVolumeSpecWire,
    PersistentVolumeWire,
    StorageClassWire,
)
from descheduler.kube.convert.unreadable import under
from descheduler.kube.convert.wire import EphemeralWire
from descheduler.model.quantity import amounts
from descheduler.model.selectors import NodeSelectorTerm, Operator, Requirement
from descheduler.model.storage import Claim, ClaimTemplate, CsiDriver, CsiNode, StorageClass, Volume

_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_DEFAULT_CLASS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)
_SERVED_BY = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/azure-file": "file.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
    "kubernetes.io/vsphere-volume": "csi.vsphere.vmware.com",
}
"""The CSI driver of each built-in provisioner (k8s.io/csi-translation-lib/plugins)."""


def convert_claim(wire: ClaimWire, intern: Interner) -> Claim:
    return Claim(
        namespace=intern.text(wire.metadata.namespace),
        name=wire.metadata.name,
        # Who waits may name any volume, also one that is another's: it is his when the two are bound.
        volume="" if wire.status.phase == "Pending" else wire.spec.volume_name,
        storage_class=intern.text(wire.spec.storage_class_name or ""),
        access_modes=wire.spec.access_modes or (),
        selected_node=(wire.metadata.annotations or {}).get(_SELECTED_NODE, ""),
        phase=intern.text(wire.status.phase),
        deleting=wire.metadata.deletion_timestamp is not None,
    )


def convert_claim_template(volume: str, wire: EphemeralWire) -> ClaimTemplate:
    """The template of an ephemeral volume of that name."""
    spec = wire.volume_claim_template.spec
    with under(f"spec.volumes[{volume}].ephemeral"):
        asked = dict(amounts(quantities(spec.resources.requests if spec.resources else None)))
    return ClaimTemplate(volume, spec.storage_class_name, spec.access_modes or (), asked.get("storage", 0))


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
        csi_driver=intern.text(_driver(spec)),
        handle=spec.csi.volume_handle if spec.csi else "",
        networked=any(one is not None for one in (spec.azure_file, spec.cephfs, spec.glusterfs, spec.nfs)),
        access_modes=spec.access_modes or (),
        phase=intern.text(wire.status.phase),
        deleting=wire.metadata.deletion_timestamp is not None,
    )


def _driver(spec: PersistentVolumeSpecWire) -> str:
    if spec.csi is not None:
        return spec.csi.driver
    built_in = {
        "aws-ebs": spec.aws_elastic_block_store,
        "azure-disk": spec.azure_disk,
        "cinder": spec.cinder,
        "gce-pd": spec.gce_persistent_disk,
        "portworx-volume": spec.portworx_volume,
        "vsphere-volume": spec.vsphere_volume,
    }
    return next((_SERVED_BY[f"kubernetes.io/{name}"] for name, one in built_in.items() if one is not None), "")


def convert_storage_class(wire: StorageClassWire, _intern: Interner) -> StorageClass:
    terms = (
        NodeSelectorTerm(
            tuple(Requirement(e.key, Operator.IN, e.values or ()) for e in term.match_label_expressions or ())
        )
        for term in wire.allowed_topologies or ()
    )
    annotations, created = wire.metadata.annotations or {}, wire.metadata.creation_timestamp
    return StorageClass(
        name=wire.metadata.name,
        binding_mode=wire.volume_binding_mode or "Immediate",
        provisioner=_SERVED_BY.get(wire.provisioner, wire.provisioner),
        allowed_topologies=tuple(terms),
        default=any(annotations.get(key) == "true" for key in _DEFAULT_CLASS),
        created=created.timestamp() if created else 0.0,
    )


def convert_csi_node(wire: CsiNodeWire, intern: Interner) -> CsiNode:
    counts = {d.name: d.allocatable.count for d in wire.spec.drivers or () if d.allocatable is not None}
    limits = sorted((intern.text(name), count) for name, count in counts.items() if count is not None)
    return CsiNode(intern.text(wire.metadata.name), tuple(limits))


def convert_csi_driver(wire: CsiDriverWire, intern: Interner) -> CsiDriver:
    return CsiDriver(intern.text(wire.metadata.name), wire.spec.attach_required is not False)
