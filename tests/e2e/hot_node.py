"""A real cluster with a node that will be hot, and a week of real history of it in a real Prometheus.

Pods are placed by the real scheduler: the hot node is the only one open while they are created. Usage is made up, and
stands in the server under the names by which kubelets publish it.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from controlplane.client import ApiClient
from controlplane.prometheus import Series
from execution.live import deployment, with_budget

Object = dict[str, Any]
STEP = 300
CPU = "node_namespace_pod_container:container_cpu_usage_seconds_total:sum_rate5m"
MEMORY = "container_memory_working_set_bytes"
GANG = "solver"

POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
interval: 10s
acting: {waveTimeout: 30s}
strategies:
  - HotNodes:
      thresholds: {cpu: 75%, memory: 90%}
"""


def build_cluster(client: ApiClient) -> None:
    """Node `hot` with `web` (budget of one), `held` (budget of none) and a gang of two; three
    open nodes beside it.
    """
    client.create_node("hot", cpu="16", memory="64Gi")
    client.wait_for_nodes("hot")
    client.apply(deployment("web", 6, cpu="1"))
    client.apply(deployment("held", 1, cpu="1"))
    client.apply(group(GANG, 2))
    for pod in (member(GANG, i) for i in range(2)):
        client.apply(pod)
    client.wait_for_pods(9)
    for name in ("cool-1", "cool-2", "cool-3"):
        client.create_node(name, cpu="16", memory="64Gi")
    client.wait_for_nodes("cool-1", "cool-2", "cool-3")
    with_budget(client, "web", "web", 5, allowed=1)
    with_budget(client, "held", "held", 1, allowed=0)


def group(name: str, size: int) -> Object:
    """A native gang that may lose single pods, but has none to spare."""
    return {
        "apiVersion": "scheduling.k8s.io/v1alpha2",
        "kind": "PodGroup",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": size}}, "disruptionMode": "Pod"},
    }


def member(gang: str, index: int) -> Object:
    """A pod of the gang, owned by a controller that does not exist any more, so that nothing else replaces it."""
    owner = {"apiVersion": "example.com/v1", "kind": "Solver", "name": gang, "uid": "0000", "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{gang}-{index}",
            "namespace": "default",
            "labels": {"app": gang},
            "ownerReferences": [owner],
        },
        "spec": {
            "schedulingGroup": {"podGroupName": gang},
            "terminationGracePeriodSeconds": 0,
            "containers": [{"name": "main", "image": "test/main", "resources": {"requests": {"cpu": "1"}}}],
        },
    }


def history(pods: Iterable[Object], now: float, rising: Collection[str] = ("web",)) -> Iterator[Series]:
    """A week of use at five minutes: `rising` apps peak at 2.2 cores a pod in 90 minutes, daily; others use little.

    The server knows half an hour of the future too, of which nobody asks before it is past: nothing is scraped here,
    and on a busy machine it may be minutes until a test comes to its plan.
    """
    last = int(now) // STEP * STEP
    times = np.arange(last - 7 * 86400, last + 1801, STEP, dtype=np.int64)
    for pod in pods:
        name, app = pod["metadata"]["name"], pod["metadata"]["labels"].get("app", "")
        labels = {"namespace": "default", "pod": name, "container": "main", "image": "test/main"}
        labels["node"] = pod["spec"]["nodeName"]
        yield Series(CPU, labels, times, _cpu(app in rising, times, last))
        yield Series(MEMORY, labels, times, np.full(len(times), 256.0 * 2**20))


def _cpu(rises: bool, times: NDArray[np.int64], last: int) -> NDArray[np.float64]:
    ripple = 1.0 + 0.02 * np.sin(times / 1700.0)
    if not rises:
        return 0.3 * ripple
    # A daily bump of some hours whose slope begins now, so that nothing but a forecast sees it coming.
    away = np.abs((times - (last + 5400) + 43200) % 86400 - 43200) / 3600.0
    return (0.4 + 1.8 * np.exp(-0.5 * (away / 1.2) ** 2)) * ripple


def pods_on(client: ApiClient, node: str, app: str) -> list[Object]:
    found = client.list("Pod", "default", label_selector=f"app={app}")
    return [p for p in found if p["spec"].get("nodeName") == node and "deletionTimestamp" not in p["metadata"]]


def ready(client: ApiClient, app: str) -> int:
    """Ready pods that stay."""
    count = 0
    for pod in client.list("Pod", "default", label_selector=f"app={app}"):
        conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", ())}
        count += conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]
    return count


def now() -> float:
    return time.time()
