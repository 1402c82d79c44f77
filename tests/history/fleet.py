"""A small cluster as its API tells it, and its history as a server does: a database, a shop, an agent, on two nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from builders import node, owner, pod, spec
from controlplane.prometheus import PrometheusServer, Series
from descheduler.model.pods import PodSpec
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.history import owners
from descheduler_profiling.history.collect import Collection, collect_with_notes
from descheduler_profiling.history.pods_here import pods_here
from descheduler_profiling.history.signals import Signal, builtin_signals
from history.world import DAY, NOW, client, cpu_counter, gauge

SIGNALS = builtin_signals()
WEB, DB = WorkloadKey("shop", "ReplicaSet", "web"), WorkloadKey("shop", "StatefulSet", "db")
AGENT = WorkloadKey("kube-system", "DaemonSet", "agent")
PODS = {
    ("shop", "db-0"): ("StatefulSet", "db", "n1"),
    ("shop", "db-1"): ("StatefulSet", "db", "n2"),
    ("shop", "web-bbbb2"): ("ReplicaSet", "web", "n1"),
    ("shop", "web-bbbb4"): ("ReplicaSet", "web", "n2"),
    ("kube-system", "agent-cccc2"): ("DaemonSet", "agent", "n1"),
    ("kube-system", "agent-cccc4"): ("DaemonSet", "agent", "n2"),
}
CORES = {"db": 2.0, "web": 1.0, "agent": 0.1}


def snapshot(of: PodSpec | None = None, cpu: str = "16", created: float = NOW - 2 * DAY) -> ClusterSnapshot:
    """Two nodes with one pod of each workload on each."""
    made = [
        pod(name, node=on, namespace=space, owners=(owner(kind, of_name),), of=of or spec(), created=created)
        for (space, name), (kind, of_name, on) in PODS.items()
    ]
    return ClusterSnapshot.of(taken_at=float(NOW), nodes=(node("n1", cpu=cpu), node("n2", cpu=cpu)), pods=tuple(made))


def uid(cluster: str, name: str) -> str:
    """The uid of a pod of that name in that cluster, as it looks."""
    return f"{abs(hash((cluster, name))) % 16**8:08x}-0000-4000-8000-000000000000"


def cadvisor(
    at: np.ndarray,
    of: str = "ours",
    times: float = 1.0,
    pods: Sequence[tuple[str, str]] = tuple(PODS),
    **labels: str,
) -> list[Series]:
    """CPU and memory of the pods as the kubelets of a cluster tell them, each pod with a uid of that cluster."""
    made = []
    for space, name in pods:
        _, workload, on = PODS.get((space, name), ("", "db", "n1"))
        own = {"node": f"{of}-{on}" if of != "ours" else on, "id": f"/kubepods/pod{uid(of, name)}/c"}
        made.append(cpu_counter(space, name, at, CORES[workload] * times, **own, **labels))
        told = {"namespace": space, "pod": name, "container": "main", "image": "app:1", **own, **labels}
        made.append(gauge("container_memory_working_set_bytes", at, 1e9 * times, **told))
    return made


def owned(at: np.ndarray) -> list[Series]:
    """Whose the pods are, as kube-state-metrics tells it."""
    return [
        gauge(
            *("kube_pod_owner", at, 1.0),
            namespace=space,
            pod=name,
            owner_kind=kind,
            owner_name=of,
            owner_is_controller="true",
        )
        for (space, name), (kind, of, _) in PODS.items()
    ]


def read(
    server: PrometheusServer, *names: str | Signal, of: ClusterSnapshot | None = None, **options: Any
) -> Collection:
    """What is collected of the signals (cpu and memory unless named) for the cluster."""
    known = of or snapshot()
    chosen = {"now": NOW, "window_seconds": DAY, "owner_of": owners(known), "here": pods_here(known), **options}
    with client(server.url) as asking:
        return collect_with_notes(
            asking, [SIGNALS[name] if isinstance(name, str) else name for name in names or ("cpu", "memory")], **chosen
        )
