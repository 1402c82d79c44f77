"""The scheduler of scheduler-plugins judges what we say of elastic quotas: whoever is to start by a plan does.

And who let go waits.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from e2e.world import World
from execution.jobs import job
from execution.live import deployment
from peers.scheduler_plugins.server import CAPACITY, COSCHEDULING, NUMA, scheduling

POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
interval: 10s
strategies: [{QuotaReclaim: {olderThan: 1s}}]
limits: {perWorkload: null}
acting: {executor: %s, waveTimeout: 30s}
"""
MEMBERS = 4


@pytest.mark.parametrize("name", [COSCHEDULING, CAPACITY, NUMA])
def test_each_of_its_schedulers_places_pods(control_plane: ControlPlane, tmp_path: Path, name: str) -> None:
    client = control_plane.client
    client.create_node("n1")
    client.wait_for_nodes("n1")
    with scheduling(control_plane, name, tmp_path):
        client.apply(deployment("web", 2, scheduler=name))
        client.wait_for_pods(2, label_selector="app=web")


def training(name: str, namespace: str) -> dict[str, Any]:
    """A Job of four members with a core each."""
    made = job(name, MEMBERS)
    made["metadata"]["namespace"] = namespace
    spec = made["spec"]["template"]["spec"]
    spec["schedulerName"] = CAPACITY
    spec["containers"][0]["resources"]["requests"] = {"cpu": "1"}
    return made


def quota(namespace: str) -> dict[str, Any]:
    """It is guaranteed one job, and may borrow another."""
    spec = {"min": {"cpu": MEMBERS}, "max": {"cpu": 2 * MEMBERS, "memory": "1Ti"}}
    meta = {"name": "quota", "namespace": namespace}
    return {"apiVersion": "scheduling.x-k8s.io/v1alpha1", "kind": "ElasticQuota", "metadata": meta, "spec": spec}


def running(client: ApiClient, namespace: str) -> int:
    pods = client.list("Pod", namespace)
    return sum("deletionTimestamp" not in p["metadata"] and p["status"].get("phase") == "Running" for p in pods)


@pytest.mark.parametrize("executor", ["evict", "requeue"])
def test_what_is_guaranteed_is_given_back_by_one_job(
    control_plane: ControlPlane, tmp_path: Path, executor: str
) -> None:
    """Its own preemption is off, so that nobody else makes the room."""
    client = control_plane.client
    with scheduling(control_plane, CAPACITY, tmp_path, preempts=False):
        apply_crds(client)
        for node in ("n1", "n2"):
            client.create_node(node, cpu=MEMBERS)
        client.wait_for_nodes("n1", "n2")
        for namespace in ("ours", "theirs"):
            client.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
            client.apply(quota(namespace))
        for name in ("a", "b"):
            client.apply(training(name, "theirs"))
        client.wait_for(lambda: running(client, "theirs") == 2 * MEMBERS, what="the borrowers to run")
        client.apply(training("mine", "ours"))
        policy = tmp_path / "policy.yaml"
        policy.write_text(POLICY % executor)
        world = World(control_plane, "", policy, tmp_path)
        account = world.install("active" if executor == "evict" else "active-requeue")
        with world.running("active", account) as pages:
            plan, outcome = client.wait_for(pages.executed, timeout=90, what="a plan to be carried out")
            client.wait_for(lambda: running(client, "ours") == MEMBERS, timeout=60, what="what waits to run")
        assert {action["kind"] for action in plan["actions"]} == {"Release"}
        gone = {move["workload"] for action in plan["actions"] for move in action["pods"]}
        assert len(gone) == 1, "one whole job, and no pod of another"
        assert [one["result"] for one in outcome["actions"]] == ["done"] * len(plan["actions"]), outcome
        assert running(client, "theirs") == MEMBERS, "it keeps what it is guaranteed"
