"""A cluster and its history that were written down: recordings, and the example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from descheduler.model.errors import UsageError
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy import Policy
from descheduler.policy.hints import did_you_mean
from descheduler_profiling.series import History


@dataclass(frozen=True, slots=True)
class RecordedCluster:
    """A cluster that stays as it was; it counts as the time at which it was taken."""

    taken: ClusterSnapshot

    def snapshot(self) -> ClusterSnapshot:
        return self.taken

    def renewed(self, taken: ClusterSnapshot, max_age: float) -> ClusterSnapshot:
        return taken

    def now(self) -> float:
        return self.taken.taken_at


@dataclass(frozen=True, slots=True)
class RecordedHistory:
    """Histories by signal. All of them are given unless some are asked for by name."""

    histories: Mapping[str, History]

    def check(self, policy: Policy, signals: Sequence[str] | None) -> None:
        for signal in signals or ():
            if signal not in self.histories:
                there = sorted(self.histories)
                hint = did_you_mean(signal, there) or f"; there are {', '.join(there) or 'none'}"
                raise UsageError(f"no history of {signal} is recorded{hint}")

    def read(self, policy: Policy, snapshot: ClusterSnapshot, signals: Sequence[str] | None) -> Mapping[str, History]:
        return self.histories if signals is None else {signal: self.histories[signal] for signal in signals}

    def located(self, policy: Policy, snapshot: ClusterSnapshot) -> ClusterSnapshot:
        return snapshot
