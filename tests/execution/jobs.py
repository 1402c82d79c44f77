"""Jobs on a real control plane, and what is left of a move of theirs by `requeue`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.client import ApiClient
from controlplane.queueing import queue_units, queue_up
from controlplane.volcano import JOBS, commands, volcano_job
from descheduler.execution.executors.requeue.switches import MARK
from execution.live import pod_spec, uids

Object = dict[str, Any]


def job(name: str, pods: int, labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    """A Job that runs on until it is stopped."""
    template = {"metadata": {"labels": {"app": name}}, "spec": {**pod_spec(cpu="100m"), "restartPolicy": "Never"}}
    spec = {"parallelism": pods, "completions": pods, "completionMode": "Indexed", "template": template, **spec}
    meta = {"name": name, "namespace": "default", "labels": dict(labels or {})}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": spec}


def run_job(client: ApiClient, name: str, pods: int, **spec: Any) -> list[Object]:
    """A running Job; its pods by name."""
    client.apply(job(name, pods, **spec))
    return sorted(client.wait_for_pods(pods, label_selector=f"app={name}"), key=lambda p: p["metadata"]["name"])


def run_queued_job(client: ApiClient, name: str, pods: int) -> list[Object]:
    """The same, of kube-queue."""
    if client.get_or_none("Job", name) is None:  # one that is there has been let go
        client.apply(job(name, pods, suspend=True))
        queue_up(client, name)
    return sorted(client.wait_for_pods(pods, label_selector=f"app={name}"), key=lambda p: str(p["metadata"]["name"]))


def run_volcano_job(client: ApiClient, name: str, pods: int, **spec: int) -> list[Object]:
    """The same, of Volcano."""
    client.apply(volcano_job(name, pods, **spec))
    found = client.wait_for_pods(pods, label_selector=f"app={name}")

    def runs() -> bool:
        status = client.get("Job", name, api_version=JOBS).get("status", {})
        return bool(status.get("state", {}).get("phase") == "Running")

    client.wait_for(runs, what=f"{name} to be Running")
    return sorted(found, key=lambda p: str(p["metadata"]["name"]))


def stopped(client: ApiClient) -> list[str]:
    """Jobs that carry our mark, or are stopped and wait in no queue, and Commands that nobody took up."""
    served = {kind.name for kind in client.kinds().preferred()} >= {"Command", "QueueUnit"}
    asked = commands(client) if served else []
    queued = {unit["spec"]["consumerRef"]["name"] for unit in (queue_units(client) if served else ())}
    jobs = [
        one
        for one in client.list("Job", "default")
        if MARK in (one["metadata"].get("labels") or {})
        or (one["spec"].get("suspend") and one["metadata"]["name"] not in queued)
    ]
    return [str(one["metadata"]["name"]) for one in (*jobs, *asked)]


def runs_anew(client: ApiClient, name: str, before: set[str], pods: int) -> bool:
    """Whether it has so many pods, none of which was there before."""
    now = uids(client, name)
    return len(now) == pods and not now & before
