"""What a descheduler sees of the cluster in one pass, and the Eviction API that it asks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from descheduler.backtest.cluster import Cluster, Departure
from descheduler.backtest.meter import Meter
from descheduler.contract.loads import UNIT
from descheduler.gangs import resolve
from descheduler.model.arrays import Floats, Mask
from descheduler.model.reasons import Blocked
from descheduler.planning.budgets.charging import Budgets
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.filters.pod import MIRROR
from descheduler.scheduler import WhatIf, prepare

PODS = "pods"
SYSTEM_CRITICAL = 2_000_000_000
"""Priority of system-cluster-critical (scheduling/v1 SystemCriticalPriority)."""


class Sight:
    """One pass: N nodes and P pods as in `snapshot`. Evictions take place together, when the pass is over."""

    def __init__(self, cluster: Cluster, meter: Meter, now: float) -> None:
        self._cluster, self._meter, self._now = cluster, meter, now
        self.snapshot = cluster.snapshot(now)
        self.columns = self.snapshot.columns
        self.evicted: list[int] = []

    # -- seeing --------------------------------------------------------------------------------------------------------

    @cached_property
    def capacity(self) -> dict[str, Floats]:
        """By resource [N] what pods may have of each node, in the unit of its signal."""
        return {name: self._amounts(self.columns.allocatable, name) for name in ("cpu", "memory", PODS)}

    def used(self, resource: str) -> Floats:
        """[P] what the metrics server says of each pod, NaN where it has measured nothing yet."""
        if resource == PODS:
            return np.ones(len(self.snapshot.pods))
        if resource not in self._meter.world.usage:
            return self.requested(resource)
        return np.asarray(self._meter.use(resource)[self._cluster.slot], np.float64)

    def on_whole_nodes(self, amounts: Floats, resource: str) -> Floats:
        """[N] the same sums as `on_nodes`, of what is used, with what is used outside of pods: as metrics of nodes."""
        usage = self._meter.world.usage.get(resource)
        outside = self._meter.outside(resource, usage.column(self._now)) if usage is not None else 0.0
        return np.asarray(self.on_nodes(amounts) + outside, np.float64)

    def requested(self, resource: str) -> Floats:
        """[P] what each pod requests."""
        return self._amounts(self.columns.spec_requests, resource)[self.columns.pod_spec]

    def on_nodes(self, amounts: Floats) -> Floats:
        """[N] sums of amounts [P] over the pods of each node; what is not known counts as nothing."""
        live = self.columns.pod_live
        used = np.nan_to_num(amounts[live]).astype(np.float64)
        return np.bincount(self.columns.pod_node[live], used, minlength=len(self.snapshot.nodes)).astype(np.float64)

    def _amounts(self, matrix: np.ndarray, resource: str) -> Floats:
        return np.asarray(matrix[:, self.columns.resource(resource)] / UNIT.get(resource, 1.0), np.float64)

    @cached_property
    def state(self) -> WhatIf:
        """The cluster as the pass finds it."""
        return prepare(self.snapshot).what_if()

    @cached_property
    def workable(self) -> Mask:
        """[N] nodes that take pods."""
        return self.columns.node_ready

    # -- evicting ------------------------------------------------------------------------------------------------------

    def evictable(self, pod: int) -> bool:
        """What everybody's evictor lets go by default: a controller makes it again, and that is no DaemonSet; it is
        neither critical to the system nor does it keep data on its node (sigs defaultevictor, Koordinator's copy)."""
        one = self.snapshot.pods[pod]
        owner = one.controller
        if owner is None or owner.kind == "DaemonSet" or MIRROR in one.annotations:
            return False
        return one.deleting is None and one.priority < SYSTEM_CRITICAL and not one.spec.local_storage

    def evict(self, pod: int) -> bool:
        """Ask for it: disruption budgets may refuse, and count what was granted in the same pass."""
        if isinstance(self._budgets.charge((pod,)), Blocked):
            return False
        self.evicted.append(pod)
        return True

    def done(self, towards: Mapping[int, int] | None = None) -> None:
        """The pass is over. Who goes `towards` a node finds room held there; the scheduler decides on the others."""
        held = towards or {}
        leaving = [Departure(int(self._cluster.slot[pod]), held=held.get(pod, -1)) for pod in self.evicted]
        for move in self._cluster.move(leaving, self._now) if leaving else ():
            self._meter.forget(move.slot)
        self.evicted = []

    @cached_property
    def _budgets(self) -> Budgets:
        return Budgets.of(self.snapshot, resolve(self.snapshot), DisruptionLimits(waves=1))
