"""What is read of claims, volumes, storage classes, and of what CSI drivers say."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.wire_objects import cluster_objects, snapshot_from_objects
from descheduler.model.storage import Claim, ClaimTemplate, CsiDriver, CsiNode, Volume
from kube.wire_objects import meta

Json = dict[str, Any]
GOING = "2026-01-01T00:00:00Z"


def volumes(spec: Json, status: Json | None = None, **more: object) -> Volume:
    found = {"metadata": meta("pv", **more), "spec": spec, "status": status or {}}
    return snapshot_from_objects({"persistentvolumes": [found]}, 0.0).volumes["pv"]


def test_a_claim_says_whether_it_lasts() -> None:
    going = {"metadata": meta("c", "shop", deletionTimestamp=GOING), "status": {"phase": "Bound"}}
    lost = {"metadata": meta("l", "shop"), "spec": {"volumeName": "gone"}, "status": {"phase": "Lost"}}
    found = snapshot_from_objects({"persistentvolumeclaims": [going, lost]}, 0.0).claims
    assert found["shop", "c"] == Claim("shop", "c", phase="Bound", deleting=True)
    assert found["shop", "l"] == Claim("shop", "l", "gone", phase="Lost")


def test_a_volume_says_whether_it_lasts_and_who_attaches_it() -> None:
    spec = {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}, "accessModes": ["ReadWriteOnce"]}
    found = volumes(spec, {"phase": "Released"}, deletionTimestamp=GOING)
    assert (found.csi_driver, found.handle, found.access_modes) == ("ebs.csi.aws.com", "vol-1", ("ReadWriteOnce",))
    assert (found.phase, found.deleting) == ("Released", True)


@pytest.mark.parametrize(
    ("source", "driver"),
    [
        ("awsElasticBlockStore", "ebs.csi.aws.com"),
        ("azureDisk", "disk.csi.azure.com"),
        ("cinder", "cinder.csi.openstack.org"),
        ("gcePersistentDisk", "pd.csi.storage.gke.io"),
        ("portworxVolume", "pxd.portworx.com"),
        ("vsphereVolume", "csi.vsphere.vmware.com"),
    ],
)
def test_a_built_in_disk_is_attached_by_the_driver_that_took_its_place(source: str, driver: str) -> None:
    found = volumes({source: {"fsType": "ext4"}})
    assert (found.csi_driver, found.networked, found.local) == (driver, False, False)


@pytest.mark.parametrize("source", ["azureFile", "cephfs", "glusterfs", "nfs"])
def test_a_network_file_system_is_attached_by_nobody(source: str) -> None:
    assert volumes({source: {"path": "/"}}).networked


def test_the_default_class_and_built_in_provisioners() -> None:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    found = snapshot_from_objects(
        {
            "storageclasses": [
                {"metadata": meta("gp2", annotations=default), "provisioner": "kubernetes.io/aws-ebs"},
                {"metadata": meta("own", annotations={next(iter(default)): "false"}), "provisioner": "csi.example"},
            ]
        },
        0.0,
    ).storage_classes
    assert {name: (one.default, one.provisioner) for name, one in found.items()} == {
        "gp2": (True, "ebs.csi.aws.com"),
        "own": (False, "csi.example"),
    }


CSI = {
    "csinodes": [
        {
            "metadata": meta("n1"),
            "spec": {
                "drivers": [
                    {"name": "ebs.csi.aws.com", "nodeID": "i-1", "topologyKeys": None, "allocatable": {"count": 25}},
                    {"name": "efs.csi.aws.com", "nodeID": "i-1", "topologyKeys": None},
                    {"name": "odd.csi.example", "nodeID": "i-1", "topologyKeys": None, "allocatable": {}},
                ]
            },
        },
        {"metadata": meta("n2"), "spec": {"drivers": None}},
    ],
    "csidrivers": [
        {"metadata": meta("efs.csi.aws.com"), "spec": {"attachRequired": False}},
        {"metadata": meta("ebs.csi.aws.com"), "spec": {}},
    ],
}


def test_what_nodes_can_attach_and_which_drivers_attach() -> None:
    found = snapshot_from_objects(CSI, 0.0)
    assert found.csi_nodes == {"n1": CsiNode("n1", (("ebs.csi.aws.com", 25),)), "n2": CsiNode("n2")}
    assert found.csi_drivers == {
        "efs.csi.aws.com": CsiDriver("efs.csi.aws.com", attaches=False),
        "ebs.csi.aws.com": CsiDriver("ebs.csi.aws.com"),
    }


def test_a_driver_has_one_name_in_a_recording_without_names() -> None:
    for driver in ("ebs.csi.aws.com", "csi.internal.example"):
        csi_node = {"metadata": meta("n1"), "spec": {"drivers": [{"name": driver, "allocatable": {"count": 25}}]}}
        found: dict[str, list[Json]] = {
            "nodes": [{"metadata": meta("n1")}],
            "csinodes": [csi_node],
            "csidrivers": [{"metadata": meta(driver)}],
            "persistentvolumes": [{"metadata": meta("pv"), "spec": {"csi": {"driver": driver, "volumeHandle": "v"}}}],
            "storageclasses": [{"metadata": meta("fast"), "provisioner": driver}],
        }
        snapshot = Anonymizer(b"key").objects(cluster_objects(found, taken_at=0.0)).snapshot()
        (node,) = snapshot.nodes
        (volume,) = snapshot.volumes.values()
        ((of_node, limit),) = snapshot.csi_nodes[node.name].limits
        (of_class,) = (one.provisioner for one in snapshot.storage_classes.values())
        assert {of_node, of_class, *snapshot.csi_drivers} == {volume.csi_driver}
        assert limit == 25


def test_volumes_of_a_pod() -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {}}}
    classy = {"spec": {**template["spec"], "storageClassName": "fast"}}
    spec = {
        "volumes": [
            {"name": "kept", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}},
            {"name": "cache", "ephemeral": {"volumeClaimTemplate": classy}},
            {"name": "inline", "csi": {"driver": "secrets-store.csi.k8s.io"}},
        ]
    }
    pods = [{"metadata": meta(name, "shop"), "spec": spec} for name in ("web-1", "web-2")]
    (one, other) = snapshot_from_objects({"pods": pods}, 0.0).pods
    assert one.claims == ("data",)
    assert one.spec.ephemeral == (
        ClaimTemplate("scratch", None, ("ReadWriteOnce",)),
        ClaimTemplate("cache", "fast", ("ReadWriteOnce",)),
    )
    assert one.spec is other.spec
    assert [t.claim_of(one.name) for t in one.spec.ephemeral] == ["web-1-scratch", "web-1-cache"]


def test_where_a_pending_pod_is_awaited() -> None:
    status = {"phase": "Pending", "nominatedNodeName": "n1"}
    (one,) = snapshot_from_objects({"pods": [{"metadata": meta("big", "shop"), "status": status}]}, 0.0).pods
    assert (one.nominated, one.node) == ("n1", "")
