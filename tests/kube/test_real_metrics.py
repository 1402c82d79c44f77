"""What nodes and pods use now, read from a real API server that serves metrics.k8s.io, and from one that does not.

A CustomResourceDefinition stands in for metrics-server: it is discovered and listed the same way.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.kube.client.cache import ClusterCache
from descheduler.kube.client.connection import KubeClient, connect
from descheduler.kube.convert.kinds import MEASURED, Kind
from descheduler.kube.recording.files import read_recording, write_recording
from descheduler.kube.recording.wire_objects import record_cluster
from descheduler.observe.live import ListedCluster, WatchedCluster

Json = dict[str, Any]


def definition(kind: Kind) -> Json:
    """One in which anything may stand."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": kind.versions[0], "served": True, "storage": True, "schema": schema}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},  # the group is protected
        },
        "spec": {
            "group": kind.group,
            "names": {"kind": kind.name, "plural": kind.plural, "singular": kind.name.lower()},
            "scope": "Cluster" if kind.name == "NodeMetrics" else "Namespaced",
            "versions": [version],
        },
    }


def sample(kind: str, name: str, **rest: Any) -> Json:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    meta = {"name": name, **({"namespace": "default"} if kind == "PodMetrics" else {})}
    return {
        "apiVersion": "metrics.k8s.io/v1beta1",
        "kind": kind,
        "metadata": meta,
        "timestamp": now,
        "window": "15s",
        **rest,
    }


@pytest.fixture
def cluster(control_plane: ControlPlane) -> ApiClient:
    return control_plane.client


@pytest.fixture
def reader(control_plane: ControlPlane) -> Iterator[KubeClient]:
    made = connect(control_plane.kubeconfig("admin"))
    yield made
    made.close()


@pytest.fixture
def measured(cluster: ApiClient) -> Iterator[ApiClient]:
    """A node and a pod of which metrics.k8s.io tells."""
    made = [definition(kind) for kind in MEASURED]
    cluster.apply_all(made)
    names = [one["metadata"]["name"] for one in made]
    try:
        cluster.wait_for(
            lambda: {"NodeMetrics", "PodMetrics"} <= {kind.name for kind in cluster.kinds(refresh=True).preferred()},
            what="metrics.k8s.io to be served",
        )
        cluster.apply(sample("NodeMetrics", "n1", usage={"cpu": "1500000000n", "memory": "2Gi"}))
        containers = [{"name": name, "usage": {"cpu": "250m", "memory": "64Mi"}} for name in ("main", "side")]
        cluster.apply(sample("PodMetrics", "web-1", containers=containers))
        yield cluster
    finally:
        for name in names:
            cluster.delete("CustomResourceDefinition", name)


def test_samples_are_listed_when_they_are_asked_for_and_recorded(
    measured: ApiClient, reader: KubeClient, tmp_path: Path
) -> None:
    listed = ListedCluster(reader, time.time)
    taken = listed.snapshot()
    assert taken.metrics is None
    seen = listed.measured(taken)
    assert seen.metrics is not None
    assert not seen.metrics.problem
    assert seen.metrics.nodes["n1"].usage == (("cpu", 1500), ("memory", 2 << 30))
    assert seen.metrics.pods["default", "web-1"].usage == (("cpu", 500), ("memory", 128 << 20))
    assert abs(seen.metrics.nodes["n1"].at - time.time()) < 60
    assert seen.freshness["metrics.k8s.io/NodeMetrics"].synced

    write_recording(tmp_path / "a.recording", record_cluster(reader, clock=time.time), {})
    again = read_recording(tmp_path / "a.recording").objects.snapshot()
    assert again.metrics == seen.metrics


def test_a_cache_that_watches_all_else_asks_for_them_too(measured: ApiClient, reader: KubeClient) -> None:
    cache = ClusterCache(reader, clock=time.time, rng=random.Random(1))
    cache.start()
    try:
        assert cache.wait_synced(30), cache.freshness()
        live = WatchedCluster(cache, time.time)
        seen = live.measured(live.snapshot())
        assert seen.metrics is not None
        assert list(seen.metrics.nodes) == ["n1"]
        measured.apply(sample("NodeMetrics", "n1", usage={"cpu": "2", "memory": "2Gi"}))
        again = live.measured(live.snapshot())
        assert again.metrics is not None
        assert again.metrics.nodes["n1"].usage[0] == ("cpu", 2000)
    finally:
        cache.stop()


def test_without_metrics_server_it_is_said_and_all_else_is_read(cluster: ApiClient, reader: KubeClient) -> None:
    listed = ListedCluster(reader, time.time)
    seen = listed.measured(listed.snapshot())
    assert seen.metrics is not None
    assert "metrics-server is not there" in seen.metrics.problem
    assert not any(fresh.error for fresh in seen.freshness.values())
    assert record_cluster(reader, clock=time.time).snapshot().metrics is None
