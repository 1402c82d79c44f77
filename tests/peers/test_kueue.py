"""Jobs that Kueue's own controller queues: they go by their Workload, keep their place, and none stays stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.execution.executors.registry import choose
from descheduler.execution.outcomes import Result
from descheduler.model.plan import Action
from execution.jobs import Object, job, runs_anew
from execution.live import Dying, Killed, client_of, runner, serial, uids
from execution.plans import action, move_of, plan
from execution.test_live_requeue import left, requeueing
from peers.kueue.server import VERSION, queue, start_kueue


@pytest.fixture
def client(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """Two nodes, and Kueue with a queue for two CPUs."""
    client = control_plane.client
    for name in ("n1", "n2"):
        client.create_node(name)
    client.wait_for_nodes("n1", "n2")
    kueue = start_kueue(control_plane, tmp_path_factory.mktemp("kueue"))
    client.apply_all(queue("plain", 2))
    yield client
    kueue.stop()


def queued(client: ApiClient, name: str, pods: int) -> list[Object]:
    """A Job in the queue, and its pods once they run."""
    client.apply(job(name, pods, {"kueue.x-k8s.io/queue-name": "plain"}, suspend=True))
    return client.wait_for_pods(pods, label_selector=f"app={name}")


def unit(pods: list[Object], name: str, steer: tuple[str, ...] = ()) -> Action:
    moves = [move_of(p, f"default/Job/{name}", p["spec"]["nodeName"]) for p in pods]
    return replace(action(*moves, gang=len(pods) > 1, executor="requeue"), steer=steer)


def workload(client: ApiClient, name: str) -> Object:
    there = client.list("Workload", "default", api_version=VERSION)
    (found,) = (one for one in there if one["metadata"]["ownerReferences"][0]["name"] == name)
    return found


def test_a_job_goes_by_its_workload_and_keeps_its_place(control_plane: ControlPlane, client: ApiClient) -> None:
    running = queued(client, "train", 2)
    before = workload(client, "train")
    away = running[0]["spec"]["nodeName"]
    (outcome,) = requeueing(control_plane).execute(plan(unit(running, "train", (away,)))).actions
    assert outcome.result is Result.DONE
    assert away not in {pod.landed for pod in outcome.pods}
    assert runs_anew(client, "train", {p["metadata"]["uid"] for p in running}, 2)
    after = workload(client, "train")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["creationTimestamp"] == before["metadata"]["creationTimestamp"]
    evictions = after["status"]["schedulingStats"]["evictions"]
    assert [(one["reason"], one["count"]) for one in evictions] == [("Deactivated", 1)]
    assert left(client) == []


@pytest.mark.parametrize("after", [False, True], ids=["before-the-write", "after-the-write"])
def test_wherever_the_process_dies_no_workload_stays_deactivated(
    control_plane: ControlPlane, client: ApiClient, after: bool
) -> None:
    for point in range(4):  # the intent, stop, start, the intent again
        name = f"train-{point}"
        running = queued(client, name, 2)
        dying = Dying(client_of(control_plane), point, after=after)
        moving = plan(unit(running, name), name=f"plan-{point}")
        with pytest.raises(Killed):
            requeueing(control_plane, dying, limits=serial()).execute(moving)
        requeueing(control_plane).resume()
        assert workload(client, name)["spec"].get("active", True), f"point {point}"
        before = {p["metadata"]["uid"] for p in running}
        client.wait_for(
            lambda name=name, before=before: uids(client, name) == before or runs_anew(client, name, before, 2),  # type: ignore[misc]
            what=f"{name} to run, whole",
        )
        assert left(client) == []
        client.delete("Job", name)


def test_who_deactivated_it_himself_finds_it_so(control_plane: ControlPlane, client: ApiClient) -> None:
    running = queued(client, "train", 1)
    name = workload(client, "train")["metadata"]["name"]
    client.patch("Workload", name, {"spec": {"active": False}}, api_version=VERSION)
    with_default = runner(control_plane, executors=choose)
    (outcome,) = with_default.execute(plan(unit(running, "train"))).actions
    assert outcome.result is Result.REFUSED
    assert workload(client, "train")["spec"]["active"] is False
