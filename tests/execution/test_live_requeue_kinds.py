"""Requeue of jobs that others look after, on the real control plane, with stand-ins for their controllers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.queueing import KubeQueue
from controlplane.training import PODS, VERSIONS, Operators, run_operated
from controlplane.volcano import JOBS, VolcanoController
from descheduler.apiwrite.transport import Transport
from descheduler.execution.executors.registry import choose
from descheduler.execution.executors.requeue.executor import RequeueArgs
from descheduler.execution.executors.requeue.switches import MARK
from descheduler.execution.outcomes import ActionOutcome, Result
from descheduler.execution.runner import PlanRunner
from descheduler.model.plan import Action
from execution.jobs import Object, run_queued_job, run_volcano_job, runs_anew, stopped
from execution.kill_points import tainted
from execution.live import QUICK, Dying, Killed, client_of, runner, serial, uids, with_budget
from execution.plans import action, move_of, plan


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    client = control_plane.client
    apply_crds(client)
    client.create_node("n1", cpu=64)
    client.wait_for_nodes("n1")
    return client


def unit(pods: list[Object], workload: str) -> Action:
    moves = (move_of(pod, f"default/{workload}") for pod in pods)
    return replace(action(*moves, gang=True, executor="requeue"), steer=("n1",))


def requeueing(plane: ControlPlane, transport: Transport | None = None, seconds: int = 10) -> PlanRunner:
    limits = QUICK if transport is None else serial()
    args = RequeueArgs(timeout=timedelta(seconds=seconds))
    return runner(plane, transport, limits=limits, executors=lambda name: choose(name, args))


def moved(plane: ControlPlane, pods: list[Object], workload: str, seconds: int = 10) -> ActionOutcome:
    (outcome,) = requeueing(plane, seconds=seconds).execute(plan(unit(pods, workload))).actions
    return outcome


def ids(pods: list[Object]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods}


def left(client: ApiClient) -> list[str]:
    intents = (client.get_or_none("ConfigMap", "descheduler-intents") or {}).get("data") or {}
    return [*stopped(client), *intents, *tainted(client)]


def with_another_node(client: ApiClient) -> None:
    client.create_node("n2", cpu=64)
    client.wait_for_nodes("n2")


def moves_to_another_node(plane: ControlPlane, running: list[Object]) -> None:
    with_another_node(plane.client)
    outcome = moved(plane, running, "Job/train")
    assert outcome.result is Result.DONE
    assert {pod.landed for pod in outcome.pods} == {"n2"}
    assert runs_anew(plane.client, "train", ids(running), len(running))


def test_each_kind_of_job_starts_anew_elsewhere_by_its_own_field(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    with Operators(control_plane):
        running = {kind: run_operated(client, kind, kind.lower()) for kind in VERSIONS}
        with_another_node(client)
        units = [unit(pods, f"{kind}/{kind.lower()}") for kind, pods in running.items()]
        report = requeueing(control_plane).execute(plan(*units))
        assert [outcome.result for outcome in report.actions] == [Result.DONE] * len(VERSIONS)
        for kind, pods in running.items():
            assert runs_anew(client, kind.lower(), ids(pods), PODS), kind
            meta = client.get(kind, kind.lower(), api_version=VERSIONS[kind])["metadata"]
            assert MARK not in meta.get("labels", {}), kind
    assert {pod.landed for outcome in report.actions for pod in outcome.pods} == {"n2"}
    assert left(client) == []


def test_a_job_of_kube_queue_waits_in_it_once_more(control_plane: ControlPlane, client: ApiClient) -> None:
    with KubeQueue(control_plane) as queue:
        running = run_queued_job(client, "train", 2)
        moves_to_another_node(control_plane, running)
        assert queue.history["train-job-qu"] == ["Enqueued", "Dequeued", "Enqueued", "Dequeued"]
    assert left(client) == []


def test_what_kube_queue_has_not_let_go_stays(control_plane: ControlPlane, client: ApiClient) -> None:
    with KubeQueue(control_plane) as queue:
        running = run_queued_job(client, "train", 2)
        queue.closed = True
        unwilling = {"status": {"phase": "Enqueued"}}
        client.patch("QueueUnit", "train-job-qu", unwilling)
        outcome = moved(control_plane, running, "Job/train")
    assert outcome.result is Result.REFUSED
    assert "kube-queue has not let it go" in str(outcome.blocked)
    assert uids(client, "train") == ids(running)


def test_a_job_of_volcano_is_restarted_by_one_command(control_plane: ControlPlane, client: ApiClient) -> None:
    with VolcanoController(control_plane):
        running = run_volcano_job(client, "train", 3)
        moves_to_another_node(control_plane, running)
        assert client.get("Job", "train", api_version=JOBS)["status"]["retryCount"] == 1
    assert left(client) == []


@pytest.mark.parametrize("why", ["retries", "budget", "asleep"])
def test_a_job_of_volcano_stays(control_plane: ControlPlane, client: ApiClient, why: str) -> None:
    with VolcanoController(control_plane) as volcano:
        running = run_volcano_job(client, "train", 2, maxRetry=1 if why == "retries" else 9)
        if why == "budget":
            with_budget(client, "keep", "train", 2, allowed=0)
        volcano.asleep = why == "asleep"
        outcome = moved(control_plane, running, "Job/train", seconds=1)
        assert outcome.result is Result.REFUSED
        assert {"retries": "its last one", "budget": "keep", "asleep": "took no pod away"}[why] in str(outcome.blocked)
        volcano.asleep = False  # and nothing that we asked is carried out later
        assert left(client) == []
    assert uids(client, "train") == ids(running)


@pytest.mark.parametrize("after", [False, True], ids=["before-the-write", "after-the-write"])
@pytest.mark.parametrize(
    ("controller", "run", "writes"),
    [
        (KubeQueue, run_queued_job, 7),  # the intent, a taint, stop, the unit, the mark, the taint, the intent again
        (VolcanoController, run_volcano_job, 5),  # the intent, a taint, the Command, the taint, the intent again
    ],
    ids=["kube-queue", "volcano"],
)
def test_wherever_the_process_dies_the_job_runs(
    control_plane: ControlPlane,
    client: ApiClient,
    controller: Callable[[ControlPlane], AbstractContextManager[object]],
    run: Callable[[ApiClient, str, int], list[Object]],
    writes: int,
    after: bool,
) -> None:
    with_another_node(client)
    with controller(control_plane):
        for point in range(writes):
            name = f"train-{point}"
            running = run(client, name, 2)
            before = ids(running)
            dying = Dying(client_of(control_plane), point, after=after)
            document = plan(unit(running, f"Job/{name}"), name=f"plan-{point}")
            with pytest.raises(Killed):
                requeueing(control_plane, dying).execute(document)
            requeueing(control_plane).resume()
            assert left(client) == [], f"point {point}"
            client.wait_for(
                lambda name=name, before=before: runs_anew(client, name, before, 2) or uids(client, name) == before,  # type: ignore[misc]
                what=f"{name} to run, whole",
            )
