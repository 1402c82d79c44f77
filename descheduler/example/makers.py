"""Small makers of API objects as JSON, for generated clusters. Nothing here reads a clock or draws a number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from descheduler.kube.devices.resources import NVIDIA
from descheduler.model.nodes import HOSTNAME
from descheduler.model.objects import Json

Object = dict[str, Json]


def stamp(seconds: float) -> str:
    """Unix seconds as the API writes times."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def meta(name: str, namespace: str = "", created: float = 0.0, owner: Object | None = None, **more: Json) -> Object:
    """metadata; the uid is derived from the name, so that the same cluster has the same uids."""
    out: Object = {"name": name, "uid": f"uid-{namespace}-{name}" if namespace else f"uid-{name}"}
    if namespace:
        out["namespace"] = namespace
    if created:
        out["creationTimestamp"] = stamp(created)
    if owner is not None:
        out["ownerReferences"] = [reference(owner)]
    out.update({k: v for k, v in more.items() if v})
    return out


def reference(owner: Object) -> Object:
    """The ownerReference to a controller made here."""
    of = owner["metadata"]
    assert isinstance(of, dict)
    kind, version = owner["kind"], owner["apiVersion"]
    return {"apiVersion": version, "kind": kind, "name": of["name"], "uid": of["uid"], "controller": True}


def node(name: str, labels: Mapping[str, str], cpu: str, memory: str, gpus: int = 0, **spec: Json) -> Object:
    """A ready node."""
    amounts: Object = {"cpu": cpu, "memory": memory, "pods": "110", "ephemeral-storage": "400Gi"}
    if gpus:
        amounts[NVIDIA] = str(gpus)
    return {
        "metadata": meta(name, labels={HOSTNAME: name, **labels}),
        "spec": dict(spec),
        "status": {
            "allocatable": amounts,
            "capacity": amounts,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def controller(
    kind: str, namespace: str, name: str, replicas: int, created: float, owner: Object | None = None, **spec: Json
) -> Object:
    """A Deployment, ReplicaSet, StatefulSet, DaemonSet or Job."""
    version = "batch/v1" if kind in ("Job", "CronJob") else "apps/v1"
    body: Object = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, **spec}
    if kind == "Job":
        body = {"parallelism": replicas, "completions": replicas, **spec}
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": meta(name, namespace, created, owner),
        "spec": body,
        "status": {"readyReplicas": replicas, "active": replicas},
    }


def pod(
    namespace: str,
    name: str,
    owner: Object,
    node_name: str,
    labels: Mapping[str, str],
    cpu: str,
    memory: str,
    created: float,
    gpus: int = 0,
    annotations: Mapping[str, str] | None = None,
    **spec: Json,
) -> Object:
    """A running, ready pod on a node."""
    requests: Object = {"cpu": cpu, "memory": memory}
    limits: Object = {"memory": memory}
    if gpus:
        requests[NVIDIA] = limits[NVIDIA] = str(gpus)
    container: Object = {
        "name": "main",
        "image": f"registry.example/{labels.get('app', name)}:1.4",
        "resources": {"requests": requests, "limits": limits},
    }
    return {
        "metadata": meta(name, namespace, created, owner, labels=dict(labels), annotations=dict(annotations or {})),
        "spec": {"nodeName": node_name, "containers": [container], "schedulerName": "default-scheduler", **spec},
        "status": {
            "phase": "Running",
            "startTime": stamp(created),
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(created)}],
        },
    }


def holding(item: Object, devices: Iterable[int]) -> Object:
    """The pod, with the GPUs that the kubelet gave it in its status (by index, as device plug-ins can)."""
    status = item["status"]
    assert isinstance(status, dict)
    given: list[Json] = [{"resourceID": str(device), "health": "Healthy"} for device in devices]
    allocated: list[Json] = [{"name": NVIDIA, "resources": given}]
    status["containerStatuses"] = [{"name": "main", "ready": True, "allocatedResourcesStatus": allocated}]
    return item


def budget(namespace: str, name: str, app: str, healthy: int, allowed: int, **spec: Json) -> Object:
    """A PodDisruptionBudget whose status is up to date."""
    return {
        "metadata": {**meta(name, namespace), "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": app}}, **spec},
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": healthy - allowed,
            "expectedPods": healthy,
        },
    }


def namespaces(names: Iterable[str]) -> list[Object]:
    return [{"metadata": meta(name, labels={"kubernetes.io/metadata.name": name})} for name in names]
