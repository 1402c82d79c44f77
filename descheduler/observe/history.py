"""History for the controller: read once in full, then added to in each cycle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random

import structlog

from descheduler.apiwrite.clock import Clock
from descheduler.contract import load
from descheduler.model.errors import HistoryError, StrategyError, UsageError
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.gpu_series import located, worth_asking
from descheduler.policy import Policy
from descheduler.policy.convert import history_connection, history_signals
from descheduler_profiling.history.client import HistoryClient
from descheduler_profiling.history.collect import collect
from descheduler_profiling.history.store import HistoryStore
from descheduler_profiling.series import History

log = structlog.get_logger(__name__)

BASIC = ("cpu", "memory")
"""Signals that are read whatever the strategies ask for: destinations must stay cool."""


OF_GPUS = frozenset({"gpu", "gpu_memory"})
"""Signals that no cluster without GPUs has: what a strategy would merely like is not asked for there."""


class HistoryReader:
    """Reads what the strategies of a policy need. Keeps the connection while the policy's history section stays.

    `url` of the command line comes before the policy's; `directory` keeps the history over restarts (None: in memory);
    `beat` is called while a long back-fill goes on.
    """

    def __init__(
        self, url: str | None, directory: Path | None, clock: Clock, rng: Random, beat: Callable[[], None]
    ) -> None:
        self._url = url
        self._store = HistoryStore(directory)
        self._clock = clock
        self._rng = rng
        self._beat = beat
        self._client: HistoryClient | None = None
        self._asked = ""

    def read(self, policy: Policy, snapshot: ClusterSnapshot, now: float) -> Mapping[str, History]:
        """The history of every signal, up to now.

        Raises:
            UsageError: no address is given.
            HistoryError: the server cannot be used at all, and nothing is known from earlier.
        """
        wanted = policy.history
        client = self._connected(policy)
        needed = {signal for choice in policy.strategies for signal in _signals_of(choice.strategy, snapshot)}
        if policy.publish.workloads:
            needed.update(policy.publish.signals)
        return collect(
            client,
            history_signals(wanted, sorted({*BASIC, *needed})),
            now=now,
            window_seconds=int(wanted.window.total_seconds()),
            step=int(wanted.step.total_seconds()),
            owner_of=owners(snapshot),
            previous=self._store,
            progress=lambda *_: self._beat(),
            match=wanted.match,
        )

    def located(self, policy: Policy, snapshot: ClusterSnapshot, now: float) -> ClusterSnapshot:
        """The snapshot with what series tell of its GPUs, where nothing else does; as it is when they cannot be had."""
        if not policy.history.gpu_series or not worth_asking(snapshot):
            return snapshot
        try:
            return located(self._connected(policy), policy.history.gpu_series, policy.history.match, snapshot, now)
        except (HistoryError, UsageError) as e:
            log.warning("series of GPUs cannot be read", error=str(e))
            return snapshot

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
            self._client = HistoryClient(connection, rng=self._rng, clock=self._clock.wall)
            self._asked = asked
        return self._client


def _signals_of(name: str, snapshot: ClusterSnapshot) -> tuple[str, ...]:
    try:
        strategy = load(name)
    except StrategyError:
        return ()  # the plan will say that it failed, and go on with the others
    optional: tuple[str, ...] = getattr(strategy, "optional_signals", ())
    if not any(node.gpus for node in snapshot.nodes):
        optional = tuple(signal for signal in optional if signal not in OF_GPUS)
    return (*strategy.signals, *optional)


def owners(snapshot: ClusterSnapshot) -> Callable[[str, str], WorkloadKey | None]:
    """Names the topmost controller of a pod that exists, None for others."""

    def owner(namespace: str, pod: str) -> WorkloadKey | None:
        at = snapshot.pod_index.get((namespace, pod))
        return None if at is None else snapshot.root(snapshot.pods[at])

    return owner
