"""What was seen, and the one way to see it: the same for the example, a recording and a live cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.signals import needs_metrics
from descheduler.observe.stages import UNWATCHED, Stages
from descheduler.policy import Policy
from descheduler_profiling.series import History


@dataclass(frozen=True, slots=True)
class Observed:
    """What was seen: the cluster, the history of each signal, and the time it counts as (unix seconds)."""

    snapshot: ClusterSnapshot
    histories: Mapping[str, History]
    now: float


class ClusterSource(Protocol):
    """Where a cluster's objects come from."""

    def snapshot(self) -> ClusterSnapshot:
        """The cluster as it is. Raises ClusterError when it cannot be read."""

    def renewed(self, taken: ClusterSnapshot, max_age: float) -> ClusterSnapshot:
        """The same after a while in which something else was read: again, where `taken` is too old by now.

        `max_age` in seconds is what data may be at the most when it is used. Raises ClusterError.
        """

    def measured(self, taken: ClusterSnapshot) -> ClusterSnapshot:
        """The snapshot with what its nodes and pods use now, or with why nobody knows."""

    def now(self) -> float:
        """The time that what was seen counts as, in unix seconds."""


class HistorySource(Protocol):
    """Where the history of a cluster's signals comes from.

    `signals` None: those that the policy needs, the optional ones included; otherwise those alone.
    """

    def check(self, policy: Policy, signals: Sequence[str] | None) -> None:
        """Raises UsageError when it is clear before anything is read that there is nothing to read."""

    def read(self, policy: Policy, snapshot: ClusterSnapshot, signals: Sequence[str] | None) -> Mapping[str, History]:
        """The history of each signal up to the time of the snapshot. Raises HistoryError when there is none to use."""

    def located(self, policy: Policy, snapshot: ClusterSnapshot) -> ClusterSnapshot:
        """The snapshot with what series tell of its GPUs, where nothing else does."""


@dataclass(frozen=True, slots=True)
class Source:
    """One cluster and its history."""

    cluster: ClusterSource
    history: HistorySource


def observe(
    source: Source, policy: Policy, signals: Sequence[str] | None = None, stages: Stages = UNWATCHED
) -> Observed:
    """What plans and profiles are made from.

    History first, for reading it may take minutes, then the cluster as it is after that.

    Raises:
        UsageError: no address of a history server, or a signal that nobody knows.
        ClusterError, HistoryError: what was named cannot be read.
    """
    cluster, history = source.cluster, source.history
    history.check(policy, signals)
    stages.begin("reading the cluster")
    taken = cluster.snapshot()
    stages.begin("reading the history")
    histories = history.read(policy, taken, signals)
    stages.begin("reading the cluster as it is now")
    snapshot = cluster.renewed(taken, policy.freshness.max_age.total_seconds())
    snapshot = cluster.measured(snapshot) if needs_metrics(policy) else snapshot
    return Observed(history.located(policy, snapshot), histories, cluster.now())
