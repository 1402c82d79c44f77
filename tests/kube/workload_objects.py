"""Workloads with their pods as the API server writes them."""

from __future__ import annotations

from typing import Any

from kube.wire_objects import Json, container, meta, pod

HASH = "5d8f7c9b6"


def template(*containers: Json, labels: Json | None = None, **spec: Any) -> Json:
    """A pod template; `spec` are further fields of its pod spec."""
    return {"metadata": {"labels": {"app": "web", **(labels or {})}}, "spec": {"containers": list(containers), **spec}}


def workload(kind: str, name: str, made_from: Json, replicas: int = 3, **rest: Any) -> Json:
    """`spec`, `status` and `metadata` may be given."""
    labels = made_from["metadata"]["labels"]
    status = {"replicas": replicas, "readyReplicas": replicas, "observedGeneration": 1, **rest.pop("status", {})}
    return {
        "metadata": meta(name, "shop", generation=1, **rest.pop("metadata", {})),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": made_from,
            **rest.pop("spec", {}),
        },
        "status": status,
    }


def owned(kind: str, name: str, api_version: str = "apps/v1") -> Json:
    """An owner reference in `metadata`."""
    uid = meta(name, "shop")["uid"]
    one = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}
    return {"ownerReferences": [one]}


def replica(
    of: str, name: str, *containers: Json, kind: str = "ReplicaSet", labels: Json | None = None, **rest: Any
) -> Json:
    """A pod of a workload, with the labels of `template` and those given."""
    metadata = {**owned(kind, of), "labels": {"app": "web", **(labels or {})}, **rest.pop("metadata", {})}
    return pod(name, *(containers or (cpu("1"),)), metadata=metadata, **rest)


def cpu(amount: str, name: str = "main", **more: Any) -> Json:
    """A container that asks for so much CPU."""
    return container(name, requests={"cpu": amount}, **more)


def replica_set(*containers: Json, replicas: int = 3, labels: Json | None = None, **spec: Any) -> Json:
    """Of a Deployment: named `web` and the hash, which is a label of its pods."""
    hashed = {"pod-template-hash": HASH, **(labels or {})}
    return workload("ReplicaSet", f"web-{HASH}", template(*containers, labels=hashed, **spec), replicas)


def of_replica_set(name: str, *containers: Json, **rest: Any) -> Json:
    """A pod of `replica_set`."""
    labels = {"pod-template-hash": HASH, **rest.pop("labels", {})}
    return replica(f"web-{HASH}", f"web-{HASH}-{name}", *containers, labels=labels, **rest)


def stateful_set(*containers: Json, replicas: int = 3, status: Json | None = None, **spec: Any) -> Json:
    """Named `db`; `spec` are fields of its own spec."""
    revisions = {"currentRevision": "db-old", "updateRevision": "db-new", **(status or {})}
    return workload("StatefulSet", "db", template(*containers), replicas, spec=spec, status=revisions)


def of_stateful_set(ordinal: int, *containers: Json, revision: str = "db-new", **rest: Any) -> Json:
    """A pod of `stateful_set`."""
    labels = {
        "controller-revision-hash": revision,
        "statefulset.kubernetes.io/pod-name": f"db-{ordinal}",
        "apps.kubernetes.io/pod-index": str(ordinal),
    }
    return replica("db", f"db-{ordinal}", *containers, kind="StatefulSet", labels=labels, **rest)
