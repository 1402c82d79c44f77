"""What who requeues may do with kube-queue's and Volcano's objects, with the rights of the overlay alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.definitions import apply_crds
from controlplane.queueing import KubeQueue
from controlplane.volcano import BUS, VolcanoController, commands
from descheduler.execution.outcomes import Result
from descheduler.kube.client.connection import KubeClient
from descheduler.model.errors import ClusterError
from execution.jobs import run_queued_job, run_volcano_job, runs_anew
from execution.live import QUICK, client_of, runner
from execution.plans import action, move_of, plan
from manifests.test_live_rights import Only, install

_UNITS = "/apis/scheduling.x-k8s.io/v1alpha1/namespaces/default/queueunits"
_COMMANDS = f"/apis/{BUS}/namespaces/default/commands"
_ASKED = ("/apis/batch", "/apis/scheduling.x-k8s.io", "/apis/bus.volcano.sh")
Object = dict[str, Any]


def refusal(account: KubeClient, method: str, path: str, body: Object | None = None) -> str:
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    try:
        account.request(method, path, None if body is None else json.dumps(body).encode(), content_type=kind)
    except ClusterError as error:
        return str(error)
    return ""


def command(action: str, **labels: str) -> Object:
    meta = {"name": "theirs", "namespace": "default", "labels": labels}
    target = {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "name": "no-such-job", "uid": "none"}
    return {"apiVersion": BUS, "kind": "Command", "metadata": meta, "action": action, "target": target}


def requeued(plane: ControlPlane, account: KubeClient, pods: list[Object], name: str) -> None:
    unit = replace(action(*(move_of(pod, f"default/Job/{name}") for pod in pods), gang=True), executor="requeue")
    transport = Only(_ASKED, account, client_of(plane))
    (outcome,) = runner(plane, transport, limits=QUICK).execute(plan(unit)).actions
    assert outcome.result is Result.DONE
    assert runs_anew(plane.client, name, {pod["metadata"]["uid"] for pod in pods}, len(pods))


def test_of_a_queue_unit_nothing_is_changed_but_that_it_waits(control_plane: ControlPlane) -> None:
    client = ready(control_plane)
    account = install(control_plane, "active-requeue")
    with KubeQueue(control_plane):
        pods = run_queued_job(client, "train", 2)
        path = f"{_UNITS}/train-job-qu"
        client.wait_for(
            lambda: "nothing of a QueueUnit" in refusal(account, "PATCH", path, {"status": {"phase": "Dequeued"}}),
            what="the admission policy to be in force",
        )
        for change in ({"spec": {"priority": 9}}, {"status": {"phase": "Enqueued", "message": "x"}}):
            assert "nothing of a QueueUnit" in refusal(account, "PATCH", path, change)
        labelled = {"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Enqueued"}}
        assert "no QueueUnit's" in refusal(account, "PATCH", path, labelled)
        requeued(control_plane, account, pods, "train")


def test_no_command_is_made_or_deleted_but_its_own(control_plane: ControlPlane) -> None:
    client = ready(control_plane)
    account = install(control_plane, "active-requeue")
    client.create(command("RestartJob"))
    mark = {"rebalance.descheduler.dev/requeue": "x"}
    client.wait_for(
        lambda: "no Command but its own" in refusal(account, "POST", _COMMANDS, command("AbortJob", **mark)),
        what="the admission policy to be in force",
    )
    assert "no Command but its own" in refusal(account, "POST", _COMMANDS, command("RestartJob"))
    assert "no Command but its own" in refusal(account, "DELETE", f"{_COMMANDS}/theirs")
    assert len(commands(client)) == 1
    client.delete("Command", "theirs")
    with VolcanoController(control_plane):
        requeued(control_plane, account, run_volcano_job(client, "mpi", 2), "mpi")


def ready(plane: ControlPlane) -> ApiClient:
    apply_crds(plane.client)
    plane.client.create_node("n1", cpu=64)
    plane.client.wait_for_nodes("n1")
    return plane.client
