"""A query for each pod: where one measures some and another the rest, all are measured, and stay so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from builders import spec
from controlplane.prometheus import PrometheusServer, Series
from descheduler_profiling.history.prometheus.joining import joined, parts
from descheduler_profiling.history.store import HistoryStore
from history.fleet import DB, PODS, SIGNALS, WEB, cadvisor, read, snapshot
from history.world import DAY, NOW, cpu_counter, gauge, times

Start = Callable[..., PrometheusServer]
AT = times(DAY)
ON_N1 = [pod for pod, (_, _, on) in PODS.items() if on == "n1"]
ON_N2 = [pod for pod in PODS if pod not in ON_N1]
RULE = "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m"


def unlabelled(at: np.ndarray) -> list[Series]:
    """The pods of n2 by a kubelet that does not name containers: the pods' own control groups alone."""
    return [
        cpu_counter(space, name, at, 3.0, node="n2", container="", image="", id=f"/kubepods/{name}")
        for space, name in ON_N2
    ]


def ruled(at: np.ndarray) -> list[Series]:
    """The recording rule, which knows the pods of n1 alone."""
    return [gauge(RULE, at, 7.0, namespace=space, pod=pod, container="main", node="n1") for space, pod in ON_N1]


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        pytest.param([*cadvisor(AT, pods=ON_N1), *unlabelled(AT)], 2.5, id="containers without labels on one node"),
        pytest.param([*cadvisor(AT), *ruled(AT)], 4.5, id="a rule for one node"),
    ],
)
def test_each_pod_is_measured_by_the_first_query_that_has_it(
    prometheus_server: Start, series: list[Series], expected: float
) -> None:
    made = read(prometheus_server(series), "cpu")
    history = made.histories["cpu"]
    assert history.complete, history.problems
    assert set(history.pod_level) == set(PODS)
    np.testing.assert_allclose(history.values[history.keys.index(DB)], expected, rtol=1e-2)
    assert " or on (namespace, pod) " in made.notes["cpu"].query


def test_one_query_stays_alone_where_it_measures_all(prometheus_server: Start) -> None:
    extra = [cpu_counter(space, name, AT, 3.0, node="n2", container="", image="") for space, name in PODS]
    gone = cpu_counter("shop", "gone-0", AT, 3.0, container="", image="")
    made = read(prometheus_server([*cadvisor(AT), *extra, gone]), "cpu")
    assert made.notes["cpu"].query == SIGNALS["cpu"].queries[1].render(300)


def test_an_exporter_that_is_rolled_out_node_by_node_leaves_no_gap(prometheus_server: Start) -> None:
    """n2 changes from container labels to none an hour ago; the query is the same in every cycle before and after."""
    since = NOW - 3600
    before = AT[since > AT]
    server = prometheus_server([*cadvisor(AT, pods=ON_N1), *cadvisor(before, pods=ON_N2), *unlabelled(AT[since <= AT])])
    store, queries = HistoryStore(None), []
    for now in range(NOW - 7200, NOW + 1, 300):
        made = read(server, "cpu", now=now, previous=store)
        queries.append(made.notes["cpu"].query)
        assert made.histories["cpu"].complete, made.histories["cpu"].problems
    assert len(set(queries)) == 2, "one before, one after"
    assert queries == sorted(queries, key=len)
    row = made.histories["cpu"].values[made.histories["cpu"].keys.index(WEB)]
    assert np.isfinite(row).all()
    np.testing.assert_allclose([row[50], row[-3]], [1.0, 2.0], rtol=1e-2)


def test_two_generations_of_gpus_are_both_measured(prometheus_server: Start) -> None:
    """Pods of n1 by the name that profiling fields have, those of n2 by another, under the labels of the scrape."""
    of_gpu = snapshot(of=spec(gpu=1))
    common = {"Hostname": "n", "modelName": "A100", "container": "main"}
    new = [
        gauge(
            "DCGM_FI_PROF_GR_ENGINE_ACTIVE", AT, 0.6, UUID=name, exported_namespace=space, exported_pod=name, **common
        )
        for space, name in ON_N1
    ]
    old = [
        gauge("DCGM_FI_DEV_GPU_UTIL_RATIO", AT, 0.4, UUID=name, namespace=space, pod=name, **common)
        for space, name in ON_N2
    ]
    history = read(prometheus_server([*new, *old]), "gpu", of=of_gpu).histories["gpu"]
    assert history.complete, history.problems
    assert {pod: round(level, 1) for pod, level in history.pod_level.items()} == {
        **dict.fromkeys(ON_N1, 0.6),
        **dict.fromkeys(ON_N2, 0.4),
    }


def test_a_text_tells_which_queries_it_is_made_of() -> None:
    signal = SIGNALS["cpu"]
    for made in (signal.queries[:1], signal.queries[1:3], signal.queries):
        text = joined(made).render(300, 'cluster="a"')
        assert parts(signal, text, 300, 'cluster="a"') == made
        assert parts(signal, text, 300, 'cluster="b"') == ()
    assert parts(replace(signal, queries=signal.queries[:1]), joined(signal.queries).render(300), 300, "") == ()
