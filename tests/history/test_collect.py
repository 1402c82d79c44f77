from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from controlplane.prometheus import BASIC_AUTH, PrometheusServer, Series
from descheduler.model.errors import HistoryRefused
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.collect import collect, collect_with_notes
from descheduler_profiling.history.prometheus.client import HistoryClient
from descheduler_profiling.history.prometheus.failures import TooMuch
from descheduler_profiling.history.prometheus.sessions import Connection
from descheduler_profiling.history.serial import history_from_bytes, history_to_bytes
from descheduler_profiling.history.signals import Signal, builtin_signals, custom_signal, with_overrides
from descheduler_profiling.history.store import HistoryStore
from history.world import DAY, END, NOW, STEP, client, cpu_counter, gauge, owned_by, times

Start = Callable[..., PrometheusServer]
WEB = WorkloadKey("shop", "Deployment", "web")
DB = WorkloadKey("shop", "StatefulSet", "db")
SIGNALS = builtin_signals()
AT = times(DAY)
HALF = NOW - DAY // 2


def shop() -> list[Series]:
    """Two replicas of web until noon, three of the next version after; a database that is scraped twice over."""
    old, new = AT[AT < HALF], AT[AT >= HALF]
    made = [cpu_counter("shop", f"web-6d4cf56db6-cccc{i}", old, cores) for i, cores in ((2, 1.0), (4, 3.0))]
    made += [cpu_counter("shop", f"web-7bb4c5d9f4-bbbb{i}", new, cores) for i, cores in ((2, 3.0), (4, 4.0), (5, 5.0))]
    made += [cpu_counter("shop", "db-0", AT, 0.5, job=job) for job in ("kubelet", "other")]
    return made


NEW_PODS = [("shop", f"web-7bb4c5d9f4-bbbb{i}") for i in (2, 4, 5)]
PRESENT = owned_by({**dict.fromkeys(NEW_PODS, WEB), ("shop", "db-0"): DB})


def read(server: PrometheusServer, signals: Iterable[Signal], **options: Any) -> Any:
    chosen = {"now": NOW, "window_seconds": DAY, "step": STEP, "owner_of": PRESENT, **options}
    with client(server.url) as asking:
        return collect_with_notes(asking, list(signals), **chosen)


