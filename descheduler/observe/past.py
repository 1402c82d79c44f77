"""A recorded cluster at an earlier time: where its pods were is not known, so they are where the recording has them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import Workload, WorkloadKey

_NAMED = "StatefulSet"  # its pods have names of their own: a lower count would deny the highest, not the one that lacks


def cluster_at(taken: ClusterSnapshot, at: float) -> ClusterSnapshot:
    """The cluster with its clock set to `at` (unix seconds), before it was taken.

    Pods and nodes that were made later are not there, nor are they missed: their controllers want so many fewer. Who
    ends since later does not end yet. All else is as recorded, and as old as it was.
    """
    older = taken.taken_at - at
    pods = tuple(_before(pod, at) for pod in taken.pods if pod.created <= at)
    used = {pod.node for pod in pods}
    later = [pod for pod in taken.pods if pod.created > at]
    return replace(
        taken,
        taken_at=at,
        nodes=tuple(node for node in taken.nodes if node.created <= at or node.name in used),
        pods=pods,
        workloads=_without(taken, later) if later else taken.workloads,
        freshness={kind: replace(one, as_of=one.as_of - older) for kind, one in taken.freshness.items()},
    )


def _before(pod: Pod, at: float) -> Pod:
    # A deletion timestamp is the time of the request and the grace period (API conventions, metadata).
    later = pod.deleting is not None and pod.deleting - pod.spec.grace_seconds > at
    return replace(pod, deleting=None) if later else pod


def _without(taken: ClusterSnapshot, later: Iterable[Pod]) -> Mapping[WorkloadKey, Workload]:
    """The controllers of a cluster that these pods are not in."""
    fewer: Counter[WorkloadKey] = Counter()
    for pod in later:
        if not pod.terminal:
            above = taken.controllers(pod.namespace, pod.owners)
            fewer.update(WorkloadKey(pod.namespace, one.kind, one.name) for one in above)
    changed = {
        key: replace(
            found,
            replicas=max(0, found.replicas - count),
            ready=max(0, found.ready - count),
            present=max(0, found.present - count),
        )
        for key, count in fewer.items()
        if (found := taken.workloads.get(key)) is not None and found.kind != _NAMED
    }
    return {**taken.workloads, **changed}
