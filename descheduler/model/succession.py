"""When the replacement of an evicted pod is made: while the old pod still ends, or when it is gone.

A pod that is told to stop holds its room, its devices and its place in rules between pods until it has stopped. So a
replacement that is made at once looks for its node beside the old pod, and one that is made later may have its place.

Sources: kubernetes pkg/controller/controller_utils.go (IsPodActive: a pod with a deletion timestamp counts no more for
a ReplicaSet), pkg/controller/statefulset/stateful_set_control.go (an ordinal is made again when its pod is gone),
pkg/apis/batch/v1/defaults.go (`podReplacementPolicy`).
"""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.model.pods import Pod
from descheduler.model.workloads import Workload, WorkloadKey

_AT_ONCE = frozenset({"ReplicaSet", "ReplicationController"})


def made_while_ending(pod: Pod, workloads: Mapping[WorkloadKey, Workload]) -> bool:
    """Whether the replacement looks for its node while the pod still holds its own.

    False where the controller waits, where the pod ends in no time, and where nobody knows: then the place of the pod
    counts as free, which makes its own node a likely place to land.
    """
    owner = pod.controller
    if owner is None or pod.spec.grace_seconds <= 0:
        return False
    if owner.kind == "Job":
        job = workloads.get(WorkloadKey(pod.namespace, owner.kind, owner.name))
        return job is not None and job.replaces_ending
    return owner.kind in _AT_ONCE
