"""Load of nodes that is none of their pods': what runs outside of them, beyond what is kept back for it.

Of its machine a node offers pods what is allocatable, less than its capacity by what the kubelet keeps back for system
daemons (kube-reserved, system-reserved, the eviction threshold: kubernetes.io, Reserve Compute Resources). So what runs
outside of pods takes nothing from them until it is more than that.
"""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Floats32, Mask
from descheduler.model.pods import amount_of
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.beyond import beyond
from descheduler_profiling.layout import Layout
from descheduler_profiling.profiles import SignalProfiles


class OutsideLoad:
    """What runs outside of pods on N nodes, of one resource, in the unit of its signal.

    `vectors` [N, D] are forecasts of what is above the `kept` [N] back, and zero where nothing is known: `known` [N].
    `row` [N] are the rows of `profiles`, -1 where there is none.
    """

    def __init__(
        self,
        resource: str,
        snapshot: ClusterSnapshot,
        profiles: SignalProfiles | None,
        layout: Layout,
        *,
        unit: float,
        floor: float,
        unmeasured: Floats32,
    ) -> None:
        """`unmeasured` [N] are requests of pods that have no series: what they use is taken for what runs outside, so
        that up to their requests, by which they count already, it is not counted twice. Profiles of another `layout`
        than that of the pods cannot be added to those."""
        size = len(snapshot.nodes)
        self.kept = _kept(resource, snapshot) / np.float32(unit)
        self.row = np.full(size, -1, np.int64)
        self.vectors: Floats32 = np.zeros((size, layout.width), np.float32)
        self.profiles = profiles if profiles is not None and profiles.layout.alike(layout) else None
        if self.profiles is not None and self.profiles.keys:
            made = self.profiles
            row = made.rows([WorkloadKey("", "Node", node.name) for node in snapshot.nodes])
            self.row = np.where((row >= 0) & (made.confidence[row] >= floor), row, -1)
            at = np.flatnonzero(self.row >= 0)
            self.vectors[at] = beyond(layout, made.vectors[self.row[at]], (self.kept + unmeasured)[at])
        self.known: Mask = self.row >= 0


def _kept(resource: str, snapshot: ClusterSnapshot) -> Floats32:
    """[N] amounts of the machine that pods are not offered; 0 where the node does not tell what its machine has."""
    kept = (amount_of(n.capacity, resource) - amount_of(n.allocatable, resource) for n in snapshot.nodes)
    return np.maximum(np.fromiter(kept, np.float32, len(snapshot.nodes)), np.float32(0))
