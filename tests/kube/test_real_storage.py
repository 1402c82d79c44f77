"""Claims that go while pods use them, as a real API server and its controllers show them."""

from __future__ import annotations

import time
from typing import Any

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.gangs import resolve
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections


def volume(client: ApiClient, name: str, mode: str = "ReadWriteOnce") -> None:
    """A volume of a CSI driver and a claim that is bound to it."""
    spec: dict[str, Any] = {"accessModes": [mode], "storageClassName": "static"}
    size, csi = {"storage": "1Gi"}, {"driver": "ebs.csi.aws.com", "volumeHandle": f"vol-{name}"}
    of_volume = {**spec, "capacity": size, "csi": csi, "claimRef": {"namespace": "default", "name": name}}
    client.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": of_volume})
    of_claim = {**spec, "resources": {"requests": size}, "volumeName": name}
    client.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": of_claim})


def application(name: str, claim: str, replicas: int) -> dict[str, Any]:
    pod = {
        "containers": [{"name": "main", "image": "none"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
    }
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def reasons(snapshot: ClusterSnapshot) -> dict[str, Reason | None]:
    """By application, what stops its pods first."""
    filters = build_filters(snapshot, resolve(snapshot), FilterRules.of(Protections()), now=time.time())
    found = ((pod.labels["app"], filters.blocked(at)) for at, pod in enumerate(snapshot.pods))
    return {app: blocked.reason if blocked else None for app, blocked in found}


def test_who_holds_a_claim_that_is_deleted_or_shared_stays(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.create_node("n1")
    client.wait_for_nodes("n1")
    for name, mode in (("going", "ReadWriteOnce"), ("shared", "ReadWriteOnce"), ("many", "ReadWriteMany")):
        volume(client, name, mode)
    volume(client, "alone")
    claims = lambda: client.list("PersistentVolumeClaim", "default")  # noqa: E731
    client.wait_for(lambda: all(c["status"].get("phase") == "Bound" for c in claims()), what="bound claims")
    for name, replicas in (("going", 1), ("shared", 2), ("many", 2), ("alone", 1)):
        client.apply(application(name, name, replicas))
        client.wait_for_pods(replicas, label_selector=f"app={name}")
    limits = [{"name": "ebs.csi.aws.com", "nodeID": "i-1", "allocatable": {"count": 25}}]
    client.create({**CSI, "kind": "CSINode", "metadata": {"name": "n1"}, "spec": {"drivers": limits}})
    client.create({**CSI, "kind": "CSIDriver", "metadata": {"name": "ebs.csi.aws.com"}, "spec": {}})
    client.delete("PersistentVolumeClaim", "going")
    assert client.get("PersistentVolumeClaim", "going")["metadata"]["finalizers"], "its users keep it"

    with_client = connect(control_plane.kubeconfig())
    try:
        snapshot = read_cluster(with_client, clock=time.time)
    finally:
        with_client.close()
    assert reasons(snapshot) == {
        "going": Reason.VOLUME_LOST,
        "shared": Reason.VOLUME_SHARED,
        "many": None,
        "alone": None,
    }
    assert snapshot.csi_nodes["n1"].limits == (("ebs.csi.aws.com", 25),)
    assert snapshot.csi_drivers["ebs.csi.aws.com"].attaches


CSI = {"apiVersion": "storage.k8s.io/v1"}
