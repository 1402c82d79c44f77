"""Reading the schemaless `spec` of optional kinds without trusting it."""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.model.bounds import INT32, integer_of
from descheduler.model.fence import Unreadable
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
    """A whole number, else None; true and false are none. Raises Unreadable for one that no count of pods can be."""
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, float) and value.is_integer())):
        return None
    return counted(int(value))


def count(text: str | None) -> int | None:
    """A label's or annotation's text as a whole number of at least 0, else None. Raises as `integer` does."""
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    found = integer_of(text)
    if found is None:
        raise Unreadable("", f"{len(text)} digits are no number of pods")
    return counted(found)


def counted(number: int) -> int:
    """The number. Raises Unreadable when it is beyond what the API's types for numbers of pods hold."""
    if abs(number) > INT32:
        raise Unreadable("", "a number of pods is beyond 32 bits")
    return number


def positive(of: CustomObject, *path: str) -> int | Blocked:
    """A number of at least 1 in a gang's spec; anything else makes the gang ambiguous."""
    value = integer(child(of.spec, *path))
    if value is not None and value >= 1:
        return value
    return ambiguous(of, f"{'.'.join(path)} is {child(of.spec, *path)!r}, not a number of at least 1")


def ambiguous(of: CustomObject, detail: str) -> Blocked:
    return Blocked(Reason.GANG_AMBIGUOUS, f"{of.kind}.{of.group}/{of.namespace}/{of.name}", detail)
