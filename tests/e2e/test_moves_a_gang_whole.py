"""A gang that moves whole or not at all, by the controller as a process: real API server, gang-scheduling scheduler,
controllers and Prometheus.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.prometheus import PrometheusServer
from controlplane.witness import witnessed
from e2e import hot_node
from e2e.world import World
from execution.live import Object, deployment

# Pods of each app, and the fewest of each budget that must be ready at every moment.
SIZES = {"solver": 3, "reader": 2, "trainer": 2}
BUDGETS = {"solving": 2, "training": 1}


@pytest.fixture
def world(control_plane: ControlPlane, prometheus_server: Callable[..., PrometheusServer], tmp_path: Path) -> World:
    client = control_plane.client
    build_cluster(client)
    history = hot_node.history(client.list("Pod", "default"), hot_node.now(), rising=("solver", "trainer"))
    policy = tmp_path / "policy.yaml"
    policy.write_text(hot_node.POLICY)
    return World(control_plane, prometheus_server(list(history)).url, policy, tmp_path)


def build_cluster(client: ApiClient) -> None:
    """On the node `hot`: a gang whose budget has room for all of it, a gang whose budget has not, and their readers."""
    client.create_node("hot", cpu="11", memory="64Gi")
    client.wait_for_nodes("hot")
    for gang in ("solver", "trainer"):
        client.apply({**hot_node.group(gang, SIZES[gang]), "spec": whole(SIZES[gang])})
    client.apply(workload("solver", "solving", "2", group="solver"))
    client.apply(workload("reader", "solving", "500m"))
    client.apply(workload("trainer", "training", "2", group="trainer"))
    client.wait_for_pods(sum(SIZES.values()))
    for name in ("cool-1", "cool-2", "cool-3"):
        client.create_node(name, cpu="16", memory="64Gi")
    client.wait_for_nodes("cool-1", "cool-2", "cool-3")
    for name, minimum in BUDGETS.items():
        covered = {"minAvailable": minimum, "selector": {"matchLabels": {"budget": name}}}
        budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}}
        client.apply({**budget, "spec": covered})
    client.wait_for(lambda: (allowed(client, "solving"), allowed(client, "training")) == (3, 1), what="the budgets")


def whole(size: int) -> Object:
    return {"schedulingPolicy": {"gang": {"minCount": size}}, "disruptionMode": "PodGroup"}


def workload(name: str, budget: str, cpu: str, group: str = "") -> Object:
    made = deployment(name, SIZES[name], {"budget": budget}, cpu=cpu)
    if group:
        made["spec"]["template"]["spec"]["schedulingGroup"] = {"podGroupName": group}
    return made


def allowed(client: ApiClient, budget: str) -> int:
    return int(client.get("PodDisruptionBudget", budget).get("status", {}).get("disruptionsAllowed", -1))


def uids(client: ApiClient, app: str) -> set[str]:
    return {p["metadata"]["uid"] for p in client.list("Pod", "default", label_selector=f"app={app}")}


def test_a_gang_moves_whole_and_another_that_its_budget_holds_stays_whole(world: World) -> None:
    client = world.client
    kubeconfig = world.install("active")
    before = {app: uids(client, app) for app in SIZES}
    with witnessed(world.plane, "budget") as witness, world.running("active", kubeconfig) as pages:
        client.wait_for(
            lambda: before["solver"].isdisjoint(uids(client, "solver")) and hot_node.ready(client, "solver") == 3,
            timeout=120,
            what="the whole gang to be elsewhere, and ready",
        )
        plan, outcome = client.wait_for(pages.executed, timeout=60, what="the report")
        # The next plans find nothing more to do, and nothing comes back.
        client.wait_for(lambda: len(pages.reports()) >= 3, timeout=60, what="two more cycles")

    assert witness.gone == before["solver"]  # each of them once, and nobody else
    assert witness.least["solving"] >= BUDGETS["solving"]
    assert "training" not in witness.least  # never one less
    assert not hot_node.pods_on(client, "hot", "solver")
    assert uids(client, "trainer") == before["trainer"]

    (action,) = plan["actions"]
    assert action["gang"]
    assert {p["uid"] for p in action["pods"]} == before["solver"]
    (done,) = outcome["actions"]
    assert done["result"] == "done"
    assert {p["move"]["uid"]: p["landed"] for p in done["pods"]}.keys() == before["solver"]
    assert all(p["landed"].startswith("cool-") for p in done["pods"])
    held = [r for r in plan["refusals"] if r["subject"].startswith("pod/default/trainer-")]
    assert {r["reason"] for r in held} == {"DisruptionBudget"}
    assert {r["detail"] for r in held} == {"kubernetes:default/trainer moves whole, 2 pods, and 1 may be disrupted"}
