"""Leader election on a Lease, with a fence for writes.

The official client's elector is not used: it times a rival's lease by the local wall clock, keeps the lease when it
shuts down (the next replica waits for it to expire), never counts `leaseTransitions`, and offers nothing to ask
before a write. The protocol is client-go's (tools/leaderelection/leaderelection.go), with its usual durations: a
lease is dead when the record has not changed for LeaseDuration *as observed here*, on a clock that only goes forward;
a leader that could not renew for RenewDeadline stops writing, five seconds before anybody else may begin. What times
the record names is no matter, so clocks may differ; nor are labels and annotations, which say nothing of the holder.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from random import Random

import structlog
from msgspec.structs import replace

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.wire import Lease, LeaseSpec
from descheduler.apiwrite.writer import LeaseWriter, micro_time
from descheduler.model.errors import ClusterError, Conflict, LeadershipLost

log = structlog.get_logger(__name__)
_JITTER = 0.2
_LONGEST = 3600.0
"""Seconds. A record that claims to live longer without a renewal would keep everybody out after its holder's end."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds; the defaults are those of kube-scheduler and of the sigs descheduler's manifests."""

    lease: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


class Elector:
    """Holds, or waits for, one Lease. `step` does one round; `run` repeats it in a thread of the caller's.

    `term` counts how often leadership was won here: whoever caches state of the leader reloads it when it changes.
    """

    def __init__(
        self, writer: LeaseWriter, identity: str, clock: Clock, rng: Random, timing: Timing = Timing()
    ) -> None:
        self.identity = identity
        self._writer = writer
        self._clock = clock
        self._rng = rng
        self._timing = timing
        self._lock = threading.Lock()
        self._seen: Lease | None = None
        self._seen_at = 0.0  # steady seconds when the record last changed
        self._renewed_at: float | None = None  # steady seconds when the last successful renewal was begun
        self.term = 0
        self.problem = ""  # why the last round failed, for people

    @property
    def leading(self) -> bool:
        """Whether a write may be sent now."""
        renewed = self._renewed_at
        return renewed is not None and self._clock.steady() - renewed < self._timing.renew_deadline

    @property
    def holder(self) -> str:
        """Who holds the lease as last seen; empty when nobody does."""
        return (self._seen.spec.holder_identity or "") if self._seen else ""

    def check(self) -> None:
        """The fence. Raises LeadershipLost."""
        if not self.leading:
            raise LeadershipLost(f"{self.identity} does not lead; {self.holder or 'nobody'} does")

    def step(self) -> bool:
        """Try once to take or renew the lease; whether we lead afterwards. Never raises for a failing server."""
        with self._lock:
            began = self._clock.steady()
            self._notice_loss()  # a lease that lapsed meanwhile is won anew, even where nobody else took it
            try:
                self._try(began)
                self.problem = ""
            except Conflict:
                self.problem = "another replica wrote the lease first"
            except ClusterError as error:
                self.problem = str(error)
            self._notice_loss()
            return self.leading

    def run(self, stopped: threading.Event) -> None:
        """Repeat `step` until `stopped`, then give the lease up."""
        while not stopped.is_set():
            try:
                self.step()
            except Exception as error:  # the top of a loop: without it the fence closes by itself
                self.problem = f"{type(error).__name__}: {error}"
                log.exception("a round of the election failed")
            stopped.wait(self._timing.retry * self._rng.uniform(1.0, 1.0 + _JITTER))
        self.release()

    def release(self) -> None:
        """Let another replica lead at once. Call it when no more write is under way."""
        with self._lock:
            held = self._renewed_at is not None and self._seen is not None and self.holder == self.identity
            self._renewed_at = None
            if not held or self._seen is None:
                return
            now = micro_time(self._clock.wall())
            nobody = replace(self._seen.spec, holder_identity="", lease_duration_seconds=1, renew_time=now)
            try:
                self._seen = self._writer.write(Lease(self._seen.metadata, nobody))
            except ClusterError as error:
                log.warning("lease not released; it expires by itself", error=str(error))
            else:
                log.info("lease released", identity=self.identity)

    def _try(self, began: float) -> None:
        lease = self._writer.read()
        self._observe(lease, began)
        if lease is not None and self.holder not in ("", self.identity):
            claimed = float(lease.spec.lease_duration_seconds or 0.0)
            alive_for = min(claimed, _LONGEST) if claimed > 0 else self._timing.lease
            if self._clock.steady() - self._seen_at < alive_for:
                return
        written = self._writer.write(self._claim(lease))
        self._seen, self._seen_at = written, began
        if self._renewed_at is None:
            self.term += 1
            log.info("leading", identity=self.identity, term=self.term)
        self._renewed_at = began

    def _observe(self, lease: Lease | None, now: float) -> None:
        if lease is not None and (self._seen is None or lease.spec != self._seen.spec):
            self._seen_at = now
        self._seen = lease

    def _notice_loss(self) -> None:
        if self._renewed_at is not None and (self.holder != self.identity or not self.leading):
            log.warning("leadership lost", identity=self.identity, holder=self.holder, problem=self.problem)
            self._renewed_at = None

    def _claim(self, lease: Lease | None) -> Lease:
        """The record that says we lead; a renewal keeps acquireTime, a take-over counts a transition."""
        now = micro_time(self._clock.wall())
        old = lease.spec if lease is not None else LeaseSpec()
        seconds = max(1, round(self._timing.lease))
        spec = replace(old, holder_identity=self.identity, lease_duration_seconds=seconds, renew_time=now)
        if old.holder_identity != self.identity or self._renewed_at is None:
            transitions = (old.lease_transitions or 0) + (lease is not None)
            spec = replace(spec, acquire_time=now, lease_transitions=transitions)
        return Lease(lease.metadata if lease is not None else self._writer.meta, spec)
