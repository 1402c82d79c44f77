"""A Job of one pod below an object of each kind that `requeue` can stop and start, as each has it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.owned import owner_of
from controlplane.suspending import BELOW, Suspending
from descheduler.execution.executors.requeue.fitness import QUEUE
from descheduler.execution.executors.requeue.switches import JOB, OWNERS, VOLCANO, WORKLOAD
from descheduler.kube.convert.kinds import KINDS
from execution.jobs import job, run_queued_job, run_volcano_job
from execution.live import Object

ABOVE = tuple(switch.kind for switch in OWNERS if switch not in (JOB, VOLCANO))
"""Kinds that own their Job; a Workload is owned by it."""
RAY_CLUSTER = KINDS["ray.io/RayCluster"]
_RUNS: dict[str, Object] = {
    "RayJob": {"spec": {"shutdownAfterJobFinishes": True}, "status": {"jobDeploymentStatus": "Running"}}
}


@contextmanager
def of_every_kind(plane: ControlPlane) -> Iterator[None]:
    """While it lasts, their controllers are there, in the world of the scene; the cluster serves all kinds."""
    client = plane.client
    served = {(kind.group, kind.name): kind.api_version for kind in client.kinds(refresh=True).preferred()}
    versions = {kind.name: served[kind.group, kind.name] for kind in (WORKLOAD.kind, *ABOVE, RAY_CLUSTER)}
    for kind in ABOVE:
        _run_below(client, kind.name, versions)
    _run_queued(client, versions)
    run_queued_job(client, "kube-queue", 1)
    run_volcano_job(client, "volcano", 1)
    with Suspending(plane, [(version, kind) for kind, version in versions.items() if kind != RAY_CLUSTER.name]):
        yield


def _run_below(client: ApiClient, kind: str, versions: dict[str, str]) -> None:
    name = kind.lower()
    owner = client.apply(_object(versions, kind, name, **_RUNS.get(kind, {})))
    if kind == "RayJob":
        owner = client.apply(_object(versions, RAY_CLUSTER.name, name, owner))
    made = job(name, 1)
    made["metadata"]["ownerReferences"] = [owner_of(owner)]
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
        meta["ownerReferences"] = [owner_of(owner)]
    return {"apiVersion": versions[kind], "kind": kind, "metadata": meta, "spec": {}, **fields}
