"""Reading a real API server: lists, watches, discovery, permissions, credentials, recordings."""

from __future__ import annotations

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
from descheduler.kube.convert.kinds import CORE, KINDS
from descheduler.kube.recording.files import read_recording, write_recording
from descheduler.kube.recording.wire_objects import record_cluster
from descheduler.model.errors import Forbidden, Unauthorized
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey

Json = dict[str, Any]


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


def template(name: str, **requests: str) -> Json:
    resources = {"requests": requests, "limits": {k: v for k, v in requests.items() if "/" in k}}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "test/main", "resources": resources}],
    }
    return {"metadata": {"labels": {"app": name}}, "spec": spec}


def deployment(name: str, replicas: int, **requests: str) -> Json:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(name, **requests)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}


def until(live: ClusterCache, holds: Callable[[ClusterSnapshot], bool], seconds: float = 30.0) -> ClusterSnapshot:
    """The first snapshot of which something holds."""
    deadline = time.monotonic() + seconds
    while not holds(found := live.snapshot()):
        assert time.monotonic() < deadline, found
        live.wait_changed(0.2)
    return found


def test_a_running_deployment_is_read_as_what_it_is(cluster: ApiClient, reader: KubeClient) -> None:
    cluster.create_node("n1", cpu=8, gpus=2, zone="a")
    cluster.wait_for_nodes("n1")
    budget = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    cluster.apply(
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": budget}
    )
    cluster.apply(deployment("web", 2, cpu="500m", memory="1Gi"))
    cluster.wait_for_pods(2, label_selector="app=web")
    cluster.wait_for(lambda: cluster.get("PodDisruptionBudget", "web")["status"]["disruptionsAllowed"] == 1)
    found = read_cluster(reader, clock=time.time)

    (n1,) = found.nodes
    assert n1.ready
    assert n1.gpus is not None
    assert (n1.gpus.count, n1.labels["topology.kubernetes.io/zone"]) == (2, "a")
    pods = [p for p in found.pods if p.namespace == "default"]
    assert [p.node for p in pods] == ["n1", "n1"]
    assert all(p.ready and p.created > 1.7e9 and not p.problem for p in pods)
    assert pods[0].spec is pods[1].spec
    assert dict(pods[0].spec.requests) == {"cpu": 500, "memory": 2**30, "pods": 1}
    assert found.root(pods[0]) == WorkloadKey("default", "Deployment", "web")
    assert found.workloads[WorkloadKey("default", "Deployment", "web")].ready == 2
    (web,) = found.budgets
    assert (web.allowed, web.min_available, web.stale) == (1, "1", False)
    assert found.priority_classes["system-node-critical"].value == 2_000_001_000
    assert "kube-system" in found.namespaces
    assert found.problems == ()
    requested = found.columns.requested[0, found.columns.resource("cpu")]
    assert requested == 1000


def test_the_live_cache_follows_creations_moves_and_deletions(cluster: ApiClient, live: ClusterCache) -> None:
    assert all(live.freshness()[kind.key].synced for kind in CORE)
    cluster.create_node("n1")
    cluster.apply(deployment("web", 3, cpu="100m"))
    found = until(live, lambda s: sum(p.ready for p in s.pods) == 3)
    assert {p.node for p in found.pods} == {"n1"}
    cluster.patch("Node", "n1", {"spec": {"unschedulable": True}})
    until(live, lambda s: s.nodes[0].unschedulable)
    cluster.apply(deployment("web", 1, cpu="100m"))
    until(live, lambda s: len(s.pods) == 1)
    cluster.delete("Deployment", "web")
    found = until(live, lambda s: not s.pods and not s.workloads)
    assert not found.problems
    now = time.time()
    assert all(now - f.as_of < 120 for f in found.freshness.values() if f.served)


def test_what_the_cache_holds_is_what_a_fresh_list_says(
    cluster: ApiClient, live: ClusterCache, reader: KubeClient
) -> None:
    cluster.create_node("n1")
    for name in ("a", "b", "c"):
        cluster.apply(deployment(name, 4, cpu="50m"))
    cluster.wait_for_pods(12)
    cluster.apply(deployment("b", 2, cpu="60m"))
    cluster.wait_for_pods(10)
    ignored = {"taken_at", "freshness", "cluster"}

    def agrees(held: ClusterSnapshot) -> bool:
        listed = read_cluster(reader, clock=time.time)
        return all(getattr(held, f.name) == getattr(listed, f.name) for f in fields(held) if f.name not in ignored)

    until(live, agrees)


