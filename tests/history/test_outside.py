"""What nodes use outside of their pods, from the series that servers have of nodes and of pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from controlplane.prometheus import PrometheusServer, Series
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.collect import Collection
from history.fleet import CORES, PODS, cadvisor, read, snapshot
from history.world import DAY, NOW, STEP, gauge, times

Start = Callable[..., PrometheusServer]
AT = times(DAY)
NODES = (WorkloadKey("", "Node", "n1"), WorkloadKey("", "Node", "n2"))
ADDRESSES = {"n1": "10.0.0.1", "n2": "10.0.0.2"}
SYSTEM = {"n1": 0.7, "n2": 4.0}
PODS_CORES = sum(CORES.values())  # of each node
PODS_BYTES, SYSTEM_BYTES = 3e9, {"n1": 2e9, "n2": 8e9}
KUBELET = {"job": "kubelet", "metrics_path": "/metrics/cadvisor"}


def cluster() -> ClusterSnapshot:
    """The fleet, whose nodes have addresses."""
    made = snapshot()
    return replace(made, nodes=tuple(replace(n, addresses=(ADDRESSES[n.name], n.name)) for n in made.nodes))


def counter(name: str, cores: float | np.ndarray, **labels: str) -> Series:
    return gauge(name, AT, np.cumsum(np.broadcast_to(cores, AT.shape) * np.diff(AT, prepend=AT[0])), **labels)


def cgroups(id_: str, cores: Mapping[str, float], memory: Mapping[str, float], **labels: str) -> list[Series]:
    """One control group of each node, as the kubelets tell it."""
    made: list[Series] = []
    for on, address in ADDRESSES.items():
        of = {"id": id_, "instance": f"{address}:10250", **KUBELET, **labels}
        made.append(counter("container_cpu_usage_seconds_total", cores[on], **of))
        made.append(gauge("container_memory_working_set_bytes", AT, memory[on], **of))
    return made


def roots() -> list[Series]:
    cores = {on: PODS_CORES + more for on, more in SYSTEM.items()}
    return cgroups("/", cores, {on: PODS_BYTES + more for on, more in SYSTEM_BYTES.items()})


def exporters(
    named: Callable[[str], dict[str, str]], scale: float = 1.0, nodes: Sequence[str] = ("n1", "n2")
) -> list[Series]:
    """node-exporter of each node: two CPUs that are used, that wait and that rest."""
    made: list[Series] = []
    for on, more in [(on, SYSTEM[on]) for on in nodes]:
        of = {"job": "node-exporter", **named(on)}
        for cpu in ("0", "1"):
            for mode, share in (("user", 0.75), ("system", 0.25)):
                cores = share * (PODS_CORES + more) / 2 * scale
                made.append(counter("node_cpu_seconds_total", cores, cpu=cpu, mode=mode, **of))
            made += [counter("node_cpu_seconds_total", 0.3, cpu=cpu, mode=mode, **of) for mode in ("idle", "iowait")]
        used = (PODS_BYTES + SYSTEM_BYTES[on]) * scale
        made.append(gauge("node_memory_MemTotal_bytes", AT, 64e9, **of))
        made.append(gauge("node_memory_MemAvailable_bytes", AT, 64e9 - used, **of))
    return made


def pods(**labels: str) -> list[Series]:
    return cadvisor(AT, **KUBELET, **labels)


SETUPS: dict[str, Callable[[], list[Series]]] = {
    "root and kubepods, by address": lambda: [
        *roots(),
        *cgroups("/kubepods.slice", dict.fromkeys(SYSTEM, PODS_CORES), dict.fromkeys(SYSTEM, PODS_BYTES)),
        *cgroups("/kubepods.slice/kubepods-burstable.slice", dict.fromkeys(SYSTEM, 1.0), dict.fromkeys(SYSTEM, 1e9)),
    ],
    "root and containers": lambda: [*roots(), *pods()],
    "node-exporter by address": lambda: [*exporters(lambda on: {"instance": f"{ADDRESSES[on]}:9100"}), *pods()],
    "node-exporter by its pod": lambda: [
        *exporters(
            lambda on: {"instance": "x:9100", "namespace": "kube-system", "pod": f"agent-cccc{2 if on == 'n1' else 4}"}
        ),
        *pods(),
    ],
    "node-exporter by node, scraped twice": lambda: [
        *exporters(lambda on: {"node": on, "prometheus_replica": "a"}),
        *exporters(lambda on: {"node": on, "prometheus_replica": "b"}),
        *pods(),
    ],
}


def outside(made: Collection, signal: str = "system_cpu") -> np.ndarray:
    history = made.histories[signal]
    assert history.complete, history.problems
    assert history.keys == NODES
    return history.values


@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
def test_it_is_what_the_node_uses_less_what_its_pods_use(
    prometheus_server: Start, setup: Callable[[], list[Series]]
) -> None:
    made = read(prometheus_server(setup()), "system_cpu", "system_memory", of=cluster())
    np.testing.assert_allclose(outside(made)[:, 2:].T - list(SYSTEM.values()), 0, atol=0.02)
    np.testing.assert_allclose(outside(made, "system_memory").T / list(SYSTEM_BYTES.values()), 1, rtol=1e-3)


def test_it_is_never_below_nothing_nor_above_the_machine(prometheus_server: Start) -> None:
    small = exporters(lambda on: {"node": on}, scale=0.1)
    made = read(prometheus_server([*small, *pods()]), "system_cpu", "system_memory", of=cluster())
    assert outside(made).max() == 0.0
    assert outside(made, "system_memory").max() == 0.0
    large = read(prometheus_server([*exporters(lambda on: {"node": on}, scale=100.0), *pods()]), "system_cpu")
    assert not large.histories["system_cpu"].keys


def test_a_pod_that_moved_is_subtracted_where_it_was(prometheus_server: Start) -> None:
    """Where pods were is known to the server alone."""
    half = NOW - DAY // 2
    there, here = AT[half > AT], AT[half <= AT]
    moved = ("shop", "web-bbbb4")
    stay = [name for name in PODS if name != moved]
    web = [
        replace(one, labels={**one.labels, "node": on})
        for at, on in ((there, "n1"), (here, "n2"))
        for one in cadvisor(at, pods=[moved], **KUBELET)
    ]
    n1 = np.where(half > AT, PODS_CORES + 1.0, PODS_CORES)  # web had a second pod on it until noon
    n2 = np.where(half > AT, PODS_CORES - 1.0, PODS_CORES)
    whole = [
        counter("container_cpu_usage_seconds_total", cores + 0.5, id="/", node=on, **KUBELET)
        for on, cores in (("n1", n1), ("n2", n2))
    ]
    made = read(prometheus_server([*whole, *web, *cadvisor(AT, pods=stay, **KUBELET)]), "system_cpu", of=cluster())
    values = outside(made)
    columns = made.histories["system_cpu"].start + STEP * np.arange(values.shape[1])
    quiet = np.abs(columns - half) > 700
    np.testing.assert_allclose(values[:, quiet][:, 2:], 0.5, atol=0.02)


def test_where_either_is_missing_there_is_a_gap(prometheus_server: Start) -> None:
    late, early = AT[AT >= NOW - DAY // 2], AT[AT < NOW - DAY // 4]
    on = {name: at for name, (_, _, at) in PODS.items()}
    series = [
        *roots(),
        *cadvisor(late, pods=[name for name in PODS if on[name] == "n1"], **KUBELET),
        *cadvisor(AT, pods=[name for name in PODS if on[name] == "n2"], **KUBELET),
    ]
    short = [replace(one, timestamps=early, values=np.asarray(one.values)[AT < NOW - DAY // 4]) for one in roots()[2:]]
    made = read(prometheus_server([*series[:2], *short, *series[4:]]), "system_cpu", of=cluster())
    first, second = outside(made)
    assert np.isnan(first[: len(first) // 2 - 3]).all()
    assert np.isfinite(first[len(first) // 2 + 3 :]).all()
    assert np.isfinite(second[3 : len(second) * 3 // 4 - 3]).all()
    assert np.isnan(second[-20:]).all()


def test_counters_that_stand_still_are_not_all_the_systems(prometheus_server: Start) -> None:
    still = [
        replace(one, values=np.full(AT.shape, 5.0)) if one.name.endswith("seconds_total") else one for one in pods()
    ]
    made = read(prometheus_server([*exporters(lambda on: {"node": on}), *still]), "system_cpu", of=cluster())
    assert not made.histories["system_cpu"].keys


def test_no_series_of_nodes_is_no_fault(prometheus_server: Start) -> None:
    history = read(prometheus_server(pods()), "system_cpu", of=cluster()).histories["system_cpu"]
    assert history.absent
    assert "node_cpu_seconds_total" in history.problems[0]


def test_series_of_other_nodes_are_told_by_what_is_missing(prometheus_server: Start) -> None:
    other: dict[str, Any] = {"node": "elsewhere", "instance": "10.9.9.9:9100"}
    made = read(prometheus_server([*exporters(lambda _: other, nodes=["n1"]), *pods()]), "system_cpu", of=cluster())
    assert made.histories["system_cpu"].absent
    assert "not known as nodes of this cluster" in made.histories["system_cpu"].problems[0]


def test_what_a_tenant_says_of_a_node_does_not_count(prometheus_server: Start) -> None:
    real = exporters(lambda on: {"instance": f"{ADDRESSES[on]}:9100", "namespace": "monitoring", "pod": f"ne-{on}"})
    forged = [
        replace(one, labels={**one.labels, "job": "node-exporter", "namespace": "evil", "pod": "evil-0", "node": "n1"})
        for one in exporters(lambda _: {"instance": "10.1.2.3:80"}, scale=2.0, nodes=["n1"])
    ]
    made = read(prometheus_server([*real, *forged, *pods()]), "system_cpu", of=cluster())
    np.testing.assert_allclose(outside(made)[:, 2:].T - list(SYSTEM.values()), 0, atol=0.02)
    assert made.sources.pin("nodes").left_out == (('job="node-exporter",namespace="evil"', 1),)
