"""What the Job controller does about an evicted pod is what was foreseen of it, whichever rules its Job has."""

from __future__ import annotations

import time
from typing import Any

from controlplane.client import ApiClient, condition
from controlplane.cluster import ControlPlane
from descheduler.gangs import resolve
from descheduler.kube.client.connection import connect
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.units import Consequence

Object = dict[str, Any]
DISRUPTED = [{"type": "DisruptionTarget", "status": "True"}]
IGNORED = {"action": "Ignore", "onPodConditions": DISRUPTED}


def on_codes(action: str, operator: str, *values: int) -> Object:
    return {"action": action, "onExitCodes": {"operator": operator, "values": list(values)}}


# What was foreseen, the exit code by which the pod ends, and the rules.
FAILS, COUNTED, AGAIN = Consequence.FAILS, Consequence.COUNTED, Consequence.RESCHEDULED
CASES: dict[str, tuple[Consequence, int, list[Object]]] = {
    "condition": (FAILS, 1, [{"action": "FailJob", "onPodConditions": DISRUPTED}]),
    "signal": (FAILS, 143, [on_codes("FailJob", "In", 143), IGNORED]),
    "not-ok": (FAILS, 137, [on_codes("FailJob", "NotIn", 42), IGNORED]),
    "index": (FAILS, 143, [{"action": "FailIndex", "onPodConditions": DISRUPTED}]),
    "ignored-first": (AGAIN, 143, [IGNORED, on_codes("FailJob", "In", 143)]),
    "documented": (AGAIN, 143, [on_codes("FailJob", "In", 42), IGNORED]),
    "counted": (COUNTED, 143, [{"action": "Count", "onPodConditions": DISRUPTED}, on_codes("FailJob", "In", 143)]),
    "no-match": (COUNTED, 143, [on_codes("Ignore", "In", 42)]),
}


def job(name: str, rules: list[Object]) -> Object:
    """Its pods stop when the test says so."""
    spec: Object = {
        "completions": 1,
        "completionMode": "Indexed",
        "backoffLimit": 3,
        "podFailurePolicy": {"rules": rules},
        "template": {
            "metadata": {"labels": {"app": name}, "annotations": {"kubelet.test/stop-after": "60s"}},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "test/main"}]},
        },
    }
    if name == "index":
        spec["backoffLimitPerIndex"] = 2
        del spec["backoffLimit"]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def foreseen(snapshot: ClusterSnapshot) -> dict[str, Consequence]:
    units = resolve(snapshot)
    found: dict[str, Consequence] = {}
    for i, pod in enumerate(snapshot.pods):
        if pod.namespace == "default":
            unit = units.of(i)
            assert (unit.blocked and unit.blocked.reason) == (Reason.WOULD_FAIL if unit.consequence is FAILS else None)
            found[pod.labels["app"]] = unit.consequence
    return found


def end(client: ApiClient, pod: Object, code: int) -> None:
    """As a kubelet reports it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    ended = {"exitCode": code, "reason": "Error", "startedAt": now, "finishedAt": now}
    container = {"name": "main", "image": "test/main", "imageID": "", "ready": False, "restartCount": 0}
    container["state"] = {"terminated": ended}
    client.patch_status("Pod", pod["metadata"]["name"], {"phase": "Failed", "containerStatuses": [container]})


def done(client: ApiClient, name: str, evicted: str) -> Consequence | None:
    """What became of a Job, None while nothing did."""
    status = client.get("Job", name).get("status", {})
    if condition({"status": status}, "Failed") == "True" or status.get("failedIndexes"):
        return FAILS
    pods = client.list("Pod", "default", label_selector=f"app={name}")
    if not any(p["metadata"]["uid"] != evicted for p in pods):
        return None
    return COUNTED if status.get("failed") else AGAIN


def test_an_evicted_pod_of_a_job_does_what_was_foreseen(control_plane: ControlPlane) -> None:
    client = control_plane.client
    client.create_node("n1", cpu=8)
    client.wait_for_nodes("n1")
    client.apply_all([job(name, rules) for name, (_, _, rules) in CASES.items()])
    pods = {p["metadata"]["labels"]["app"]: p for p in client.wait_for_pods(len(CASES))}
    reader = connect(control_plane.kubeconfig("admin"))
    assert foreseen(read_cluster(reader, clock=time.time)) == {name: case[0] for name, case in CASES.items()}
    reader.close()
    for name, (_, code, _) in CASES.items():
        client.evict(pods[name]["metadata"]["name"])
        end(client, pods[name], code)
    for name, (expected, _, _) in CASES.items():
        uid = pods[name]["metadata"]["uid"]
        seen = client.wait_for(lambda: done(client, name, uid), what=f"what becomes of Job {name}")  # noqa: B023
        assert (name, seen) == (name, expected)
