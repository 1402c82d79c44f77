"""The few API objects that are written, and what is read back to write them safely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec

from descheduler.model.errors import BadAnswer

W = TypeVar("W", bound="Wire")


class Wire(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Base: unknown fields are ignored when read, defaults left out when written."""


class Meta(Wire, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Stub(Wire, frozen=True):
    """Any object, as far as its identity goes."""

    metadata: Meta = Meta()


class Preconditions(Wire, frozen=True):
    uid: str


class DeleteOptions(Wire, frozen=True):
    preconditions: Preconditions
    dry_run: tuple[str, ...] = ()
    grace_period_seconds: int | None = None


class Eviction(Wire, frozen=True):
    """policy/v1 Eviction (k8s.io/api/policy/v1/types.go)."""

    metadata: Meta
    delete_options: DeleteOptions


class LeaseSpec(Wire, frozen=True):
    """coordination.k8s.io/v1 LeaseSpec; times are RFC 3339 with microseconds."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Wire, frozen=True):
    metadata: Meta = Meta()
    spec: LeaseSpec = LeaseSpec()


class ConfigMap(Wire, frozen=True):
    metadata: Meta = Meta()
    data: dict[str, str] | None = None
    binary_data: dict[str, bytes] | None = None  # msgspec reads and writes bytes as base64, as the API does


class NodeTaint(Wire, frozen=True):
    """What tells taints apart: a node has one of each key and effect (kubernetes pkg/apis/core/validation)."""

    key: str
    effect: str


class NodeSpec(Wire, frozen=True):
    taints: tuple[msgspec.Raw, ...] | None = None  # as they are, for they are written back
    unschedulable: bool = False


class NodeState(Wire, frozen=True):
    metadata: Meta = Meta()
    spec: NodeSpec = NodeSpec()


class ObjectReference(Wire, frozen=True):
    kind: str
    name: str
    namespace: str = ""
    uid: str = ""
    api_version: str = ""


class Event(Wire, frozen=True):
    """events.k8s.io/v1 Event (k8s.io/api/events/v1/types.go); `note` at most 1,024 bytes."""

    metadata: Meta
    event_time: str
    reporting_controller: str
    reporting_instance: str
    action: str
    reason: str
    type: str
    note: str
    regarding: ObjectReference


def encode(api_version: str, obj: Wire) -> bytes:
    """The object's JSON; its kind is the name of its class."""
    fields = msgspec.to_builtins(obj, str_keys=True)
    return msgspec.json.encode({"apiVersion": api_version, "kind": type(obj).__name__, **fields})


def taints_patch(resource_version: str, taints: Sequence[msgspec.Raw]) -> bytes:
    """A JSON merge patch (RFC 7386) that replaces a node's taints in that version; nothing else of it is touched."""
    return msgspec.json.encode({"metadata": {"resourceVersion": resource_version}, "spec": {"taints": taints or None}})


def cordon_patch(resource_version: str, annotation: str, *, cordoned: bool) -> bytes:
    """The same that cordons a node in that version, with an annotation that tells who did; or undoes both."""
    marked = {annotation: "true" if cordoned else None}
    metadata = {"resourceVersion": resource_version, "annotations": marked}
    return msgspec.json.encode({"metadata": metadata, "spec": {"unschedulable": True if cordoned else None}})


def annotations_patch(uid: str, annotations: Mapping[str, str | None]) -> bytes:
    """A JSON merge patch (RFC 7386) of the annotations of the object of that uid; nothing else of it is touched."""
    return msgspec.json.encode({"metadata": {"uid": uid, "annotations": dict(annotations)}})


def scale_patch(uid: str, before: int, after: int) -> bytes:
    """A JSON patch (RFC 6902) of a Scale, which fails where it is of another object or has another number by now."""
    replicas = "/spec/replicas"
    steps = [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "test", "path": replicas, "value": before},
        {"op": "replace", "path": replicas, "value": after},
    ]
    return msgspec.json.encode(steps)


def read_taint(raw: msgspec.Raw) -> NodeTaint:
    """Raises BadAnswer."""
    return decode(bytes(raw), NodeTaint)


def encode_taint(taint: NodeTaint) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(taint))


def decode(body: bytes, kind: type[W]) -> W:
    """Raises BadAnswer when the body is not such an object."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as e:
        raise BadAnswer(f"an answer that is no {kind.__name__}: {e}") from e
