"""Time as an argument: what the wall says, what only moves forward, and waiting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall` in unix seconds, for what others read (Lease, events, ledger); `steady` in seconds from anywhere, for
    deadlines, which a wall clock that is set back or forward must not move. `sleep` waits the whole time."""

    wall: Callable[[], float]
    steady: Callable[[], float]
    sleep: Callable[[float], None]
