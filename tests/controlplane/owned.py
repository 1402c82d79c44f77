"""Pods and other objects that a stand-in for a controller makes for the objects that it looks after."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from controlplane.client import ApiClient, ApiStatusError

Object = dict[str, Any]


def owner_of(owner: Object) -> Object:
    """The reference to it as the controller of something."""
    meta = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }


def owned_pods(client: ApiClient, owner: Object) -> list[Object]:
    """Its pods, those that are going too."""
    uid = owner["metadata"]["uid"]
    return [
        pod
        for pod in client.list("Pod", owner["metadata"]["namespace"])
        if any(ref["uid"] == uid for ref in pod["metadata"].get("ownerReferences", ()))
    ]


def make_pods(client: ApiClient, owner: Object, count: int, **labels: str) -> list[Object]:
    """Those of its pods, `NAME-worker-N`, that are not there; all that are there afterwards."""
    name, namespace = owner["metadata"]["name"], owner["metadata"]["namespace"]
    for i in range(count):
        meta = {
            "name": f"{name}-worker-{i}",
            "namespace": namespace,
            "labels": {"app": name, **labels},
            "ownerReferences": [owner_of(owner)],
        }
        container = {"name": "main", "image": "test/main", "resources": {"requests": {"cpu": "100m"}}}
        spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [container]}
        with suppress(ApiStatusError):  # it is there
            client.create({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    return owned_pods(client, owner)


def delete_pods(client: ApiClient, pods: list[Object]) -> None:
    """As a controller does: each by its own grace period."""
    for pod in pods:
        if "deletionTimestamp" not in pod["metadata"]:
            client.delete("Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])


def running(pods: list[Object]) -> int:
    """How many run, and are not going."""
    return sum(p["status"].get("phase") == "Running" and "deletionTimestamp" not in p["metadata"] for p in pods)
