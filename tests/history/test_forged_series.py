"""Series that a tenant's own targets expose about others' pods, beside those of the kubelet and of DCGM's exporter.

Labels are as Prometheus gives them: without honor_labels it puts what is exposed under `exported_`, where the target
has such a label itself; with it, what is exposed stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from builders import node, pod, spec
from controlplane.prometheus import PrometheusServer, Series
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe.gpu_series import located
from descheduler_profiling.history.collect import Collection
from descheduler_profiling.history.grid import window
from descheduler_profiling.history.prometheus.measurers import find_sources
from descheduler_profiling.history.store import HistoryStore
from history.fleet import PODS, SIGNALS, cadvisor, owned, read, snapshot
from history.world import DAY, NOW, client, cpu_counter, gauge, times

Start = Callable[..., PrometheusServer]
AT = times(DAY)
KUBELET: dict[str, Any] = {
    "job": "kubelet",
    "metrics_path": "/metrics/cadvisor",
    "endpoint": "https-metrics",
    "service": "kubelet",
}
TARGET = {"job": "web", "instance": "10.0.3.7:8080", "endpoint": "http", "service": "web"}
VICTIM = ("shop", "db-0")
LEVELS = {name: {"db": 2.0, "web": 1.0, "agent": 0.1}[of] for name, (_, of, _) in PODS.items()}

EXPOSED = {
    "honoured": {"namespace": VICTIM[0], "pod": VICTIM[1]},
    "not honoured": {
        "namespace": "evil",
        "pod": "evil-0",
        "container": "x",
        "exported_namespace": VICTIM[0],
        "exported_pod": VICTIM[1],
        "exported_container": "main",
    },
}


def forged(exposed: dict[str, str], cores: float = 15.0, **more: str) -> list[Series]:
    labels = {**TARGET, **exposed, **more}
    space, name = labels.pop("namespace"), labels.pop("pod")
    told = {"container": "main", "image": "app:1", **labels, "namespace": space, "pod": name}
    return [
        cpu_counter(space, name, AT, cores, **labels),
        gauge("container_memory_working_set_bytes", AT, 60e9, **told),
        gauge("node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m", AT, cores, **told),
    ]


def levels(made: Collection, signal: str = "cpu") -> dict[tuple[str, str], float]:
    history = made.histories[signal]
    assert history.complete, history.problems
    return {name: round(level, 2) for name, level in history.pod_level.items()}


@pytest.mark.parametrize("exposed", EXPOSED.values(), ids=EXPOSED)
def test_what_a_tenant_says_of_anothers_pod_loses_against_the_kubelet(
    prometheus_server: Start, exposed: dict[str, str]
) -> None:
    honest = [*cadvisor(AT, **KUBELET), *owned(AT)]
    made = read(prometheus_server([*honest, *forged(exposed), *forged(exposed, 0.0, job="cadvisor", container="c")]))
    alone = read(prometheus_server(honest))
    assert levels(made) == levels(alone) == LEVELS
    assert levels(made, "memory") == levels(alone, "memory")
    assert made.histories["cpu"].keys == alone.histories["cpu"].keys
    assert all(history.pinned for history in made.histories.values())


def test_a_tenant_makes_no_load_of_its_own_pods_either_and_no_second_cluster(prometheus_server: Start) -> None:
    many = [one for name in PODS for one in forged({"namespace": name[0], "pod": name[1]}, 9.0, cluster="b")]
    made = read(prometheus_server([*cadvisor(AT, **KUBELET), *many]))
    assert levels(made) == LEVELS


JOBS: dict[str, dict[str, Any]] = {
    "kube-prometheus": KUBELET,
    "prometheus-community": {"job": "kubernetes-nodes-cadvisor", "kubernetes_io_hostname": "n1"},
    "prometheus-engine": {"job": "kubelet", "instance": "n1:cadvisor"},
    "k8s-monitoring": {"job": "integrations/kubernetes/cadvisor"},
    "by the path": {"job": "kubernetes-nodes", "metrics_path": "/api/v1/nodes/n1/proxy/metrics/cadvisor"},
    "a name nobody knows": {"job": "machines"},
    "no job": {},
}


@pytest.mark.parametrize(
    ("labels", "pinned"), [(told, bool(told) and told["job"] != "machines") for told in JOBS.values()], ids=JOBS
)
def test_containers_are_read_whatever_the_job_is_called(
    prometheus_server: Start, labels: dict[str, str], pinned: bool
) -> None:
    made = read(prometheus_server(cadvisor(AT, **labels)))
    assert levels(made) == LEVELS
    assert made.histories["cpu"].pinned == pinned


def test_a_job_counts_by_its_name_only_with_most_of_the_pods(prometheus_server: Start) -> None:
    """A tenant names its Service kubelet where the true job has a name that nobody knows."""
    own = forged({"namespace": "evil", "pod": "evil-0"}, job="kubelet", metrics_path="/metrics/cadvisor")
    made = read(prometheus_server([*cadvisor(AT, job="machines"), *own]))
    assert {name: level for name, level in levels(made).items() if name in PODS} == LEVELS


def test_halves_of_the_nodes_may_have_jobs_of_different_names(prometheus_server: Start) -> None:
    halves = [[name for name, (_, _, on) in PODS.items() if on == one] for one in ("n1", "n2")]
    series = [*cadvisor(AT, pods=halves[0], **KUBELET), *cadvisor(AT, pods=halves[1], job="cadvisor")]
    assert levels(read(prometheus_server(series))) == LEVELS


def test_a_job_that_was_renamed_keeps_its_history(prometheus_server: Start) -> None:
    before, after = AT[AT < NOW - DAY / 2], AT[AT >= NOW - DAY / 2]
    made = read(prometheus_server([*cadvisor(before, job="cadvisor"), *cadvisor(after, **KUBELET)]))
    assert levels(made) == LEVELS
    assert (made.histories["cpu"].values[:, 2:] > 0).sum() > 0.95 * made.histories["cpu"].values[:, 2:].size


def test_a_policy_says_who_measures_and_what_was_kept_from_others_is_read_anew(prometheus_server: Start) -> None:
    server, store = prometheus_server([*cadvisor(AT, job="machines"), *forged(EXPOSED["honoured"])]), HistoryStore(None)
    assert levels(read(server, "cpu", previous=store))[VICTIM] > 2.5
    named = read(server, "cpu", previous=store, measured_by={"containers": 'job="machines"'})
    assert (levels(named), named.histories["cpu"].pinned) == (LEVELS, True)
    assert named.notes["cpu"].rebuilt == "others measure it than before"
    assert named.histories["cpu"].values.max() < 2.5


EXPORTER = {
    "job": "nvidia-dcgm-exporter",
    "namespace": "gpu-operator",
    "pod": "dcgm-x7k2p",
    "instance": "10.0.0.9:9400",
}
ENGINE = "DCGM_FI_PROF_GR_ENGINE_ACTIVE"


def gpu(value: float, at: str = "g1", number: int = 0, **labels: str) -> Series:
    told = {"UUID": f"GPU-{at}-{number}", "gpu": str(number), "Hostname": at, "modelName": "A100"}
    return gauge(ENGINE, AT, value, **told, **labels)


def scraped(user: str, by: dict[str, str] = EXPORTER) -> dict[str, str]:
    """The labels of what an exporter says of a pod, without honor_labels."""
    return {**by, "exported_namespace": "ml", "exported_pod": user}


def gpus(*users: str) -> ClusterSnapshot:
    """Pods with a GPU each on one node, the exporter beside them, and a tenant's pod elsewhere."""
    made = [pod(user, namespace="ml", node="g1", gpu=1, of=spec(gpu=1), created=NOW - 2.0 * DAY) for user in users]
    others = [pod("dcgm-x7k2p", namespace="gpu-operator", node="g1"), pod("evil-0", namespace="evil", node="g2")]
    nodes = (node("g1", gpu=8), node("g2", gpu=8))
    return ClusterSnapshot.of(taken_at=float(NOW), nodes=nodes, pods=(*made, *others))


