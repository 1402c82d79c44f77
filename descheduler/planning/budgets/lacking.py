"""What workloads lack of the pods that they should have: those that are missing, and those that are not ready."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from descheduler.model.snapshot import ClusterSnapshot

Tokens = Mapping[int, set[tuple[str, int]]]
"""What counts as one disruption each, by workload (position in `columns.workloads`)."""

_REPLICATED = ("Deployment", "ReplicaSet", "StatefulSet")


def not_ready(snapshot: ClusterSnapshot, leaving: Collection[int]) -> list[int]:
    """Positions of the pods that have a node and are not ready, without those that are `leaving`."""
    columns = snapshot.columns
    gone = np.zeros(len(snapshot.pods), np.bool_)
    gone[list(leaving)] = True
    found: list[int] = np.flatnonzero(columns.pod_live & ~columns.pod_ready & ~gone).tolist()
    return found


def lacking(
    snapshot: ClusterSnapshot,
    leaving: Collection[int],
    unready: Collection[int],
    tokens: Callable[[Collection[int]], Tokens],
) -> dict[int, int]:
    """How much each workload lacks, by its position; only those that lack anything.

    Where it is known how many pods there should be, what is missing counts too, and what a rollout makes beyond that
    makes up for as many that are not ready yet.
    """
    columns = snapshot.columns
    out = {at: len(found) for at, found in tokens(unready).items()}
    there = np.bincount(columns.pod_workload[columns.pod_live], minlength=len(columns.workloads))
    np.subtract.at(there, columns.pod_workload[[i for i in leaving if columns.pod_live[i]]], 1)
    for at, key in enumerate(columns.workloads):
        found = snapshot.workloads.get(key) if key.kind in _REPLICATED else None
        if found is not None and found.replicas != there[at]:
            out[at] = max(0, out.get(at, 0) + found.replicas - int(there[at]))
    return {at: count for at, count in out.items() if count}
