"""What is published: by policy, as metrics, and what is advised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from builders import NOW, cluster, node, owner, pod, workload
from descheduler.model.errors import Forbidden, LeadershipLost, PolicyError
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.policy import Policy, load_policy
from descheduler.publish.advice import Advice, advice_of
from descheduler.publish.published import Published, Publisher
from descheduler.publish.recommendations import Written
from descheduler_profiling.build import build
from descheduler_profiling.export import usage
from descheduler_profiling.profiles import SignalProfiles
from histories import history

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
WEB = WorkloadKey("shop", "Deployment", "web")
API = WorkloadKey("shop", "Deployment", "api")
DB = WorkloadKey("data", "StatefulSet", "db")
NEW = WorkloadKey("shop", "Deployment", "new")
LABELS = ("namespace", "kind", "workload", "signal", "quantile", "horizon", "result")


def policy(publish: str) -> Policy:
    return load_policy(f"{HEAD}publish: {publish}\n")


@pytest.fixture(scope="module")
def profiles() -> dict[str, SignalProfiles]:
    young = np.full(2016, np.nan, np.float32)
    cpu = history("cpu", {WEB: 1.0, API: 2.0, DB: 3.0, NEW: young})
    return {"cpu": build(cpu), "memory": build(history("memory", {WEB: 2.0**30, API: 2.0**31, DB: 2.0**32}))}


@pytest.fixture
def snapshot() -> ClusterSnapshot:
    pods = [pod("web-1", namespace="shop", node="n", owners=(owner("Deployment", "web"),))]
    pods.append(pod("db-0", namespace="data", node="n", owners=(owner("StatefulSet", "db"),)))
    found = [workload("Deployment", name, namespace="shop") for name in ("web", "api", "new")]
    found.append(workload("StatefulSet", "db", namespace="data"))
    return cluster([node("n")], pods, workloads=found)


class Heard:
    """Takes the place of the writer, which has tests of its own on a real API server."""

    def __init__(self, error: Exception | None = None, done: Written | None = None) -> None:
        self.advice: list[Sequence[Advice]] = []
        self._error = error
        self._done = done or Written(written=1)

    def publish(self, advice: Sequence[Advice], now: float) -> Written:
        self.advice.append(advice)
        if self._error is not None:
            raise self._error
        return self._done


def scraped(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """By name and the values of the labels."""
    found = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (s.name, *(s.labels[label] for label in LABELS if label in s.labels)): s.value
        for family in found
        for s in family.samples
    }


def published(publisher: Publisher | None = None, leading: Any = lambda: True) -> tuple[Published, CollectorRegistry]:
    registry = CollectorRegistry()
    return Published(registry, lambda: publisher, leading), registry


def test_named_workloads_are_metrics_by_quantile_and_horizon(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    given, registry = published()
    given.update(policy("{workloads: [shop/Deployment/web], quantiles: [0.5, 0.9]}"), snapshot, profiles, NOW)
    found = {k: v for k, v in scraped(registry).items() if k[0] == "descheduler_profile_usage"}
    assert len(found) == 2 * 2 * 4
    cpu = profiles["cpu"]
    rows = np.array([cpu.row(WEB)])
    for q in (0.5, 0.9):
        for i, horizon in enumerate(("15m", "1h", "6h", "24h")):
            value = found["descheduler_profile_usage", "shop", "Deployment", "web", "cpu", f"{q:g}", horizon]
            assert value == pytest.approx(float(usage(cpu, rows, q)[0, i]))


def test_patterns_name_many_and_the_limit_says_how_many_were_left_out(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    given, registry = published()
    given.update(policy('{workloads: ["shop/*/*", data/StatefulSet/d*], maxWorkloads: 2}'), snapshot, profiles, NOW)
    found = scraped(registry)
    assert {k[3] for k in found if k[0] == "descheduler_profile_confidence"} == {"db", "api"}
    assert found["descheduler_profile_left_out",] == 2


def test_how_wide_margins_are_is_told_of_every_signal(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    cpu = profiles["cpu"]
    wider = {**profiles, "cpu": replace(cpu, layout=replace(cpu.layout, widened=1.25))}
    given, registry = published()
    given.update(policy("{}"), snapshot, wider, NOW)
    found = scraped(registry)
    told = {key[1]: value for key, value in found.items() if key[0] == "descheduler_profile_margins"}
    assert told == {signal: 1.25 if signal == "cpu" else 1.0 for signal in profiles}


def test_a_workload_that_is_gone_is_no_longer_shown(snapshot: ClusterSnapshot) -> None:
    gone = WorkloadKey("shop", "Deployment", "gone")
    given = Published(CollectorRegistry(), lambda: None)
    made = {"cpu": build(history("cpu", {WEB: 1.0, gone: 2.0}))}
    given.update(policy('{workloads: ["shop/*/*"]}'), snapshot, made, NOW)
    samples = [sample for metric in given.collect() for sample in metric.samples]
    assert {sample.labels["workload"] for sample in samples if "workload" in sample.labels} == {"web"}


def test_without_a_profile_there_is_a_confidence_of_0_and_no_usage(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    given, registry = published()
    given.update(policy('{workloads: ["shop/Deployment/new"]}'), snapshot, profiles, NOW)
    found = scraped(registry)
    assert found["descheduler_profile_confidence", "shop", "Deployment", "new", "cpu"] == 0
    assert not [k for k in found if k[0] == "descheduler_profile_usage"]


def test_of_a_partial_history_no_usage_is_published(snapshot: ClusterSnapshot) -> None:
    given, registry = published()
    partial = {"cpu": build(history("cpu", {WEB: 1.0}, complete=False))}
    given.update(policy('{workloads: ["*/*/*"]}'), snapshot, partial, NOW)
    found = scraped(registry)
    assert found["descheduler_profile_confidence", "shop", "Deployment", "web", "cpu"] == 0
    assert not [k for k in found if k[0] == "descheduler_profile_usage"]


def test_what_is_no_longer_named_is_no_longer_shown_nor_by_one_who_does_not_lead(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    leads = [True]
    given, registry = published(leading=lambda: leads[0])
    given.update(policy('{workloads: ["*/*/*"]}'), snapshot, profiles, NOW)
    given.update(policy("{workloads: [data/StatefulSet/db]}"), snapshot, profiles, NOW)
    assert {k[3] for k in scraped(registry) if k[0] == "descheduler_profile_usage"} == {"db"}
    leads[0] = False
    assert not [k for k in scraped(registry) if k[0] == "descheduler_profile_usage"]


def test_nothing_is_published_or_written_unless_the_policy_says_so(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    heard = Heard()
    given, registry = published(heard)
    given.update(load_policy(HEAD), snapshot, profiles, NOW)
    given.update(policy('{workloads: ["*/*/*"]}'), snapshot, profiles, NOW)
    assert heard.advice == []
    assert scraped(registry)["descheduler_recommendations", "written"] == 0


ON = 'workloads: ["*/*/*"], recommendations: {enabled: true'


def test_advice_is_the_worst_time_of_the_day_with_the_margin(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    wanted = policy(f"{{{ON}, margin: 20%}}}}").publish
    advice = {one.workload: one for one in advice_of(wanted, snapshot, profiles, [API, DB, WEB])}
    assert set(advice) == {DB, WEB}, "a workload without a pod has no containers to recommend to"
    web, cpu, memory = advice[WEB], profiles["cpu"], profiles["memory"]
    assert (web.api_version, web.uid, web.pod) == ("apps/v1", "uid-Deployment-web", "web-1")
    assert web.amounts is not None
    worst = float(cpu.forecast(np.array([cpu.row(WEB)]), 0.95).max())
    assert web.amounts["cpu"] == pytest.approx(1.2 * worst)
    assert web.amounts["memory"] >= 1.2 * float(memory.peaks[memory.row(WEB), 1]) * 0.9999


def test_without_trust_nothing_is_recommended(profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot) -> None:
    partial = {**profiles, "memory": build(history("memory", {WEB: 2.0**30}, complete=False))}
    short = {**profiles, "cpu": build(history("cpu", {WEB: 1.0, DB: 1.0}, days=2))}
    wanted = policy(f"{{{ON}, minConfidence: 0.9}}}}").publish
    for known in (partial, short, {"cpu": profiles["cpu"]}):
        assert [one.amounts for one in advice_of(wanted, snapshot, known, [DB, WEB])] == [None, None]


def test_a_failed_round_is_counted_and_stops_nothing(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    given, registry = published(Heard(Forbidden("list", "recommendations.analysis.koordinator.sh", "missing")))
    given.update(policy(f"{{{ON}}}}}"), snapshot, profiles, NOW)
    found = scraped(registry)
    assert found["descheduler_recommendation_failures_total",] == 1
    assert [k for k in found if k[0] == "descheduler_profile_usage"]


def test_a_replica_that_no_longer_leads_ends_the_cycle(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    given, _ = published(Heard(LeadershipLost("deposed")))
    with pytest.raises(LeadershipLost):
        given.update(policy(f"{{{ON}}}}}"), snapshot, profiles, NOW)


def test_a_cluster_without_the_api_gets_metrics_alone(
    profiles: dict[str, SignalProfiles], snapshot: ClusterSnapshot
) -> None:
    given, registry = published(None)
    given.update(policy(f"{{{ON}}}}}"), snapshot, profiles, NOW)
    assert [k for k in scraped(registry) if k[0] == "descheduler_profile_usage"]


@pytest.mark.parametrize(
    ("publish", "message"),
    [
        ("{workloads: [shop/web]}", "publish.workloads[0]: must be namespace/Kind/name"),
        ("{signals: [cpuu]}", "no signal is named cpuu (did you mean cpu?)"),
        ("{quantiles: [1.0]}", "publish.quantiles[0]: must lie between 0 and 1"),
        ("{recommendations: {on: true}}", "publish.recommendations.on: is not a known key"),
    ],
)
def test_mistakes_in_the_policy_are_told_with_their_place(publish: str, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        policy(publish)
    assert message in str(error.value)


def test_a_signal_of_ones_own_may_be_published() -> None:
    own = "history: {signals: {latency: {query: lat, per: workload}}}\npublish: {signals: [latency]}\n"
    assert load_policy(HEAD + own).publish.signals == ("latency",)
