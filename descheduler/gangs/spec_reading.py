"""Reading the schemaless `spec` of optional kinds without trusting it."""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.model.objects import CustomObject, Json
from descheduler.model.reasons import Blocked, Reason


def child(of: Json | Mapping[str, Json], *path: str) -> Json:
    """The value at a path of keys, None when any part of it is missing or no mapping."""
    value: Json | Mapping[str, Json] = of
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value if not isinstance(value, Mapping) else dict(value)


def children(of: Json | Mapping[str, Json], *path: str) -> list[Json]:
    """The list at a path, empty when there is none."""
    value = child(of, *path)
    return value if isinstance(value, list) else []


def integer(value: Json) -> int | None:
    """A whole number, else None; true and false are none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) else None


def count(text: str | None) -> int | None:
    """A label's or annotation's text as a whole number of at least 0, else None."""
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def positive(of: CustomObject, *path: str) -> int | Blocked:
    """A number of at least 1 in a gang's spec; anything else makes the gang ambiguous."""
    value = integer(child(of.spec, *path))
    if value is not None and value >= 1:
        return value
    return ambiguous(of, f"{'.'.join(path)} is {child(of.spec, *path)!r}, not a number of at least 1")


def ambiguous(of: CustomObject, detail: str) -> Blocked:
    return Blocked(Reason.GANG_AMBIGUOUS, f"{of.kind}.{of.group}/{of.namespace}/{of.name}", detail)
