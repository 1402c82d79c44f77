"""Any PromQL is a signal: from the policy by a real Prometheus and a real cluster to the explained profile."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.prometheus import PrometheusServer, Series
from execution.live import run_deployment

COMMAND = str(Path(sys.executable).with_name("descheduler"))
DAYS = 4
POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
history:
  window: 4d
  signals:
    queue:
      query: sum by (namespace, pod) (max_over_time(app_queue_length{job="app"$match}[$window]))
      unit: messages
      aggregation: max
    latency:
      query: max by (namespace, service, type) (app_latency_seconds)
      unit: seconds
      per: workload
      nameLabel: service
      kindLabel: type
    hopeless:
      query: sum(app_latency_seconds)
    broken:
      query: sum by (
publish: {workloads: ["*/*/*"], signals: [queue]}
"""
Ask = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    client = control_plane.client
    client.create_node("n1")
    client.wait_for_nodes("n1")
    return client


@pytest.fixture
def ask(
    control_plane: ControlPlane, client: ApiClient, prometheus_server: Callable[..., PrometheusServer], tmp_path: Path
) -> Ask:
    """`descheduler profile` on a cluster with two replicas whose queue fills for three hours a day."""
    pods = run_deployment(client, "web", 2)
    now = time.time()
    at = np.arange(now - DAYS * 86400 - 3600, now, 60.0)
    full = 20.0 + 80.0 * (((at - now) % 86400) < 3 * 3600)
    made = [
        Series("app_queue_length", {"namespace": "default", "pod": p["metadata"]["name"], "job": "app"}, at, full * k)
        for k, p in enumerate(pods, 1)
    ]
    labels = {"namespace": "default", "service": "web", "type": "Deployment"}
    made.append(Series("app_latency_seconds", labels, at, np.full(at.size, 0.25)))
    server = prometheus_server(made)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    source = ("--kubeconfig", str(control_plane.kubeconfig()), "--prometheus", server.url, "--policy", str(policy))

    def asked(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([COMMAND, "profile", *words, *source], capture_output=True, text=True, timeout=120)

    return asked


def test_a_signal_of_the_policy_is_read_profiled_and_explained(ask: Ask) -> None:
    done = ask("explain", "default/Deployment/web", "--signal", "queue", "-o", "json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    assert (document["signal"], document["unit"], document["complete"]) == ("queue", "messages", True)
    measured = [value for value in document["history"] if value is not None]
    assert len(measured) > 0.98 * DAYS * 288
    assert set(measured) == {40.0, 200.0}, "the fuller queue of the two replicas"
    assert document["usage"][1][1] == pytest.approx(200.0, rel=0.2), "the next hour is within the full ones"
    assert document["confidence"] > 0.3
    assert {rule["rule"] for rule in document["rules"]} == {"this profile", "flat percentile"}


def test_series_of_workloads_are_taken_as_they_are(ask: Ask) -> None:
    done = ask("show", "--signal", "latency", "--signal", "queue", "-o", "json")
    assert done.returncode == 0, done.stderr
    latency, queue = json.loads(done.stdout)["signals"]
    (web,) = latency["workloads"]
    assert (web["namespace"], web["kind"], web["name"]) == ("default", "Deployment", "web")
    np.testing.assert_allclose(web["usage"], 0.25, rtol=0.02)
    assert [one["name"] for one in queue["workloads"]] == ["web"]


def test_queries_that_cannot_work_are_told(ask: Ask) -> None:
    lost = ask("explain", "default/Deployment/web", "--signal", "hopeless")
    assert lost.returncode != 0
    assert "labels" in lost.stderr
    broken = ask("show", "--signal", "broken")
    assert broken.returncode == 1
    assert "broken" in broken.stderr or "parse error" in broken.stderr
    unknown = ask("show", "--signal", "latencyy")
    assert unknown.returncode == 2
    assert "no signal is named latencyy (did you mean latency?)" in unknown.stderr
    for done in (lost, broken, unknown):
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
