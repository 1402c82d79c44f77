"""Where worlds come from: a recording, or the embedded example. Every process reads it once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from descheduler.backtest.world import World, world_of
from descheduler.stored import stored


@dataclass(frozen=True, slots=True)
class Recorded:
    """The recorded time between two instants (unix seconds, None: as `world_of` has it). `path` None: the example.

    Of the recorded histories, those of `signals` are looked at. It is small, so that it can be sent to other processes,
    which read the recording for themselves.
    """

    path: Path | None
    signals: tuple[str, ...]
    begin: float | None = None
    end: float | None = None

    def world(self) -> World:
        """The world. Raises RecordingError, and UsageError as `world_of` does."""
        return _world(self)


read = lru_cache(maxsize=1)(stored)
"""What a recording, or the example, holds; read once in a process."""


@lru_cache(maxsize=2)
def _world(recorded: Recorded) -> World:
    found = read(recorded.path)
    wanted = {name: history for name, history in found.histories.items() if name in recorded.signals}
    return world_of(found.snapshot, wanted, recorded.begin, recorded.end)
