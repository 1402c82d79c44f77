"""Two clusters behind one server are told apart, and what only looks like two is read as one."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from controlplane.prometheus import PrometheusServer, Series
from descheduler.observe import Source, observe
from descheduler.observe.history import HistoryReader
from descheduler.observe.recorded import RecordedCluster
from descheduler.pipeline import plan
from descheduler.policy import load_policy
from descheduler_profiling.history.collect import collect
from descheduler_profiling.history.signals import with_overrides
from history.fleet import DB, PODS, SIGNALS, cadvisor, read, snapshot
from history.world import DAY, END, NOW, client, cpu_counter, times

Start = Callable[..., PrometheusServer]
AT = times(DAY)
OTHERS = [("shop", "db-0"), ("shop", "db-1"), ("shop", "web-xxxx2"), ("blog", "press-0"), ("blog", "press-1")]


def _refused(server: PrometheusServer, **options: str) -> str:
    """Why nothing may be moved; the same for each signal, of which nothing is read."""
    made = read(server, **options)
    problems = {problem for one in made.histories.values() for problem in one.problems}
    assert not any(one.complete or one.keys for one in made.histories.values())
    (problem,) = problems
    return problem


@pytest.mark.parametrize("label", ["cluster", "k8s_cluster_name", "tenant_id", "our_own_word"])
def test_two_clusters_are_named_and_neither_is_read_until_one_is_chosen(prometheus_server: Start, label: str) -> None:
    ours, theirs = cadvisor(AT, **{label: "prod-a"}), cadvisor(AT, "b", 4.0, OTHERS, **{label: "prod-b"})
    server = prometheus_server([*ours, *theirs])
    problem = _refused(server)
    assert f"told apart by the label {label}: prod-a (6 series), prod-b (5 series)" in problem
    assert f'history.match: {label}="prod-a" (its pods are those of this cluster)' in problem
    chosen = read(server, match=f'{label}="prod-a"').histories["cpu"]
    assert chosen.complete, chosen.problems
    np.testing.assert_allclose(chosen.values[chosen.keys.index(DB)], 2.0, rtol=1e-3)
    both = _refused(server, match=f'{label}=~"prod-.*"')
    assert f'that match {label}=~"prod-.*"' in both


def test_clusters_that_share_no_name_are_told_by_whose_pods_exist_here(prometheus_server: Start) -> None:
    foreign = [("blog", "press-0"), ("shop", "web-xxxx2"), ("shop", "web-xxxx4"), ("shop", "web-xxxx5")]
    for label in ("cluster", "prometheus"):
        made = [*cadvisor(AT, **{label: "a"}), *cadvisor(AT, "b", 4.0, foreign, **{label: "b"})]
        assert f'history.match: {label}="a" (its pods are those of this cluster)' in _refused(prometheus_server(made))


def test_clusters_whose_databases_all_have_the_same_names_are_told_by_their_containers(
    prometheus_server: Start,
) -> None:
    plain = [cpu_counter("shop", "db-0", AT, cores, cluster=name) for name, cores in (("a", 1.0), ("b", 5.0))]
    assert "a (1 series), b (1 series)" in _refused(prometheus_server(plain))
    unlabelled = [*cadvisor(AT), *cadvisor(AT, "b", 4.0)]
    assert "no label tells the clusters apart" in _refused(prometheus_server(unlabelled))


def test_pods_of_nobody_here_are_another_clusters_even_without_a_label(prometheus_server: Start) -> None:
    strangers = [("blog", f"press-{i}") for i in range(5)]
    history = read(prometheus_server([*cadvisor(AT), *cadvisor(AT, "b", 4.0, strangers)]), "cpu").histories["cpu"]
    assert history.problems[0].startswith("5 of 11 pods that the server measures are not of this cluster")
    ended = cadvisor(AT[END - 400 > AT], "b", 4.0, strangers[2:])
    server = prometheus_server([*cadvisor(AT), *cadvisor(AT, "b", 4.0, strangers[:2]), *ended])
    few = read(server, "cpu").histories["cpu"]
    assert few.complete, few.problems


def test_a_plan_of_a_mixture_moves_nothing_and_says_which_clusters_there_are(prometheus_server: Start) -> None:
    series = [*cadvisor(AT, cluster="prod-a"), *cadvisor(AT, "b", 4.0, OTHERS, cluster="prod-b")]
    reader = HistoryReader(prometheus_server(series).url, None, lambda: float(NOW), random.Random(1), lambda: None)
    head = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
    policy = load_policy(head + "history: {window: 1d}\nstrategies: [{HotNodes: {}}]\n")
    with closing(reader):
        made = observe(Source(RecordedCluster(snapshot()), reader), policy)
    document = plan(made, policy)
    assert not document.actions
    told = [text for text in document.problems if "prod-a (6 series), prod-b (5 series)" in text]
    assert [text.split(":")[0] for text in told] == ["history of cpu is absent", "history of memory is absent"]


def test_a_query_of_the_policy_that_names_the_cluster_is_read(prometheus_server: Start) -> None:
    server = prometheus_server([*cadvisor(AT, cluster="a"), *cadvisor(AT, "b", 4.0, cluster="b")])
    text = 'sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{cluster="a"}[10m]))'
    with client(server.url) as asking:
        made = collect(asking, with_overrides({"cpu": SIGNALS["cpu"]}, {"cpu": text}), now=NOW, window_seconds=DAY)
    assert made["cpu"].complete, made["cpu"].problems


def _twins(series: list[Series], label: str, values: tuple[str, str]) -> list[Series]:
    return [replace(one, labels={**one.labels, label: value}) for value in values for one in series]


def _pools() -> list[Series]:
    """A label of the nodes that happens to be called `cluster`."""
    parts = [[pod for pod, (_, _, on) in PODS.items() if on == name] for name in ("n1", "n2")]
    return [one for pods, name in zip(parts, "ab", strict=True) for one in cadvisor(AT, pods=pods, cluster=name)]


def _moved() -> list[Series]:
    """db-0 has come back on n2 200 s ago, under a new uid; the scraper has not said that the old one ended."""
    since = END - 200
    stays = [pod for pod in PODS if pod != ("shop", "db-0")]
    made = [*cadvisor(AT, pods=stays), *cadvisor(AT[since > AT], pods=[("shop", "db-0")], zone="a")]
    at = times(0, every=15)
    return made + cadvisor(at[at >= since], "again", pods=[("shop", "db-0")], zone="b")


@pytest.mark.parametrize(
    "series",
    [
        pytest.param(_twins(cadvisor(AT), "prometheus_replica", ("k8s-0", "k8s-1")), id="HA pair"),
        pytest.param(_twins(cadvisor(AT), "told_by", ("k8s-0", "k8s-1")), id="HA pair by a label of its own"),
        pytest.param(_twins(cadvisor(AT), "prometheus", ("a/k8s", "b/k8s")), id="two servers of one cluster"),
        pytest.param(_twins(cadvisor(AT), "job", ("kubelet", "cadvisor")), id="two jobs"),
        pytest.param(cadvisor(AT, cluster="prod-a", region="eu"), id="one name"),
        pytest.param(_pools(), id="pools"),
        pytest.param(_moved(), id="moved"),
    ],
)
def test_one_cluster_that_looks_like_two_is_read(prometheus_server: Start, series: list[Series]) -> None:
    history = read(prometheus_server(series), "cpu").histories["cpu"]
    assert history.complete, history.problems
    np.testing.assert_allclose(history.values[history.keys.index(DB), -20], 2.0, rtol=1e-3)
