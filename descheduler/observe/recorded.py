"""A cluster and its history that were written down: recordings, and the example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from descheduler.model.errors import UsageError
from descheduler.model.meant import hint_at
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.signals import with_counted
from descheduler.policy import Policy
from descheduler_profiling.history.past import as_of
from descheduler_profiling.series import History


@dataclass(frozen=True, slots=True)
class RecordedCluster:
    """A cluster that stays as it was; it counts as the time at which it was taken."""

    taken: ClusterSnapshot

    def snapshot(self) -> ClusterSnapshot:
        return self.taken

    def renewed(self, taken: ClusterSnapshot, max_age: float) -> ClusterSnapshot:
        return taken

    def measured(self, taken: ClusterSnapshot) -> ClusterSnapshot:
        return taken

    def now(self) -> float:
        return self.taken.taken_at


@dataclass(frozen=True, slots=True)
class RecordedHistory:
    """Histories by signal. All of them are given unless some are asked for by name.

    `at`: an earlier time (unix seconds), as of which they are given.
    """

    histories: Mapping[str, History]
    at: float | None = None

    def check(self, policy: Policy, signals: Sequence[str] | None) -> None:
        for signal in signals or ():
            if signal not in self.histories:
                raise UsageError(f"no history of {signal} is recorded{hint_at(signal, self.histories)}")

    def read(self, policy: Policy, snapshot: ClusterSnapshot, signals: Sequence[str] | None) -> Mapping[str, History]:
        found = self.histories if signals is None else self._of(signals)
        if self.at is None:
            return found
        window = int(policy.history.window.total_seconds())
        return {signal: as_of(history, self.at, window) for signal, history in found.items()}

    def _of(self, signals: Sequence[str]) -> Mapping[str, History]:
        return {signal: self.histories[signal] for signal in with_counted(signals) if signal in self.histories}

    def located(self, policy: Policy, snapshot: ClusterSnapshot) -> ClusterSnapshot:
        return snapshot
