"""The examination of an installation, one thing after the other; what cannot be looked at stops none of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

from descheduler.doctor import installed, instances, kinds, planned, servers, signals
from descheduler.doctor.checks import Check, failure, fenced, ok
from descheduler.doctor.given import Given
from descheduler.doctor.permissions import permissions
from descheduler.doctor.signals import Read
from descheduler.kube.client.connection import KubeClient
from descheduler.kube.client.discovery import Discovered, discover
from descheduler.kube.client.read_cluster import read_cluster
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed, Source, observe
from descheduler.observe.history import HistoryReader
from descheduler.observe.live import kinds_to
from descheduler.observe.recorded import RecordedCluster, RecordedHistory
from descheduler.observe.signals import needs_history, required_signals
from descheduler.pipeline import profile
from descheduler.policy.history_source import history_connection
from descheduler_profiling.history.prometheus.client import HistoryClient

_WHERE = "see --kubeconfig and --context, and that the API server is up"
_HISTORY = "see history.url, history.auth and history.server in the policy, and --prometheus"


def examine_stored(given: Given, source: Source) -> Iterator[Check]:
    """A recording or the example: the policy, what was recorded, and the plan on it."""
    yield from installed.policy(given)
    observed = observe(source, given.policy)
    yield from kinds.kinds(observed.snapshot, given, None)
    yield from fenced(installed.AREA, "executor", lambda: installed.executor(observed.snapshot, given))
    yield from fenced(installed.AREA, "names", lambda: installed.names(observed.snapshot, given))
    yield from _decided(observed, {}, given)


def examine_live(given: Given, connect: Callable[[], KubeClient]) -> Iterator[Check]:
    """A cluster with its history server. `connect` raises UsageError or ClusterError where there is no way to it."""
    yield from installed.policy(given)
    with ExitStack() as stack:
        live = _Live(given, stack)
        yield from fenced(servers.API, "connection", lambda: live.api(connect), _WHERE)
        yield from live.cluster()
        yield from fenced(servers.HISTORY, "connection", live.history, _HISTORY)
        yield from fenced(signals.AREA, "reading", live.plan, _HISTORY)


class _Live:
    """What is known of the installation so far."""

    def __init__(self, given: Given, stack: ExitStack) -> None:
        self._given = given
        self._stack = stack
        self._client: KubeClient | None = None
        self._skew: float | None = None  # of the API server's clock
        self._snapshot: ClusterSnapshot | None = None
        self._no_history = False
        self._answers = False  # the history server does

    def api(self, connect: Callable[[], KubeClient]) -> Iterator[Check]:
        """Whether the API server answers."""
        self._given.stages.begin("asking the API server")
        client = connect()
        self._stack.callback(client.close)
        found = servers.ask(client, self._given.now)
        self._client, self._skew = client, found.skew
        yield from servers.api_server(client, found, self._given)

    def cluster(self) -> Iterator[Check]:
        """Rights, who leads, and what is there; nothing where the API server does not answer."""
        client = self._client
        if client is None:
            return
        found: list[Discovered] = []
        yield from fenced(kinds.AREA, "discovery", lambda: _discovered(client, found))
        served = found[0] if found else Discovered()
        self._given.stages.begin("asking what we may do")
        yield from permissions(client, self._given, served)
        yield from instances.lease(client, self._given)
        yield from fenced(kinds.AREA, "reading", lambda: self._read(client, served))

    def _read(self, client: KubeClient, served: Discovered) -> Iterator[Check]:
        self._given.stages.begin("reading the cluster")
        snapshot = read_cluster(client, clock=self._given.now, progress=kinds_to(self._given.stages))
        self._snapshot = snapshot
        yield from kinds.kinds(snapshot, self._given, served)
        yield from instances.others(snapshot, self._given)
        yield from fenced(installed.AREA, "executor", lambda: installed.executor(snapshot, self._given))
        yield from fenced(installed.AREA, "names", lambda: installed.names(snapshot, self._given))
        yield from fenced(installed.AREA, "landing", lambda: installed.landing(client, snapshot, self._given))

    def history(self) -> Iterator[Check]:
        """Whether the history server answers, and what it has for each query."""
        given = self._given
        if not given.url and not given.policy.history.url and not needs_history(given.policy):
            self._no_history = True
            yield ok(servers.HISTORY, "connection", "none is named, and no strategy needs history")
            return
        given.stages.begin("asking the history server")
        connection = history_connection(given.policy.history, given.url)
        with HistoryClient(connection, rng=given.rng, clock=given.now) as client:
            yield from servers.history_server(client, self._skew, given)
            self._answers = True
            empty = ClusterSnapshot.of(taken_at=given.now(), nodes=(), pods=())
            yield from signals.queries(client, self._snapshot or empty, given)

    def plan(self) -> Iterator[Check]:
        """What the history says, read as a plan reads it, and a plan."""
        given, snapshot = self._given, self._snapshot
        if snapshot is None or not (self._answers or self._no_history):
            lacking = "cluster" if snapshot is None else "history"
            yield failure(planned.AREA, "made", f"none can be made: the {lacking} could not be read", "see above")
            return
        if self._no_history:
            source = Source(RecordedCluster(snapshot), RecordedHistory({}))
            yield from _decided(observe(source, given.policy), {}, given)
            return
        given.stages.begin("reading the history")
        reader = HistoryReader(given.url, None, given.now, given.rng, lambda: None, progress=given.stages.at)
        self._stack.callback(reader.close)
        observed = observe(Source(RecordedCluster(snapshot), reader), given.policy)
        yield from _decided(observed, reader.queries, given)


def _discovered(client: KubeClient, found: list[Discovered]) -> Iterator[Check]:
    found.append(discover(client))
    yield from kinds.served_kinds(found[0])


def _decided(observed: Observed, queries: Mapping[str, str], given: Given) -> Iterator[Check]:
    profiles = profile(observed, stages=given.stages)
    given.stages.begin("planning")
    yield from signals.signals(Read(observed.histories, profiles, queries), observed.snapshot, given)
    for name in sorted(required_signals(given.policy) - observed.histories.keys()):
        yield failure(signals.AREA, name, f"there is no history of {name}", "strategies of the policy need it")
    yield from fenced(planned.AREA, "made", lambda: planned.planned(observed, profiles, given))
