"""Objects of optional APIs: wire to model. All is kept but what their pod templates run with.

Templates hold environment variables and arguments, which are large and may be secret; no decision needs them.
"""

from __future__ import annotations

from typing import Any

from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.wire import CustomWire
from descheduler.model.bounds import DEPTH
from descheduler.model.fence import Unreadable, fenced
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


def recorded(value: Any) -> Any:
    """The same for a recording: of what is nested too deep no more than that it is."""
    return fenced(lambda: pruned(value), lambda _why: {"nested": _deep()})


def _deep() -> Any:
    found: Any = None
    for _ in range(DEPTH + 1):
        found = [found]
    return found


def pruned(value: Any, depth: int = 0) -> Any:
    """The value without the inner life of containers, at any depth up to `DEPTH`. Raises Unreadable beyond."""
    if depth > DEPTH:
        raise Unreadable("", f"it is nested more than {DEPTH} deep")
    if isinstance(value, dict):
        return {
            k: _containers(v, depth) if k in _CONTAINERS else pruned(v, depth + 1)
            for k, v in value.items()
            if k != "managedFields"
        }
    if isinstance(value, list):
        return [pruned(item, depth + 1) for item in value]
    return value


def _containers(value: Any, depth: int) -> Any:
    if not isinstance(value, list):
        return pruned(value, depth + 1)
    return [{k: pruned(c[k], depth + 2) for k in _KEPT if k in c} if isinstance(c, dict) else None for c in value]
