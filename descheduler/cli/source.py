"""Where a command's cluster and history come from: a live cluster with Prometheus, a recording, or the example."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Self

from descheduler.cli.moments import moment, seconds
from descheduler.cli.output import say
from descheduler.model.errors import PolicyError, UsageError
from descheduler.model.format import instant
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed, Source, observe
from descheduler.observe.past import cluster_at
from descheduler.observe.recorded import RecordedCluster, RecordedHistory
from descheduler.observe.stages import UNWATCHED, Stages
from descheduler.policy import (
    Policy,
    Setting,
    WrittenPolicy,
    default_policy,
    load_policy,
    newly_doubted,
    with_values,
    written_policy,
)
from descheduler.policy.marked_yaml import MAX_BYTES
from descheduler_profiling.series import History

if TYPE_CHECKING:
    from descheduler.kube.client.connection import KubeClient
    from descheduler.kube.recording.wire_objects import ClusterObjects
    from descheduler.observe.observed import HistorySource

_READING_CLUSTER, _READING_RECORDING = "reading the cluster", "reading the recording"


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """The options that say what to read; at most one of cluster, recording and example."""

    kubeconfig: Path | None = None
    context: str | None = None
    recording: Path | None = None
    example: bool = False
    prometheus: str | None = None
    at: str = ""
    user: str = ""
    server: str = ""
    request_timeout: str = ""

    @classmethod
    def named(cls, source: str, of_cluster: Self) -> Self | None:
        """The source that one word names: a recording's path, `example`, or `cluster`; None where there is none.

        Raises UsageError where options of a cluster stand without it.
        """
        if source == "cluster":
            return of_cluster
        if of_cluster != cls():
            raise UsageError("options of the connection are for --against cluster")
        return cls(example=True) if source == "example" else cls(recording=Path(source)) if source else None

    def check(self) -> None:
        """Raises UsageError when the options contradict each other, or one cannot be understood."""
        named = {
            "--kubeconfig/--context": self.kubeconfig is not None or self.context is not None,
            "--as/--server/--request-timeout": bool(self.user or self.server or self.request_timeout),
            "--recording": self.recording is not None,
            "--example": self.example,
        }
        given = [name for name, there in named.items() if there]
        if len(given) > 1 and not self.live:
            raise UsageError(f"{' and '.join(given)} contradict each other: name one cluster to read")
        if self.prometheus and not self.live:
            raise UsageError(f"{given[0]} has its own history: leave --prometheus out")
        if self.at:
            moment(self.at, 0.0, "--at")
        if self.at and self.live:
            raise UsageError("--at needs --recording or --example: of a cluster only the present can be read")

    @property
    def live(self) -> bool:
        """A real cluster is read."""
        return self.recording is None and not self.example

    def client(self) -> KubeClient:
        """The cluster's API server. Raises UsageError and ClusterError."""
        from descheduler.kube.client.connection import connect
        from descheduler.kube.client.credentials import Overrides

        overrides = Overrides(self.server, self.user, seconds(self.request_timeout, "--request-timeout"))
        return connect(self.kubeconfig, self.context, overrides=overrides)

    def command_line(self) -> str:
        """The same options as they are typed, each with a space behind it."""
        named = {
            "--kubeconfig": self.kubeconfig,
            "--context": self.context,
            "--as": self.user,
            "--server": self.server,
            "--request-timeout": self.request_timeout,
            "--recording": self.recording,
            "--prometheus": self.prometheus,
            "--at": self.at,
        }
        given = [f"{name} {quote(str(value))} " for name, value in named.items() if value]
        return "".join([*given, *(["--example "] if self.example else [])])


def read_policy(path: Path | None, options: SourceOptions, settings: Sequence[Setting] = ()) -> Policy:
    """The policy of a file, with the values that are set; without a file that of the example, or the default one.

    Raises PolicyError.
    """
    return read_written(path, options, settings).policy


def read_written(
    path: Path | None, options: SourceOptions, settings: Sequence[Setting] = (), *, lenient: bool = False
) -> WrittenPolicy:
    """The same with what there is to say of it; mistakes that `lenient` lets pass are told at once."""
    written = _written(path, options, lenient=lenient)
    for warning in written.warnings:
        say(f"warning: {warning}")
    try:
        policy = with_values(written.policy, settings)
    except PolicyError as error:
        raise PolicyError(tuple(f"{path}: {problem}" if path else problem for problem in error.problems)) from error
    for warning in newly_doubted(written.policy, policy) if settings else ():
        say(f"warning: --set: {warning}")
    return replace(written, policy=policy)


