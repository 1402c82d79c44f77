"""What is said where a server has nothing of a signal: asked of a real Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from controlplane.prometheus import PrometheusServer, Series
from descheduler.model.errors import HistoryRefused
from descheduler_profiling.history.absence import exporters_own, setting, why_absent
from descheduler_profiling.history.collect import collect
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.wire import QueryAnswer
from descheduler_profiling.history.signals import Signal, builtin_signals, custom_signal
from descheduler_profiling.series import History
from history.world import DAY, END, NOW, client, cpu_counter, gauge, times

Start = Callable[..., PrometheusServer]
SIGNALS = builtin_signals()
AT = times(3 * 3600)
WEB = {"namespace": "shop", "pod": "web-0", "container": "main", "image": "app:1"}
CAN_DO = "container_cpu_usage_seconds_total"


def series(**labels: str | None) -> Series:
    """cAdvisor's counter with other labels than it has; None takes one away."""
    kept = {name: value for name, value in {**WEB, **labels}.items() if value is not None}
    return replace(cpu_counter("shop", "web-0", AT, 1.0), labels=kept)


def read(server: PrometheusServer, signal: Signal, **options: Any) -> History:
    with client(server.url) as asking:
        return collect(asking, [signal], now=NOW, window_seconds=DAY, **options)[signal.name]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({"image": None}, ("without the label image (it has container, ", "history.queries.cpu")),
        ({"pod": None, "pod_name": "web-0"}, ("without the label pod ", "ask by pod_name in history.queries.cpu")),
        (
            {"namespace": None, "exported_namespace": "shop"},
            ("without the label namespace ", "honorLabels: true", "exported_namespace"),
        ),
        (
            {"image": None, "container": None, "pod": None},
            ("without the labels image, container, pod", "keep it when scraping"),
        ),
    ],
    ids=["image", "pod", "namespace", "several"],
)
def test_a_label_that_is_missing_is_named_with_what_mends_it(
    prometheus_server: Start, labels: Mapping[str, str | None], words: tuple[str, ...]
) -> None:
    server = prometheus_server([series(**labels), series(**{**labels, "id": "/kubepods/2"})])
    (problem,) = read(server, SIGNALS["cpu"]).problems
    assert f"{CAN_DO} is there (2 series)" in problem
    for word in words:
        assert word in problem


def test_series_of_pods_alone_have_no_container_and_are_measured(prometheus_server: Start) -> None:
    history = read(prometheus_server([series(image=None, container=None)]), SIGNALS["cpu"])
    assert (history.complete, history.problems, history.absent) == (True, (), False)


def test_matchers_that_select_nothing_are_told_with_the_values_that_there_are(prometheus_server: Start) -> None:
    server = prometheus_server([series(cluster="prod-a"), series(cluster="prod-b", pod="web-1")])
    history = read(server, SIGNALS["cpu"], match='cluster="prod"')
    assert 'none has cluster="prod" (cluster is prod-a, prod-b): change history.match' in history.problems[0]
    assert read(server, SIGNALS["cpu"], match='cluster="prod-a"').complete


def test_a_server_without_the_metric_is_asked_whether_it_is_the_right_one(prometheus_server: Start) -> None:
    history = read(prometheus_server([gauge("up", AT, 1)]), SIGNALS["cpu"])
    assert history.absent
    for word in ("none of the 4 queries", "no such series now", CAN_DO, "history.url", "history.queries.cpu"):
        assert word in history.problems[0]


def test_a_rule_of_another_name_is_offered(prometheus_server: Start) -> None:
    rule = gauge("namespace:container_cpu_usage_seconds_total:sum_rate", AT, 1, namespace="shop")
    history = read(prometheus_server([rule]), SIGNALS["cpu"])
    assert "but namespace:container_cpu_usage_seconds_total:sum_rate: ask for that" in history.problems[0]


def test_scraping_that_stopped_is_told_from_a_metric_that_never_was(prometheus_server: Start) -> None:
    quiet = AT[AT < NOW - 3600]
    history = read(prometheus_server([cpu_counter("shop", "web-0", quiet, 1.0)]), SIGNALS["cpu"])
    assert "there are none now: did scraping stop?" in history.problems[0]


