"""A small cluster as API objects, in which one pod, `web-1` of the ReplicaSet `web`, is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descheduler.gangs import resolve
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.reasons import Blocked
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning.filters.build import Filters, build_filters
from descheduler.planning.filters.rules import FilterRules
from descheduler.policy.protections import Protections
from kube.wire_objects import Json, container, meta, node
from kube.wire_objects import pod as bare_pod

NOW = 1_760_000_000.0
SHOP = "shop"
Objects = Mapping[str, list[Json]]


def owned_by(kind: str, name: str, api_version: str = "apps/v1", uid: str = "") -> Json:
    ref = {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid or f"uid-{SHOP}-{name}"}
    return {"ownerReferences": [{**ref, "controller": True}]}


def pod(name: str = "web-1", owner: Json | None = None, requests: Json | None = None, **rest: Any) -> Json:
    """A pod of the ReplicaSet that is named like it."""
    metadata = {**(owner or owned_by("ReplicaSet", name.rpartition("-")[0])), **rest.pop("metadata", {})}
    spec = {"serviceAccountName": "default", **rest}
    limits = spec.pop("limits", None)
    resources = {"requests": requests or {"cpu": "1", "memory": "1Gi"}, **({"limits": limits} if limits else {})}
    return bare_pod(name, container(**resources), metadata=metadata, **spec)


def replica_set(
    name: str = "web", replicas: int = 1, requests: Json | None = None, metadata: Json | None = None, **template: Any
) -> Json:
    resources = {"requests": requests or {"cpu": "1", "memory": "1Gi"}}
    limits = template.pop("limits", None)
    if limits:
        resources["limits"] = limits
    spec = {"containers": [container(**resources)], **template}
    return {
        "metadata": meta(name, SHOP, **(metadata or {})),
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": {"spec": spec}},
        "status": {"replicas": replicas, "readyReplicas": replicas, "observedGeneration": 1},
    }


def waiting(name: str = "new", replicas: int = 1, **rest: Any) -> Json:
    """A ReplicaSet whose pods the API server does not let in."""
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    status = {"replicas": 0, "observedGeneration": 1, "conditions": [refused]}
    return {**replica_set(name, replicas, **rest), "status": status}


def named(name: str, namespace: str = "", **rest: Any) -> Json:
    """An object of which only the metadata matters."""
    return {"metadata": meta(name, namespace, **rest)}


WORLD: Objects = {
    "nodes": [node("n1"), node("n2")],
    "namespaces": [{**named(SHOP), "status": {"phase": "Active"}}],
    "priorityclasses": [{**named("system-node-critical"), "value": 2_000_001_000}],
    "runtimeclasses": [],
    "serviceaccounts": [named("default", SHOP)],
    "resourcequotas": [],
    "limitranges": [],
    "replicasets": [replica_set()],
    "deployments": [],
    "statefulsets": [],
    "jobs": [],
    "pods": [pod()],
}
"""One pod that may go anywhere."""


def judged(objects: Objects) -> tuple[ClusterSnapshot, Filters]:
    snapshot = snapshot_from_objects(objects, NOW)
    return snapshot, filters_of(snapshot)


def filters_of(snapshot: ClusterSnapshot) -> Filters:
    return build_filters(snapshot, resolve(snapshot), FilterRules.of(Protections()), now=snapshot.taken_at)


def refused(name: str = "web-1", **changes: list[Json]) -> Blocked | None:
    """Why the pod stays, where these kinds have these objects; None: it may go."""
    snapshot, filters = judged({**WORLD, **changes})
    return filters.blocked(snapshot.pod_index[SHOP, name])


def why(name: str = "web-1", **changes: list[Json]) -> str:
    """The same in words: who refuses, and why; empty where it may go."""
    found = refused(name, **changes)
    return f"{found.by}: {found.detail}" if found is not None else ""