def activity(server: PrometheusServer, *users: str) -> tuple[dict[str, float], bool]:
    history = read(server, "gpu", of=gpus(*users)).histories["gpu"]
    found = {name: round(level, 2) for (_, name), level in history.pod_level.items() if name in users}
    return found, history.pinned


EVIL = {**TARGET, "namespace": "evil", "pod": "evil-0"}
OF_ANOTHERS_GPU = {
    "exported_pod": scraped("busy", EVIL),
    "pod_name": {**EVIL, "pod_namespace": "ml", "pod_name": "busy"},
    "a service called as the exporter": scraped("busy", {**EVIL, "job": "nvidia-dcgm-exporter"}),
    "pod_name of such a service": {**EVIL, "job": "nvidia-dcgm-exporter", "pod_namespace": "ml", "pod_name": "busy"},
    "honoured": {**TARGET, "namespace": "ml", "pod": "busy"},
    "honoured, by many names": {**TARGET, "namespace": "ml", "pod": "busy", "pod_name": "busy", "pod_namespace": "ml"},
}


@pytest.mark.parametrize("own", OF_ANOTHERS_GPU.values(), ids=OF_ANOTHERS_GPU)
def test_no_tenant_makes_anothers_gpus_idle_or_busy(prometheus_server: Start, own: dict[str, str]) -> None:
    honest = [gpu(0.9, **scraped("busy")), gpu(0.0, number=1, **scraped("idle"))]
    lies = [gpu(0.0, "g9", number, **own) for number in range(90)]
    lies += [gpu(1.0, number=1, **{k: "idle" if v == "busy" else v for k, v in own.items()})]
    assert activity(prometheus_server([*honest, *lies]), "busy", "idle") == ({"busy": 0.9, "idle": 0.0}, True)


