"""Which workloads there are: history remembers those that are gone, too."""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey


def existing(snapshot: ClusterSnapshot) -> frozenset[WorkloadKey]:
    """What history may be kept of that is in the cluster now, whether it has pods at the moment or not.

    A CronJob between two runs and a workload that is scaled to 0 are there; so is a controller of a kind that is not
    read, where something names it as its owner.
    """
    return frozenset(_keys(snapshot))


def _keys(snapshot: ClusterSnapshot) -> Iterator[WorkloadKey]:
    yield from snapshot.columns.workloads
    for key, workload in snapshot.workloads.items():
        yield key
        for above in snapshot.controllers(key.namespace, workload.owners):
            yield WorkloadKey(key.namespace, above.kind, above.name)
    for found in snapshot.objects.values():
        yield from (WorkloadKey(one.namespace, one.kind, one.name) for one in found)
    yield from (WorkloadKey("", "Node", node.name) for node in snapshot.nodes)