def test_pods_are_read_as_the_mean_replica_of_their_workload_over_rollouts_and_scaling(
    prometheus_server: Start,
) -> None:
    server = prometheus_server(shop())
    with client(server.url) as asking:
        history = collect(asking, [SIGNALS["cpu"]], now=NOW, window_seconds=DAY, owner_of=PRESENT)["cpu"]
    assert history.complete, history.problems
    assert (history.keys, history.unit) == ((WEB, DB), "cores")
    assert (history.start, history.end, history.step) == (END - DAY + STEP, END, STEP)
    assert history.values.shape == (2, DAY // STEP)
    assert history.values.dtype == np.float32
    columns = history.start + STEP * np.arange(DAY // STEP)
    before, after = columns < HALF - 60, columns > HALF + 900
    np.testing.assert_allclose(history.values[0, before], 2.0, rtol=1e-3)
    np.testing.assert_allclose(history.values[0, after], 4.0, rtol=1e-3)
    np.testing.assert_allclose(history.values[1], 0.5, rtol=1e-3, err_msg="scraped twice is not used twice")
    assert history.replicas.tolist() == [3, 1]
    assert {pod: round(level, 2) for (_, pod), level in history.pod_level.items()} == {
        "web-7bb4c5d9f4-bbbb2": 3.0,
        "web-7bb4c5d9f4-bbbb4": 4.0,
        "web-7bb4c5d9f4-bbbb5": 5.0,
        "db-0": 0.5,
    }


def test_replicas_are_counted_where_their_number_changed(prometheus_server: Start) -> None:
    """From two to three at noon; of the database, which always had one, nothing is kept."""
    server, store = prometheus_server(shop()), HistoryStore(None)
    made = read(server, [SIGNALS["cpu"], SIGNALS["replicas"]], previous=store)
    counted = made.histories["replicas"]
    assert counted.keys == (WEB,)
    columns = counted.start + STEP * np.arange(counted.values.shape[1])
    np.testing.assert_array_equal(counted.values[0, columns < HALF - 60], 2)
    np.testing.assert_array_equal(counted.values[0, columns > HALF + 900], 3)
    again = read(server, [SIGNALS["cpu"], SIGNALS["replicas"]], previous=store, now=NOW + STEP).histories["replicas"]
    np.testing.assert_array_equal(again.values[0, :-3], counted.values[0, 1:-2])
    later = read(server, [SIGNALS["cpu"], SIGNALS["replicas"]], window_seconds=DAY // 3)
    assert later.histories["replicas"].absent


def test_where_the_server_rolls_up_controllers_tell_how_many_there_were(prometheus_server: Start) -> None:
    """More of them than a machine has cores."""
    web = gauge("kube_deployment_status_replicas", AT, np.where(AT < HALF, 200, 3), namespace="shop", deployment="web")
    db = gauge("kube_statefulset_status_replicas", AT, 1, namespace="shop", statefulset="db")
    made = read(prometheus_server([*shop(), *owned(), web, db]), [ROLLED, SIGNALS["replicas"]])
    assert "kube_pod_owner{" in made.notes["cpu"].bulk_query
    counted = made.histories["replicas"]
    assert counted.keys == (WEB,)
    columns = counted.start + STEP * np.arange(counted.values.shape[1])
    np.testing.assert_array_equal(counted.values[0, columns < HALF - 60], 200)
    np.testing.assert_array_equal(counted.values[0, columns > HALF + 60], 3)
    unknown = read(prometheus_server([*shop(), *owned()]), [ROLLED, SIGNALS["replicas"]])
    assert unknown.histories["cpu"].complete
    assert unknown.histories["replicas"].absent


def test_without_a_cluster_names_tell_the_workloads(prometheus_server: Start) -> None:
    server = prometheus_server(shop())
    with client(server.url) as asking:
        history = collect(asking, [SIGNALS["cpu"]], now=NOW, window_seconds=DAY)["cpu"]
    assert history.keys == (WEB, DB)
    assert history.replicas.tolist() == [3, 1]


def relabelled() -> list[Series]:
    rule = "namespace_workload_pod:kube_pod_owner:relabel"
    made = []
    for one in shop()[:-1]:
        pod = one.labels["pod"]
        kind, workload = ("statefulset", "db") if pod == "db-0" else ("deployment", "web")
        made.append(
            gauge(rule, np.asarray(one.timestamps), 1, namespace="shop", pod=pod, workload=workload, workload_type=kind)
        )
    return made


def owned() -> list[Series]:
    """kube-state-metrics without rules: ReplicaSets, a static pod that its node owns, and a bare pod."""
    made = []
    for one in [*shop()[:-1], cpu_counter("shop", "bare", AT, 0.1), cpu_counter("shop", "static-n1", AT, 0.2)]:
        pod = one.labels["pod"]
        kind, name = {
            "db-0": ("StatefulSet", "db"),
            "bare": ("<none>", "<none>"),
            "static-n1": ("Node", "n1"),
        }.get(pod, ("ReplicaSet", pod.rsplit("-", 1)[0]))
        controller = "<none>" if kind == "<none>" else "true"
        labels = {"namespace": "shop", "pod": pod, "owner_kind": kind, "owner_name": name}
        made.append(gauge("kube_pod_owner", np.asarray(one.timestamps), 1, **labels, owner_is_controller=controller))
    return made


ROLLED = replace(SIGNALS["cpu"], roll_up_on_server="always")


def test_the_server_rolls_up_by_the_rule_to_the_same_result(prometheus_server: Start) -> None:
    plain = read(prometheus_server(shop()), [ROLLED])
    rolled = read(prometheus_server([*shop(), *relabelled()]), [ROLLED])
    assert "relabel" in rolled.notes["cpu"].bulk_query
    assert "relabel" not in plain.notes["cpu"].bulk_query
    one, two = plain.histories["cpu"], rolled.histories["cpu"]
    assert two.complete, two.problems
    assert one.keys == two.keys
    quiet = np.abs(one.start + STEP * np.arange(one.values.shape[1]) - HALF) > 900
    np.testing.assert_allclose(two.values[:, quiet], one.values[:, quiet], rtol=2e-3)
    assert two.replicas.tolist() == one.replicas.tolist()


def test_the_server_rolls_up_by_owners_and_bare_and_static_pods_stand_for_themselves(prometheus_server: Start) -> None:
    extra = [cpu_counter("shop", "bare", AT, 0.1), cpu_counter("shop", "static-n1", AT, 0.2)]
    made = read(prometheus_server([*shop(), *extra, *owned()]), [ROLLED])
    assert "kube_pod_owner{" in made.notes["cpu"].bulk_query
    history = made.histories["cpu"]
    assert history.complete, history.problems
    bare, static = WorkloadKey("shop", "Pod", "bare"), WorkloadKey("shop", "Pod", "static-n1")
    assert history.keys == (WEB, bare, static, DB)
    np.testing.assert_allclose(history.values[:, -20], [4.0, 0.1, 0.2, 0.5], rtol=2e-3)
    np.testing.assert_allclose(history.values[:, 20], [2.0, 0.1, 0.2, 0.5], rtol=2e-3)


def test_pods_whose_owner_the_server_does_not_know_are_read_one_by_one(prometheus_server: Start) -> None:
    made = read(prometheus_server([*shop(), *relabelled()[:2]]), [ROLLED])
    assert "relabel" not in made.notes["cpu"].bulk_query
    assert made.histories["cpu"].keys == (WEB, DB)


@pytest.mark.parametrize("known", [relabelled, owned], ids=["rule", "kube-state-metrics"])
def test_the_owners_of_past_pods_are_asked_for_where_their_names_tell_nothing(
    prometheus_server: Start, known: Callable[[], list[Series]]
) -> None:
    def renamed(series: list[Series]) -> list[Series]:
        plain = [{**one.labels, "pod": str(one.labels["pod"]).replace("web-6d4cf56db6-cccc", "blue")} for one in series]
        return [replace(one, labels=labels) for one, labels in zip(series, plain, strict=True)]

    made = read(prometheus_server(renamed([*shop(), *known()])), [SIGNALS["cpu"]])
    assert made.notes["cpu"].bulk_query == made.notes["cpu"].query
    assert made.histories["cpu"].keys == (WEB, DB)
    assert read(prometheus_server(renamed(shop())), [SIGNALS["cpu"]]).histories["cpu"].keys != (WEB, DB)


RULE = "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m"


@pytest.mark.parametrize(("since", "expected"), [(0, 7.0), (DAY // 2, 4.0)])
def test_a_recording_rule_is_preferred_once_it_reaches_back_as_far(
    prometheus_server: Start, since: int, expected: float
) -> None:
    at = AT[AT[0] + since <= AT]
    rules = [
        gauge(RULE, at, 7.0, namespace="shop", pod=pod, container="main", node="n1", job="kubelet")
        for _, pod in [*NEW_PODS, ("shop", "db-0")]
    ]
    made = read(prometheus_server([*shop(), *rules]), [SIGNALS["cpu"]])
    assert made.histories["cpu"].complete
    np.testing.assert_allclose(made.histories["cpu"].values[0, -20], expected, rtol=1e-3)
    assert (RULE in made.notes["cpu"].query) == (expected == 7.0)


def test_memory_keeps_the_peak_of_each_step(prometheus_server: Start) -> None:
    peaks = np.where(AT % STEP == 120, 3e9, 1e9)
    series = gauge(
        *("container_memory_working_set_bytes", AT, peaks), namespace="shop", pod="db-0", container="main", image="a"
    )
    history = read(prometheus_server([series]), [SIGNALS["memory"]]).histories["memory"]
    assert (history.unit, history.complete) == ("bytes", True)
    np.testing.assert_allclose(history.values[0], 3e9, rtol=1e-3)


GPU_LABELS = {"Hostname": "n1", "modelName": "A100", "container": "main"}


@pytest.mark.parametrize(
    ("metric", "value", "namespace_label", "pod_label"),
    [
        ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.6, "namespace", "pod"),
        ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", 0.6, "exported_namespace", "exported_pod"),
        ("DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO", 0.6, "namespace", "pod"),
        ("DCGM_FI_DEV_GPU_UTIL", 60.0, "namespace", "pod"),
        ("DCGM_FI_DEV_GPU_UTIL", 60.0, "exported_namespace", "exported_pod"),
        ("DCGM_FI_DEV_GPU_UTIL", 0.6, "namespace", "pod"),
        ("DCGM_FI_DEV_GPU_UTIL", 60.0, "pod_namespace", "pod_name"),
        ("DCGM_FI_DEV_GPU_UTIL_RATIO", 0.6, "namespace", "pod"),
    ],
)
def test_gpu_use_is_a_fraction_whatever_the_exporter_calls_it(
    prometheus_server: Start, metric: str, value: float, namespace_label: str, pod_label: str
) -> None:
    own = {namespace_label: "shop", pod_label: "db-0"}
    exporter = {"namespace": "gpu-operator", "pod": "dcgm-exporter-x7k2p"} if pod_label == "exported_pod" else {}
    gpus = [gauge(metric, AT, value * f, UUID=f"GPU-{f}", **GPU_LABELS, **own, **exporter) for f in (0.5, 1.5)]
    history = read(prometheus_server(gpus), [SIGNALS["gpu"]]).histories["gpu"]
    assert history.complete, history.problems
    assert history.keys == (DB,)
    np.testing.assert_allclose(history.values[0], 0.6, rtol=1e-3)
    assert history.pod_level["shop", "db-0"] == pytest.approx(0.6, rel=1e-3)
    assert history.pods == (("shop", "db-0"),)
    np.testing.assert_allclose(history.recent[0], history.values[0, -12:])


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("DCGM_FI_DEV_FB_USED", 40960.0),
        ("DCGM_FI_DEV_FB_USED", 40960.0 * 2**20),
        ("DCGM_FI_DEV_FB_USED_BYTES", 40960.0 * 2**20),
    ],
)
def test_gpu_memory_is_in_bytes_over_all_gpus_of_the_pod(prometheus_server: Start, metric: str, value: float) -> None:
    gpus = [gauge(metric, AT, value, UUID=f"GPU-{i}", namespace="shop", pod="db-0", **GPU_LABELS) for i in range(2)]
    history = read(prometheus_server(gpus), [SIGNALS["gpu_memory"]]).histories["gpu_memory"]
    np.testing.assert_allclose(history.values[0], 2 * 40960.0 * 2**20, rtol=1e-3)


def test_pressure_and_cycles_per_instruction_are_read_from_kubelet_and_koordlet(prometheus_server: Start) -> None:
    ours = {"pod_namespace": "shop", "pod_name": "db-0"}
    stalled = np.cumsum(np.full(AT.shape, 0.2 * 60))
    series = [
        gauge("container_pressure_cpu_waiting_seconds_total", AT, stalled, namespace="shop", pod="db-0", container="m"),
        *(
            gauge("koordlet_pod_psi", AT, value, psi_resource_type="mem", psi_precision=width, psi_degree=how, **ours)
            for value, width, how in ((30.0, "avg10", "some"), (90.0, "avg300", "some"), (80.0, "avg10", "full"))
        ),
        *(
            gauge("koordlet_container_cpi", AT, value, cpi_field=name, container_name="m", **ours)
            for name, value in (("cycles", 3e9), ("instructions", 2e9))
        ),
    ]
    wanted = [SIGNALS[name] for name in ("psi_cpu", "psi_memory", "cpi")]
    made = read(prometheus_server(series), wanted).histories
    assert [round(float(made[name].values[0, 5]), 3) for name in ("psi_cpu", "psi_memory", "cpi")] == [0.2, 0.3, 1.5]


def test_every_built_in_query_is_promql_that_a_server_accepts(prometheus_server: Start) -> None:
    server = prometheus_server()
    tried = 0
    with client(server.url) as asking:
        for signal in SIGNALS.values():
            for query in signal.queries:
                for form in (query, *signal.rolled_up(query)):
                    for match in ("", 'cluster="a",tenant=~"b|c"'):
                        assert asking.query(form.render(300, match), NOW).series == ()
                        tried += 1
    assert tried > 100


def test_matchers_reach_every_selector(prometheus_server: Start) -> None:
    twice = [cpu_counter("shop", "db-0", AT, cores, cluster=name) for name, cores in (("a", 1.0), ("b", 5.0))]
    server = prometheus_server(twice)
    made = read(server, [SIGNALS["cpu"]], match='cluster="a"')
    np.testing.assert_allclose(made.histories["cpu"].values, 1.0, rtol=1e-3)


def test_any_promql_is_a_signal_and_overrides_keep_unit_and_limits(prometheus_server: Start) -> None:
    server = prometheus_server([*shop(), gauge("queue", AT, 5, ns="shop", app="web", type="Deployment")])
    queue = custom_signal(
        "queue", "queue", shape="workload", namespace_label="ns", name_label="app", kind_label="type", unit="jobs"
    )
    load = custom_signal("load", 'label_replace(queue, "node", "n1", "", "")', shape="node")
    doubled = "sum by (namespace, pod) (rate(container_cpu_usage_seconds_total[10m])) * 2"
    changed = with_overrides({"cpu": SIGNALS["cpu"]}, {"cpu": doubled})
    made = read(server, [queue, load, changed["cpu"]]).histories
    assert made["queue"].keys == (WEB,)
    assert (made["queue"].unit, float(made["queue"].values[0, 0])) == ("jobs", 5.0)
    assert made["load"].keys == (WorkloadKey("", "Node", "n1"),)
    assert made["cpu"].unit == "cores"
    np.testing.assert_allclose(made["cpu"].values[0, -20], 8.0, rtol=1e-3)


@pytest.mark.parametrize(
    ("promql", "message"),
    [
        ('"text"', "rejects the query|not series"),
        ("sum(container_cpu_usage_seconds_total)", "without the labels namespace, pod"),
        ("absent_metric", "no such series"),
        ("sum by (", "parse error"),
        ("count(container_cpu_usage_seconds_total[5m])", "expected type"),
    ],
)
def test_a_query_that_gives_nothing_usable_is_a_problem_of_its_signal_alone(
    prometheus_server: Start, promql: str, message: str
) -> None:
    made = read(prometheus_server(shop()), [custom_signal("bad", promql), SIGNALS["cpu"]]).histories
    assert not made["bad"].complete
    assert made["bad"].keys == ()
    assert len(made["bad"].problems) == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(made["bad"].problems[0])
    assert made["cpu"].complete


def test_samples_that_stopped_an_hour_ago_are_stale(prometheus_server: Start) -> None:
    server, store = prometheus_server(shop()), HistoryStore(None)
    assert read(server, [SIGNALS["cpu"]], previous=store).histories["cpu"].complete
    history = read(server, [SIGNALS["cpu"]], previous=store, now=NOW + 3000).histories["cpu"]
    assert not history.complete
    assert "minutes older than it should be" in history.problems[-1]
    new = read(server, [SIGNALS["cpu"]], now=NOW + 3000).histories["cpu"]
    assert not new.complete
    assert "no such series now" in new.problems[0]


def test_when_half_the_pods_fell_silent_scraping_is_suspected(prometheus_server: Start) -> None:
    quiet = AT[AT < NOW - 1500]
    series = [cpu_counter("shop", pod, quiet, 1.0) for _, pod in NEW_PODS] + [cpu_counter("shop", "db-0", AT, 1.0)]
    history = read(prometheus_server(series), [SIGNALS["cpu"]]).histories["cpu"]
    assert history.problems == ("3 of 4 pods have no recent sample: is scraping broken?",)


def test_a_workload_of_hours_has_gaps_before_and_the_history_is_complete(prometheus_server: Start) -> None:
    young = AT[AT > NOW - 4 * 3600]
    history = read(prometheus_server([*shop(), cpu_counter("shop", "new-0", young, 1.0)]), [SIGNALS["cpu"]]).histories[
        "cpu"
    ]
    assert history.complete
    (row,) = [history.values[i] for i, key in enumerate(history.keys) if key.name == "new"]
    assert 40 < np.isfinite(row).sum() < 50
    assert np.isnan(row[:200]).all()


def test_the_next_cycles_ask_only_for_what_is_new_and_know_what_one_full_reading_knows(
    prometheus_server: Start, tmp_path: Path
) -> None:
    server = prometheus_server(shop())
    store = HistoryStore(tmp_path, save_seconds=0)
    signals = [SIGNALS["cpu"]]
    with client(server.url, max_samples=100) as asking:
        collect(asking, signals, now=NOW - 3000, window_seconds=DAY, owner_of=PRESENT, previous=store)
        full = asking.usage.requests
        for now in range(NOW - 2700, NOW + 1, 300):
            kept = HistoryStore(tmp_path, save_seconds=0)  # a restart each time
            grown = collect(asking, signals, now=now, window_seconds=DAY, owner_of=PRESENT, previous=kept)["cpu"]
        cycles = asking.usage.requests - full
        whole = collect(asking, signals, now=NOW, window_seconds=DAY, owner_of=PRESENT)["cpu"]
    assert grown.complete, grown.problems
    assert (grown.keys, grown.start) == (whole.keys, whole.start)
    np.testing.assert_array_equal(grown.values, whole.values)
    np.testing.assert_array_equal(grown.replicas, whole.replicas)
    assert cycles / 11 < full / 5


def test_late_samples_overwrite_what_was_kept(prometheus_server: Start) -> None:
    server = prometheus_server(shop())
    store = HistoryStore(None)
    with client(server.url) as asking:
        options: dict[str, Any] = {"window_seconds": DAY, "owner_of": PRESENT, "previous": store}
        first = collect(asking, [SIGNALS["cpu"]], now=NOW, **options)["cpu"]
        (_, ring) = store._kept["cpu"]
        ring.values = ring.values.copy()
        ring.values[:, -10:] = np.nan
        ring.values[:, -12:-10] = 99
        second = collect(asking, [SIGNALS["cpu"]], now=NOW, **options)["cpu"]
    np.testing.assert_array_equal(first.values, second.values)


def test_another_query_or_server_starts_anew_and_says_so(prometheus_server: Start, tmp_path: Path) -> None:
    server = prometheus_server(shop())
    read(server, [SIGNALS["cpu"]], previous=HistoryStore(tmp_path))
    again = read(server, [SIGNALS["cpu"]], previous=HistoryStore(tmp_path))
    assert again.notes["cpu"].rebuilt == ""
    changed = with_overrides(SIGNALS, {"cpu": "sum by (namespace, pod) (rate(container_cpu_usage_seconds_total[10m]))"})
    other = read(server, [changed["cpu"]], previous=HistoryStore(tmp_path))
    assert "changed" in other.notes["cpu"].rebuilt
    assert other.histories["cpu"].complete


def test_a_reading_tells_how_much_of_it_is_done(prometheus_server: Start) -> None:
    told: list[tuple[float, float]] = []
    server = prometheus_server(shop(), extra_flags=["--query.max-samples=2000"])  # in many queries
    read(server, [SIGNALS["cpu"], SIGNALS["memory"]], progress=lambda *at: told.append(at))
    done = [at for at, _ in told]
    assert {of for _, of in told} == {2}
    assert done == sorted(done)
    assert (done[0], 0 < done[2] < 1, max(done) <= 2) == (0, True, True)


def test_a_server_with_small_limits_is_read_by_halves(prometheus_server: Start) -> None:
    server = prometheus_server(shop(), extra_flags=["--query.max-samples=2000"])
    made = read(server, [SIGNALS["cpu"]])
    assert made.histories["cpu"].complete, made.histories["cpu"].problems
    assert np.isfinite(made.histories["cpu"].values).all()


def test_a_query_too_large_even_for_one_step_is_a_problem(prometheus_server: Start) -> None:
    server = prometheus_server(shop(), extra_flags=["--query.max-samples=10"])
    history = read(server, [SIGNALS["cpu"]]).histories["cpu"]
    assert not history.complete
    assert "too many samples" in history.problems[0]


def test_more_than_eleven_thousand_points_are_read_in_parts(prometheus_server: Start) -> None:
    at = times(12_000 * 15, every=15)
    server = prometheus_server([gauge("level", at, 1.0, namespace="shop", pod="db-0")])
    with client(server.url) as asking:
        with pytest.raises(TooMuch, match="11,000"):
            asking.query_range("level", _grid(12_000, 15))
        history = collect(asking, [custom_signal("level", "level")], now=NOW, window_seconds=12_000 * 15, step=15)[
            "level"
        ]
    assert history.complete, history.problems
    assert np.isfinite(history.values).all()
    assert history.values.shape == (1, 12_000)


def _grid(count: int, step: int) -> Any:
    from descheduler_profiling.history.grid import window

    return window(NOW, count * step, step, 90)


def test_wrong_credentials_are_one_clear_error(prometheus_server: Start) -> None:
    server = prometheus_server(shop(), basic_auth=True)
    user, password = BASIC_AUTH
    with client(server.url, username=user, password=password) as asking:
        assert collect(asking, [SIGNALS["cpu"]], now=NOW, window_seconds=DAY)["cpu"].complete
    with client(server.url, username=user, password="wrong") as asking, pytest.raises(HistoryRefused, match="password"):
        collect(asking, [SIGNALS["cpu"]], now=NOW, window_seconds=DAY)


@pytest.mark.parametrize(("ahead", "word"), [(3600.0, "behind"), (-3600.0, "ahead of")])
def test_clocks_that_disagree_are_a_problem(prometheus_server: Start, ahead: float, word: str) -> None:
    server = prometheus_server(shop())
    ours = HistoryClient(Connection(server.url), rng=random.Random(1), clock=lambda: time.time() + ahead)
    with ours as asking:
        history = collect(asking, [SIGNALS["cpu"]], now=NOW, window_seconds=DAY, owner_of=PRESENT)["cpu"]
    assert not history.complete
    assert f"s {word} ours: set the clocks right" in history.problems[0]
    assert history.end == (END if ahead < 0 else END - 3600), "what the server has not lived through is not asked for"


def test_a_history_that_was_given_out_does_not_change_in_the_next_cycle(prometheus_server: Start) -> None:
    server, store = prometheus_server(shop()), HistoryStore(None)
    first = read(server, [SIGNALS["cpu"]], previous=store, now=NOW - 3000).histories["cpu"]
    before = first.values.copy()
    second = read(server, [SIGNALS["cpu"]], previous=store).histories["cpu"]
    np.testing.assert_array_equal(first.values, before)
    np.testing.assert_array_equal(second.values[:, :-10], first.values[:, 10:])


def test_a_recording_gives_back_what_the_live_run_saw(prometheus_server: Start) -> None:
    noisy = [cpu_counter("shop", "db-0", AT, np.random.default_rng(1).gamma(2.0, 0.3, AT.shape))]
    history = read(prometheus_server(noisy), [SIGNALS["cpu"]]).histories["cpu"]
    np.testing.assert_array_equal(history_from_bytes(history_to_bytes(history)).values, history.values)


def test_a_server_that_says_otherwise_than_before_is_read_again_and_relied_on_when_it_says_the_same_twice(
    prometheus_server: Start,
) -> None:
    server = prometheus_server(shop())
    store = HistoryStore(None)
    with client(server.url) as asking:
        options: dict[str, Any] = {"window_seconds": DAY, "owner_of": PRESENT, "previous": store}
        first = collect(asking, [SIGNALS["cpu"]], now=NOW, **options)["cpu"]
        (_, ring) = store._kept["cpu"]
        ring.values = ring.values * 3  # as if the server had told this before
        second = collect(asking, [SIGNALS["cpu"]], now=NOW, **options)["cpu"]
        third = collect(asking, [SIGNALS["cpu"]], now=NOW, **options)["cpu"]
    assert first.complete
    assert not second.complete
    assert any("says otherwise of the last hour" in problem for problem in second.problems)
    assert third.complete, third.problems
    np.testing.assert_array_equal(first.values, third.values)
