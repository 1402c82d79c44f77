"""Objects of optional APIs: wire to model, with the fields of their specs that something reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from descheduler.kube.convert.custom_fields import pruned
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.managed_fields import enforcers_of_replicas
from descheduler.kube.convert.wire import CustomWire, Object, RolloutWire
from descheduler.model.objects import CustomObject


def convert_custom(wire: CustomWire, intern: Interner, *, kind: str, api_version: str) -> CustomObject:
    """`kind` and `api_version` are those under which it was listed: items of built-in kinds do not carry them."""
    found = described(wire, intern, kind=kind, api_version=wire.api_version or api_version)
    return CustomObject(**found, spec=pruned(wire.spec or {}), status=pruned(wire.status or {}))


def described(wire: Object, intern: Interner, *, kind: str, api_version: str) -> dict[str, Any]:
    """The fields that every CustomObject has but for its spec and status, for classes that read these themselves."""
    meta = wire.metadata
    return {
        "api_version": api_version,
        "kind": kind,
        "namespace": intern.text(meta.namespace),
        "name": meta.name,
        "uid": meta.uid,
        "labels": intern.labels(meta.labels),
        "annotations": intern.annotations(meta.annotations),
        "owners": intern.owners(meta.owner_references),
        "generation": meta.generation,
        "deleting": meta.deletion_timestamp is not None,
        "created": meta.creation_timestamp.timestamp() if meta.creation_timestamp else 0.0,
    }


def convert_rollout(wire: RolloutWire, intern: Interner, *, kind: str, api_version: str) -> CustomObject:
    """An Argo Rollout, and who would set its replicas back."""
    enforcers = tuple(map(intern.text, enforcers_of_replicas(wire.metadata.managed_fields)))
    return replace(convert_custom(wire, intern, kind=kind, api_version=api_version), enforcers=enforcers)
