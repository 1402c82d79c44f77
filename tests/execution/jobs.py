"""Jobs on a real control plane, and what is left of a move of theirs by `requeue`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controlplane.client import ApiClient
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


def stopped(client: ApiClient) -> list[str]:
    """Jobs that are stopped, or carry our mark."""
    return [
        one["metadata"]["name"]
        for one in client.list("Job", "default")
        if one["spec"].get("suspend") or MARK in (one["metadata"].get("labels") or {})
    ]


def runs_anew(client: ApiClient, name: str, before: set[str], pods: int) -> bool:
    """Whether it has so many pods, none of which was there before."""
    now = uids(client, name)
    return len(now) == pods and not now & before
