"""A loopback API server that holds nothing: it makes realistic pods (about 10 kB each) page by page, as asked for.

Pages follow `limit` and `continue` like the real one's. Ten replicas share a workload, so that N pods have N / 10
label sets. The mix: web servers, half of them with a sidecar; batch jobs; one pod in seven of a DaemonSet, one in
thirteen with a GPU.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

REPLICAS = 10
PODS_PER_NODE = 30
_TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"
_SHAPES = (
    "web",
    "web-sidecar",
    "batch",
    "web",
    "daemon",
    "batch",
    "web-sidecar",
    "gpu",
    "web",
    "web-sidecar",
    "batch",
    "web",
    "daemon",
)


def serve(pods: int) -> None:
    """Serve `pods` pods on a free port, which is printed as the first line of standard output."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(url.query).items()}
            body = b"".join(_answer(url.path, query, pods))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def _answer(path: str, query: dict[str, str], pods: int) -> Iterator[bytes]:
    if path == "/apis":
        yield b'{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[]}'
        return
    makers = {
        "/api/v1/pods": (pods, _pods),
        "/api/v1/nodes": (max(1, pods // PODS_PER_NODE), _nodes),
        "/apis/apps/v1/replicasets": (pods // REPLICAS, _replica_sets),
        "/api/v1/namespaces": (50, _namespaces),
    }
    total, maker = makers.get(path, (0, _namespaces))
    start = int(query.get("continue", "0"))
    end = min(total, start + int(query.get("limit", total)))
    token = f',"continue":"{end}","remainingItemCount":{total - end}' if end < total else ""
    yield b'{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"1000"%s},"items":[' % token.encode()
    yield b",".join(maker(start, end, pods))
    yield b"]}"


def _pods(start: int, end: int, pods: int) -> Iterator[bytes]:
    nodes = max(1, pods // PODS_PER_NODE)
    for i in range(start, end):
        workload = i // REPLICAS
        shape = _SHAPES[workload % len(_SHAPES)]
        template = _template(shape)
        values = {
            b"POD": b"%05x" % i,
            b"UID": b"%08x-7a1b-4c2d-9e3f-%012x" % (i * 2654435761 % 2**32, i),
            b"NODE": b"node-%05d" % (i * 7919 % nodes),
            b"RV": b"%d" % (100_000 + i),
            b"NAME": b"%s-%05d" % (shape.encode(), workload),
            b"TEAM": b"team-%02d" % (workload % 50),
            b"PRODUCT": b"product-%d" % (workload % 200),
            b"VERSION": b"1.%d.%d" % (workload % 40, workload % 7),
            b"HASH": b"%08x" % (workload * 40503 % 2**32),
            b"OWNER": b"%08x-0000-4000-8000-000000000000" % workload,
            b"CPU": b"%dm" % (100 + workload % 20 * 50),
            b"MEMORY": b"%dMi" % (256 + workload % 8 * 128),
        }
        parts = list(template)
        parts[1::2] = [values[field] for field in template[1::2]]
        yield b"".join(parts)


@lru_cache
def _template(shape: str) -> list[bytes]:
    """A pod of that shape, cut at what differs between pods: text, field, text, field, ..., text."""
    return json.dumps(_pod(shape), separators=(",", ":")).encode().split(b"@@")


def _pod(shape: str) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/name": "@@NAME@@",
        "app.kubernetes.io/part-of": "@@PRODUCT@@",
        "app.kubernetes.io/version": "@@VERSION@@",
        "pod-template-hash": "@@HASH@@",
        "team": "@@TEAM@@",
    }
    annotations = {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "9090",
        "checksum/config": "@@HASH@@" * 8,
        "cni.projectcalico.org/podIP": "10.1.2.3/32",
    }
    owner = {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet" if shape == "daemon" else "ReplicaSet",
        "name": "@@NAME@@",
        "uid": "@@OWNER@@",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    spec = _spec(shape)
    return {
        "metadata": {
            "name": "@@NAME@@-@@POD@@",
            "generateName": "@@NAME@@-",
            "namespace": "@@TEAM@@",
            "uid": "@@UID@@",
            "resourceVersion": "@@RV@@",
            "creationTimestamp": "2025-10-01T08:00:00Z",
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [owner],
            "managedFields": _managed_fields(),
        },
        "spec": spec,
        "status": _status(spec),
    }


def _spec(shape: str) -> dict[str, Any]:
    containers = [_container("app", "@@CPU@@", "@@MEMORY@@", env=40)]
    if shape == "web-sidecar":
        containers.append(_container("proxy", "50m", "64Mi", env=12))
    if shape == "gpu":
        containers[0]["resources"] = {
            k: {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "1"} for k in ("requests", "limits")
        }
    spec: dict[str, Any] = {
        "volumes": [
            {"name": "config", "configMap": {"name": "config", "defaultMode": 420}},
            {
                "name": "kube-api-access-@@POD@@",
                "projected": {
                    "sources": [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}],
                    "defaultMode": 420,
                },
            },
        ],
        "containers": containers,
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "serviceAccountName": "default",
        "nodeName": "@@NODE@@",
        "securityContext": {},
        "schedulerName": "default-scheduler",
        "priority": 0,
        "enableServiceLinks": True,
        "preemptionPolicy": "PreemptLowerPriority",
        "tolerations": [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("not-ready", "unreachable")
        ],
    }
    if shape == "daemon":
        term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["@@NODE@@"]}]}
        spec["affinity"] = {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
        }
    elif shape.startswith("web"):
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "@@NAME@@"}},
            }
        ]
    return spec


