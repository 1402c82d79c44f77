"""How many replicas are ours: written down before any number is changed, so that none of them can be forgotten.

One ConfigMap of our own has an entry for each target whose replicas we changed: how many it had, for which pods it has
one more, and what was read when that was decided. So whoever finds the entry knows, whatever the target has now,
whether the change took effect, did not, or somebody else set another number, which then stands.
"""

from __future__ import annotations

import hashlib
import threading

import msgspec

from descheduler.apiwrite.wire import ConfigMap, Meta
from descheduler.apiwrite.writer import ClusterWriter, read_config_map
from descheduler.execution.executors.surge.target import Target
from descheduler.model.errors import BadAnswer
from descheduler.model.rights import Right

SURGES = "descheduler-surges"
"""The ConfigMap's name."""
BOOKING: tuple[Right, ...] = tuple(Right("", "configmaps", verb) for verb in ("get", "update"))
"""What keeping it needs, on this one ConfigMap in the program's own namespace."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One target, by its `uid`, and the `replica_set` whose pods move, by its uid.

    It had `replicas`, and has one more for each of `claims` (uids of pods that are to leave), once the number `was`
    is changed to that. `pods` are all whose moves are not released yet.
    """

    target: str
    uid: str
    replica_set: str
    replicas: int
    was: int
    claims: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()

    @property
    def wanted(self) -> int:
        return self.replicas + len(self.claims)

    def explains(self, replicas: int) -> bool:
        """Whether the number is as we left it; else somebody else set it."""
        return replicas in (self.was, self.wanted)


class Book:
    """The ConfigMap. Safe to share between threads; raises ClusterError's kinds, and LeadershipLost where it writes."""

    def __init__(self, writer: ClusterWriter, namespace: str) -> None:
        self._writer = writer
        self._meta = Meta(name=SURGES, namespace=namespace)
        self._lock = threading.Lock()

    def read(self, target: Target) -> Entry | None:
        """The entry of a target. Raises BadAnswer when it makes no sense: then somebody must look."""
        found = read_config_map(self._writer.transport, self._meta.namespace, self._meta.name)
        text = ((found and found.data) or {}).get(_key(target))
        if text is None:
            return None
        try:
            return msgspec.json.decode(text, type=Entry)
        except msgspec.MsgspecError as error:
            raise BadAnswer(f"ConfigMap {SURGES}: the entry of {target} cannot be read: {error}") from error

    def write(self, target: Target, entry: Entry | None) -> None:
        """Keep this entry, or none any more."""
        with self._lock:
            found = read_config_map(self._writer.transport, self._meta.namespace, self._meta.name)
            before = (found and found.data) or {}
            after = {key: text for key, text in before.items() if key != _key(target)}
            if entry is not None:
                after[_key(target)] = msgspec.json.encode(entry).decode()
            if after != before:
                self._writer.save(ConfigMap(found.metadata if found else self._meta, after or None))


def _key(target: Target) -> str:
    """Its key in the ConfigMap (keys may hold only letters, digits and "-_.", at most 253)."""
    return hashlib.sha256(str(target).encode()).hexdigest()[:32]
