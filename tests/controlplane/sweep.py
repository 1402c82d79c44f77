"""Putting a cluster back to what it was when it started, quickly, so that tests can share one."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from controlplane.client import ApiClient, ApiStatusError
from controlplane.kinds import Kind

_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
# Definitions stay (making a kind known again takes a second); controllers see to the rest.
_KEPT: Final = frozenset({"CustomResourceDefinition", "APIService", "ComponentStatus", "EndpointSlice", "IPAddress"})
# Owners first, so that nothing is made again; pods after them; their ground last.
_ORDER: Final = {"Pod": 1, "Node": 2, "Namespace": 3}


# The cluster's own events outnumber all else, and no test asks for none of them; those of other reporters go.
_REPORTERS: Final = (
    "default-scheduler",
    "kwok_controller",
    "node-controller",
    *(
        f"{kind}-controller"
        for kind in ("cronjob", "daemonset", "deployment", "job", "replicaset", "statefulset", "taint-eviction")
    ),
    "controllermanager",
)
_NOT_OF_THE_CLUSTER: Final = ",".join(f"reportingComponent!={reporter}" for reporter in _REPORTERS)
_IN_EVERY_NAMESPACE: Final = frozenset({("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")})


@dataclass(frozen=True, slots=True)
class _Found:
    kind: Kind
    namespace: str | None
    name: str
    uid: str
    finalizers: bool
    terminating: bool


class Sweeper:
    """Remembers what is there when it is made; ``sweep`` deletes everything else."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._baseline = {found.uid for found in self._everything()}

    def sweep(self, timeout: float = 30.0, *, keep_namespaces: bool = False) -> None:
        """Delete all that is new, finalizers or not, and wait until it is gone.

        Namespaces that will be made again at once are better kept: their controller may still be at emptying the old
        ones, and takes what is in the new ones too.

        Raises:
            TimeoutError: something stays; the message names it.
        """
        self._client.kinds(refresh=True)
        deadline = time.monotonic() + timeout
        while left := [found for found in self._new() if not (keep_namespaces and found.kind.name == "Namespace")]:
            if time.monotonic() > deadline:
                names = ", ".join(f"{f.kind.name} {f.namespace or ''}/{f.name}" for f in left[:5])
                raise TimeoutError(f"{len(left)} objects stay after {timeout:.0f} s: {names}")
            self._delete(left)
            time.sleep(0.05)

    def _new(self) -> list[_Found]:
        return [found for found in self._everything() if found.uid not in self._baseline]

    def _delete(self, left: list[_Found]) -> None:
        by_turn: dict[int, list[_Found]] = {}
        occupied = {found.namespace for found in left}
        for found in left:
            if found.kind.name != "Namespace" or not found.terminating:
                by_turn.setdefault(_ORDER.get(found.kind.name, 0), []).append(found)
            elif found.name not in occupied:
                self._finish_namespace(found.name)
        with ThreadPoolExecutor(8) as pool:
            for _, turn in sorted(by_turn.items()):
                list(pool.map(self._delete_one, turn))

    def _delete_one(self, found: _Found) -> None:
        path = found.kind.path(found.namespace, found.name)
        options = {"gracePeriodSeconds": 0, "propagationPolicy": "Background", "preconditions": {"uid": found.uid}}
        try:
            if found.finalizers and found.kind.name != "Namespace":
                change = {"metadata": {"finalizers": None, "uid": found.uid}}
                self._client.request("PATCH", path, change, content_type="application/merge-patch+json")
            if not found.terminating or found.kind.name == "Pod":
                self._client.request("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
        except ApiStatusError as refused:
            if refused.code not in (404, 409):  # gone, or another of its name by now
                raise

    def _finish_namespace(self, name: str) -> None:
        """Let an emptied namespace go now; its controller would first wait 5 s."""
        try:
            for kind, kept in _IN_EVERY_NAMESPACE:
                self._client.delete(kind, kept, name)
            namespace = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name},
                "spec": {"finalizers": []},
            }
            self._client.request("PUT", f"/api/v1/namespaces/{name}/finalize", namespace)
        except ApiStatusError as refused:
            if refused.code not in (404, 409):
                raise

    def _everything(self) -> list[_Found]:
        kinds = [k for k in self._client.kinds().preferred() if {"list", "delete"} <= k.verbs and k.name not in _KEPT]
        with ThreadPoolExecutor(8) as pool:
            return [found for page in pool.map(self._of_kind, kinds) for found in page]

    def _of_kind(self, kind: Kind) -> list[_Found]:
        if kind.name == "Event" and kind.group:
            return []  # the core group serves the same objects
        query = {"fieldSelector": _NOT_OF_THE_CLUSTER} if kind.name == "Event" else {}
        try:
            answer = self._client.request("GET", kind.path(None), query=query, accept=_METADATA_ONLY)
        except ApiStatusError as refused:
            if refused.code == 404:  # a definition that has just been deleted
                return []
            raise
        metas = [item["metadata"] for item in answer["items"] or ()]
        return [_found(kind, meta) for meta in metas if not _kept_by_controllers(kind, meta)]


def _found(kind: Kind, meta: dict[str, object]) -> _Found:
    namespace = meta.get("namespace")
    return _Found(
        kind=kind,
        namespace=None if namespace is None else str(namespace),
        name=str(meta["name"]),
        uid=str(meta["uid"]),
        finalizers=bool(meta.get("finalizers")),
        terminating="deletionTimestamp" in meta,
    )


def _kept_by_controllers(kind: Kind, meta: dict[str, object]) -> bool:
    """Whether a controller makes this object in each namespace (it goes with its namespace) or is alive by it."""
    if kind.name == "Lease":
        return str(meta.get("namespace", "")).startswith("kube-")
    return (kind.name, meta["name"]) in _IN_EVERY_NAMESPACE
