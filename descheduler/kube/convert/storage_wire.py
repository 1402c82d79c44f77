"""Slim schemas of storage: claims, volumes, their classes, and CSI (`wire` says how they are read)."""

from __future__ import annotations

from descheduler.kube.convert.wire import ClaimSpecWire, Int32, NodeSelectorWire, Object, Present, Slim


class StorageStatusWire(Slim, frozen=True, gc=False):
    phase: str = ""


class ClaimWire(Object, frozen=True, gc=False):
    spec: ClaimSpecWire = ClaimSpecWire()
    status: StorageStatusWire = StorageStatusWire()


class VolumeAffinityWire(Slim, frozen=True, gc=False):
    required: NodeSelectorWire | None = None


class CsiWire(Slim, frozen=True, gc=False):
    driver: str = ""
    volume_handle: str = ""


class PersistentVolumeSpecWire(Slim, frozen=True, gc=False):
    node_affinity: VolumeAffinityWire | None = None
    storage_class_name: str = ""
    access_modes: tuple[str, ...] | None = None
    local: Present | None = None
    host_path: Present | None = None
    csi: CsiWire | None = None
    # built-in disks that CSI drivers serve by now
    aws_elastic_block_store: Present | None = None
    azure_disk: Present | None = None
    cinder: Present | None = None
    gce_persistent_disk: Present | None = None
    portworx_volume: Present | None = None
    vsphere_volume: Present | None = None
    # built-in network file systems
    azure_file: Present | None = None
    cephfs: Present | None = None
    glusterfs: Present | None = None
    nfs: Present | None = None


class PersistentVolumeWire(Object, frozen=True, gc=False):
    spec: PersistentVolumeSpecWire = PersistentVolumeSpecWire()
    status: StorageStatusWire = StorageStatusWire()


class TopologyExpressionWire(Slim, frozen=True, gc=False):
    key: str = ""
    values: tuple[str, ...] | None = None


class TopologyTermWire(Slim, frozen=True, gc=False):
    match_label_expressions: tuple[TopologyExpressionWire, ...] | None = None


class StorageClassWire(Object, frozen=True, gc=False):
    provisioner: str = ""
    volume_binding_mode: str | None = None
    allowed_topologies: tuple[TopologyTermWire, ...] | None = None


class CsiLimitWire(Slim, frozen=True, gc=False):
    count: Int32 | None = None


class CsiNodeDriverWire(Slim, frozen=True, gc=False):
    name: str = ""
    allocatable: CsiLimitWire | None = None


class CsiNodeSpecWire(Slim, frozen=True, gc=False):
    drivers: tuple[CsiNodeDriverWire, ...] | None = None


class CsiNodeWire(Object, frozen=True, gc=False):
    spec: CsiNodeSpecWire = CsiNodeSpecWire()


class CsiDriverSpecWire(Slim, frozen=True, gc=False):
    attach_required: bool | None = None


class CsiDriverWire(Object, frozen=True, gc=False):
    spec: CsiDriverSpecWire = CsiDriverSpecWire()
