"""LowNodeUtilization by what is measured: metrics-server, a query, our forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from builders import NOW, cluster, key, node, pod
from descheduler.contract import needs_of
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.landing_mode import LandingMode
from descheduler.model.metrics import Metrics, Sample
from descheduler.model.pods import Pod
from descheduler.model.quantity import amount
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.planning import ChosenStrategy
from descheduler_profiling.series import History
from descheduler_strategies.node_utilization import LowNodeUtilization
from histories import history, steady
from planning.cases import SPARSE
from strategies import balancing
from strategies.balancing import UNLIMITED, Made, low

MEASURED = {"metricsUtilization": {"source": "KubernetesMetrics"}}
FORECAST = {"metricsUtilization": {"source": "forecast"}}
ASKED = {
    "thresholds": {"MetricResource": 20},
    "targetThresholds": {"MetricResource": 50},
    "metricsUtilization": {"source": "Prometheus", "prometheus": {"query": "node_busy"}},
}


STEERED = replace(SPARSE, limits=UNLIMITED.limits, landing=LandingMode.STEERED)
"""The scheduler knows requests alone, and so would put pods back where they are used too much."""


def made(snapshot: ClusterSnapshot, *chosen: ChosenStrategy, histories: Sequence[History] = ()) -> Made:
    return balancing.made(snapshot, *chosen, histories=histories, settings=STEERED)


def sample(name: str, cores: float, namespace: str = "", at: float = NOW - 20) -> Sample:
    return Sample(namespace, name, at, (("cpu", round(1000 * cores)), ("memory", amount("memory", "1Gi"))))


def asking_little(count: int = 4) -> list[Pod]:
    """Pods on a that ask for next to nothing."""
    return [pod(f"web-{i}", cpu="10m", node="a") for i in range(count)]


def using(nodes: Mapping[str, float], pods: Mapping[str, float], **rest: Any) -> Metrics:
    found = {("default", name): sample(name, cores, "default", **rest) for name, cores in pods.items()}
    return Metrics({name: sample(name, cores, **rest) for name, cores in nodes.items()}, found)


def small(metrics: Metrics | None, names: str = "ab") -> ClusterSnapshot:
    return cluster([node(name, cpu="10") for name in names], asking_little(), metrics=metrics)


def why(plan: Made) -> Reason:
    return next(iter(plan.outcome.observed.values())).blocked.reason


class TestMetricsServer:
    def test_what_is_used_counts_and_not_what_is_asked_for(self) -> None:
        busy = using({"a": 8.4, "b": 0.5}, {f"web-{i}": 2.0 for i in range(4)})
        plan = made(small(busy), low(**MEASURED))
        assert len(plan.gone) == 2
        assert set(plan.landed.values()) == {"b"}
        assert not made(small(busy), low()).gone
        assert made(small(busy), low(metricsUtilization={"metricsServer": True})).gone == plan.gone

    def test_the_load_of_a_pod_is_not_too_much_where_it_goes(self) -> None:
        plan = made(small(using({"a": 9.0, "b": 1.9}, {f"web-{i}": 2.0 for i in range(4)})), low(**MEASURED))
        assert len(plan.gone) == 1  # a second one would bring b to 5.9 cores

    def test_a_node_without_a_sample_alone_is_left_out(self) -> None:
        lacking = using({"a": 8.4, "b": 0.5}, {f"web-{i}": 2.0 for i in range(4)})
        plan = made(small(lacking, "abc"), low(**MEASURED))
        assert plan.gone
        assert set(plan.landed.values()) == {"b"}

    def test_a_pod_without_a_sample_alone_stays(self) -> None:
        plan = made(small(using({"a": 8.4, "b": 0.5}, {"web-3": 2.0})), low(**MEASURED))
        assert plan.gone == ["web-3"]

    def test_an_old_sample_is_none(self) -> None:
        old = using({"a": 8.4, "b": 0.5}, {f"web-{i}": 2.0 for i in range(4)}, at=NOW - 3600)
        assert why(made(small(old), low(**MEASURED))) is Reason.DATA_STALE
        ahead = using({"a": 8.4, "b": 0.5}, {f"web-{i}": 2.0 for i in range(4)}, at=NOW + 3600)
        assert why(made(small(ahead), low(**MEASURED))) is Reason.DATA_STALE

    def test_without_metrics_server_nothing_is_done_and_requests_do_not_stand_in(self) -> None:
        asking = [pod(f"web-{i}", cpu="2", node="a") for i in range(4)]
        nodes = [node("a", cpu="10"), node("b", cpu="10")]
        for metrics in (None, Metrics(problem="not served")):
            plan = made(cluster(nodes, asking, metrics=metrics), low(**MEASURED))
            assert not plan.gone
            assert why(plan) is Reason.DATA_MISSING
        assert made(cluster(nodes, asking), low()).gone

    def test_pods_are_counted(self) -> None:
        nodes = [node("a", cpu="10", pods=6), node("b", cpu="10", pods=6)]
        counts = {"thresholds": {"pods": 20}, "targetThresholds": {"pods": 50}}
        metrics = using({"a": 1.0, "b": 1.0}, {f"web-{i}": 0.1 for i in range(4)})
        assert len(made(cluster(nodes, asking_little(), metrics=metrics), low(**counts, **MEASURED)).gone) == 1

    def test_it_is_read_as_the_api_writes_it(self) -> None:
        meta = {"creationTimestamp": "2025-10-09T08:53:00Z"}
        container = {"name": "main", "usage": {"cpu": "1500000000n", "memory": "100Mi"}}
        samples = {
            "metrics.k8s.io/NodeMetrics": [
                {"metadata": {"name": "a", **meta}, "timestamp": "2025-10-09T08:53:20Z", "window": "20.1s",
                 "usage": {"cpu": "2100431203n", "memory": "3456780Ki"}},
            ],
            "metrics.k8s.io/PodMetrics": [
                {"metadata": {"name": "web-1", "namespace": "shop", **meta}, "timestamp": "2025-10-09T08:53:20Z",
                 "window": "15s", "containers": [container, container]},
            ],
        }  # fmt: skip
        metrics = snapshot_from_objects(samples, NOW).metrics
        assert metrics is not None
        assert metrics.nodes["a"] == Sample("", "a", 1760000000.0, (("cpu", 2101), ("memory", 3456780 * 1024)))
        assert metrics.pods["shop", "web-1"].usage == (("cpu", 3000), ("memory", 200 * 2**20))
        assert snapshot_from_objects({}, NOW).metrics is None


class TestQuery:
    def told(self, **values: float | None) -> list[History]:
        """The newest answer by node; None: nothing of it."""
        (name,) = needs_of(LowNodeUtilization(), low(**ASKED).args).queries
        told = {WorkloadKey("", "Node", node.replace("_", "-")): value for node, value in values.items()}
        series = {at: steady(np.nan if value is None else value) for at, value in told.items()}
        return [replace(history(name, series), signal=name)]

    def test_one_pod_leaves_a_node_that_is_too_busy(self) -> None:
        plan = made(small(None), low(**ASKED), histories=self.told(a=0.9, b=0.1))
        assert len(plan.gone) == 1
        assert plan.left_alone == {"a": Reason.NODE_LIMIT}

    def test_or_as_many_as_are_allowed_as_long_as_others_are_not_filled(self) -> None:
        allowed = low(**ASKED, evictionLimits={"node": 3})
        plan = made(small(None), allowed, histories=self.told(a=0.9, b=0.1))
        assert len(plan.gone) == 1  # each is taken for 22 % of a node, and two would be 55
        wide = made(small(None, "abc"), allowed, histories=self.told(a=0.9, b=0.0, c=0.0))
        assert len(wide.gone) == 2  # it is at 45 % then

    def test_a_node_of_which_nothing_is_said_is_left_out(self) -> None:
        plan = made(small(None, "abc"), low(**ASKED), histories=self.told(a=0.9, b=0.1))
        assert set(plan.landed.values()) == {"b"}
        assert not made(small(None), low(**ASKED), histories=self.told(a=0.9)).gone

    def test_no_answer_is_told(self) -> None:
        assert why(made(small(None), low(**ASKED))) is Reason.DATA_MISSING
        wrong = made(small(None), low(**ASKED), histories=self.told(x=0.9, y=0.1))
        assert why(wrong) is Reason.DATA_MISSING

    def test_a_target_may_be_called_by_its_address(self) -> None:
        nodes = [replace(node(name, cpu="10"), addresses=(f"10.0.0.{i}",)) for i, name in enumerate("ab")]
        (name,) = needs_of(LowNodeUtilization(), low(**ASKED).args).queries
        series = {WorkloadKey("", "Node", f"10.0.0.{i}:9100"): steady(value) for i, value in enumerate((0.9, 0.1))}
        told = [replace(history(name, series), signal=name)]
        assert made(cluster(nodes, asking_little()), low(**ASKED), histories=told).gone


class TestForecast:
    def test_what_pods_will_use_counts(self) -> None:
        used = [history("cpu", {key("ReplicaSet", "web"): steady(2.1)})]
        plan = made(small(None), low(**FORECAST), histories=used)
        assert len(plan.gone) == 2
        assert set(plan.landed.values()) == {"b"}

    def test_without_history_nothing_is_done(self) -> None:
        assert why(made(small(None), low(**FORECAST))) is Reason.DATA_MISSING


def test_what_must_be_read_follows_from_the_source() -> None:
    asked = needs_of(LowNodeUtilization(), low(**ASKED).args)
    assert list(asked.queries.values()) == ["node_busy"]
    assert needs_of(LowNodeUtilization(), low(**MEASURED).args).metrics
    assert needs_of(LowNodeUtilization(), low(**FORECAST).args).signals == ("cpu",)
    nothing = needs_of(LowNodeUtilization(), low().args)
    assert (nothing.signals, nothing.queries, nothing.metrics) == ((), {}, False)
