"""How much of what runs has history: of all pods by number, in each pool of the policy by what they request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract.loads import YOUNG
from descheduler.model.arrays import Floats
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.planning.context import SIGNAL_OF, PoolRule, assign_pools
from descheduler_profiling.profiles import SignalProfiles

_TRUST = 0.05  # of a profile; with less, planning takes it for none
_RESOURCE_OF = {signal: resource for resource, signal in SIGNAL_OF.items()}


@dataclass(frozen=True, slots=True)
class Coverage:
    """Of the pods that run, those that are an hour old or more where there are such, as planning judges it.

    How many they are, the share (0..1) of them that has history, and that share in each pool that has any of them, by
    requests where the signal measures a resource.
    """

    pods: int
    share: float
    pools: Mapping[str, float]


def coverage_of(
    snapshot: ClusterSnapshot, profiles: SignalProfiles, pools: Sequence[PoolRule], *, of_gpus: bool
) -> Coverage:
    """How much of the cluster the profiles of a signal cover; `of_gpus`: of the pods that ask for GPUs."""
    columns = snapshot.columns
    live = columns.order
    born = [snapshot.pods[at].started or snapshot.taken_at for at in live.tolist()]
    old = live[np.array(born, np.float64) <= snapshot.taken_at - YOUNG]
    old = old if old.size else live
    weight = _weights(snapshot, profiles.signal, of_gpus)[columns.pod_spec[old]]
    old, weight = old[weight > 0], weight[weight > 0]
    known = _known(profiles, columns.workloads)[columns.pod_workload[old]]
    nodes = columns.pod_node[old]
    known |= _known(profiles, [WorkloadKey("", "Node", node.name) for node in snapshot.nodes])[nodes]
    names, pool_of = assign_pools(snapshot, pools)
    total = np.bincount(pool_of[nodes], weight, minlength=len(names))
    covered = np.bincount(pool_of[nodes], weight * known, minlength=len(names))
    shares = {name: float(covered[i] / total[i]) for i, name in enumerate(names) if total[i]}
    return Coverage(len(old), float(known.mean()) if len(old) else 1.0, shares)


def _weights(snapshot: ClusterSnapshot, signal: str, of_gpus: bool) -> Floats:
    """[S] what a pod of each distinct spec counts."""
    columns = snapshot.columns
    if of_gpus:
        return np.array([float(spec.gpu is not None) for spec in columns.specs], np.float64)
    at = columns.resource(_RESOURCE_OF.get(signal, ""))
    return np.maximum(columns.spec_requests[:, at], 1).astype(np.float64) if at >= 0 else np.ones(len(columns.specs))


def _known(profiles: SignalProfiles, keys: Sequence[WorkloadKey]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """[K] which of them have a profile that may be relied on."""
    rows = profiles.rows(keys)
    if not len(profiles.confidence):
        return np.zeros(len(keys), np.bool_)
    return (rows >= 0) & (profiles.confidence[rows] >= _TRUST)
