"""Keeping one kind current: list, then watch from there, resume where a watch ended, list anew when that is too old.

client-go calls this a reflector (tools/cache/reflector.go).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from descheduler.kube.client.answers import error_of, parse_status
from descheduler.kube.client.backoff import Backoff
from descheduler.kube.client.connection import KubeClient, Lines
from descheduler.kube.client.lists import LIMIT, read_list
from descheduler.kube.client.object_store import ObjectStore
from descheduler.kube.convert.decoding import Codec, key_of
from descheduler.kube.convert.pieces import event_of, metadata_of
from descheduler.kube.convert.wire import MetaWire
from descheduler.model.errors import (
    BadAnswer,
    DeschedulerError,
    Forbidden,
    Gone,
    NotFound,
    Throttled,
    Unauthorized,
    Unreachable,
)
from descheduler.model.snapshot import Freshness

log = structlog.get_logger(__name__)

_WATCH_SECONDS = (240, 480)  # the server ends a watch after a time that differs, so that watches do not end together
_SILENCE_SECONDS = 30.0  # beyond the watch's own time, before a connection counts as dead
_TOLERATED = 1  # failures in a row that are not yet an error to report: streams get cut


@dataclass(slots=True)
class WatchTiming:
    """Time and chance, as arguments. `wait` sleeps, and returns True when the wait was ended by a stop."""

    clock: Callable[[], float]
    rng: random.Random
    wait: Callable[[float], bool]


class Reflector:
    """One kind of one cluster. `run` is for one thread; everything else may be called from others."""

    def __init__(
        self,
        client: KubeClient,
        codec: Codec,
        timing: WatchTiming,
        *,
        changed: Callable[[], None] = lambda: None,
        limit: int = LIMIT,
    ) -> None:
        self.key = codec.endpoint.kind.key
        self.endpoint = codec.endpoint
        self.gone = False  # the server does not serve this kind any more
        self._client = client
        self._codec = codec
        self._timing = timing
        self._limit = limit
        self._changed = changed
        self._backoff = Backoff(timing.rng)
        self._lock = threading.Lock()
        self._store: ObjectStore | None = None
        self._version = ""  # resource version to watch from; empty: list first
        self._as_of = 0.0
        self._error = ""
        self._stopped = False
        self._lines: Lines | None = None

    def freshness(self) -> Freshness:
        with self._lock:
            synced = self._store is not None and not self._error
            return Freshness(self.key, self._as_of, synced=synced, served=not self.gone, error=self._error)

    def contents(self) -> tuple[tuple[object, ...], tuple[str, ...]]:
        """The objects and the problems, as of one instant."""
        with self._lock:
            if self._store is None:
                return (), ()
            return tuple(self._store.objects.values()), tuple(self._store.problems.values())

    def stop(self) -> None:
        """Make `run` return soon."""
        self._stopped = True
        lines = self._lines
        if lines is not None:
            lines.close()

    def run(self) -> None:
        """List and watch until stopped, or until the kind is gone."""
        while not self._stopped and not self.gone:
            try:
                if not self._version:
                    self._list()
                self._watch()
            except DeschedulerError as e:
                wait = 0.0 if self._stopped else self._failed(e)
            except Exception as e:  # a fault of ours: start anew, and show it as this kind's error
                log.exception("fault while following", kind=self.key)
                wait = self._failed(BadAnswer(f"{self.key}: {type(e).__name__}: {e}"))
            else:
                continue
            if self._stopped or self._timing.wait(wait):
                return

    def _list(self) -> None:
        as_of = self._timing.clock()
        store, version = read_list(self._client, self._codec, lambda: ObjectStore(self._codec), limit=self._limit)
        with self._lock:
            self._store, self._version = store, version
            self._confirm(as_of)
            self._sweep()
        self._changed()
        log.info("listed", kind=self.key, objects=len(store.objects), problems=len(store.problems))

    def _watch(self) -> None:
        seconds = self._timing.rng.randint(*_WATCH_SECONDS)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(seconds),
        }
        events, began = 0, self._timing.clock()
        self._lines = lines = self._client.stream(self.endpoint.path, query, timeout=seconds + _SILENCE_SECONDS)
        with self._lock:
            self._error = ""  # accepted: nothing stands in the way any more, and how old the data is its age tells
        try:
            for line in lines if not self._stopped else ():
                self._take(line)
                events += 1
                if self._stopped:
                    return
        finally:
            self._lines = None
            lines.close()
        self._ended(events, lasted=self._timing.clock() - began, asked=seconds)

    def _ended(self, events: int, lasted: float, asked: float) -> None:
        """The server ended the watch in good order: up to now we have missed nothing."""
        if lasted >= asked / 2:
            with self._lock:
                self._confirm(self._timing.clock())
        elif events == 0 and not self._stopped:
            # An empty watch is what an overloaded proxy gives; asking again at once would add to its load.
            raise Unreachable(f"watch {self.endpoint.kind.resource}: ended at once without an event")

    def _take(self, line: bytes) -> None:
        """Apply one event. Raises Gone when the watch is too old, BadAnswer when the line is no event."""
        try:
            event = event_of(line)
        except ValueError as e:
            raise BadAnswer(f"watch {self.endpoint.kind.resource}: not an event: {e}") from e
        raw = bytes(event.object)
        if event.type == "ERROR":
            raise self._error_event(raw)
        meta = _meta(raw)
        with self._lock:
            store = self._store
            assert store is not None
            match event.type:
                case "ADDED" | "MODIFIED":
                    store.put(self._codec.one(raw))
                case "DELETED":
                    store.drop(key_of(meta))
                case "BOOKMARK":
                    pass
                case other:
                    raise BadAnswer(f"watch {self.endpoint.kind.resource}: unknown event {other!r}")
            self._version = meta.resource_version or self._version
            self._confirm(self._timing.clock())
            self._backoff.success()
            self._sweep()
        if event.type != "BOOKMARK":
            self._changed()

    def _error_event(self, raw: bytes) -> DeschedulerError:
        return error_of(parse_status(raw).code or 500, raw, "GET", self.endpoint.path, {"watch": "true"})

    def _confirm(self, as_of: float) -> None:
        self._as_of = max(self._as_of, as_of)
        self._error = ""

    def _sweep(self) -> None:
        """Let go of label sets and pod specs that no object has any more."""
        if self._store is not None and self._codec.interner.worn:
            self._codec.interner.sweep(self._store.objects.values())

    def _failed(self, error: DeschedulerError) -> float:
        """Note a failure; the seconds to wait before the next attempt."""
        at_least = error.retry_after if isinstance(error, Throttled) else 0.0
        with self._lock:
            if isinstance(error, Gone | BadAnswer):
                self._version = ""  # what we hold stays in use, with its age, until the new list is complete
            if isinstance(error, NotFound):
                self.gone = not self.endpoint.kind.core
            wait = self._backoff.failure(at_least)
            refused = isinstance(error, Forbidden | Unauthorized | NotFound)
            if refused or self._store is None or self._backoff.failures > _TOLERATED:
                self._error = str(error)
        self._changed()
        log.warning("cannot follow", kind=self.key, error=str(error), retry_seconds=round(wait, 1))
        return wait


def _meta(raw: bytes) -> MetaWire:
    try:
        return metadata_of(raw)
    except ValueError as e:
        raise BadAnswer(f"watch: an object without readable metadata: {e}") from e
