"""How many jobs that need many GPUs of one node could start: free slots of GPUs."""

from __future__ import annotations

import numpy as np

from descheduler.model.arrays import Positions
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy import Policy


def gpus_of(snapshot: ClusterSnapshot) -> int:
    """Devices of all nodes together."""
    return sum(node.gpus.physical for node in snapshot.nodes if node.gpus is not None)


def slot_of(policy: Policy, snapshot: ClusterSnapshot) -> int:
    """GPUs of a slot: as the first GpuDefragmentation of a policy has it, else all of the largest node; 0: no GPUs."""
    largest = max((node.gpus.physical for node in snapshot.nodes if node.gpus is not None), default=0)
    shapes = (one.args.model_dump() for one in policy.strategies if one.strategy == "GpuDefragmentation")
    wanted = next((int(args["slot"]["gpus"]) for args in shapes if "slot" in args), largest)
    return wanted if largest else 0


class GpuRoom:
    """Free slots of `slot` whole GPUs. What pods hold in parts of devices is added up, node by node."""

    def __init__(self, snapshot: ClusterSnapshot, slot: int) -> None:
        self._slot = slot
        self._devices = np.array(
            [
                node.gpus.physical if node.gpus is not None and node.ready and not node.unschedulable else 0
                for node in snapshot.nodes
            ],
            np.float64,
        )
        self._asked = np.array(
            [0.0 if pod.terminal or pod.spec.gpu is None else pod.spec.gpu.devices for pod in snapshot.pods], np.float64
        )

    def slots(self, nodes: Positions) -> int:
        """How many are free with the pods on `nodes` [P] (negative: on none)."""
        if not self._slot:
            return 0
        placed = nodes >= 0
        held = np.bincount(nodes[placed], self._asked[placed], minlength=len(self._devices))
        return int((np.maximum(self._devices - held, 0.0) // self._slot).sum())
