"""The history of a live cluster, read from Prometheus: once in full, then added to each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import structlog

from descheduler.model.errors import HistoryError, UsageError
from descheduler.model.meant import hint_at
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.gpu_series import located, worth_asking
from descheduler.observe.signals import BASIC, needs_history, queried, wanted_signals, with_counted
from descheduler.observe.unheard import unheard
from descheduler.policy import Policy
from descheduler.policy.history_source import history_connection, history_signals, measured_by
from descheduler_profiling.history.collect import Progress, collect_with_notes
from descheduler_profiling.history.pods_here import pods_here
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.signals import Signal, builtin_signals
from descheduler_profiling.history.sources import EVERYBODY
from descheduler_profiling.history.store import HistoryStore
from descheduler_profiling.series import History

log = structlog.get_logger(__name__)


class HistoryReader:
    """Keeps the connection while the policy's history section stays, and what it has read.

    `url` of the command line comes before the policy's; `directory` keeps the history over restarts (None: in memory);
    `now` gives unix seconds; `beat` is called while a long reading goes on. `told` hears at each change what cannot
    be kept there, "" when all is: that stops nothing, for what was read is in memory. `progress` hears how much of it
    has been read.
    """

    def __init__(
        self,
        url: str | None,
        directory: Path | None,
        now: Callable[[], float],
        rng: Random,
        beat: Callable[[], None],
        told: Callable[[str], None] = lambda _: None,
        progress: Progress = lambda done, signals: None,
    ) -> None:
        self._url = url
        self._store = HistoryStore(directory)
        self._now = now
        self._rng = rng
        self._beat = beat
        self._told = told
        self._progress = progress
        self._unkept = ""
        self._client: HistoryClient | None = None
        self._asked = ""
        self.queries: Mapping[str, str] = {}  # what answered for each signal when it was read last
        self.sources = EVERYBODY  # and who measured

    def check(self, policy: Policy, signals: Sequence[str] | None) -> None:
        known = {*builtin_signals(), *queried(policy), *policy.history.queries, *policy.history.signals}
        for signal in signals or ():
            if signal not in known:
                raise UsageError(f"no signal is named {signal}{hint_at(signal, known)}")
        if not self._done_without(policy, signals):
            history_connection(policy.history, self._url)

    def read(self, policy: Policy, snapshot: ClusterSnapshot, signals: Sequence[str] | None) -> Mapping[str, History]:
        """As `HistorySource` says. Of a server that cannot be used at all, what is known from earlier is given."""
        if self._done_without(policy, signals):
            return {}
        wanted = policy.history
        asked = _asked_for(policy, snapshot, signals)
        collected = collect_with_notes(
            self._connected(policy),
            asked,
            now=snapshot.taken_at,
            window_seconds=int(wanted.window.total_seconds()),
            step=int(wanted.step.total_seconds()),
            owner_of=owners(snapshot),
            previous=self._store,
            match=wanted.match,
            here=pods_here(snapshot),
            measured_by=measured_by(wanted),
            progress=self._progress,
        )
        if self._store.problem != self._unkept:
            self._unkept = self._store.problem
            self._told(self._unkept)
        self.sources = collected.sources
        self.queries = {signal: notes.query for signal, notes in collected.notes.items()}
        return {signal: self._heard(policy, asked[signal], h, snapshot) for signal, h in collected.histories.items()}

    def _heard(self, policy: Policy, signal: Signal, history: History, snapshot: ClusterSnapshot) -> History:
        """The history, with what is wrong where a signal that all pods have speaks of other pods."""
        if signal.name not in BASIC:
            return history
        coverage, match = policy.history.min_coverage, policy.history.match
        query = self.queries[signal.name]
        client = self._connected(policy)
        why = unheard(client, signal, history, query, snapshot, min_coverage=coverage, match=match)
        return replace(history, complete=False, problems=(*history.problems, why)) if why else history

    def located(self, policy: Policy, snapshot: ClusterSnapshot) -> ClusterSnapshot:
        """As `HistorySource` says; the snapshot as it is when the series cannot be had."""
        names, match = policy.history.gpu_series, policy.history.match
        if not names or self._done_without(policy, None) or not worth_asking(snapshot):
            return snapshot
        try:
            return located(self._connected(policy), names, match, snapshot, self.sources)
        except (HistoryError, UsageError) as e:
            log.warning("series of GPUs cannot be read", error=str(e))
            return snapshot

    def _done_without(self, policy: Policy, signals: Sequence[str] | None) -> bool:
        """Whether no server is named, and nobody asks for one."""
        return signals is None and not self._url and not policy.history.url and not needs_history(policy)

    def close(self) -> None:
        """Close the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connected(self, policy: Policy) -> HistoryClient:
        asked = policy.history.model_dump_json()
        if self._client is None or asked != self._asked:
            self.close()
            connection = history_connection(policy.history, self._url)
            self._client = HistoryClient(connection, rng=self._rng, clock=self._now, beat=self._beat)
            self._asked = asked
        return self._client


def _asked_for(policy: Policy, snapshot: ClusterSnapshot, signals: Sequence[str] | None) -> dict[str, Signal]:
    if signals is None:
        return history_signals(policy.history, wanted_signals(policy, snapshot), queried(policy))
    wanted = with_counted(signals)
    known = history_signals(policy.history, wanted, queried(policy))
    return {name: one for name, one in known.items() if name in wanted}


def owners(snapshot: ClusterSnapshot) -> Callable[[str, str], WorkloadKey | None]:
    """Names the topmost controller of a pod that exists, None for others."""

    keys, index = snapshot.columns.workloads, snapshot.pod_index
    of_pod = snapshot.columns.pod_workload.tolist()

    def owner(namespace: str, pod: str) -> WorkloadKey | None:
        at = index.get((namespace, pod))
        return None if at is None else keys[of_pod[at]]

    return owner
