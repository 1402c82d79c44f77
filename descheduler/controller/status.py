"""Whether the controller is alive and ready, and why not: written by its threads, read by the probes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from descheduler.model.format import instant
from descheduler.model.reasons import Blocked


@dataclass(frozen=True, slots=True)
class Health:
    """`text` is for people, one line."""

    ok: bool
    text: str


class Status:
    """The state that probes and pages show. `steady` gives seconds that only go forward, `wall` unix seconds.

    `mode` says whether plans are carried out and who decided so, `mode_since` since when, `paused_since` since when the
    pause has this reason, `next_cycle` when the next cycle is due; 0 while there is none.
    """

    def __init__(
        self, steady: Callable[[], float], silence: float = 600.0, wall: Callable[[], float] = time.time
    ) -> None:
        self.mode, self.mode_since, self.paused_since, self.next_cycle = "", 0.0, 0.0, 0.0
        self._wall = wall
        self._steady = steady
        self._silence = silence
        self._lock = threading.Lock()
        self._beat_at = steady()
        self._paused: Blocked | None = None
        self._doing = "starting"
        self._ready = False
        self._notes: dict[str, str] = {}

    def beat(self) -> None:
        """The loop is alive; called many times within a cycle, in every wait too."""
        self._beat_at = self._steady()

    def doing(self, what: str) -> None:
        """What the loop is at, for people."""
        self.beat()
        self._doing = what

    def pause(self, why: Blocked) -> None:
        """Nothing is planned or moved until the reason is gone."""
        with self._lock:
            if self._paused is None or (why.reason, why.by) != (self._paused.reason, self._paused.by):
                self.paused_since = self._wall()
            self._paused, self._ready = why, False

    def go_on(self) -> None:
        """All that a cycle needs is there."""
        with self._lock:
            self._paused, self._ready, self.paused_since = None, True, 0.0

    def decided(self, mode: str) -> None:
        """Whether plans are carried out, and who decided so."""
        if mode != self.mode:
            self.mode, self.mode_since = mode, self._wall()
        self.note("mode", mode)

    def note(self, topic: str, text: str) -> None:
        """Something that people should know and that stops nothing (a policy that was rejected); "" takes it back."""
        with self._lock:
            if text:
                self._notes[topic] = text
            else:
                self._notes.pop(topic, None)

    @property
    def paused(self) -> Blocked | None:
        return self._paused

    @property
    def alive(self) -> Health:
        """For /healthz: not alive means that only a restart helps."""
        silent = self._steady() - self._beat_at
        if silent > self._silence:
            return Health(False, f"the loop has been silent for {silent:.0f} s while {self._doing}")
        return Health(True, f"ok: {self._doing}")

    @property
    def ready(self) -> Health:
        """For /readyz."""
        with self._lock:
            notes = [f"{topic}: {text}" for topic, text in sorted(self._notes.items())]
            if self.mode_since:
                notes.append(f"mode since: {instant(self.mode_since)}")
            if self._paused is not None:
                lines = [f"paused: {self._paused}", f"paused since: {instant(self.paused_since)}", *notes]
            else:
                lines = [f"{'ready' if self._ready else 'not ready'}: {self._doing}", *notes]
            return Health(self._ready and self._paused is None, "\n".join(lines))
