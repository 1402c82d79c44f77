"""The controller, as it runs in a cluster, publishes what its policy names."""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.prometheus import PrometheusServer
from descheduler.controller.run import RunOptions, run_controller
from execution.live import run_deployment
from history.world import cpu_counter, gauge

POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
interval: 10s
history: {window: 2d}
publish:
  workloads: [default/Deployment/web]
  recommendations: {enabled: true, minConfidence: 0.1}
"""


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    client = control_plane.client
    apply_crds(client)
    client.create_node("n1")
    client.wait_for_nodes("n1")
    return client


@pytest.fixture
def port(
    control_plane: ControlPlane, client: ApiClient, prometheus_server: Callable[..., PrometheusServer], tmp_path: Path
) -> Iterator[int]:
    """A controller on a cluster with one replica that uses half a core and a gibibyte."""
    (pod,) = run_deployment(client, "web", 1)
    at = np.arange(time.time() - 2 * 86400 - 7200, time.time() + 120, 60.0)
    name = pod["metadata"]["name"]
    labels = {"namespace": "default", "pod": name, "container": "main", "image": "app:1"}
    series = [
        cpu_counter("default", name, at, 0.5),
        gauge("container_memory_working_set_bytes", at, 2.0**30, **labels),
    ]
    server = prometheus_server(series)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    options = RunOptions(
        policy=policy,
        kubeconfig=control_plane.kubeconfig(),
        prometheus=server.url,
        namespace="default",
        host="127.0.0.1",
        port=0,
    )
    stop, ports = threading.Event(), list[int]()
    thread = threading.Thread(target=run_controller, args=(options,), kwargs={"stop": stop, "started": ports.append})
    thread.start()
    client.wait_for(lambda: bool(ports), what="the controller to listen")
    yield ports[0]
    stop.set()
    thread.join(30)


def test_profiles_of_named_workloads_are_metrics_and_recommendations(client: ApiClient, port: int) -> None:
    def scraped() -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {k: float(v) for k, _, v in (line.rpartition(" ") for line in lines if not line.startswith("#"))}

    usage = client.wait_for(
        lambda: {k: v for k, v in scraped().items() if k.startswith("descheduler_profile_usage{")},
        timeout=60,
        what="the metrics of the profiles",
    )
    assert len(usage) == 2 * 3 * 4
    cpu = [v for k, v in usage.items() if 'signal="cpu"' in k]
    assert all('workload="web"' in k and 'kind="Deployment"' in k for k in usage)
    np.testing.assert_allclose(cpu, 0.5, rtol=0.05)
    made = client.wait_for(
        lambda: client.list("Recommendation", "default"), timeout=30, what="the recommendation to be written"
    )
    assert [one["metadata"]["name"] for one in made] == ["deployment-web"]
    client.wait_for(lambda: scraped().get('descheduler_recommendations{result="unchanged"}') == 1, timeout=60)
    (status,) = client.get("Recommendation", "deployment-web")["status"]["podStatus"]["containerStatuses"]
    assert status["containerName"] == "main"
    assert 540 <= int(status["resources"]["cpu"].removesuffix("m")) <= 700
    assert int(status["resources"]["memory"].removesuffix("Mi")) >= 1126
