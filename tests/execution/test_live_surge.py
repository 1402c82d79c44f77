"""Surge on the real control plane: never fewer ready pods, the right ones leave, and nothing stays behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Transport
from descheduler.execution.executors.registry import choose
from descheduler.execution.executors.surge.book import SURGES
from descheduler.execution.executors.surge.executor import SurgeArgs
from descheduler.execution.executors.surge.pods import COST, MARK
from descheduler.execution.outcomes import Result
from descheduler.execution.runner import PlanRunner
from descheduler.model.plan import Action
from execution.live import QUICK, run_deployment, runner, uids
from execution.plans import action, move_of, plan

ARGS = SurgeArgs(timeout=timedelta(seconds=20))


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    """n1, where all starts, and n2, which is free once pods are there."""
    client = control_plane.client
    client.create_node("n1")
    client.wait_for_nodes("n1")
    return client


def second_node(client: ApiClient, name: str = "n2", **room: Any) -> None:
    client.create_node(name, **room)
    client.wait_for_nodes(name)


def surging(plane: ControlPlane, transport: Transport | None = None, args: SurgeArgs = ARGS) -> PlanRunner:
    return runner(
        plane, transport, limits=QUICK, executors=lambda name: choose(name, args if name == "surge" else None)
    )


def unit(pods: list[dict[str, Any]], name: str = "web", gang: bool = False) -> Action:
    """Steered, so that the empty node is preferred for certain."""
    moves = [move_of(p, f"default/Deployment/{name}") for p in pods]
    return replace(action(*moves, gang=gang, executor="surge"), steer=("n1",))


def clean(client: ApiClient, name: str, replicas: int) -> None:
    """Nothing of ours is left."""
    assert client.get("Deployment", name)["spec"]["replicas"] == replicas
    assert not (client.get_or_none("ConfigMap", SURGES) or {}).get("data")
    assert not (client.get_or_none("ConfigMap", "descheduler-intents") or {}).get("data")
    for pod in client.list("Pod", "default", label_selector=f"app={name}"):
        if "deletionTimestamp" not in pod["metadata"]:
            assert not {MARK, COST} & (pod["metadata"].get("annotations") or {}).keys()
    assert not [n for n in client.list("Node") if n["spec"].get("taints")]


def test_a_pod_moves_and_nothing_stays_behind(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "web", 3)
    second_node(client)
    report = surging(control_plane).execute(plan(unit(pods[:1])))
    (outcome,) = report.actions
    assert (report.stopped, outcome.result, outcome.blocked) == (None, Result.DONE, None)
    assert outcome.pods[0].landed == "n2"
    stay = {p["metadata"]["uid"] for p in pods[1:]}
    assert stay < uids(client, "web")
    assert len(uids(client, "web")) == 3
    clean(client, "web", 3)
