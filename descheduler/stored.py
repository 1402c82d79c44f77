"""A cluster and its history that were written down: a recording, or the embedded example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from descheduler.kube.recording.wire_objects import ClusterObjects
    from descheduler.model.snapshot import ClusterSnapshot
    from descheduler_profiling.series import History


@dataclass(frozen=True, eq=False, slots=True)
class Stored:
    """`objects` are what `snapshot` was made of; histories by signal."""

    objects: ClusterObjects
    snapshot: ClusterSnapshot
    histories: Mapping[str, History]


def stored(recording: Path | None) -> Stored:
    """What a recording holds; the example where there is none. Raises RecordingError."""
    if recording is None:
        from descheduler.example.example import example
        from descheduler.kube.recording.wire_objects import cluster_objects

        made = example()
        objects = cluster_objects(made.objects, taken_at=made.taken_at, cluster=made.name)
        return Stored(objects, objects.snapshot(), made.histories)
    from descheduler.kube.recording.files import read_recording
    from descheduler_profiling.history.serial import history_from_bytes

    read = read_recording(recording)
    histories = {signal: history_from_bytes(data) for signal, data in read.histories.items()}
    return Stored(read.objects, read.snapshot, histories)
