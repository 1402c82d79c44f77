"""Where a command's cluster and history come from: a live cluster with Prometheus, a recording, or the example."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from descheduler.contract import load
from descheduler.kube.recording.wire_objects import ClusterObjects
from descheduler.model.errors import UsageError
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.pipeline import Observed
from descheduler.policy import Policy, default_policy, load_policy
from descheduler_profiling.series import History

if TYPE_CHECKING:
    from descheduler.kube.recording.files import Recording
    from descheduler.observe.history import HistoryReader

Note = Callable[[str], None]
"""Hears what is being read, for people who wait."""


@dataclass(frozen=True, slots=True)
class Source:
    """The options that say what to read; at most one of cluster, recording and example."""

    kubeconfig: Path | None = None
    context: str | None = None
    recording: Path | None = None
    example: bool = False
    prometheus: str | None = None

    def check(self) -> None:
        """Raises UsageError when the options contradict each other."""
        named = {
            "--kubeconfig/--context": self.kubeconfig is not None or self.context is not None,
            "--recording": self.recording is not None,
            "--example": self.example,
        }
        given = [name for name, there in named.items() if there]
        if len(given) > 1:
            raise UsageError(f"{' and '.join(given)} contradict each other: name one cluster to read")
        if self.prometheus and not self.live:
            raise UsageError(f"{given[0]} has its own history: leave --prometheus out")

    @property
    def live(self) -> bool:
        """A real cluster is read."""
        return self.recording is None and not self.example


@dataclass(frozen=True, slots=True)
class Read:
    """What was read, as wire objects where a recording is to be made of it."""

    objects: ClusterObjects
    snapshot: ClusterSnapshot
    histories: Mapping[str, History]


def read_policy(path: Path | None, source: Source) -> Policy:
    """The policy of a file; without one that of the example, where it is read, or the default one."""
    if path is not None:
        return load_policy(path)
    if source.example:
        from descheduler.example.example import example_policy

        return load_policy(example_policy())
    return default_policy()


def observe(source: Source, policy: Policy) -> Observed:
    """What a plan is made from.

    Raises:
        UsageError: contradicting options, or no address of a history server.
        ClusterError, HistoryError, RecordingError: what was named cannot be read.
    """
    source.check()
    with waiting() as note:
        if source.example:
            return _example()
        if source.recording is not None:
            return _recorded(source.recording)
        return _live(source, policy, note)


def read_all(source: Source, policy: Policy) -> Read:
    """The same with the wire objects, for a recording."""
    source.check()
    with waiting() as note:
        if source.example:
            from descheduler.example.example import example
            from descheduler.kube.recording.wire_objects import cluster_objects

            made = example()
            objects = cluster_objects(made.objects, taken_at=made.taken_at, cluster=made.name)
            return Read(objects, objects.snapshot(), made.histories)
        if source.recording is not None:
            recording = _open(source.recording)
            return Read(recording.objects, recording.snapshot, _histories(recording.histories))
        from descheduler.kube.client.connection import connect
        from descheduler.kube.recording.wire_objects import record_cluster

        client = connect(source.kubeconfig, source.context)
        objects = record_cluster(client, clock=time.time, progress=_counting(note))
        snapshot = objects.snapshot()
        return Read(objects, snapshot, _history(source, policy, snapshot, note))


@contextmanager
def waiting() -> Iterator[Note]:
    """Shows on stderr what is being done, when somebody watches."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("reading the cluster") as status:
        yield status.update


def _example() -> Observed:
    from descheduler.example.example import example
    from descheduler.kube.recording.wire_objects import snapshot_from_objects

    made = example()
    return Observed(snapshot_from_objects(made.objects, made.taken_at, made.name), made.histories, made.taken_at)


def _recorded(path: Path) -> Observed:
    recording = _open(path)
    return Observed(recording.snapshot, _histories(recording.histories), recording.snapshot.taken_at)


def _open(path: Path) -> Recording:
    from descheduler.kube.recording.files import read_recording

    return read_recording(path)


def _histories(packed: Mapping[str, bytes]) -> dict[str, History]:
    from descheduler_profiling.history.serial import history_from_bytes

    return {signal: history_from_bytes(data) for signal, data in packed.items()}


def _live(source: Source, policy: Policy, note: Note) -> Observed:
    """The cluster and its history; the cluster once more when reading history took so long that it has aged."""
    from descheduler.kube.client.connection import connect
    from descheduler.kube.client.read_cluster import read_cluster

    client = connect(source.kubeconfig, source.context)
    snapshot = read_cluster(client, clock=time.time, progress=_counting(note))
    histories = _history(source, policy, snapshot, note)
    if time.time() - snapshot.taken_at > policy.freshness.max_age.total_seconds() / 4:
        snapshot = read_cluster(client, clock=time.time, progress=_counting(note))
    if source.prometheus or policy.history.url:
        with closing(_reader(source)) as reader:
            snapshot = reader.located(policy, snapshot, snapshot.taken_at)
    return Observed(snapshot, histories, time.time())


def _reader(source: Source) -> HistoryReader:
    from descheduler.apiwrite.clock import Clock
    from descheduler.observe.history import HistoryReader

    clock = Clock(time.time, time.monotonic, time.sleep)
    return HistoryReader(source.prometheus, None, clock, random.Random(), lambda: None)


def _history(source: Source, policy: Policy, snapshot: ClusterSnapshot, note: Note) -> Mapping[str, History]:
    wanted = sorted({signal for choice in policy.strategies for signal in load(choice.strategy).signals})
    if not wanted and not source.prometheus and not policy.history.url:
        return {}
    note("reading the history")
    with closing(_reader(source)) as reader:
        return reader.read(policy, snapshot, snapshot.taken_at)


def _counting(note: Note) -> Callable[[str, int], None]:
    return lambda kind, count: note(f"reading the cluster: {count} {kind}")
