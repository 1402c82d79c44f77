"""Where worlds come from: a recording, or the embedded example. Every process reads it once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from descheduler.backtest.world import World, world_of
from descheduler.model.snapshot import ClusterSnapshot
from descheduler_profiling.series import History


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


@lru_cache(maxsize=1)
def read(path: Path | None) -> tuple[ClusterSnapshot, Mapping[str, History]]:
    """The cluster and its histories by signal. Raises RecordingError."""
    if path is None:
        from descheduler.example.example import example
        from descheduler.kube.recording.wire_objects import cluster_objects

        made = example()
        return cluster_objects(made.objects, taken_at=made.taken_at, cluster=made.name).snapshot(), made.histories
    from descheduler.kube.recording.files import read_recording
    from descheduler_profiling.history.serial import history_from_bytes

    recording = read_recording(path)
    return recording.snapshot, {name: history_from_bytes(data) for name, data in recording.histories.items()}


@lru_cache(maxsize=2)
def _world(recorded: Recorded) -> World:
    snapshot, histories = read(recorded.path)
    wanted = {name: history for name, history in histories.items() if name in recorded.signals}
    return world_of(snapshot, wanted, recorded.begin, recorded.end)
