"""A situation's objects as they are written to the API server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from peers.sigs.situations import Object, Situation, Workload

#: kwok leaves pods with this label as they are.
BY_HAND: Final = {"kubelet.test/pod": "by-hand"}
_API: Final = {"ReplicationController": "v1", "Job": "batch/v1"}


def owner(workload: Workload) -> Object:
    """The owner of a workload's pods, which makes them again."""
    labels = {"app": workload.name, **workload.labels}
    spec: Object = {"selector": {"matchLabels": {"app": workload.name}}, "template": _template(workload, labels)}
    count = sum(workload.at.values())
    replicas = workload.replicas if workload.replicas is not None else 0 if workload.over else count
    match workload.kind:
        case "DaemonSet":
            spec["updateStrategy"] = {"type": "OnDelete"}
        case "StatefulSet":
            spec |= {"replicas": replicas, "serviceName": workload.name, "updateStrategy": {"type": "OnDelete"}}
        case "ReplicationController":
            spec |= {"replicas": replicas, "selector": {"app": workload.name}}
        case "Job":
            del spec["selector"]
            spec |= {"parallelism": count, "completions": count, "backoffLimit": 0}
            spec["template"]["spec"] |= {"restartPolicy": "Never", "nodeName": next(iter(workload.at))}
            spec["template"]["metadata"]["labels"] = {**labels, **BY_HAND}
        case _:
            spec["replicas"] = replicas
    meta = {"name": workload.name, "namespace": workload.namespace}
    api = _API.get(workload.kind, "apps/v1")
    return {"apiVersion": api, "kind": workload.kind, "metadata": meta, "spec": spec}


def _template(workload: Workload, labels: Mapping[str, str]) -> Object:
    spec = _pod_spec(workload)
    if workload.pinned:
        spec["nodeName"] = workload.pinned
    return {"metadata": {"labels": dict(labels), "annotations": dict(workload.annotations)}, "spec": spec}


def _pod_spec(workload: Workload) -> Object:
    resources = {"requests": dict(workload.requests), "limits": dict(workload.limits)}
    container = {"name": "main", "image": workload.image, "resources": resources}
    return {"terminationGracePeriodSeconds": 0, "containers": [container], **workload.spec}


def pods_of(workload: Workload) -> Iterable[Object]:
    """The pods of a workload, each on its node and with its status."""
    places = [node for node, count in workload.at.items() for _ in range(count)]
    for number, node in enumerate(places):
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{workload.name}-{number}",
                "namespace": workload.namespace,
                "labels": {"app": workload.name, **workload.labels, **BY_HAND},
                "annotations": dict(workload.annotations),
            },
            "spec": {**_pod_spec(workload), "nodeName": node},
            "status": status_of(workload),
        }


def status_of(workload: Workload) -> Object:
    """The status of a pod of a workload: running and ready, but for what its table says."""
    said = {"phase": "Running", **workload.status}
    now = datetime.now(UTC)
    ready = "True" if said["phase"] == "Running" and "waiting" not in said else "False"
    conditions = [
        {"type": kind, "status": value, "lastTransitionTime": _text(now)}
        for kind, value in (
            ("PodScheduled", "True"),
            ("Initialized", "True"),
            ("ContainersReady", ready),
            ("Ready", ready),
        )
    ]
    status: Object = {
        "phase": said["phase"],
        "startTime": _text(now - timedelta(seconds=said.get("started_ago", 0))),
        "conditions": [*conditions, *(_condition(given, now) for given in said.get("conditions", ()))],
        "containerStatuses": [
            _container(said, now, "", c["name"], c["image"]) for c in _pod_spec(workload)["containers"]
        ],
    }
    if "reason" in said:
        status["reason"] = said["reason"]
    if inits := workload.spec.get("initContainers"):
        status["initContainerStatuses"] = [_container(said, now, "init_", c["name"], c["image"]) for c in inits]
    return status


def _container(said: Mapping[str, Any], now: datetime, prefix: str, name: str, image: str) -> Object:
    state: Object = {"running": {"startedAt": _text(now)}}
    code, reason = said.get(f"{prefix}exit_code"), said.get(f"{prefix}terminated")
    if f"{prefix}waiting" in said:
        state = {"waiting": {"reason": said[f"{prefix}waiting"]}}
    elif code is not None or reason is not None or (prefix and "init_waiting" not in said):
        ended: Object = {"exitCode": code or 0, "startedAt": _text(now), "finishedAt": _text(now)}
        state = {"terminated": ended | ({"reason": reason} if reason else {})}
    return {
        "name": name,
        "image": image,
        "imageID": "",
        "ready": "running" in state,
        "restartCount": said.get(f"{prefix}restarts", 0),
        "state": state,
    }


def _condition(given: Mapping[str, Any], now: datetime) -> Object:
    rest = {key: value for key, value in given.items() if key != "ago"}
    return {"lastTransitionTime": _text(now - timedelta(seconds=given.get("ago", 0))), **rest}


def metrics_definitions() -> Iterable[Object]:
    """What stands in for metrics-server: it is discovered, listed and asked for single objects the same way."""
    for kind, plural, scope in (("NodeMetrics", "nodes", "Cluster"), ("PodMetrics", "pods", "Namespaced")):
        schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{plural}.metrics.k8s.io",
                "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},  # the group is protected
            },
            "spec": {
                "group": "metrics.k8s.io",
                "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
                "scope": scope,
                "versions": [{"name": "v1beta1", "served": True, "storage": True, "schema": schema}],
            },
        }


def samples(situation: Situation) -> Iterable[Object]:
    """What nodes and pods use, measured just now."""
    common = {"apiVersion": "metrics.k8s.io/v1beta1", "timestamp": _text(datetime.now(UTC)), "window": "15s"}
    for node, usage in situation.usage.items():
        yield {**common, "kind": "NodeMetrics", "metadata": {"name": node}, "usage": dict(usage)}
    for workload in (one for one in situation.pods if one.usage):
        for pod in pods_of(workload):
            meta = {"name": pod["metadata"]["name"], "namespace": workload.namespace}
            containers = [{"name": "main", "usage": dict(workload.usage)}]
            yield {**common, "kind": "PodMetrics", "metadata": meta, "containers": containers}


def taint(text: str) -> dict[str, str]:
    """A taint as people write it: ``key=value:Effect``."""
    what, _, effect = text.partition(":")
    key, _, value = what.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


def namespace(name: str) -> Object:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
