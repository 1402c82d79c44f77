"""One way to observe, whatever is observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from builders import NOW, cluster, node
from descheduler.model.errors import ClusterError, UsageError
from descheduler.model.snapshot import ClusterSnapshot, Freshness
from descheduler.model.workloads import WorkloadKey
from descheduler.observe import Source, live, observe
from descheduler.observe.history import HistoryReader
from descheduler.observe.live import FreshSnapshots, ListedCluster, WatchedCluster
from descheduler.observe.recorded import RecordedCluster, RecordedHistory
from descheduler.observe.signals import needs_history, relied_on, required_signals, wanted_signals
from descheduler.policy import Policy, load_policy
from descheduler_profiling.series import History
from histories import history

WEB = WorkloadKey("shop", "Deployment", "web")
OF_NODES = {"cpu", "memory", "replicas", "system_cpu", "system_memory"}
BOTH = {"cpu": history("cpu", {WEB: 1.0}), "memory": history("memory", {WEB: 1.0})}


def policy(more: str = "") -> Policy:
    return load_policy(f"apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n{more}\n", "test")


@dataclass
class Clock:
    at: float = NOW

    def now(self) -> float:
        return self.at


@dataclass
class Cache:
    """A watch cache that is always current; counts how often it is asked."""

    clock: Clock
    freshness: Mapping[str, Freshness] = field(default_factory=dict)
    asked: int = 0

    def snapshot(self) -> ClusterSnapshot:
        self.asked += 1
        return cluster([node(f"n{self.asked}")], taken_at=self.clock.now(), freshness=self.freshness)


@dataclass
class Slow:
    """A history server that takes its time; `located` marks the snapshot that it was given."""

    clock: Clock
    seconds: float
    asked: list[Sequence[str] | None] = field(default_factory=list)

    def check(self, policy: Policy, signals: Sequence[str] | None) -> None:
        if signals == ["nonsense"]:
            raise UsageError("no signal is named nonsense")

    def read(self, policy: Policy, snapshot: ClusterSnapshot, signals: Sequence[str] | None) -> Mapping[str, History]:
        self.asked.append(signals)
        self.clock.at += self.seconds
        return {}

    def located(self, policy: Policy, snapshot: ClusterSnapshot) -> ClusterSnapshot:
        return replace(snapshot, cluster="located")


def test_a_recording_counts_as_the_time_at_which_it_was_taken() -> None:
    snapshot = cluster([node("n1")])
    observed = observe(Source(RecordedCluster(snapshot), RecordedHistory(BOTH)), policy())
    assert (observed.snapshot, observed.histories, observed.now) == (snapshot, BOTH, NOW)


def test_of_a_recording_only_the_signals_that_are_asked_for_are_given() -> None:
    source = Source(RecordedCluster(cluster([node("n1")])), RecordedHistory(BOTH))
    assert observe(source, policy(), ["memory"]).histories == {"memory": BOTH["memory"]}
    with pytest.raises(UsageError, match=r"no history of memry is recorded \(did you mean memory\?\)"):
        observe(source, policy(), ["memry"])


def test_the_cluster_is_seen_as_it_is_after_the_history_was_read() -> None:
    clock = Clock()
    cache: Any = Cache(clock)
    observed = observe(Source(WatchedCluster(cache, clock.now), Slow(clock, 100)), policy())
    assert (observed.snapshot.nodes[0].name, observed.snapshot.taken_at, observed.now) == ("n2", NOW + 100, NOW + 100)
    assert observed.snapshot.cluster == "located"


@pytest.mark.parametrize(("seconds", "lists"), [(5, 1), (100, 2)])
def test_lists_are_repeated_only_when_what_they_gave_has_aged(
    seconds: float, lists: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    listing = Cache(clock)
    monkeypatch.setattr(live, "read_cluster", lambda *_, **__: listing.snapshot())
    client: Any = None
    observed = observe(Source(ListedCluster(client, clock.now), Slow(clock, seconds)), policy())
    assert listing.asked == lists
    assert observed.now == NOW + seconds


def test_what_cannot_be_read_at_all_is_said_before_the_cluster_is_read() -> None:
    clock = Clock()
    cache: Any = Cache(clock)
    source = Source(WatchedCluster(cache, clock.now), Slow(clock, 0))
    with pytest.raises(UsageError, match="nonsense"):
        observe(source, policy(), ["nonsense"])
    assert cache.asked == 0
    observe(source, policy(), ["cpu"])
    assert source.history.asked == [["cpu"]]  # type: ignore[attr-defined]


def test_a_signal_that_nobody_knows_and_an_address_that_nobody_gave_are_told() -> None:
    clock = Clock()
    rng: Any = None
    reader = HistoryReader("http://prometheus", None, clock.now, rng, lambda: None)
    reader.check(policy(), ["cpu", "gpu"])
    reader.check(policy("history: {queries: {cpu: up}, signals: {queue: {query: up}}}"), ["queue"])
    with pytest.raises(UsageError, match=r"no signal is named cpuu \(did you mean cpu\?\)"):
        reader.check(policy(), ["cpuu"])
    with pytest.raises(UsageError, match="give --prometheus"):
        HistoryReader(None, None, clock.now, rng, lambda: None).check(policy("strategies: [{HotNodes: {}}]"), None)


def test_no_server_is_asked_for_where_no_strategy_needs_history() -> None:
    clock = Clock()
    rng: Any = None
    reader, snapshot = HistoryReader(None, None, clock.now, rng, lambda: None), cluster([node("n1", gpu=8)])
    without = policy("strategies: [{RemoveFailedPods: {}}]")
    reader.check(without, None)
    assert reader.read(without, snapshot, None) == {}
    assert reader.located(without, snapshot) is snapshot
    assert relied_on(without) == set()
    for needs in (policy("strategies: [{HotNodes: {}}]"), policy('publish: {workloads: ["*/*/*"]}')):
        with pytest.raises(UsageError, match="no history"):
            reader.check(needs, None)
    with pytest.raises(UsageError, match="no history"):
        reader.check(without, ["cpu"])


def test_who_asks_for_a_query_of_his_own_alone_relies_on_no_other_signal() -> None:
    metrics = "metricsUtilization: {source: Prometheus, prometheus: {query: load}}"
    thresholds = "thresholds: {MetricResource: 20}, targetThresholds: {MetricResource: 70}"
    asking = policy(f"strategies: [{{LowNodeUtilization: {{{metrics}, {thresholds}}}}}]")
    assert needs_history(asking)
    assert not relied_on(asking) & {"cpu", "memory"}
    assert {"cpu", "memory"} <= relied_on(policy("strategies: [{HotNodes: {}}]"))


def test_optional_signals_of_strategies_are_read_where_the_cluster_can_have_them() -> None:
    idle = policy("strategies: [{IdleGpu: {}}]")
    assert wanted_signals(idle, cluster([node("n1")])) == OF_NODES
    of_gpus = {"gpu", "gpu_least", "gpu_memory"}
    assert wanted_signals(idle, cluster([node("n1", gpu=8)])) == OF_NODES | of_gpus
    assert required_signals(idle) == set()
    assert required_signals(policy("strategies: [{HotNodes: {}}]")) == {"cpu", "memory"}


def test_what_is_published_is_read_too() -> None:
    named = 'publish: {workloads: ["*/*/*"], signals: [cpu, gpu]}'
    assert "gpu" in wanted_signals(policy(named), cluster([node("n1")]))
    assert "gpu" not in wanted_signals(policy(), cluster([node("n1")]))


@pytest.mark.parametrize("off", [-300, 300], ids=["too old", "from the future"])
def test_acting_sees_nothing_that_planning_would_not_rely_on(off: float) -> None:
    clock = Clock()
    cache: Any = Cache(clock, {"pods": Freshness("pods", NOW + off)})
    beats: list[int] = []
    pictures = FreshSnapshots(cache, policy, lambda: beats.append(1))
    with pytest.raises(ClusterError, match="pods: 300 s old"):
        pictures.take()
    cache.freshness = {"pods": Freshness("pods", NOW - 10)}
    assert pictures.take().nodes
    assert len(beats) == 2


def test_acting_sees_a_kind_as_old_as_the_policy_allows() -> None:
    clock = Clock()
    cache: Any = Cache(clock, {"pods": Freshness("pods", NOW - 300)})
    longer = policy("freshness: {kinds: {pods: 10m}}")
    assert FreshSnapshots(cache, lambda: longer, lambda: None).take().nodes