def test_samples_too_rare_for_a_rate_are_told(prometheus_server: Start) -> None:
    rare = times(3 * 3600, every=450)
    late = rare - (rare[-1] - END) - 10
    history = read(prometheus_server([cpu_counter("shop", "web-0", late, 1.0)]), SIGNALS["cpu"])
    assert "two samples within each history.step" in history.problems[0]


def test_a_gpu_exporter_that_knows_no_pods_lacks_each_of_their_labels(prometheus_server: Start) -> None:
    alone = gauge("DCGM_FI_DEV_GPU_UTIL", AT, 50, gpu="0", UUID="GPU-1", Hostname="n1")
    history = read(prometheus_server([alone]), SIGNALS["gpu"])
    said = history.problems[0].partition("DCGM_FI_DEV_GPU_UTIL is there (1 series), but without the labels ")[2]
    assert {"pod", "exported_pod", "pod_name"} <= set(said.partition(" (it has ")[0].split(", "))
    assert "DCGM_EXPORTER_KUBERNETES=true" in history.problems[0]


def test_a_signal_of_the_policy_is_mended_where_it_is_written(prometheus_server: Start) -> None:
    queue = custom_signal("queue", 'app_queue_length{job="app"}')
    history = read(prometheus_server([gauge("app_queue_length", AT, 5, job="app", app="web")]), queue)
    assert "without the labels namespace, pod" in history.problems[0]
    assert "history.signals.queue" in history.problems[0]
    assert not history.absent
    assert setting(SIGNALS["cpu"]) == "history.queries.cpu"


class Strict:
    """A server that takes no patterns of names, as some managed ones do."""

    def __init__(self, real: HistoryClient) -> None:
        self._real = real

    def query(self, promql: str, at: int) -> QueryAnswer:
        if "__name__=~" in promql:
            raise HistoryRefused("the name must be given")
        return self._real.query(promql, at)


def test_a_server_that_takes_no_patterns_of_names_is_asked_metric_by_metric(prometheus_server: Start) -> None:
    with client(prometheus_server([series(image=None)]).url) as real:
        strict: Any = Strict(real)
        assert "without the label image" in why_absent(strict, SIGNALS["cpu"], END)
        assert "none of container_memory_working_set_bytes" in why_absent(strict, SIGNALS["memory"], END)


def test_a_matcher_that_selects_nothing_is_told_with_the_values_that_there_are(prometheus_server: Start) -> None:
    queue = custom_signal("queue", 'sum by (namespace, pod) (app_queue_length{job="app"})')
    server = prometheus_server([gauge("app_queue_length", AT, 5, job="web", namespace="shop", pod="web-0")])
    assert 'none has job="app" (job is web): see history.signals.queue' in read(server, queue).problems[0]


def test_labels_that_the_query_itself_drops_are_told(prometheus_server: Start) -> None:
    queue = custom_signal("queue", 'sum by (pod) (app_queue_length{job="app"})')
    server = prometheus_server([gauge("app_queue_length", AT, 5, job="app", namespace="shop", pod="web-0")])
    assert "an aggregation drops what it is not `by`" in read(server, queue).problems[0]


def test_series_that_name_the_exporter_are_told_from_those_of_a_second_exporter(prometheus_server: Start) -> None:
    own = [
        series(namespace="monitoring", pod="cadvisor-1", exported_namespace="shop", exported_pod=f"web-{i}")
        for i in range(3)
    ]
    with client(prometheus_server(own).url) as asking:
        told = exporters_own(asking, SIGNALS["cpu"], f'rate({CAN_DO}{{image!=""}}[5m])', END)
    assert "exported_namespace" in told
    assert "honorLabels: true" in told
    right = [series(pod=f"web-{i}") for i in range(4)]
    with client(prometheus_server([*right, own[0]]).url) as asking:
        assert exporters_own(asking, SIGNALS["cpu"], f'rate({CAN_DO}{{image!=""}}[5m])', END) == ""
