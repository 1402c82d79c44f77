"""Series that speak of other pods than those of the cluster, read from a real Prometheus."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable

from builders import cluster, node, pod
from controlplane.prometheus import PrometheusServer, Series
from descheduler.observe.history import HistoryReader
from descheduler.policy import load_policy
from descheduler_profiling.series import History
from history.world import NOW, cpu_counter, times

Start = Callable[..., PrometheusServer]
AT = times(2 * 3600)
POLICY = load_policy(
    "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\nhistory: {window: 2h}\n", "test"
)
NAMES = [f"web-{i}" for i in range(10)]
SNAPSHOT = cluster(
    [node("n1")], [pod(name, node="n1", namespace="shop", created=NOW - 86400) for name in NAMES], taken_at=NOW
)


def read(server: PrometheusServer) -> History:
    reader = HistoryReader(server.url, None, time.time, random.Random(1), lambda: None)
    try:
        return reader.read(POLICY, SNAPSHOT, ["cpu"])["cpu"]
    finally:
        reader.close()


def of(namespace: str, names: Iterable[str], **labels: str) -> list[Series]:
    return [cpu_counter(namespace, name, AT, 1.0, **labels) for name in names]


def test_the_pods_of_the_cluster_are_heard(prometheus_server: Start) -> None:
    history = read(prometheus_server(of("shop", NAMES[:9])))
    assert (history.complete, history.problems) == (True, ())


def test_series_of_pods_that_are_not_there_are_of_another_cluster(prometheus_server: Start) -> None:
    history = read(prometheus_server(of("lab", ["a-0", "a-1"])))
    assert not history.complete
    (problem,) = history.problems
    for words in ("none of the 2 pods that have series (such as lab/a-0)", "history.url", "history.match"):
        assert words in problem


def test_a_scrape_that_renamed_the_labels_of_pods_is_named_with_its_remedy(prometheus_server: Start) -> None:
    """The kubelet's target has a namespace of its own: without honorLabels every pod is of kube-system."""
    history = read(prometheus_server(of("kube-system", NAMES, exported_namespace="shop")))
    assert "have exported_namespace, so their namespace is that of the exporter" in history.problems[0]
    assert "honorLabels: true" in history.problems[0]


def test_an_exporter_whose_pod_is_in_the_cluster_is_seen_through(prometheus_server: Start) -> None:
    series = [
        cpu_counter("shop", NAMES[0], AT, 1.0, exported_namespace="shop", exported_pod=name, id=f"/{name}")
        for name in NAMES
    ]
    assert "exported_pod" in read(prometheus_server(series)).problems[0]


def test_too_few_pods_without_a_cause_that_can_be_told_is_for_coverage_to_say(prometheus_server: Start) -> None:
    history = read(prometheus_server(of("shop", NAMES[:3])))
    assert (history.complete, history.problems) == (True, ())
