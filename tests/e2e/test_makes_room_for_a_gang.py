"""A pending gang of two 8-GPU pods gets its nodes, by the controller as a process on a real control plane.

The scheduler is the real one, with gang scheduling, and scores nodes as it does by default: it likes empty ones, so
without steering every pod that leaves a node would come straight back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.prometheus import PrometheusServer
from controlplane.witness import witnessed
from e2e import hot_node
from e2e.world import Pages, World
from execution.live import Object, deployment
from kube.device_objects import koordinator_device, koordinator_gpu

GPU = "nvidia.com/gpu"
ALLOCATED = "scheduling.koordinator.sh/device-allocated"
SPREAD = {"lone": ("g1", 1), "pair": ("g2", 2), "many": ("g3", 5)}
"""Workloads of single-GPU pods: how many stand on which node; each is under a budget that lets one go at a time."""
POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
interval: 10s
acting: {landing: steered, waveTimeout: 60s}
strategies:
  - GpuDefragmentation:
      objective: pending
      pending: {olderThan: 0s}
"""


@pytest.fixture
def world(control_plane: ControlPlane, prometheus_server: Callable[..., PrometheusServer], tmp_path: Path) -> World:
    client = control_plane.client
    build_cluster(client)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    history = hot_node.history(client.list("Pod", "default"), hot_node.now(), rising=())
    return World(control_plane, prometheus_server(list(history)).url, policy, tmp_path)


def build_cluster(client: ApiClient) -> None:
    """Four nodes of 8 GPUs with 1, 2, 5 and 4 of them taken, the last by a gang that runs."""
    apply_crds(client)
    for app, (node, count) in SPREAD.items():
        add_node(client, node)
        client.apply(gpu_workload(app, count))
        client.wait_for_pods(count, label_selector=f"app={app}")
        client.patch("Node", node, {"spec": {"unschedulable": True}})
    add_node(client, "g4")
    client.apply({**hot_node.group("running", 2), "spec": whole(2)})
    client.apply(gpu_workload("running", 2, gpus=2, group="running"))
    client.wait_for_pods(2, label_selector="app=running")
    for node, _ in SPREAD.values():
        client.patch("Node", node, {"spec": {"unschedulable": None}})
    tell_devices(client)
    for app in SPREAD:
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": {"app": app}}}
        client.apply(
            {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app}, "spec": budget}
        )
        client.wait_for(lambda app=app: allowed(client, app) == 1, what=f"the budget of {app}")


def add_node(client: ApiClient, name: str) -> None:
    client.create_node(name, cpu="96", memory="768Gi", gpus=8, labels={"nvidia.com/gpu.product": "H100"})
    client.wait_for_nodes(name)
    made = koordinator_device(*map(koordinator_gpu, range(8)))
    device = {"apiVersion": "scheduling.koordinator.sh/v1alpha1", "kind": "Device", "metadata": {"name": name}}
    client.create({**device, "spec": made["spec"]})


def gpu_workload(app: str, count: int, gpus: int = 1, group: str = "") -> Object:
    made = deployment(app, count, cpu="4")
    spec = made["spec"]["template"]["spec"]
    spec["containers"][0]["resources"]["limits"] = {GPU: str(gpus)}
    if group:
        spec["schedulingGroup"] = {"podGroupName": group}
    return made


def whole(size: int) -> Object:
    return {"schedulingPolicy": {"gang": {"minCount": size}}, "disruptionMode": "PodGroup"}


def tell_devices(client: ApiClient) -> None:
    """Write on each pod which devices it holds, as Koordinator's scheduler does."""
    next_free: dict[str, int] = {}
    for pod in client.list("Pod", "default"):
        node, count = pod["spec"]["nodeName"], int(pod["spec"]["containers"][0]["resources"]["limits"][GPU])
        first = next_free.get(node, 0)
        next_free[node] = first + count
        held = {
            "gpu": [{"minor": i, "resources": {"koordinator.sh/gpu-core": "100"}} for i in range(first, first + count)]
        }
        client.patch("Pod", pod["metadata"]["name"], {"metadata": {"annotations": {ALLOCATED: json.dumps(held)}}})


def wait_in_vain(client: ApiClient) -> None:
    """The gang that wants two whole nodes, and the scheduler's word that there are none."""
    client.apply({**hot_node.group("big", 2), "spec": whole(2)})
    job = {
        "parallelism": 2,
        "completions": 2,
        "template": gpu_workload("big", 2, gpus=8, group="big")["spec"]["template"],
    }
    job["template"]["spec"]["restartPolicy"] = "Never"
    client.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "big"}, "spec": job})
    client.wait_for(lambda: len(unschedulable(client)) == 2, what="two pods that have no room")


def unschedulable(client: ApiClient) -> list[Object]:
    return [
        pod
        for pod in client.list("Pod", "default", label_selector="app=big")
        if "nodeName" not in pod["spec"]
        and any(c["type"] == "PodScheduled" and c["status"] == "False" for c in pod["status"].get("conditions", ()))
    ]


def allowed(client: ApiClient, budget: str) -> int:
    return int(client.get("PodDisruptionBudget", budget).get("status", {}).get("disruptionsAllowed", -1))


def uids(client: ApiClient, app: str) -> set[str]:
    return {p["metadata"]["uid"] for p in client.list("Pod", "default", label_selector=f"app={app}")}


def executed(pages: Pages) -> list[dict[str, Any]]:
    """What came of each plan that was carried out, oldest first."""
    found = [pages.json(f"/reports/{plan}/execution.json") for plan in reversed(pages.reports())]
    return [one for one in found if one]


def test_a_pending_gang_runs_after_the_moves_that_the_report_had_named(world: World) -> None:
    client = world.client
    wait_in_vain(client)
    kubeconfig = world.install("active-steering")
    told = world.plan(kubeconfig)
    with witnessed(world.plane) as witness, world.running("active", kubeconfig) as pages:
        client.wait_for(lambda: hot_node.ready(client, "big") == 2, timeout=180, what="the gang to run")
        client.wait_for(lambda: sum(hot_node.ready(client, app) for app in SPREAD) == 8, timeout=60, what="the others")
        outcomes = client.wait_for(lambda: executed(pages), timeout=60, what="the report")
        client.wait_for(lambda: not tainted(client), timeout=60, what="the taints to be gone")

    # The report had said it: three single pods leave g1 and g2, in stages because a budget lets one of `pair` go.
    moves = {p["pod"]: p["destination"] for a in told["actions"] for p in a["pods"]}
    assert sorted(name.partition("-")[0] for name in moves) == ["lone", "pair", "pair"]
    assert {a["room_for"][0]["namespace"] for a in told["actions"]} == {"default"}
    assert {seat["node"] for a in told["actions"] for seat in a["room_for"]} == {"g1", "g2"}

    # That is what was done, to those pods and nobody else.
    assert {p["move"]["pod"] for o in outcomes for a in o["actions"] for p in a["pods"] if p["evicted"]} == set(moves)
    assert len(witness.gone) == 3
    assert {p["spec"]["nodeName"] for p in client.list("Pod", "default", label_selector="app=big")} == {"g1", "g2"}
    for app in ("lone", "pair"):
        assert {p["spec"]["nodeName"] for p in client.list("Pod", "default", label_selector=f"app={app}")} <= {
            "g3",
            "g4",
        }
    assert "running" not in witness.least  # the running gang never had one less
    assert witness.least["pair"] >= 1


def tainted(client: ApiClient) -> list[str]:
    return [n["metadata"]["name"] for n in client.list("Node") if n["spec"].get("taints")]
