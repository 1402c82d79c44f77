"""Traces as what an API server would hand out: nodes and pods as plain JSON, and the snapshot read from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from descheduler.kube.recording.wire_objects import cluster_objects
from descheduler.model import directing
from descheduler.model.snapshot import ClusterSnapshot

NOW = 1_790_000_000.0
CREATED = "2025-10-01T08:00:00Z"
GPU, COUNT, MILLI = "nvidia.com/gpu", "alibabacloud.com/gpu-count", "alibabacloud.com/gpu-milli"
INDEX, MODEL = "alibabacloud.com/gpu-index", "alibabacloud.com/gpu-card-model"
WHOLE = 1000
RESERVATIONS = "scheduling.koordinator.sh/Reservation"
BINDING = {
    "metadata": {"name": "descheduler-directed-landing", "uid": "uid-binding", "creationTimestamp": CREATED},
    "spec": {"policyName": "descheduler-directed-landing"},
}
"""What is installed where replacements can be directed."""
SCHEDULER = "koord-scheduler"
"""Of all pods: one that fills Reservations, so that places can be held."""

Json = dict[str, Any]


def meta(name: str, namespace: str = "", **rest: object) -> Json:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "uid": f"uid-{namespace}-{name}", "creationTimestamp": CREATED, **rest}


def node(name: str, cpu: int, memory: int, *, gpus: int = 0, model: str = "", **labels: str) -> Json:
    """A ready node: `cpu` milli, `memory` MiB, `gpus` devices of a `model`."""
    offers = {"cpu": f"{cpu}m", "memory": f"{memory}Mi", "pods": "1000"} | ({GPU: str(gpus)} if gpus else {})
    named = {"kubernetes.io/hostname": name, **labels} | ({"nvidia.com/gpu.product": model} if model else {})
    return {
        "metadata": meta(name, labels=named),
        "spec": {},
        "status": {"allocatable": offers, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def pod(
    name: str,
    cpu: int,
    memory: int,
    *,
    on: str = "",
    gpus: int = 0,
    milli: int = WHOLE,
    devices: str = "",
    models: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **spec: object,
) -> Json:
    """A pod of a workload of its own: running `on` a node, or pending; `devices` ("3-1") those that it holds."""
    asks = {"cpu": f"{cpu}m", "memory": f"{memory}Mi"}
    notes = {**(annotations or {})} | ({INDEX: devices} if devices else {}) | ({MODEL: models} if models else {})
    if gpus and milli >= WHOLE:
        asks[GPU] = str(gpus)
    elif gpus:
        notes |= {COUNT: str(gpus), MILLI: str(milli)}
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": f"uid-of-{name}", "controller": True}
    described = meta(name, "trace", labels=dict(labels or {}), annotations=notes, ownerReferences=[owner])
    running = {
        "phase": "Running" if on else "Pending",
        "startTime": CREATED,
        "conditions": [{"type": "Ready" if on else "PodScheduled", "status": "True" if on else "False"}],
    }
    container = {"name": "main", "image": "trace:1", "resources": {"requests": asks}}
    return {
        "metadata": described,
        "spec": {"containers": [container], "schedulerName": SCHEDULER, **({"nodeName": on} if on else {}), **spec},
        "status": running,
    }


def snapshot(
    nodes: Iterable[Json], pods: Iterable[Json], more: Mapping[str, Iterable[Json]] | None = None, now: float = NOW
) -> ClusterSnapshot:
    """The cluster at a time, converted as a recording is; `more` are further kinds by their keys. Reservations are
    served, and each pod has the ReplicaSet that it names."""
    pods = list(pods)
    kinds = {
        "nodes": nodes,
        "pods": pods,
        "replicasets": map(_controller, pods),
        "namespaces": [{"metadata": meta("trace")}],
        RESERVATIONS: (),
        directing.BINDING: [BINDING],
        **(more or {}),
    }
    return cluster_objects(kinds, taken_at=now, cluster="trace").snapshot()


def _controller(pod: Json) -> Json:
    (owner,) = pod["metadata"]["ownerReferences"]
    described = {**meta(owner["name"], pod["metadata"]["namespace"]), "uid": owner["uid"]}
    return {"metadata": described, "spec": {"replicas": 1}, "status": {"replicas": 1, "readyReplicas": 1}}
