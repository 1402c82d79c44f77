"""The whole thing, as it runs in a cluster: real API server, scheduler, controllers and Prometheus; a real process."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controlplane.cluster import ControlPlane
from controlplane.prometheus import PrometheusServer
from e2e import hot_node
from e2e.world import COMMAND, World


@pytest.fixture
def world(control_plane: ControlPlane, prometheus_server: Callable[..., PrometheusServer], tmp_path: Path) -> World:
    client = control_plane.client
    hot_node.build_cluster(client)
    pods = client.list("Pod", "default")
    server = prometheus_server(list(hot_node.history(pods, hot_node.now())))
    policy = tmp_path / "policy.yaml"
    policy.write_text(hot_node.POLICY)
    return World(control_plane, server.url, policy, tmp_path)


@contextmanager
def watched(world: World) -> Iterator[dict[str, int]]:
    """The fewest ready pods of each app that were ever seen."""
    least = {"web": 6, "held": 1, hot_node.GANG: 2}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            for app in least:
                least[app] = min(least[app], hot_node.ready(world.client, app))

    thread = threading.Thread(target=look, name="watcher")
    thread.start()
    try:
        yield least
    finally:
        over.set()
        thread.join(10)


def test_the_controller_cools_a_node_before_it_is_hot(world: World) -> None:
    kubeconfig = world.install("active")
    before = world.plan(kubeconfig)
    (finding,) = before["findings"]
    assert finding["subject"] == "node/hot"
    assert finding["outcome"] == "cured"
    reasons = {r["reason"] for r in before["refusals"]}
    assert {"DisruptionBudget", "GangWouldTear"} <= reasons
    planned = {p["pod"] for a in before["actions"] for p in a["pods"]}
    assert planned
    assert all(name.startswith("web-") for name in planned)

    with watched(world) as least, world.running("active", kubeconfig):
        world.client.wait_for(
            lambda: (
                len(hot_node.pods_on(world.client, "hot", "web")) <= 6 - len(planned)
                and hot_node.ready(world.client, "web") == 6
            ),
            timeout=120,
            what="the planned pods to be on other nodes, all ready",
        )
    assert least["web"] >= 5  # what its budget demands at every moment
    assert least["held"] == 1
    assert least[hot_node.GANG] == 2
    gone = planned - {p["metadata"]["name"] for p in world.client.list("Pod", "default")}
    assert gone == planned  # what the dry run said is what was done

    after = world.plan(kubeconfig)
    assert not after["actions"]
    assert after["summary"]["hot_nodes_after"] == 0


def test_a_dry_run_reports_the_same_and_evicts_nothing(world: World) -> None:
    kubeconfig = world.install("dry-run")
    uids = {p["metadata"]["uid"] for p in world.client.list("Pod", "default")}
    plan = world.plan(kubeconfig)
    assert plan["actions"]
    with world.running("dry-run", kubeconfig):
        world.client.wait_for(
            lambda: world.client.get_or_none("Lease", "descheduler", "descheduler"), timeout=60, what="the lease"
        )
    assert {p["metadata"]["uid"] for p in world.client.list("Pod", "default")} == uids


def test_a_recording_of_the_live_cluster_gives_the_same_plan(world: World, tmp_path: Path) -> None:
    kubeconfig = world.install("dry-run")
    path = tmp_path / "cluster.recording"
    done = subprocess.run(
        world.command("record", "-o", str(path), kubeconfig=kubeconfig), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    live = world.plan(kubeconfig)
    again = subprocess.run(
        [*COMMAND, "plan", "--recording", str(path), "-o", "json", "--policy", str(world.policy)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert again.returncode == 0, again.stderr
    replayed = json.loads(again.stdout)
    moves = [[(p["pod"], p["source"], p["destination"]) for p in a["pods"]] for a in live["actions"]]
    assert moves == [[(p["pod"], p["source"], p["destination"]) for p in a["pods"]] for a in replayed["actions"]]
