"""What the real API server and controllers do about replacements, and that the filters know it beforehand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from admitting import filters_of
from controlplane.binaries import ensure_binaries
from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.execution.outcomes import Result
from descheduler.kube.client.read_cluster import read_cluster
from execution.live import client_of, deployment, runner, uids
from execution.plans import action, move_of, plan

Object = dict[str, Any]


@pytest.fixture(scope="module")
def strict_plane(session_control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """A control plane on which pods need their ServiceAccount, as they do everywhere but in the shared one."""
    plane = ControlPlane.start(ensure_binaries(), service_accounts=True)
    yield plane
    plane.stop()


@pytest.fixture
def plane(strict_plane: ControlPlane) -> Iterator[ControlPlane]:
    strict_plane.client.create_node("n1")
    strict_plane.client.wait_for_nodes("n1")
    yield strict_plane
    strict_plane.reset()


def run(client: ApiClient, name: str, replicas: int = 1, limits: Object | None = None, **spec: Any) -> None:
    """A running Deployment, whose pods take half a second to end."""
    wanted = deployment(name, replicas)
    template = wanted["spec"]["template"]
    template["metadata"]["annotations"] = {"kubelet.test/stop-after": "500ms"}
    template["spec"] |= {"terminationGracePeriodSeconds": 30, **spec}
    if limits:
        template["spec"]["containers"][0]["resources"]["limits"] = limits
    client.apply(wanted)


def pods_of(client: ApiClient, app: str) -> list[Object]:
    return client.list("Pod", "default", label_selector=f"app={app}")


def staying(plane: ControlPlane) -> dict[str, str]:
    """By application: who keeps its pods where they are, and why. Those that may go are not there."""
    snapshot = read_cluster(client_of(plane), clock=time.time)
    filters = filters_of(snapshot)
    return {
        pod.labels["app"]: f"{blocked.by}: {blocked.detail}"
        for at, pod in enumerate(snapshot.pods)
        if (blocked := filters.blocked(at)) is not None
    }


def refused(client: ApiClient, app: str) -> str:
    """What the API server says to the controller that wants to make a pod of the application; empty: nothing."""
    sets = client.list("ReplicaSet", "default", label_selector=f"app={app}")
    conditions = [c for one in sets for c in one["status"].get("conditions", ())]
    return next((str(c["message"]) for c in conditions if c["reason"] == "FailedCreate"), "")


def test_what_the_api_server_would_refuse_stays(plane: ControlPlane) -> None:
    client = plane.client
    gold = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "gold"}, "value": 7}
    sandbox = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "sandbox"}, "handler": "x"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder"}}
    client.apply_all([gold, sandbox, account])
    run(client, "plain")
    run(client, "classed", priorityClassName="gold")
    run(client, "sandboxed", runtimeClassName="sandbox")
    run(client, "named", serviceAccountName="builder")
    run(client, "large", limits={"cpu": "2"})
    client.wait_for_pods(5)
    client.wait_for(lambda: not staying(plane), what="all pods to be free to go")

    client.delete("PriorityClass", "gold")
    client.delete("RuntimeClass", "sandbox")
    client.delete("ServiceAccount", "builder")
    bounds = {"limits": [{"type": "Container", "max": {"cpu": "1500m"}}]}
    client.apply({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "bounds"}, "spec": bounds})

    assert staying(plane) == {
        "classed": "priorityclass/gold: no such object",
        "sandboxed": "runtimeclass/sandbox: no such object",
        "named": "serviceaccount/default/builder: no such object",
        "large": "limitrange/default/bounds: container main may use 2 cpu, the maximum is 1.5 cpu",
    }
    before = {app: uids(client, app) for app in ("plain", *staying(plane))}
    for pod in client.list("Pod", "default"):
        client.evict(pod["metadata"]["name"])
    client.wait_for(lambda: uids(client, "plain") - before["plain"], what="the twin to be made again")
    for app in ("classed", "sandboxed", "named", "large"):
        client.wait_for(lambda app=app: refused(client, app), what=f"{app} to be refused")
        assert not uids(client, app)


def with_quota(client: ApiClient, cpu: str) -> None:
    """A quota, once its controller has counted."""
    spec = {"hard": {"requests.cpu": cpu, "pods": "9"}}
    client.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": spec})

    def counted() -> bool:
        status = client.get("ResourceQuota", "q").get("status", {})
        return bool(status.get("hard", {}).get("requests.cpu") == cpu and status.get("used"))

    client.wait_for(counted, what="the quota to be counted")


def test_a_quota_that_is_full_lets_back_in_what_leaves(plane: ControlPlane) -> None:
    client = plane.client
    with_quota(client, "2")
    run(client, "web", 2)
    pods = client.wait_for_pods(2, label_selector="app=web")
    assert staying(plane) == {}

    report = runner(plane).execute(plan(action(move_of(pods[0], "default/Deployment/web"))))

    assert report.actions[0].result is Result.DONE
    assert report.actions[0].pods[0].ready_seconds is not None
    assert len(uids(client, "web")) == 2


def test_a_quota_keeps_whom_it_would_not_let_in_again(plane: ControlPlane) -> None:
    client = plane.client
    with_quota(client, "2")
    run(client, "web", 2)
    client.wait_for_pods(2, label_selector="app=web")
    run(client, "late")
    client.wait_for(lambda: refused(client, "late"), what="somebody who waits for the quota")
    (late,) = client.list("ReplicaSet", "default", label_selector="app=late")
    waits = f"ReplicaSet/{late['metadata']['name']} waits for room in it and would take the place"
    assert staying(plane) == {"web": f"resourcequota/default/q: {waits}"}

    client.delete("Deployment", "late")
    client.wait_for(lambda: not client.list("ReplicaSet", "default", label_selector="app=late"), what="it to be gone")
    assert staying(plane) == {}

    with_quota(client, "1500m")
    text = "2 requests.cpu with the replacement, 1.5 requests.cpu is the limit"
    assert staying(plane) == {"web": f"resourcequota/default/q: {text}"}
    client.evict(pods_of(client, "web")[0]["metadata"]["name"])
    client.wait_for(lambda: refused(client, "web"), what="the replacement to be refused")
    client.wait_for(lambda: len(pods_of(client, "web")) == 1, what="the pod to be gone")
    assert refused(client, "web")
