"""Load of nodes that is none of their pods': what runs outside of them, beyond what is kept back for it.

Of its machine a node offers pods what is allocatable, less than its capacity by what the kubelet keeps back for system
daemons (kube-reserved, system-reserved, the eviction threshold: kubernetes.io, Reserve Compute Resources). So what runs
outside of pods takes nothing from them until it is more than that.
"""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Floats, Floats32, Mask
from descheduler.model.pods import amount_of
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.beyond import beyond
from descheduler_profiling.layout import Layout
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History


class OutsideLoad:
    """What runs outside of pods on N nodes, of one resource, in the unit of its signal.

    `vectors` [N, D] are forecasts of what is above the `bound` [N], and zero where nothing is known: `known` [N].
    `signal` is what it is made of, empty where that cannot be used.
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
        self._names = tuple(node.name for node in snapshot.nodes)
        self.bound = kept_back(resource, snapshot) / np.float32(unit) + unmeasured
        self.known: Mask = np.zeros(size, np.bool_)
        self.vectors: Floats32 = np.zeros((size, layout.width), np.float32)
        self.signal = ""
        if profiles is None or not profiles.keys or not profiles.layout.alike(layout):
            return
        self.signal = profiles.signal
        row = profiles.rows([WorkloadKey("", "Node", name) for name in self._names])
        self.known = (row >= 0) & (profiles.confidence[row] >= floor)
        at = np.flatnonzero(self.known)
        self.vectors[at] = beyond(layout, profiles.vectors[row[at]], self.bound[at])

    def lately(self, history: History, steps: int) -> Floats:
        """[N, steps] what was above the bound in the last steps of the signal's history; 0 where nobody knows."""
        row_of = {key.name: row for row, key in enumerate(history.keys)}
        row = np.array([row_of.get(name, -1) for name in self._names], np.int64)
        values = np.vstack([history.values[:, -steps:], np.full((1, steps), np.nan, np.float32)])[row]
        above: Floats = np.maximum(np.nan_to_num(values).astype(np.float64) - self.bound[:, None], 0.0)
        return np.where(self.known[:, None], above, 0.0)


def kept_back(resource: str, snapshot: ClusterSnapshot) -> Floats32:
    """[N] amounts of the machine that pods are not offered; 0 where the node does not tell what its machine has."""
    kept = (amount_of(n.capacity, resource) - amount_of(n.allocatable, resource) for n in snapshot.nodes)
    return np.maximum(np.fromiter(kept, np.float32, len(snapshot.nodes)), np.float32(0))
