"""Disruption windows: which are open, and when the others open next.

A schedule is read on the wall clock of its time zone, as Debian's cron does: an opening that falls into the hour which
spring skips comes right after it, and one in the hour that autumn repeats comes once. A duration is elapsed time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from cronsim import CronSim

# The wall clock of a repeated hour names two instants; the search begins well outside and sorts out by real time.
_AROUND = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Window:
    """Opens at each time of `schedule` (cron, five fields) in `time_zone` (IANA), for `namespaces` (empty: all)."""

    schedule: str
    duration_seconds: float
    time_zone: str
    namespaces: tuple[str, ...] = ()

    def covers(self, namespace: str) -> bool:
        return not self.namespaces or any(fnmatchcase(namespace, pattern) for pattern in self.namespaces)


@dataclass(frozen=True, slots=True)
class Opening:
    """How a window stands: `opens` is its next opening after now, None when there is none for decades."""

    window: Window
    is_open: bool
    opens: datetime | None

    def text(self) -> str:
        """`opens 2026-03-02 02:00 CET (Europe/Berlin)`."""
        if self.opens is None:
            return "does not open again"
        return f"opens {self.opens:%Y-%m-%d %H:%M %Z} ({self.window.time_zone})"


def open_windows(windows: Iterable[Window], now: float) -> tuple[Opening, ...]:
    """Every window as it stands at `now` (unix seconds). The moment of closing is outside."""
    return tuple(_opening(window, now) for window in windows)


def _opening(window: Window, now: float) -> Opening:
    here = datetime.fromtimestamp(now, ZoneInfo(window.time_zone))
    back = CronSim(window.schedule, here + _AROUND, reverse=True)
    last = next((at for at in back if at.timestamp() <= now), None)
    ahead = CronSim(window.schedule, here - _AROUND)
    return Opening(
        window,
        is_open=last is not None and now < last.timestamp() + window.duration_seconds,
        opens=next((at for at in ahead if at.timestamp() > now), None),
    )
