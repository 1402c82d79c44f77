"""A Job of one pod below an object of each kind that `requeue` can stop and start, as each has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.queueing import queue_up
from controlplane.suspending import BELOW, Suspending
from controlplane.volcano import volcano_job
from descheduler.execution.executors.requeue.fitness import QUEUE
from descheduler.execution.executors.requeue.switches import OWNERS, WORKLOAD
from descheduler.kube.convert.kinds import KINDS
from execution.jobs import job
from execution.live import Object

ABOVE = tuple(switch.kind for switch in OWNERS if switch.kind.group != "batch" and not switch.commanded)
"""Kinds that own their Job; a Workload is owned by it. Jobs of Volcano have no other below them."""
RAY_CLUSTER = KINDS["ray.io/RayCluster"]
_RUNS: dict[str, Object] = {
    "RayJob": {"spec": {"shutdownAfterJobFinishes": True}, "status": {"jobDeploymentStatus": "Running"}}
}


@contextmanager
def of_every_kind(plane: ControlPlane) -> Iterator[None]:
    """While it lasts, their controllers are there, but those of kube-queue and Volcano, which the scene has.

    The cluster serves all kinds.
    """
    client = plane.client
    served = {(kind.group, kind.name): kind.api_version for kind in client.kinds(refresh=True).preferred()}
    versions = {kind.name: served[kind.group, kind.name] for kind in (WORKLOAD.kind, *ABOVE, RAY_CLUSTER)}
    for kind in ABOVE:
        _run_below(client, kind.name, versions)
    _run_queued(client, versions)
    client.apply(job("waiting", 1, suspend=True))
    queue_up(client, "waiting")
    client.apply(volcano_job("volcano", 1))
    above = [(version, kind) for kind, version in versions.items() if kind != RAY_CLUSTER.name]
    with Suspending(plane, above):
        yield


def _run_below(client: ApiClient, kind: str, versions: dict[str, str]) -> None:
    name = kind.lower()
    owner = client.apply(_object(versions, kind, name, **_RUNS.get(kind, {})))
    if kind == "RayJob":
        owner = client.apply(_object(versions, RAY_CLUSTER.name, name, owner))
    made = job(name, 1)
    made["metadata"]["ownerReferences"] = [_reference(owner)]
    client.apply(made)


def _run_queued(client: ApiClient, versions: dict[str, str]) -> None:
    admitted = {"conditions": [{"type": "Admitted", "status": "True"}]}
    owner = client.apply(job("queued", 1, {QUEUE: "team"}))
    spec = {"queueName": "team", "podSets": [{"name": "main", "count": 1}]}
    workload = _object(versions, "Workload", "queued", owner, spec=spec, status=admitted)
    workload["metadata"]["labels"]["kueue.x-k8s.io/job-uid"] = owner["metadata"]["uid"]
    client.apply(workload)


def _object(versions: dict[str, str], kind: str, name: str, owner: Object | None = None, **fields: Any) -> Object:
    meta: Object = {"name": name, "namespace": "default", "labels": {BELOW: name}}
    if owner is not None:
        meta["ownerReferences"] = [_reference(owner)]
    return {"apiVersion": versions[kind], "kind": kind, "metadata": meta, "spec": {}, **fields}


def _reference(owner: Object) -> Object:
    meta = owner["metadata"]
    own = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": meta["name"], "uid": meta["uid"]}
    return {**own, "controller": True}
