"""Three hot nodes on a cluster whose scheduler would make things worse: the nodes that it likes are warm.

Pods are placed by the real scheduler, one node open at a time. Usage is made up, and constant.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from controlplane.client import ApiClient
from controlplane.prometheus import Series
from e2e.hot_node import CPU, MEMORY, STEP
from execution.live import deployment

Object = dict[str, Any]
HOT, WARM, COOL = ("hot-1", "hot-2", "hot-3"), ("warm-1", "warm-2", "warm-3"), ("cool-1", "cool-2", "cool-3")
CORES = 16

POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
interval: 10s
acting: {waveTimeout: 60s}
limits: {perNode: 2}
strategies:
  - HotNodes:
      thresholds: {cpu: 75%, memory: 90%}
"""


def build(client: ApiClient) -> None:
    """Four pods of a core on each hot node; on the others one that asks for little and uses much, or the other way."""
    for node in (*HOT, *WARM, *COOL):
        client.create_node(node, cpu=str(CORES), memory="64Gi")
        client.wait_for_nodes(node)
        for app, requested in _apps(node):
            one = deployment(app, 1, cpu=requested)
            template = one["spec"]["template"]
            template["spec"]["terminationGracePeriodSeconds"] = 30
            template["metadata"]["annotations"] = {"kubelet.test/stop-after": "2s"}
            client.apply(one)
            client.wait_for_pods(1, label_selector=f"app={app}")
        client.patch("Node", node, {"spec": {"unschedulable": True}})
    for node in (*HOT, *WARM, *COOL):
        client.patch("Node", node, {"spec": {"unschedulable": None}})


def _apps(node: str) -> tuple[tuple[str, str], ...]:
    """Names of the Deployments on a node as it begins, and what a pod asks for."""
    if node in HOT:
        return tuple((f"{node}-app-{i}", "1") for i in range(4))
    return ((f"{node}-app", "500m" if node in WARM else "6"),)


def uses(app: str) -> float:
    """Cores that a pod of the app uses."""
    if app.startswith("hot"):
        return 3.3  # four of them: 82 % of a node
    return 11.0 if app.startswith("warm") else 0.5  # 69 %: one of the hot node's pods more would be too much


def loads(pods: Iterable[Object]) -> Mapping[str, float]:
    """Share of its cores that each node really has in use."""
    found = dict.fromkeys((*HOT, *WARM, *COOL), 0.0)
    for pod in pods:
        if "deletionTimestamp" not in pod["metadata"] and pod["spec"].get("nodeName"):
            found[pod["spec"]["nodeName"]] += uses(pod["metadata"]["labels"]["app"]) / CORES
    return found


def history(pods: Iterable[Object], now: float) -> Iterator[Series]:
    """A week of constant use, and half an hour more, of which nobody asks before it is past."""
    last = int(now) // STEP * STEP
    times = np.arange(last - 7 * 86400, last + 1801, STEP, dtype=np.int64)
    ripple = 1.0 + 0.01 * np.sin(times / 1700.0)
    for pod in pods:
        labels = {"namespace": "default", "pod": pod["metadata"]["name"], "container": "main", "image": "test/main"}
        labels["node"] = pod["spec"]["nodeName"]
        yield Series(CPU, labels, times, uses(pod["metadata"]["labels"]["app"]) * ripple)
        yield Series(MEMORY, labels, times, np.full(len(times), 256.0 * 2**20))