def test_native_gangs_are_found(cluster: ApiClient, reader: KubeClient) -> None:
    group = {
        "apiVersion": "scheduling.k8s.io/v1alpha2",
        "kind": "PodGroup",
        "metadata": {"name": "gang"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": 2}}},
    }
    cluster.create(group)
    spec = {**template("x", cpu="1")["spec"], "schedulingGroup": {"podGroupName": "gang"}}
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gang-0"}, "spec": spec})
    found = read_cluster(reader, clock=time.time)
    (gang,) = found.objects["scheduling.k8s.io/PodGroup"]
    assert gang.api_version == "scheduling.k8s.io/v1alpha2"
    assert gang.spec["schedulingPolicy"] == {"gang": {"minCount": 2}}
    assert found.pods[0].pod_group == "gang"


def test_every_dialect_whose_definition_is_there_is_found(cluster: ApiClient, live: ClusterCache) -> None:
    apply_crds(cluster)
    group = {
        "apiVersion": "scheduling.x-k8s.io/v1alpha1",
        "kind": "PodGroup",
        "metadata": {"name": "g"},
        "spec": {"minMember": 3},
    }
    cluster.create(group)
    found = until(live, lambda s: len(s.objects.get("scheduling.x-k8s.io/PodGroup", ())) == 1)
    assert found.objects["scheduling.x-k8s.io/PodGroup"][0].spec == {"minMember": 3}
    defined = {f"{k.group}/{k.name}" for k in cluster.kinds(refresh=True).preferred()}
    until(live, lambda s: {key for key in KINDS if "/" in key and key in defined} <= set(s.objects))
    assert live.wait_synced(30)


def test_missing_permissions_are_all_named(control_plane: ControlPlane) -> None:
    with pytest.raises(Forbidden) as caught:
        read_cluster(connect(control_plane.kubeconfig("nobody")), clock=time.time)
    for kind in CORE:
        assert f"list {kind.resource}" in str(caught.value)


def test_a_cache_without_permission_for_one_kind_says_which(control_plane: ControlPlane, cluster: ApiClient) -> None:
    rules = [
        {"apiGroups": [kind.group], "resources": [kind.plural], "verbs": ["list", "watch"]}
        for kind in KINDS.values()
        if kind.key not in ("poddisruptionbudgets", "jobs")
    ] + [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["list"]}]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "reader"},
        "rules": rules,
    }
    cluster.create(role)
    cluster.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "reader"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "descheduler"}],
        }
    )
    live = ClusterCache(connect(control_plane.kubeconfig("descheduler")), clock=time.time, rng=random.Random(1))
    live.start()
    try:
        deadline = time.monotonic() + 20
        while {k for k, f in live.freshness().items() if f.error} != {"poddisruptionbudgets", "jobs"}:
            assert time.monotonic() < deadline, live.freshness()
            live.wait_changed(0.2)
        assert not live.synced
        assert "list poddisruptionbudgets.policy" in live.freshness()["poddisruptionbudgets"].error
        assert "watch jobs.batch" in live.freshness()["jobs"].error
    finally:
        live.stop()


def test_wrong_credentials_are_one_clear_error_until_the_file_has_better_ones(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    path = tmp_path / "kubeconfig"
    right = control_plane.kubeconfig("admin").read_text()
    path.write_text(right.replace(control_plane.token("admin"), "not-a-token"))
    client = connect(path)
    with pytest.raises(Unauthorized, match="does not accept our credentials"):
        read_cluster(client, clock=time.time)
    path.write_text(right)
    assert read_cluster(client, clock=time.time).namespaces


def test_in_cluster_credentials_work_as_a_pod_has_them(
    control_plane: ControlPlane, cluster: ApiClient, tmp_path: Path
) -> None:
    cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "pod"}})
    (tmp_path / "token").write_text(control_plane.service_account_token("default", "pod"))
    (tmp_path / "ca.crt").write_text(control_plane.ca_file.read_text())
    host, _, port = control_plane.server.removeprefix("https://").partition(":")
    environ = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port, "HOME": str(tmp_path)}
    client = connect(environ=environ, service_account=tmp_path)
    with pytest.raises(Forbidden) as caught:  # known, but with no rights; anonymous would be another user
        client.get("/api/v1/pods")
    assert "system:serviceaccount:default:pod" in str(caught.value)


def test_a_recording_of_a_real_cluster_is_the_same_snapshot(
    cluster: ApiClient, reader: KubeClient, tmp_path: Path
) -> None:
    cluster.create_node("n1")
    cluster.apply(deployment("web", 3, cpu="100m"))
    cluster.wait_for_pods(3)

    def unchanged() -> bool:
        before = read_cluster(reader, clock=lambda: 1.0)
        write_recording(tmp_path / "r.zip", record_cluster(reader, clock=lambda: 1.0))
        after = read_recording(tmp_path / "r.zip").snapshot
        return all(getattr(before, f.name) == getattr(after, f.name) for f in fields(before))

    cluster.wait_for(unchanged, what="two readings between which nothing happened")
    assert b"managedFields" not in b"".join(record_cluster(reader, clock=time.time).lines["pods"])


def test_pages_of_a_real_server_are_followed(cluster: ApiClient, reader: KubeClient) -> None:
    cluster.create_node("n1")
    cluster.apply(deployment("web", 7, cpu="10m"))
    cluster.wait_for_pods(7)
    assert len(read_cluster(reader, clock=time.time, limit=2).pods) == 7
