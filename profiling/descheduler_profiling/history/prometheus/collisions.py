"""Series of one container's name, held against one another: are they of one container, and by which labels not?

Each pod has a uid of its own, which cAdvisor tells in the path of its control group. Two replicas of one Prometheus say
the same of one pod; two clusters say different things of two.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from itertools import combinations

from descheduler_profiling.history.prometheus.wire import Series

NAMED_SO = (
    *("cluster", "cluster_name", "clustername", "clusterName", "cluster_id", "clusterID", "clusterId", "cluster_uid"),
    *("k8s_cluster", "k8s_cluster_name", "k8s_cluster_uid", "kube_cluster", "kube_cluster_name", "kubernetes_cluster"),
    *("kubernetes_cluster_name", "managed_cluster", "eks_cluster", "gke_cluster", "aks_cluster", "source_cluster"),
)
"""Labels that name a cluster by themselves."""
PERHAPS = (
    *("prometheus", "origin_prometheus", "monitor", "tenant_id", "tenant", "__tenant_id__", "vm_account_id"),
    *("vm_project_id", "account_id", "aws_account", "aws_account_id", "project_id", "project", "subscription_id"),
    *("location", "region", "datacenter", "data_center", "dc", "site", "env", "environment", "stage", "stack", "fleet"),
    *("shoot", "seed", "landscape", "origin", "source"),
)
"""Labels that may do so: only where the pods behind their values say it."""
_INNOCENT = frozenset(
    (
        *(
            "__name__",
            "namespace",
            "pod",
            "container",
            "instance",
            "node",
            "id",
            "image",
            "name",
            "endpoint",
            "service",
        ),
        *("prometheus_replica", "replica", "__replica__", "_replica_", "receive_replica", "rule_replica", "cpu", "uid"),
        *("pod_uid", "container_id", "image_id", "metrics_path", "kubernetes_io_hostname", "host", "hostname"),
        *("nodename", "node_name", "kubernetes_node", "ip", "address", "agent_hostname", "agent", "monitor_replica"),
    )
)
"""Labels by which one cluster's own series differ."""
LAST = ("job", "prometheus")  # named only where nothing else tells the clusters apart
_APART = 0.05  # by which values differ where nothing else tells whether they are of one container
_POD_UID = re.compile(r"pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})")


def told_apart(series: Iterable[Series]) -> tuple[list[str], set[tuple[str, ...]]]:
    """The labels that differ most often between things of one name that are not one, and the pods that are several."""
    groups: dict[tuple[str, ...], list[Series]] = defaultdict(list)
    for one in series:
        groups[tuple(one.labels.get(label, "") for label in ("namespace", "pod", "container"))].append(one)
    differing: Counter[str] = Counter()
    pods: set[tuple[str, ...]] = set()
    for (namespace, pod, _), group in groups.items():
        for pair in combinations(group, 2):
            if _not_one(*pair):
                pods.add((namespace, pod))
                differing.update(label for label in _differing(*pair) if label not in _INNOCENT)
    return [label for label, times in differing.items() if times == max(differing.values())], pods


def _not_one(one: Series, other: Series) -> bool:
    """Whether two series of one pod's name are of two pods: of another uid, cluster or node; else by their values."""
    uids = _uid(one), _uid(other)
    if all(uids):
        return uids[0] != uids[1]
    differing = [label for label in _differing(one, other) if label not in _INNOCENT]
    if any(label in NAMED_SO for label in differing):
        return True
    same_job = "job" not in differing  # two jobs may write one address in two ways
    for told in (_node, _instance) if same_job else (_node,):
        places = told(one), told(other)
        if all(places):
            return places[0] != places[1]
    first, second = float(one.values[0]), float(other.values[0])
    return abs(first - second) > _APART * max(abs(first), abs(second)) and any(label not in LAST for label in differing)


def _differing(one: Series, other: Series) -> list[str]:
    labels = sorted({*one.labels, *other.labels})
    return [label for label in labels if one.labels.get(label, "") != other.labels.get(label, "")]


def _uid(series: Series) -> str:
    found = _POD_UID.search(series.labels.get("id", ""))
    return series.labels.get("pod_uid", "") or (found[1].replace("_", "-") if found else "")


def _first(*labels: str) -> Callable[[Series], str]:
    return lambda series: next((series.labels[label] for label in labels if series.labels.get(label)), "")


_node = _first("node", "kubernetes_io_hostname", "nodename", "node_name")
_instance = _first("instance")