@pytest.mark.parametrize("own", list(OF_ANOTHERS_GPU.values())[:4], ids=list(OF_ANOTHERS_GPU)[:4])
def test_nor_does_it_where_the_exporters_labels_are_honoured(prometheus_server: Start, own: dict[str, str]) -> None:
    honoured = {"job": "dcgm-exporter", "namespace": "ml"}
    honest = [gpu(0.9, **honoured, pod="busy"), gpu(0.0, number=1, **honoured, pod="idle")]
    lies = [gpu(0.0, "g9", number, **own) for number in range(90)]
    assert activity(prometheus_server([*honest, *lies]), "busy", "idle") == ({"busy": 0.9, "idle": 0.0}, True)


HONEST = {
    "gpu-operator": (scraped("a"), True),
    "honoured": ({"job": "gpu-metrics", "namespace": "ml", "pod": "a"}, True),
    "any job in monitoring": (scraped("a", {"job": "kubernetes-pods", "namespace": "monitoring", "pod": "d"}), True),
    "a namespace nobody knows": (scraped("a", {"job": "dcgm", "namespace": "telemetry", "pod": "d"}), False),
    "a job nobody knows": ({"job": "devices", "namespace": "ml", "pod": "a"}, False),
    "no job": ({"namespace": "ml", "pod": "a"}, False),
}


@pytest.mark.parametrize(("labels", "pinned"), HONEST.values(), ids=HONEST)
def test_gpus_are_read_whoever_measures_and_it_is_known_whether_that_is_evidence(
    prometheus_server: Start, labels: dict[str, str], pinned: bool
) -> None:
    assert activity(prometheus_server([gpu(0.4, **labels)]), "a") == ({"a": 0.4}, pinned)


def test_a_tenants_targets_are_no_exporter_where_there_is_none(prometheus_server: Start) -> None:
    lies = [gpu(0.0, **scraped("busy", {**EVIL, "job": "dcgm-exporter"}))]
    assert activity(prometheus_server(lies), "busy")[1] is False


def held(server: PrometheusServer, cluster: ClusterSnapshot) -> dict[str, tuple[int, ...]]:
    with client(server.url) as asking:
        sources = find_sources(asking, [SIGNALS["gpu"]], window(NOW, DAY, 300, 90.0), "", {}, here=None)
        found = located(asking, (ENGINE,), "", cluster, sources)
    return {one.name: one.gpu_indices for one in found.pods if one.gpu_indices}


@pytest.mark.parametrize("lie", [scraped("a", EVIL), scraped("a", {**EVIL, "job": "dcgm"})], ids=["job", "name"])
def test_which_gpu_a_pod_holds_is_the_exporters_to_say(prometheus_server: Start, lie: dict[str, str]) -> None:
    server = prometheus_server([gpu(0.4, **scraped("a")), gpu(0.4, number=5, **lie)])
    assert held(server, gpus("a")) == {"a": (0,)}
    alone = prometheus_server([gpu(0.4, number=5, **lie)])
    assert held(alone, gpus("a")) == {}, "its pod runs on another node than the GPU"


def test_a_forged_owner_gives_nobody_anothers_history(prometheus_server: Start) -> None:
    lie = {"owner_kind": "StatefulSet", "owner_name": "evil", "owner_is_controller": "true", "job": "web"}
    gone = list(cadvisor(AT[: AT.size // 2], pods=[("shop", "old-xyz")], **KUBELET))
    told = [
        gauge("kube_pod_owner", AT, 1.0, namespace="shop", pod="old-xyz", **{**lie, **true})
        for true in ({"owner_name": "db", "job": "kube-state-metrics"}, {})
    ]
    honest = [gauge("kube_pod_owner", AT, 1.0, **{**one.labels, "job": "kube-state-metrics"}) for one in owned(AT)]
    made = read(prometheus_server([*cadvisor(AT, **KUBELET), *gone, *told, *honest]), "cpu")
    assert "evil" not in {key.name for key in made.histories["cpu"].keys}


def names(found: Iterable[tuple[str, int]]) -> list[str]:
    return [name for name, _ in found]


def test_who_is_left_out_is_known(prometheus_server: Start) -> None:
    made = read(prometheus_server([*cadvisor(AT, **KUBELET), *forged(EXPOSED["honoured"])]), of=snapshot())
    pin = made.sources.pin("containers")
    assert pin.matchers == 'job="kubelet",metrics_path="/metrics/cadvisor"'
    assert names(pin.left_out) == ['job="web"']