def _container(name: str, cpu: str, memory: str, env: int) -> dict[str, Any]:
    return {
        "name": name,
        "image": f"registry.example.com/team/{name}:1.2.3",
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
        "env": [{"name": f"SETTING_{i:02d}", "value": f"value-of-setting-{i:02d}"} for i in range(env)],
        "resources": {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}},
        "volumeMounts": [
            {"name": "config", "mountPath": "/etc/config"},
            {
                "name": "kube-api-access-@@POD@@",
                "readOnly": True,
                "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
            },
        ],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
            "timeoutSeconds": 1,
            "periodSeconds": 10,
        },
        "terminationMessagePath": "/dev/termination-log",
        "imagePullPolicy": "IfNotPresent",
    }


def _status(spec: dict[str, Any]) -> dict[str, Any]:
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "phase": "Running",
        "conditions": [
            {"type": t, "status": "True", "lastProbeTime": None, "lastTransitionTime": "2025-10-01T08:00:05Z"}
            for t in conditions
        ],
        "hostIP": "10.0.0.1",
        "podIP": "10.1.2.3",
        "podIPs": [{"ip": "10.1.2.3"}],
        "startTime": "2025-10-01T08:00:01Z",
        "containerStatuses": [
            {
                "name": c["name"],
                "state": {"running": {"startedAt": "2025-10-01T08:00:04Z"}},
                "lastState": {},
                "ready": True,
                "restartCount": 0,
                "image": c["image"],
                "imageID": f"registry.example.com/team/app@sha256:{0:064x}",
                "containerID": "containerd://" + "0" * 64,
                "started": True,
                "allocatedResources": c["resources"]["requests"],
                "resources": c["resources"],
            }
            for c in spec["containers"]
        ],
        "qosClass": "Burstable",
    }


def _managed_fields() -> list[dict[str, Any]]:
    env: dict[str, Any] = {f'k:{{"name":"SETTING_{i:02d}"}}': {".": {}, "f:name": {}, "f:value": {}} for i in range(40)}
    names = ("image", "imagePullPolicy", "livenessProbe", "name", "resources", "terminationMessagePath", "volumeMounts")
    container = {".": {}, "f:env": {".": {}, **env}, **{f"f:{n}": {} for n in names}}
    spec = {"f:containers": {'k:{"name":"app"}': container}, "f:restartPolicy": {}, "f:schedulerName": {}}
    status: dict[str, Any] = {
        "f:conditions": {
            f'k:{{"type":"{t}"}}': {".": {}, "f:status": {}, "f:type": {}} for t in ("Ready", "Initialized")
        }
    }
    return [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": "v1",
            "time": "2025-10-01T08:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": fields,
        }
        for manager, fields in (("kube-controller-manager", {"f:spec": spec}), ("kubelet", {"f:status": status}))
    ]


def _nodes(start: int, end: int, _pods: int) -> Iterator[bytes]:
    for i in range(start, end):
        amounts = {"cpu": "64", "memory": "256Gi", "pods": "110", "nvidia.com/gpu": "8"}
        node = {
            "metadata": {
                "name": f"node-{i:05d}",
                "uid": f"node-uid-{i}",
                "labels": {"kubernetes.io/hostname": f"node-{i:05d}", "topology.kubernetes.io/zone": f"zone-{i % 3}"},
            },
            "spec": {},
            "status": {
                "allocatable": amounts,
                "capacity": amounts,
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        yield json.dumps(node).encode()


def _replica_sets(start: int, end: int, _pods: int) -> Iterator[bytes]:
    managed = json.dumps(_managed_fields()).encode()
    for i in range(start, end):
        name = b"%s-%05d" % (_SHAPES[i % len(_SHAPES)].encode(), i)
        labels = b'{"app.kubernetes.io/name":"%s"}' % name
        yield (
            b'{"metadata":{"name":"%s","namespace":"team-%02d","uid":"%08x-0000-4000-8000-000000000000",'
            b'"labels":%s,"managedFields":%s},"spec":{"replicas":%d,"selector":{"matchLabels":%s}},'
            b'"status":{"replicas":%d,"readyReplicas":%d}}'
        ) % (name, i % 50, i, labels, managed, REPLICAS, labels, REPLICAS, REPLICAS)


def _namespaces(start: int, end: int, _pods: int) -> Iterator[bytes]:
    for i in range(start, end):
        yield json.dumps({"metadata": {"name": f"team-{i:02d}", "uid": f"namespace-{i}"}}).encode()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
