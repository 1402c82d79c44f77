"""GPUs on a real API server: what its scheduler gives by claims, what a kubelet writes, what Koordinator publishes."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from descheduler.kube.client.cache import ClusterCache
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.kube.recording.files import read_recording, write_recording
from descheduler.kube.recording.wire_objects import record_cluster
from descheduler.model.devices import GpuShare, GpuSource
from descheduler.model.pods import GpuRequest
from descheduler.model.snapshot import ClusterSnapshot
from kube.device_objects import DRIVER, GPU, gpu_device, gpus_of, koordinator_device, koordinator_gpu, resource_slice

Json = dict[str, Any]
DRA = "resource.k8s.io/v1"


@pytest.fixture
def cluster(control_plane: ControlPlane) -> ApiClient:
    return control_plane.client


@pytest.fixture
def reader(control_plane: ControlPlane) -> Iterator[KubeClient]:
    made = connect(control_plane.kubeconfig("admin"))
    yield made
    made.close()


@pytest.fixture
def live(reader: KubeClient) -> Iterator[ClusterCache]:
    made = ClusterCache(reader, clock=time.time, rng=random.Random(1), rediscover_seconds=0.2)
    made.start()
    assert made.wait_synced(30), made.freshness()
    yield made
    made.stop()


def until(live: ClusterCache, holds: Callable[[ClusterSnapshot], bool], seconds: float = 30.0) -> ClusterSnapshot:
    """The first snapshot of which something holds."""
    deadline = time.monotonic() + seconds
    while not holds(found := live.snapshot()):
        assert time.monotonic() < deadline, (found.nodes, found.pods, found.problems)
        live.wait_changed(0.2)
    return found


def pod(name: str, *, gpus: int = 0, annotations: dict[str, str] | None = None, **spec: Any) -> Json:
    limits = {"limits": {GPU: str(gpus)}} if gpus else {}
    claims = [{"name": c["name"]} for c in spec.get("resourceClaims", ())]
    main = {"name": "main", "image": "test/main", "resources": limits | ({"claims": claims} if claims else {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"containers": [main], "terminationGracePeriodSeconds": 0, **spec},
    }


def asking(count: int) -> Json:
    return {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": DRIVER, "count": count}}]}}


def publish(cluster: ApiClient) -> None:
    """A class, nodes n1 and n2 with four GPUs each, a claim for two and a template for one."""
    selector = {"cel": {"expression": f"device.driver == '{DRIVER}'"}}
    cluster.create(
        {"apiVersion": DRA, "kind": "DeviceClass", "metadata": {"name": DRIVER}, "spec": {"selectors": [selector]}}
    )
    for node in ("n1", "n2"):
        cluster.create_node(node)
        found = resource_slice(*map(gpu_device, range(4)), node=node, name=f"{node}-gpus")
        meta = {"name": found["metadata"]["name"]}
        cluster.create({"apiVersion": DRA, "kind": "ResourceSlice", "metadata": meta, "spec": found["spec"]})
    cluster.wait_for_nodes("n1", "n2")
    cluster.create({"apiVersion": DRA, "kind": "ResourceClaim", "metadata": {"name": "pair"}, "spec": asking(2)})
    cluster.create(
        {"apiVersion": DRA, "kind": "ResourceClaimTemplate", "metadata": {"name": "one"}, "spec": {"spec": asking(1)}}
    )


def given(cluster: ApiClient) -> dict[tuple[str, str], set[str]]:
    """By (pod, node of the pool) the devices that the API server says are reserved for it."""
    out: dict[tuple[str, str], set[str]] = {}
    for claim in cluster.list("ResourceClaim", api_version=DRA):
        for holder in claim["status"].get("reservedFor", ()):
            for result in claim["status"]["allocation"]["devices"]["results"]:
                out.setdefault((holder["name"], result["pool"]), set()).add(result["device"])
    return out


def test_pods_hold_what_the_scheduler_gave_their_claims(
    cluster: ApiClient, live: ClusterCache, reader: KubeClient, tmp_path: Path
) -> None:
    publish(cluster)
    cluster.create(pod("both", resourceClaims=[{"name": "c", "resourceClaimName": "pair"}]))
    for name in ("a", "b", "c"):
        cluster.create(pod(name, resourceClaims=[{"name": "c", "resourceClaimTemplateName": "one"}]))
    cluster.create(pod("plain"))
    found = until(live, lambda s: len(s.pods) == 5 and sum(p.gpu_source is GpuSource.DRA for p in s.pods) == 4)

    reported = {(p.name, p.node): {f"gpu-{i}" for i in p.gpu_indices} for p in found.pods if p.gpu_indices}
    assert reported == given(cluster)
    assert {p.name: p.spec.gpu for p in found.pods} == {
        "both": GpuRequest(DRIVER, 2),
        **{name: GpuRequest(DRIVER, 1) for name in ("a", "b", "c")},
        "plain": None,
    }
    for node in ("n1", "n2"):
        gpus = gpus_of(found, node)
        assert (gpus.resource, gpus.count, gpus.source, gpus.steerable) == (DRIVER, 4, GpuSource.DRA, True)
        assert [(d.index, d.uuid, d.numa, d.pcie_root) for d in gpus.devices] == [
            (i, f"GPU-{i}", i // 2, f"pci0000:{i // 2}") for i in range(4)
        ]
    assert found.problems == ()

    write_recording(tmp_path / "r.zip", record_cluster(reader, clock=lambda: 1.0))
    again, now = read_recording(tmp_path / "r.zip").snapshot, read_cluster(reader, clock=lambda: 1.0)
    assert all(getattr(again, f.name) == getattr(now, f.name) for f in fields(now) if f.name != "freshness")
    assert [p.gpu_indices for p in again.pods] == [p.gpu_indices for p in found.pods]

    cluster.delete("Pod", "a")
    until(live, lambda s: len(s.pods) == 4 and not any(n.gpus and n.gpus.reserved for n in s.nodes))


def test_what_koordinator_publishes_is_read(cluster: ApiClient, live: ClusterCache) -> None:
    apply_crds(cluster)
    cluster.create_node("n1", gpus=4)
    cluster.wait_for_nodes("n1")
    table = {"2": [{"minors": [0, 1], "gpuLinkType": "NVLink", "ringBusBandwidth": "200Gi"}]}
    made = koordinator_device(*map(koordinator_gpu, range(4)), partitions=table)
    meta = {key: made["metadata"][key] for key in ("name", "annotations", "labels")}
    cluster.create(
        {"apiVersion": "scheduling.koordinator.sh/v1alpha1", "kind": "Device", "metadata": meta, "spec": made["spec"]}
    )
    allocated = {"gpu": [{"minor": 3, "resources": {"koordinator.sh/gpu-core": "100"}}]}
    cluster.create(pod("a", gpus=1, annotations={"scheduling.koordinator.sh/device-allocated": json.dumps(allocated)}))
    found = until(live, lambda s: bool(s.pods and s.pods[0].node) and bool(gpus_of(s).devices))
    gpus = gpus_of(found)
    assert ([d.index for d in gpus.devices], gpus.source) == ([0, 1, 2, 3], GpuSource.KOORDINATOR)
    assert [p.indices for p in gpus.partitions] == [(0, 1)]
    assert found.pods[0].gpu_shares == (GpuShare(3, "GPU-3"),)


def test_what_the_kubelet_says_of_plug_in_devices_is_read(cluster: ApiClient, live: ClusterCache) -> None:
    cluster.create_node("n1", gpus=2)
    cluster.wait_for_nodes("n1")
    cluster.create(pod("a", gpus=1))
    until(live, lambda s: bool(s.pods) and s.pods[0].ready)

    held = [{"name": GPU, "resources": [{"resourceID": "GPU-7", "health": "Unhealthy"}]}]
    status = cluster.get("Pod", "a")["status"]
    containers = [{**c, "allocatedResourcesStatus": held} for c in status["containerStatuses"]]
    cluster.patch_status("Pod", "a", {"containerStatuses": containers})
    found = until(live, lambda s: bool(s.pods[0].gpu_shares))
    assert found.pods[0].gpu_shares == (GpuShare(-1, "GPU-7", healthy=False),)
    assert found.pods[0].gpu_source is GpuSource.STATUS
