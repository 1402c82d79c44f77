"""Objects that we make for an intent: they carry its key, by which they are found again and taken away."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

from descheduler.apiwrite.wire import Meta, Wire, decode
from descheduler.apiwrite.writer import COMPONENT, MANAGED_BY, ClusterWriter
from descheduler.execution.intents import Intent
from descheduler.model.errors import Conflict, NotFound

INTENT = "rebalance.descheduler.dev/intent"
"""Label of an object of ours: the key of the intent that it was made for."""
POD = "rebalance.descheduler.dev/pod"
"""Annotation of one that was made for a pod: its namespace and name."""


class OurObject(Wire, frozen=True):
    """An object, as far as its identity goes; what else is read of a kind its own class adds."""

    metadata: Meta = Meta()

    @property
    def intent(self) -> str:
        """The key of the intent that it was made for."""
        return (self.metadata.labels or {}).get(INTENT, "")


T = TypeVar("T", bound=OurObject)


class OurList(Wire, Generic[T], frozen=True):
    """What the server answers who lists them."""

    items: tuple[T, ...] | None = None


class OurObjects(Generic[T]):
    """Those of one kind without namespace, at `path`. Its methods raise ClusterError's kinds, and LeadershipLost."""

    def __init__(self, writer: ClusterWriter, path: str, listed: type[OurList[T]]) -> None:
        self._writer = writer
        self._path = path
        self._answer = listed

    def create(self, body: object) -> None:
        """Create it, which an earlier attempt may have done already."""
        with suppress(Conflict):
            self._writer.create(self._path, msgspec.json.encode(body))

    def all(self) -> tuple[T, ...]:
        """Those of all intents."""
        return self._listed(INTENT)

    def of(self, intent: Intent) -> tuple[T, ...]:
        """Those of one intent."""
        return self._listed(f"{INTENT}={intent.key}")

    def delete(self, found: T) -> None:
        """Take it away, unless it is gone, or another object by now."""
        with suppress(NotFound, Conflict):
            self._writer.delete(f"{self._path}/{found.metadata.name}", found.metadata.uid)

    def release(self, intent: Intent) -> None:
        """Take away those of one intent."""
        for found in self.of(intent):
            self.delete(found)

    def sweep(self, still_open: Collection[str]) -> None:
        """Take away those of intents that are none of these, by their keys."""
        for found in self.all():
            if found.intent not in still_open:
                self.delete(found)

    def _listed(self, label: str) -> tuple[T, ...]:
        query = {"labelSelector": f"{MANAGED_BY}={COMPONENT},{label}"}
        try:
            answer = self._writer.transport.request("GET", self._path, query=query)
        except NotFound:
            return ()  # the cluster does not serve them (any more)
        return decode(answer, self._answer).items or ()
