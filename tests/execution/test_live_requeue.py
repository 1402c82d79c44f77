"""Requeue on the real control plane, with the Job controller: whole jobs stop and start, and none stays stopped."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Transport
from descheduler.execution.executors.registry import choose
from descheduler.execution.executors.requeue.executor import RequeueArgs
from descheduler.execution.executors.requeue.switches import MARK
from descheduler.execution.outcomes import ActionOutcome, Result
from descheduler.execution.runner import PlanRunner
from descheduler.model.plan import Action
from execution.jobs import Object, run_job, runs_anew, stopped
from execution.kill_points import tainted
from execution.live import QUICK, Dying, Killed, client_of, runner, serial, uids, with_budget
from execution.plans import action, move_of, plan

ARGS = RequeueArgs(timeout=timedelta(seconds=10))


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    client = control_plane.client
    client.create_node("n1")
    client.wait_for_nodes("n1")
    return client


def unit(pods: list[Object], name: str = "train") -> Action:
    moves = [move_of(p, f"default/Job/{name}") for p in pods]
    return replace(action(*moves, gang=len(pods) > 1, executor="requeue"), steer=("n1",))


def requeueing(plane: ControlPlane, transport: Transport | None = None, **rest: Any) -> PlanRunner:
    return runner(plane, transport, executors=lambda name: choose(name, ARGS), **rest)


def one(plane: ControlPlane, unit: Action, transport: Transport | None = None) -> ActionOutcome:
    (outcome,) = requeueing(plane, transport, limits=QUICK).execute(plan(unit)).actions
    return outcome


def left(client: ApiClient) -> list[str]:
    """What of ours is left anywhere."""
    intents = (client.get_or_none("ConfigMap", "descheduler-intents") or {}).get("data") or {}
    return [*stopped(client), *intents, *tainted(client)]


@pytest.mark.parametrize("pods", [1, 3])
def test_a_job_starts_anew_elsewhere_as_a_whole(control_plane: ControlPlane, client: ApiClient, pods: int) -> None:
    running = run_job(client, "train", pods)
    client.create_node("n2")
    client.wait_for_nodes("n2")
    outcome = one(control_plane, unit(running))
    assert outcome.result is Result.DONE
    assert {pod.landed for pod in outcome.pods} == {"n2"}
    assert runs_anew(client, "train", {p["metadata"]["uid"] for p in running}, pods)
    assert client.get("Job", "train")["status"].get("failed", 0) == 0  # no failure is counted
    assert left(client) == []


def test_a_budget_that_lets_nothing_go_keeps_the_job(control_plane: ControlPlane, client: ApiClient) -> None:
    running = run_job(client, "train", 2)
    with_budget(client, "keep", "train", 2, allowed=0)
    outcome = one(control_plane, unit(running))
    assert outcome.result is Result.REFUSED
    assert "keep" in str(outcome.blocked)
    assert uids(client, "train") == {p["metadata"]["uid"] for p in running}
    assert left(client) == []


def test_a_job_that_somebody_stops_meanwhile_stays_so(control_plane: ControlPlane, client: ApiClient) -> None:
    running = run_job(client, "train", 1)
    moved = unit(running)

    class Meddling:
        """Somebody stops it right after the intent is written."""

        def request(self, method: str, path: str, body: bytes | None = None, **rest: Any) -> bytes:
            answer = real.request(method, path, body, **rest)
            if method != "GET" and path.endswith("configmaps"):
                client.patch("Job", "train", {"spec": {"suspend": True}})
            return answer

    real = client_of(control_plane)
    assert one(control_plane, moved, Meddling()).result is Result.REFUSED
    assert client.get("Job", "train")["spec"]["suspend"] is True
    assert MARK not in client.get("Job", "train")["metadata"].get("labels", {})


@pytest.mark.parametrize("after", [False, True], ids=["before-the-write", "after-the-write"])
def test_wherever_the_process_dies_the_job_is_not_left_stopped(
    control_plane: ControlPlane, client: ApiClient, after: bool
) -> None:
    client.create_node("n2")
    client.wait_for_nodes("n2")
    for point in range(6):  # the intent, a taint, stop, start, the taint, the intent again
        name = f"train-{point}"
        running = run_job(client, name, 2)
        before = {p["metadata"]["uid"] for p in running}
        dying = Dying(client_of(control_plane), point, after=after)
        with pytest.raises(Killed):
            requeueing(control_plane, dying, limits=serial()).execute(plan(unit(running, name), name=f"plan-{point}"))
        requeueing(control_plane).resume()
        assert left(client) == [], f"point {point}"
        client.wait_for(
            lambda name=name, before=before: runs_anew(client, name, before, 2) or uids(client, name) == before,  # type: ignore[misc]
            what=f"{name} to run, whole",
        )
        client.delete("Job", name)
