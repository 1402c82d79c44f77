"""Removals on a real API server, by the whole controller, on a cluster of one node, from which nothing could move."""

from __future__ import annotations

from typing import Any

from controller import test_live_controller
from controller.test_live_controller import Start
from controlplane.client import ApiClient
from execution.live import pod_spec, run_deployment, uids, with_budget

client, start = test_live_controller.client, test_live_controller.start
EVICT = "descheduler.alpha.kubernetes.io/evict"
POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
interval: 1m
protections: {failedBarePods: false}
strategies:
  - RemoveFailedPods: {minPodLifetimeSeconds: 0}
  - RemovePodsHavingTooManyRestarts: {podRestartThreshold: 100, states: [CrashLoopBackOff]}
  - PodLifeTime: {maxPodLifeTimeSeconds: 1, labelSelector: {matchLabels: {app: old}}}
"""


def bare(client: ApiClient, name: str, behaviour: str, **annotations: str) -> None:
    labels = {"kubelet.test/pod": behaviour} if behaviour else {}
    meta = {"name": name, "namespace": "default", "labels": labels, "annotations": annotations}
    client.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": pod_spec(cpu="1")})


def failing_job(client: ApiClient, name: str) -> None:
    template = {"metadata": {"labels": {"kubelet.test/pod": "fails"}}, "spec": pod_spec(cpu="1")}
    template["spec"]["restartPolicy"] = "Never"
    spec = {"backoffLimit": 0, "template": template}
    client.create(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default"}, "spec": spec}
    )


def crash(client: ApiClient, pod: dict[str, Any], restarts: int) -> None:
    """What a kubelet says of a pod that crashes again and again."""
    (container,) = pod["status"]["containerStatuses"]
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    unready = [
        {**one, "status": "False"} if one["type"] in ("Ready", "ContainersReady") else one
        for one in pod["status"]["conditions"]
    ]
    of_container = {**container, "ready": False, "started": False, "restartCount": restarts, "state": state}
    status = {"conditions": unready, "containerStatuses": [of_container]}
    client.patch_status("Pod", pod["metadata"]["name"], status)


def phases(client: ApiClient) -> dict[str, str]:
    """Of the pods without a ReplicaSet, those of Jobs by their name."""
    pods = [p for p in client.list("Pod", "default") if "app" not in p["metadata"].get("labels", {})]
    named = {p["metadata"].get("labels", {}).get("job-name") or p["metadata"]["name"]: p for p in pods}
    return {name: p["status"]["phase"] for name, p in named.items()}


def test_pods_go_by_what_they_are_like_and_their_twins_stay(client: ApiClient, start: Start) -> None:
    failing_job(client, "import")
    bare(client, "failed", "fails")
    bare(client, "failed-kept", "fails", **{EVICT: "false"})
    bare(client, "running", "")
    (sick,) = run_deployment(client, "sick", 1)
    (well,) = run_deployment(client, "well", 1)
    run_deployment(client, "old", 1)
    run_deployment(client, "young", 1)
    with_budget(client, "well", "well", 1, allowed=0)
    crash(client, sick, 150)
    crash(client, well, 99)  # one short of too many
    before = {app: uids(client, app) for app in ("sick", "well", "old", "young")}
    ended = {"import": "Failed", "failed": "Failed", "failed-kept": "Failed", "running": "Running"}
    client.wait_for(lambda: phases(client) == ended, what="those that fail to have failed")

    replica = start(None, policy=POLICY)
    left = {"failed-kept": "Failed", "running": "Running"}
    client.wait_for(lambda: phases(client) == left, timeout=60, what="finished pods to be cleared away")
    client.wait_for(
        lambda: all(uids(client, app).isdisjoint(before[app]) and uids(client, app) for app in ("sick", "old")),
        timeout=60,
        what="running pods to be made again",
    )
    client.wait_for(replica.ready, timeout=60, what="the end of the cycle")
    assert {app: uids(client, app) for app in ("well", "young")} == {app: before[app] for app in ("well", "young")}

    metrics = replica.get("/metrics")[1]
    for strategy, count in (("RemoveFailedPods", 2), ("RemovePodsHavingTooManyRestarts", 1), ("PodLifeTime", 1)):
        assert f'descheduler_removals_total{{result="evicted",strategy="{strategy}"}} {count}.0' in metrics
    assert "descheduler_moves_total{" not in metrics
    notes = {
        e["regarding"]["name"]: e["note"]
        for e in client.list("Event", "default", api_version="events.k8s.io/v1")
        if e["reportingController"] == "descheduler"
    }
    assert notes["failed"].startswith("Removed (Failed) from n1: 2 pods of default without an owner failed (Error 2)")
    assert notes[sick["metadata"]["name"]].startswith("Removed (Running, not ready) from n1: containers of 1 pod")
    assert replica.stop() == 0
