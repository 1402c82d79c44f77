"""Directed landing, whole: a real API server, its default scheduler and Prometheus; the controller as a process.

By requests the warm nodes are the emptiest, so that is where the scheduler puts whatever leaves a hot node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from controlplane.cluster import ControlPlane
from controlplane.prometheus import PrometheusServer
from e2e import hot_nodes
from e2e.hot_node import now
from e2e.hot_nodes import COOL, HOT, WARM
from e2e.world import Pages, World
from execution.test_live_directing import directions, intents, wrong


@pytest.fixture
def world(control_plane: ControlPlane, prometheus_server: Callable[..., PrometheusServer], tmp_path: Path) -> World:
    client = control_plane.client
    hot_nodes.build(client)
    server = prometheus_server(list(hot_nodes.history(client.list("Pod", "default"), now())))
    policy = tmp_path / "policy.yaml"
    policy.write_text(hot_nodes.POLICY)
    return World(control_plane, server.url, policy, tmp_path)


def executed(pages: Pages) -> list[Mapping[str, Any]]:
    """What was carried out, oldest first."""
    found = [pages.json(f"/reports/{plan}/execution.json") for plan in reversed(pages.reports())]
    return [one for one in found if one]


def test_hot_nodes_are_cooled_where_the_report_says_and_stay_cool_and_a_backtest_says_the_same(world: World) -> None:
    kubeconfig = world.install("active-directed")
    world.client.wait_for(lambda: wrong(world.plane) == "", what="the admission policy to be in force")
    before = hot_nodes.loads(world.client.list("Pod", "default"))
    assert all(before[node] > 0.8 for node in HOT)

    foreseen = world.plan(kubeconfig)
    assert foreseen["landing"] == "directed"
    assert {f["subject"]: f["outcome"] for f in foreseen["findings"]} == {f"node/{node}": "cured" for node in HOT}
    recording = world.record(kubeconfig)
    moves = [pod for action in foreseen["actions"] for pod in action["pods"]]
    assert len(moves) == len(HOT)
    assert {pod["destination"] for pod in moves} <= set(COOL)

    with world.running("active", kubeconfig) as pages:
        world.client.wait_for(
            lambda: sum(len(one["actions"]) for one in executed(pages)) >= len(HOT), timeout=180, what="three moves"
        )
        done = executed(pages)
        told = world.client.wait_for(lambda: pages.get("/readyz")[1], what="readiness")
        calm = len(pages.reports())
        world.client.wait_for(lambda: len(pages.reports()) > calm, timeout=60, what="one more plan")
        after = pages.json(f"/reports/{pages.reports()[0]}.json")
    assert len(done) <= 2  # cycles
    pods = [pod for one in done for action in one["actions"] for pod in action["pods"]]
    assert [pod["landed"] for pod in pods] == [pod["move"]["destination"] for pod in pods]
    assert "directed" in told
    loads = hot_nodes.loads(world.client.list("Pod", "default"))
    assert max(loads.values()) < 0.75
    assert {node: loads[node] for node in WARM} == {node: before[node] for node in WARM}
    assert (after["findings"], after["actions"]) == ([], [])
    assert (directions(world.client), intents(world.client)) == ({}, {})

    replayed = {one["name"]: one["figures"] for one in world.backtest(recording, "--from", "-2h")["contenders"]}
    assert replayed["nobody"]["hot_minutes"]["mean"] >= len(HOT) * 110  # of two hours
    ours = replayed[world.policy.name]
    told = {key: ours[key]["mean"] for key in ("evictions", "hot_minutes", "caused", "pending_minutes")}
    assert told == {"evictions": len(pods), "hot_minutes": 0, "caused": 0, "pending_minutes": 0}


def test_without_it_the_same_moves_are_refused(world: World) -> None:
    """The twin: nothing says where pods land, and each would make a warm node hot."""
    kubeconfig = world.install("active")
    plan = world.plan(kubeconfig)
    assert plan["landing"] == "predicted"
    assert plan["actions"] == []
    assert {r["reason"] for r in plan["refusals"]} & {"DestinationHot", "WouldLandOnSource", "NoCure"}
