"""What a restart costs, in weighted resource-seconds, so that strategies of every kind can be compared.

cost(pod) = value x (restart + warm-up + lost work): value is the pod's cores, with a GPU worth `GPU_WEIGHT` cores;
lost work is what its kind of workload has not yet saved (half a checkpoint interval for batch work, nothing for a
stateless replica). A unit costs what all pods that restart with it cost together. A pod that prefers not to be evicted
costs `NO_EVICTION_FACTOR` times as much, so that it moves after all others, and only for what is worth that much.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import GPU_WEIGHT
from descheduler.model.device_parts import devices_in_parts
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy.planning import CostPolicy

NO_EVICTION_FACTOR = (
    10.0  # ours: dearer than what tells two ordinary pods on a node apart, yet a large benefit still wins
)
_FLOOR_CORES = 0.1  # a pod that asks for nothing still interrupts somebody


@dataclass(frozen=True, slots=True)
class CostModel:
    """Priors of the cost of one restart, in seconds."""

    restart_seconds: float
    warm_up_seconds: float
    lost_work_seconds: Mapping[str, float]  # by kind of the topmost controller
    stateful_seconds: float  # a StatefulSet member waits for its old self to be gone and its volume to move
    margin: float  # a move must be worth this many times its cost

    @classmethod
    def of(cls, cost: CostPolicy) -> Self:
        return cls(
            restart_seconds=cost.restart.total_seconds(),
            warm_up_seconds=cost.warm_up.total_seconds(),
            lost_work_seconds={kind: lost.total_seconds() for kind, lost in cost.lost_work.items()},
            stateful_seconds=cost.stateful.total_seconds(),
            margin=cost.margin,
        )


@dataclass(frozen=True, slots=True)
class PodCosts:
    """Parts of the cost of each pod's restart, [P] each; `total` is their sum."""

    restart: NDArray[np.float64]
    warm_up: NDArray[np.float64]
    lost_work: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """[P] weighted resource-seconds."""
        return self.restart + self.warm_up + self.lost_work


def pod_costs(
    snapshot: ClusterSnapshot, model: CostModel, prefers_no_eviction: NDArray[np.bool_] | None = None
) -> PodCosts:
    """The cost of restarting each pod, as what will be made in its place; `prefers_no_eviction` [P] marks those that
    would rather not be evicted."""
    columns = snapshot.columns
    cores = columns.spec_requests[:, 0] / 1000.0
    gpus = np.array([s.gpu.devices if s.gpu else devices_in_parts(s.requests) for s in columns.specs])
    made = columns.pod_remade
    value = np.maximum(cores, _FLOOR_CORES)[made] + GPU_WEIGHT * gpus[made] * _unit(snapshot)
    value = np.where(columns.pod_terminal, 0.0, value)  # nothing of it is left to restart
    if prefers_no_eviction is not None:
        value = np.where(prefers_no_eviction, NO_EVICTION_FACTOR * value, value)
    lost = np.array([model.lost_work_seconds.get(key.kind, 0.0) for key in columns.workloads])
    extra = np.array([model.stateful_seconds * (key.kind == "StatefulSet") for key in columns.workloads])
    of = columns.pod_workload
    none = np.zeros(0)
    return PodCosts(
        restart=value * (model.restart_seconds + (extra[of] if extra.size else none)),
        warm_up=value * model.warm_up_seconds,
        lost_work=value * (lost[of] if lost.size else none),
    )


def _unit(snapshot: ClusterSnapshot) -> NDArray[np.float64]:
    """[P] the part of a device that one GPU of the pod is: of a node whose GPUs are shared or cut, less than one."""
    of_node = np.array([node.gpus.unit if node.gpus else 1.0 for node in snapshot.nodes] + [1.0])
    out: NDArray[np.float64] = of_node[snapshot.columns.pod_node]  # that of no node is the last
    return out
