"""Objects of optional APIs: wire to model. All is kept but what their pod templates run with.

Templates hold environment variables and arguments, which are large and may be secret; no decision needs them.
"""

from __future__ import annotations

from typing import Any

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.wire import CustomWire
from descheduler.model.objects import CustomObject

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_KEPT = ("name", "image", "resources", "restartPolicy")


def convert_custom(wire: CustomWire, intern: Interner, *, kind: str, api_version: str) -> CustomObject:
    """`kind` and `api_version` are those under which it was listed: items of built-in kinds do not carry them."""
    meta = wire.metadata
    return CustomObject(
        api_version=wire.api_version or api_version,
        kind=kind,
        namespace=intern.text(meta.namespace),
        name=meta.name,
        uid=meta.uid,
        labels=intern.labels(meta.labels),
        annotations=intern.annotations(meta.annotations),
        owners=intern.owners(meta.owner_references),
        generation=meta.generation,
        spec=pruned(wire.spec or {}),
        status=pruned(wire.status or {}),
        deleting=meta.deletion_timestamp is not None,
        created=meta.creation_timestamp.timestamp() if meta.creation_timestamp else 0.0,
    )


def pruned(value: Any) -> Any:
    """The value without the inner life of containers, at any depth."""
    if isinstance(value, dict):
        return {k: _containers(v) if k in _CONTAINERS else pruned(v) for k, v in value.items() if k != "managedFields"}
    if isinstance(value, list):
        return [pruned(item) for item in value]
    return value


def _containers(value: Any) -> Any:
    if not isinstance(value, list):
        return pruned(value)
    return [{k: c[k] for k in _KEPT if k in c} if isinstance(c, dict) else c for c in value]
