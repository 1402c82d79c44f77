"""What is kept of an optional API's object: all but what its pod templates run with.

Templates hold environment variables and arguments, which are large and may be secret; no decision needs them.
"""

from __future__ import annotations

from typing import Any

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_KEPT = ("name", "image", "resources", "restartPolicy")


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
