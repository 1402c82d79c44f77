"""The only place that writes to a cluster. Every write is fenced: a replica that may have been deposed sends nothing.

The fence holds for the instant of the check, the write arrives later. So every write also carries a server-side time
limit (the `timeout` parameter that the API server puts on any request that does not watch) shorter than what is left
between the renew deadline and the end of the lease: a write that is held up on its way dies before another can lead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from descheduler.apiwrite.transport import Leadership, Transport
from descheduler.apiwrite.wire import (
    ConfigMap,
    DeleteOptions,
    Event,
    Eviction,
    Lease,
    Meta,
    NodeState,
    ObjectReference,
    Preconditions,
    Stub,
    annotations_patch,
    cordon_patch,
    decode,
    encode,
    scale_patch,
    taints_patch,
)
from descheduler.model.errors import ClusterError, Conflict, NotFound

#: Seconds a write may take: LeaseDuration (15 s) less RenewDeadline (10 s), less one for clocks and the way there.
WRITE_SECONDS = 4
COMPONENT = "descheduler"
MANAGED_BY = "app.kubernetes.io/managed-by"  # label of objects of ours, whose value is the component
NAMESPACE = "descheduler"  # of our own objects, where nobody says another
_JSON = "application/json"
_MERGE_PATCH = "application/merge-patch+json"
_JSON_PATCH = "application/json-patch+json"
_TEST_FAILED = 422  # apiserver pkg/endpoints/handlers/patch.go: a JSON patch whose test fails is Invalid
_NOTE_BYTES = 1024  # events.k8s.io/v1 validation
PAGE = "rebalance.descheduler.dev/page"  # annotation of an event: where people read more
_NAME_LENGTH = 253 - 17  # what a name leaves for ".<16 hex digits>"


@dataclass(frozen=True, slots=True)
class Happening:
    """An event about a pod. `action` is what was done or tried ("Evict"), `reason` why (a strategy, or a Reason)."""

    namespace: str
    pod: str
    uid: str
    action: str
    reason: str
    note: str
    warning: bool = False
    page: str = ""  # where people read more


class ClusterWriter:
    """All writes but those of the Lease by which leadership is won (see `LeaseWriter`).

    Every method raises LeadershipLost, with nothing sent, when the fence is closed, and ClusterError's kinds.
    """

    def __init__(self, transport: Transport, leadership: Leadership, instance: str = COMPONENT) -> None:
        self.transport = transport
        self._leadership = leadership
        self._instance = instance

    def evict(self, namespace: str, pod: str, uid: str, *, grace: int | None = None, dry_run: bool = False) -> bytes:
        """Ask the Eviction API to evict exactly this pod, not a successor of its name; the body of the answer.

        `grace`: the seconds that it gets to end, None: its own.
        `dry_run`: the server goes through admission and budgets and leaves the pod alone.
        """
        eviction = Eviction(
            metadata=Meta(name=pod, namespace=namespace),
            delete_options=DeleteOptions(Preconditions(uid), ("All",) if dry_run else (), grace),
        )
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        return self._send("POST", path, encode("policy/v1", eviction), {"dryRun": "All"} if dry_run else {})

    def event(self, happening: Happening, *, now: float, suffix: int) -> None:
        """Create an event; `suffix` (64 bits) makes its name unique."""
        at = happening
        event = Event(
            metadata=Meta(
                name=f"{at.pod[:_NAME_LENGTH]}.{suffix:016x}",
                namespace=at.namespace,
                annotations={PAGE: at.page} if at.page else None,
            ),
            event_time=micro_time(now),
            reporting_controller=COMPONENT,
            reporting_instance=self._instance[:128],
            action=at.action,
            reason=at.reason,
            type="Warning" if at.warning else "Normal",
            note=at.note.encode()[:_NOTE_BYTES].decode(errors="ignore"),
            regarding=ObjectReference("Pod", at.pod, at.namespace, at.uid, "v1"),
        )
        self._send(
            "POST", f"/apis/events.k8s.io/v1/namespaces/{at.namespace}/events", encode("events.k8s.io/v1", event)
        )

    def save(self, config_map: ConfigMap) -> ConfigMap:
        """Create the ConfigMap when it has no resourceVersion, else replace exactly that version.

        Raises Conflict when somebody else wrote (or created) it meanwhile.
        """
        at = config_map.metadata
        path, body = f"/api/v1/namespaces/{at.namespace}/configmaps", encode("v1", config_map)
        if at.resource_version:
            return decode(self._send("PUT", f"{path}/{at.name}", body), ConfigMap)
        return decode(self._send("POST", path, body), ConfigMap)

    def taint(self, node: Meta, taints: Sequence[msgspec.Raw]) -> None:
        """Give the node these taints and no others, in exactly the version that was read.

        Raises Conflict when somebody else wrote it meanwhile.
        """
        body = taints_patch(node.resource_version, taints)
        self._send("PATCH", f"/api/v1/nodes/{node.name}", body, content_type=_MERGE_PATCH)

    def cordon(self, node: Meta, annotation: str, *, cordoned: bool) -> None:
        """Cordon the node and annotate it, or undo both, in exactly the version that was read.

        Raises Conflict when somebody else wrote it meanwhile.
        """
        body = cordon_patch(node.resource_version, annotation, cordoned=cordoned)
        self._send("PATCH", f"/api/v1/nodes/{node.name}", body, content_type=_MERGE_PATCH)

    def create(self, collection: str, body: bytes) -> bytes:
        """Create an object in a collection (its path). Raises Conflict when the name is taken."""
        return self._send("POST", collection, body)

    def try_to_create(self, collection: str, body: bytes) -> bytes:
        """The object as the server would create it, after all of admission; nothing is created."""
        return self._send("POST", collection, body, {"dryRun": "All"})

    def replace(self, path: str, body: bytes) -> bytes:
        """Replace an object, or one of its subresources, in the version that `body` names.

        Raises Conflict when somebody else wrote it meanwhile.
        """
        return self._send("PUT", path, body)

    def patch(self, path: str, body: bytes) -> bytes:
        """A JSON merge patch (RFC 7386) of an object, in the version that `body` names; the object as it is then.

        Raises Conflict when somebody else wrote it meanwhile.
        """
        return self._send("PATCH", path, body, content_type=_MERGE_PATCH)

    def annotate(self, namespace: str, pod: str, uid: str, annotations: Mapping[str, str | None]) -> bytes:
        """Set annotations of exactly this pod; those that are None are taken away. Raises Conflict when it is another
        pod by now."""
        body = annotations_patch(uid, annotations)
        return self._send("PATCH", f"/api/v1/namespaces/{namespace}/pods/{pod}", body, content_type=_MERGE_PATCH)

    def scale(self, path: str, uid: str, before: int, after: int, *, dry_run: bool = False) -> None:
        """Change the replicas of exactly this object (its path) from `before` to `after`, whatever else of it changes.

        Raises Conflict when they are not `before` any more. `dry_run`: the server only says whether it would.
        """
        query = {"dryRun": "All"} if dry_run else {}
        try:
            self._send("PATCH", f"{path}/scale", scale_patch(uid, before, after), query, _JSON_PATCH)
        except ClusterError as error:
            if error.status == _TEST_FAILED:
                raise Conflict(str(error)) from error
            raise

    def delete(self, path: str, uid: str) -> bytes:
        """Delete exactly this object, not a successor of its name."""
        return self._send("DELETE", path, encode("v1", DeleteOptions(Preconditions(uid))))

    def _send(
        self, method: str, path: str, body: bytes, query: Mapping[str, str] | None = None, content_type: str = _JSON
    ) -> bytes:
        self._leadership.check()
        return _write(self.transport, method, path, body, query or {}, content_type)


class LeaseWriter:
    """The writes by which leadership is won, kept and given up; not fenced, for they are what the fence rests on.

    The API server's optimistic concurrency (resourceVersion) lets one of two rivals through.
    """

    def __init__(self, transport: Transport, namespace: str, name: str) -> None:
        self._transport = transport
        self._folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._path = f"{self._folder}/{name}"
        self.meta = Meta(name=name, namespace=namespace)

    def read(self) -> Lease | None:
        """The Lease as it is, None when there is none."""
        try:
            return decode(self._transport.request("GET", self._path, timeout=WRITE_SECONDS), Lease)
        except NotFound:
            return None

    def write(self, lease: Lease) -> Lease:
        """Create it or replace the version that was read. Raises Conflict when a rival was first."""
        body = encode("coordination.k8s.io/v1", lease)
        if lease.metadata.resource_version:
            return decode(_write(self._transport, "PUT", self._path, body, {}), Lease)
        return decode(_write(self._transport, "POST", self._folder, body, {}), Lease)


def read_config_map(transport: Transport, namespace: str, name: str) -> ConfigMap | None:
    """The ConfigMap as it is, None when there is none."""
    try:
        return decode(transport.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}"), ConfigMap)
    except NotFound:
        return None


def read_pod(transport: Transport, namespace: str, pod: str) -> Meta | None:
    """Identity of the pod that has this name now, None when there is none."""
    try:
        return decode(transport.request("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}"), Stub).metadata
    except NotFound:
        return None


def read_node(transport: Transport, name: str) -> NodeState | None:
    """The node as it is, as far as its taints and its cordon go; None when there is none."""
    try:
        return decode(transport.request("GET", f"/api/v1/nodes/{name}"), NodeState)
    except NotFound:
        return None


def micro_time(unix: float) -> str:
    """metav1.MicroTime: RFC 3339 with six decimals, in UTC."""
    return datetime.fromtimestamp(unix, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _write(
    transport: Transport, method: str, path: str, body: bytes, query: Mapping[str, str], content_type: str = _JSON
) -> bytes:
    limit = {"timeout": f"{WRITE_SECONDS}s"}
    query = {**query, **limit}
    return transport.request(method, path, body, query=query, content_type=content_type, timeout=WRITE_SECONDS + 1)
