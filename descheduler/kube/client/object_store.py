"""The converted objects of one kind, by name, and the problems of those that could not be read."""

from __future__ import annotations

from descheduler.kube.convert.decoding import Codec, Items
from descheduler.kube.convert.stand_ins import Broken
from descheduler.kube.convert.wire import Object


class ObjectStore:
    """Filled page by page, then kept current object by object. Not locked: its owner is one thread at a time."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.objects: dict[str, object] = {}
        self.problems: dict[str, str] = {}

    def page(self, items: Items) -> None:
        for found in items.good:
            self.put(found)
        for broken in items.broken:
            self.put(broken)

    def put(self, found: Object | Broken) -> None:
        """Add or replace one object."""
        entry = self._codec.entry(found)
        if entry.model is None:
            self.objects.pop(entry.key, None)
        else:
            self.objects[entry.key] = entry.model
        if entry.problem:
            self.problems[entry.key] = entry.problem
        elif self.problems:
            self.problems.pop(entry.key, None)

    def drop(self, key: str) -> None:
        """Remove one object; no matter if it is not there."""
        self.objects.pop(key, None)
        self.problems.pop(key, None)
