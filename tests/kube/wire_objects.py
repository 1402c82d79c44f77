"""API objects as JSON, small and valid."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

CREATED = "2025-10-01T08:00:00Z"


def meta(name: str, namespace: str = "", **rest: Any) -> Json:
    uid = f"uid-{namespace}-{name}" if namespace else f"uid-{name}"
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        "uid": uid,
        "resourceVersion": "7",
        "creationTimestamp": CREATED,
        **rest,
    }


def container(name: str = "main", image: str = "app:1", *, restart: str = "", **resources: Json) -> Json:
    """`container(requests={"cpu": "1"}, limits={...})`."""
    return {"name": name, "image": image, "resources": resources, **({"restartPolicy": restart} if restart else {})}


def pod(
    name: str,
    *containers: Json,
    namespace: str = "shop",
    node: str = "n1",
    phase: str = "Running",
    metadata: Json | None = None,
    status: Json | None = None,
    **spec: Any,
) -> Json:
    return {
        "metadata": meta(name, namespace, **(metadata or {})),
        "spec": {"containers": list(containers) or [container()], **({"nodeName": node} if node else {}), **spec},
        "status": {
            "phase": phase,
            "startTime": CREATED,
            "conditions": [{"type": "Ready", "status": "True"}],
            **(status or {}),
        },
    }


def node(
    name: str, *, ready: str = "True", metadata: Json | None = None, spec: Json | None = None, **allocatable: str
) -> Json:
    return {
        "metadata": meta(name, **(metadata or {})),
        "spec": spec or {},
        "status": {
            "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"}
            | {k.replace("__", "/"): v for k, v in allocatable.items()},
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }
