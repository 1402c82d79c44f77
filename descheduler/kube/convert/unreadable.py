"""The path of the field that makes no sense, and what a pod asks for of which that is not known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from descheduler.model.fence import Unreadable
from descheduler.model.pods import PodSpec

UNREADABLE_SPEC = PodSpec(requests=(("pods", 1),), local_storage=True)


@contextmanager
def under(field: str) -> Iterator[None]:
    """Put `field` in front of the path of an Unreadable that passes."""
    try:
        yield
    except Unreadable as e:
        raise Unreadable(f"{field}.{e.field}" if e.field else field, e.why) from e
