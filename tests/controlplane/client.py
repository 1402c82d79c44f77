"""A small API client for tests: plain dictionaries in and out, any kind that the server serves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import urllib3

from controlplane.kinds import Kind, Kinds, parse_discovery

Object = dict[str, Any]
T = TypeVar("T")

_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class ApiStatusError(Exception):
    """The API server refused a request.

    Attributes:
        code: HTTP status.
        reason: machine-readable reason of the Status object.
        causes: ``details.causes`` of the Status object; an eviction that a PodDisruptionBudget refuses has one whose
            reason is ``DisruptionBudget``.
    """

    def __init__(self, code: int, status: Mapping[str, Any], request: str) -> None:
        super().__init__(f"{request}: {code} {status.get('reason')}: {status.get('message')}")
        self.code = code
        self.reason = str(status.get("reason", ""))
        self.causes: list[dict[str, Any]] = (status.get("details") or {}).get("causes") or []


class ApiClient:
    """Talks to an API server as the bearer of one token."""

    def __init__(self, server: str, ca_file: Path, token: str) -> None:
        self.server = server
        self._pool = urllib3.PoolManager(
            ca_certs=str(ca_file), maxsize=16, retries=urllib3.Retry(connect=3, read=0, backoff_factor=0.1, redirect=0)
        )
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._kinds: Kinds | None = None

    def close(self) -> None:
        """Close its connections."""
        self._pool.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- requests ------------------------------------------------------------------------

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        """One request; the decoded answer.

        Raises:
            ApiStatusError: the answer is not a 2xx.
        """
        url = self.server + path + (f"?{urlencode(query)}" if query else "")
        headers = {**self._headers, "Accept": accept, "Content-Type": content_type}
        data = None if body is None else json.dumps(body).encode()
        response = self._pool.request(
            method, url, body=data, headers=headers, timeout=urllib3.Timeout(connect=2, read=30)
        )
        try:
            decoded: Object = json.loads(response.data) if response.data else {}
        except ValueError:
            decoded = {"reason": "NotJson", "message": response.data[:200].decode(errors="replace")}
        if not 200 <= response.status < 300:
            raise ApiStatusError(response.status, decoded, f"{method} {path}")
        return decoded

    def kinds(self, *, refresh: bool = False) -> Kinds:
        """What the server serves, by discovery."""
        if self._kinds is None or refresh:
            documents = [self.request("GET", path, accept=_DISCOVERY) for path in ("/api", "/apis")]
            self._kinds = Kinds(parse_discovery(documents))
        return self._kinds

    def kind(self, name: str, api_version: str | None = None) -> Kind:
        """Look a kind up, asking the server anew if it is not known yet (a definition may have been applied since)."""
        try:
            return self.kinds().find(name, api_version)
        except KeyError:
            return self.kinds(refresh=True).find(name, api_version)

    # -- reading -------------------------------------------------------------------------

    def get(self, kind: str, name: str, namespace: str = "default", *, api_version: str | None = None) -> Object:
        """One object."""
        return self.request("GET", self.kind(kind, api_version).path(namespace, name))

    def get_or_none(
        self, kind: str, name: str, namespace: str = "default", *, api_version: str | None = None
    ) -> Object | None:
        """One object, or None when there is none of that name."""
        try:
            return self.get(kind, name, namespace, api_version=api_version)
        except ApiStatusError as refused:
            if refused.code == 404:
                return None
            raise

    def list(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        field_selector: str = "",
        api_version: str | None = None,
    ) -> list[Object]:
        """All objects of a kind, of all namespaces unless one is named."""
        query = {k: v for k, v in (("labelSelector", label_selector), ("fieldSelector", field_selector)) if v}
        return list(self.request("GET", self.kind(kind, api_version).path(namespace), query=query)["items"] or ())

    # -- writing -------------------------------------------------------------------------

    def create(self, obj: Mapping[str, Any]) -> Object:
        """Create an object (into its namespace, or ``default``)."""
        kind = self.kind(obj["kind"], obj["apiVersion"])
        return self.request("POST", kind.path(_namespace(obj)), obj)

    def apply(self, obj: Mapping[str, Any]) -> Object:
        """Create or change an object by server-side apply, as ``kubectl apply --server-side --force-conflicts`` does.

        A ``status`` in it is written too, by a patch of the status subresource where the kind has one.
        """
        kind = self.kind(obj["kind"], obj["apiVersion"])
        meta = obj["metadata"]
        body = {k: v for k, v in obj.items() if k != "status" or not kind.has_status}
        query = {"fieldManager": "tests", "force": "true"}
        applied = self.request(
            "PATCH", kind.path(_namespace(obj), meta["name"]), body, query=query, content_type=_APPLY
        )
        if kind.has_status and obj.get("status"):
            path = kind.path(_namespace(obj), meta["name"]) + "/status"
            applied = self.request("PATCH", path, {"status": obj["status"]}, content_type=_MERGE)
        return applied

    def apply_all(self, objects: Iterable[Mapping[str, Any]], *, parallel: int = 8) -> Sequence[Object]:
        """Apply many objects, several at a time; they must not depend on one another."""
        with ThreadPoolExecutor(parallel) as pool:
            return tuple(pool.map(self.apply, objects))

    def patch(
        self,
        kind: str,
        name: str,
        change: Mapping[str, Any],
        namespace: str = "default",
        *,
        api_version: str | None = None,
    ) -> Object:
        """Merge-patch an object (RFC 7386: None removes a key, lists are replaced)."""
        return self.request("PATCH", self.kind(kind, api_version).path(namespace, name), change, content_type=_MERGE)

    def patch_status(
        self,
        kind: str,
        name: str,
        status: Mapping[str, Any],
        namespace: str = "default",
        *,
        api_version: str | None = None,
    ) -> Object:
        """Merge-patch the status of an object."""
        path = self.kind(kind, api_version).path(namespace, name) + "/status"
        return self.request("PATCH", path, {"status": status}, content_type=_MERGE)

    def delete(
        self,
        kind: str,
        name: str,
        namespace: str = "default",
        *,
        grace_period_seconds: int | None = None,
        api_version: str | None = None,
    ) -> None:
        """Delete an object; one that is not there is fine."""
        body: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if grace_period_seconds is not None:
            body["gracePeriodSeconds"] = grace_period_seconds
        try:
            self.request("DELETE", self.kind(kind, api_version).path(namespace, name), body)
        except ApiStatusError as refused:
            if refused.code != 404:
                raise

    def evict(self, name: str, namespace: str = "default", *, uid: str | None = None, dry_run: bool = False) -> Object:
        """Evict a pod through its eviction subresource (policy/v1).

        Raises:
            ApiStatusError: code 429 with the cause ``DisruptionBudget`` when a budget forbids it.
        """
        options: Object = {}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": options,
        }
        return self.request("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/eviction", eviction)

    def create_node(
        self,
        name: str,
        *,
        cpu: str | int = "8",
        memory: str = "32Gi",
        pods: int = 110,
        gpus: int = 0,
        gpu_resource: str = "nvidia.com/gpu",
        labels: Mapping[str, str] | None = None,
        taints: Sequence[Mapping[str, str]] = (),
        zone: str | None = None,
    ) -> Object:
        """Register a node as a kubelet does, with its capacity in its status; kwok makes it ready within a moment."""
        capacity = {"cpu": str(cpu), "memory": memory, "pods": str(pods), "ephemeral-storage": "100Gi"}
        if gpus:
            capacity[gpu_resource] = str(gpus)
        all_labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
        if zone is not None:
            all_labels["topology.kubernetes.io/zone"] = zone
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {**all_labels, **(labels or {})}},
            "spec": {"taints": [dict(taint) for taint in taints]},
            "status": {"capacity": capacity, "allocatable": capacity},
        }
        return self.create(node)

    # -- waiting -------------------------------------------------------------------------

    def wait_for(self, predicate: Callable[[], T], timeout: float = 30.0, *, what: str = "", every: float = 0.05) -> T:
        """Call ``predicate`` until it gives something true; that value.

        Raises:
            TimeoutError: it did not in time; ``what`` says what was waited for.
        """
        deadline = time.monotonic() + timeout
        while not (value := predicate()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout:.0f} s in vain for {what or predicate}")
            time.sleep(every)
        return value

    def wait_for_nodes(self, *names: str, timeout: float = 30.0) -> None:
        """Wait until nodes (all there are unless named) are ready and free of the not-ready taint."""

        def ready() -> bool:
            nodes = {n["metadata"]["name"]: n for n in self.list("Node")}
            return all(name in nodes and _node_ready(nodes[name]) for name in names or nodes)

        self.wait_for(ready, timeout, what=f"ready nodes {', '.join(names)}")

    def wait_for_pods(
        self, count: int, namespace: str = "default", *, label_selector: str = "", timeout: float = 30.0
    ) -> Sequence[Object]:
        """Wait until exactly ``count`` pods are there, all of them ready and none being deleted; the pods."""

        def ready() -> list[Object]:
            pods = self.list("Pod", namespace, label_selector=label_selector)
            return pods if len(pods) == count and all(pod_ready(p) for p in pods) else []

        return self.wait_for(ready, timeout, what=f"{count} ready pods in {namespace} ({label_selector or 'any'})")


def condition(obj: Mapping[str, Any], kind: str) -> str | None:
    """Status of a condition of an object: "True", "False", "Unknown", or None when it has none of that type."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    return next((str(c["status"]) for c in conditions if c["type"] == kind), None)


def pod_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a pod is ready and not being deleted."""
    return condition(pod, "Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _node_ready(node: Mapping[str, Any]) -> bool:
    taints = {taint["key"] for taint in node["spec"].get("taints", ())}
    return condition(node, "Ready") == "True" and "node.kubernetes.io/not-ready" not in taints


def _namespace(obj: Mapping[str, Any]) -> str:
    return str(obj["metadata"].get("namespace") or "default")
