"""A live picture of the cluster: one thread follows each kind, one looks out for kinds that appear or disappear."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from descheduler.kube.client.backoff import Backoff
from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.discovery import Discovered, discover, read_release
from descheduler.kube.client.lists import LIMIT
from descheduler.kube.client.read_metrics import measured
from descheduler.kube.client.watch import Reflector, WatchTiming
from descheduler.kube.convert.assembly import assemble
from descheduler.kube.convert.decoding import Codec
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import CORE, OPTIONAL, Endpoint
from descheduler.model.errors import DeschedulerError
from descheduler.model.release import Release
from descheduler.model.snapshot import ClusterSnapshot, Freshness

log = structlog.get_logger(__name__)

DISCOVERY = "discovery"
"""Key of the freshness of what is known about optional kinds."""

REDISCOVER_SECONDS = 300.0


class ClusterCache:
    """Follows every kind that the cluster serves. `snapshot` may be called from any thread at any time.

    `clock` gives unix seconds. `annotations`: prefixes to keep besides those that the program itself reads.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        annotations: Iterable[str] = (),
        limit: int = LIMIT,
        rediscover_seconds: float = REDISCOVER_SECONDS,
    ) -> None:
        self._client = client
        self._clock = clock
        self._rng = rng
        self._annotations = tuple(annotations)
        self._limit = limit
        self._rediscover = rediscover_seconds
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._followers: dict[str, tuple[Reflector, threading.Thread]] = {}
        self._discovered: Discovered | None = None
        self._release: Release | None = None
        self._discovery = Freshness(DISCOVERY, 0.0, synced=False)
        self._lookout = threading.Thread(target=self._look_out, name="kube-discovery", daemon=True)

    def start(self) -> None:
        """Begin to follow; returns at once."""
        for kind in CORE:
            self._follow(kind.at(kind.versions[0]))
        self._lookout.start()

    def stop(self, timeout: float = 5.0) -> None:
        """End every watch and wait for the threads, together at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        with self._changed:
            followers = list(self._followers.values())
        for reflector, _ in followers:
            reflector.stop()
        for thread in (*(thread for _, thread in followers), self._lookout):
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def freshness(self) -> Mapping[str, Freshness]:
        """By kind key, and `discovery`. A kind that is served but cannot be read has `error` set."""
        with self._changed:
            found = {key: reflector.freshness() for key, (reflector, _) in self._followers.items()}
            discovered, discovery = self._discovered, self._discovery
        found[DISCOVERY] = discovery
        if discovered is not None:
            for kind, why in discovered.unknown:
                found[kind.key] = Freshness(kind.key, discovery.as_of, synced=False, error=why)
            for kind in OPTIONAL:
                found.setdefault(kind.key, Freshness(kind.key, discovery.as_of, served=False))
        return found

    @property
    def synced(self) -> bool:
        """Every kind that is served has been listed and is being followed without an error."""
        return all(f.synced or not f.served for f in self.freshness().values())

    def wait_synced(self, timeout: float) -> bool:
        """Wait until `synced`; False when it is not within `timeout` seconds (see `freshness` for why)."""
        with self._changed:
            return self._changed.wait_for(lambda: self._stopping.is_set() or self.synced, timeout) and self.synced

    def wait_changed(self, timeout: float) -> bool:
        """Wait until something changes, at most `timeout` seconds."""
        with self._changed:
            return self._changed.wait(timeout)

    def snapshot(self) -> ClusterSnapshot:
        """What is known now, with the freshness of each kind; may be called before everything is synced."""
        freshness = self.freshness()  # first: what is read after it is at least as fresh
        with self._changed:
            followers = {key: reflector for key, (reflector, _) in self._followers.items()}
        contents = {key: reflector.contents() for key, reflector in followers.items() if not reflector.gone}
        return assemble(
            {key: objects for key, (objects, _) in contents.items()},
            taken_at=self._clock(),
            cluster=self._client.name,
            freshness=freshness,
            problems=[problem for _, problems in contents.values() for problem in problems],
            release=self._release,
        )

    def measured(self, taken: ClusterSnapshot) -> ClusterSnapshot:
        """The snapshot with what its nodes and pods use now, which is asked for anew each time."""
        return measured(self._client, taken, self._clock)

    def _follow(self, endpoint: Endpoint) -> None:
        timing = WatchTiming(self._clock, random.Random(self._rng.random()), self._stopping.wait)
        codec = Codec(endpoint, Interner(self._annotations))
        reflector = Reflector(self._client, codec, timing, changed=self._notify, limit=self._limit)
        thread = threading.Thread(target=reflector.run, name=f"kube-{endpoint.kind.key}", daemon=True)
        with self._changed:
            self._followers[endpoint.kind.key] = reflector, thread
        thread.start()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _look_out(self) -> None:
        backoff = Backoff(self._rng)
        while not self._stopping.is_set():
            as_of = self._clock()
            try:
                found = discover(self._client)
                self._release = read_release(self._client) or self._release
            except DeschedulerError as e:
                self._discovery = Freshness(DISCOVERY, self._discovery.as_of, synced=False, error=str(e))
                log.warning("cannot discover optional kinds", error=str(e))
                wait = backoff.failure()
            else:
                backoff.success()
                self._adapt(found)
                self._discovered, self._discovery = found, Freshness(DISCOVERY, as_of)
                wait = self._rediscover
            self._notify()
            self._stopping.wait(wait)

    def _adapt(self, found: Discovered) -> None:
        """Start to follow what appeared, stop following what disappeared or is served in another version."""
        served = {endpoint.kind.key: endpoint for endpoint in found.served}
        for key, (reflector, _) in list(self._followers.items()):
            if not reflector.endpoint.kind.core and (reflector.gone or served.get(key) != reflector.endpoint):
                reflector.stop()
                with self._changed:
                    del self._followers[key]
                log.info("no longer served", kind=key)
        for key, endpoint in served.items():
            if key not in self._followers and not self._stopping.is_set():
                self._follow(endpoint)
                log.info("found", kind=key, version=endpoint.version)