def policy_of(path: Path, *, lenient: bool = False) -> WrittenPolicy:
    """The policy of a file; `-` is stdin. Raises PolicyError."""
    if str(path) == "-":
        return written_policy(sys.stdin.read(MAX_BYTES + 1), "stdin", lenient=lenient)
    return written_policy(path, lenient=lenient)


def _written(path: Path | None, options: SourceOptions, *, lenient: bool) -> WrittenPolicy:
    if path is not None:
        return policy_of(path, lenient=lenient)
    if options.example:
        from descheduler.example.example import example_policy

        return WrittenPolicy(load_policy(example_policy()))
    return WrittenPolicy(default_policy())


def read(
    options: SourceOptions, policy: Policy, signals: Sequence[str] | None = None, stages: Stages = UNWATCHED
) -> Observed:
    """The cluster, and the history that the policy needs or that of `signals` alone.

    Raises:
        UsageError: contradicting options, no address of a history server, or a signal that nobody knows or recorded.
        ClusterError, HistoryError, RecordingError: what was named cannot be read.
    """
    options.check()
    if not options.live:
        stages.begin(_READING_RECORDING)
        return observe(stored(options)[1], policy, signals)
    from descheduler.observe.live import ListedCluster

    with _history(options, stages) as history:
        client = _connected(options, stages)
        return observe(Source(ListedCluster(client, time.time, stages), history), policy, signals, stages)


def snapshot_of(options: SourceOptions, stages: Stages) -> ClusterSnapshot:
    """The cluster alone, without its history. Raises UsageError, ClusterError and RecordingError."""
    options.check()
    if not options.live:
        stages.begin(_READING_RECORDING)
        return stored(options)[1].cluster.snapshot()
    from descheduler.kube.client.read_cluster import read_cluster
    from descheduler.observe.live import kinds_to

    client = _connected(options, stages)
    stages.begin(_READING_CLUSTER)
    return read_cluster(client, clock=time.time, progress=kinds_to(stages))


def read_objects(options: SourceOptions, policy: Policy, stages: Stages) -> tuple[ClusterObjects, Observed]:
    """The same with the objects as they came over the wire, for a recording."""
    options.check()
    if not options.live:
        stages.begin(_READING_RECORDING)
        objects, source = stored(options)
        return objects, observe(source, policy)
    from descheduler.kube.recording.wire_objects import record_cluster
    from descheduler.observe.live import kinds_to

    with _history(options, stages) as history:
        history.check(policy, None)
        client = _connected(options, stages)
        stages.begin(_READING_CLUSTER)
        objects = record_cluster(client, clock=time.time, progress=kinds_to(stages))
        stages.begin("reading the history")
        return objects, observe(Source(RecordedCluster(objects.snapshot()), history), policy)


def _connected(options: SourceOptions, stages: Stages) -> KubeClient:
    stages.begin("connecting")
    return options.client()


def stored(options: SourceOptions) -> tuple[ClusterObjects, Source]:
    """What the recording or the example holds, as of the time that is asked for."""
    from descheduler.stored import stored as read_stored

    with _file_of(options.recording) as recording:
        found = read_stored(recording)
    return found.objects, _as_of(options.at, found.snapshot, found.histories)


@contextmanager
def _file_of(recording: Path | None) -> Iterator[Path | None]:
    """The recording as a file: what is `-` is read from stdin, and a file for so long."""
    if str(recording) != "-":
        yield recording
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "stdin.recording")
        with file.open("wb") as out:
            shutil.copyfileobj(sys.stdin.buffer, out)
        yield file


def _as_of(at: str, taken: ClusterSnapshot, histories: Mapping[str, History]) -> Source:
    """What was recorded, as of a time as it is typed; "": of its own. Raises UsageError when nothing is known then."""
    if not at:
        return Source(RecordedCluster(taken), RecordedHistory(histories))
    now = moment(at, taken.taken_at, "--at")
    if now > taken.taken_at:
        raise UsageError(f"--at {at}: the recording ends before that, at {instant(taken.taken_at)}")
    begins = min((one.start for one in histories.values() if one.keys), default=0)
    if now < begins:
        raise UsageError(f"--at {at}: the recorded history begins after that, at {instant(begins)}")
    return Source(RecordedCluster(cluster_at(taken, now)), RecordedHistory(histories, now))


@contextmanager
def _history(options: SourceOptions, stages: Stages) -> Iterator[HistorySource]:
    """Prometheus, as far as the policy needs it."""
    from descheduler.observe.history import HistoryReader

    reader = HistoryReader(options.prometheus, None, time.time, random.Random(), lambda: None, progress=stages.at)
    with closing(reader):
        yield reader
