"""Who leaves an overutilized node: the lowest in priority and quality of service first, and of equals as few as do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Ints, Mask
from descheduler_strategies.node_utilization.gauges import Gauge
from descheduler_strategies.sorting import tiers


@dataclass(frozen=True, eq=False, slots=True)
class Victims:
    """U units that may leave a node: one pod of each, by how much the node is emptier without it ([U, K] percentage
    points), the tier in which it goes [U], and what its restart costs [U]."""

    pods: tuple[int, ...]
    relief: Floats
    tier: Ints
    cost: Floats

    def next(self, excess: Floats, left: Mask) -> int | None:
        """Which of those that are `left` [U] goes next, where the node is `excess` [K] points above its target; None
        where nobody's leaving helps.

        Of the lowest tier in which somebody helps: the cheapest that brings the node down by itself, or whoever brings
        it down most.
        """
        over = excess > 0
        part = np.minimum(self.relief[:, over] / excess[over], 1.0)
        helps = left & (part > 0).any(axis=1)
        if not helps.any():
            return None
        mine = np.flatnonzero(helps & (self.tier == self.tier[helps].min()))
        enough = mine[(part[mine] >= 1.0 - 1e-12).all(axis=1)]
        if len(enough):
            return int(enough[np.argmin(self.cost[enough])])
        return int(mine[np.lexsort((mine, self.cost[mine], -part[mine].sum(axis=1)))[0]])


def victims_on(view: RebalanceView, state: Scenario, gauge: Gauge, node: int, staying: Mask) -> Victims:
    """The units on the node that may leave it, but for pods that are `staying` [P] by name of their namespace."""
    units: dict[tuple[int, ...], list[int]] = {}
    here = view.snapshot.columns.pods_on(node)
    for pod in here[view.movable[here] & ~staying[here]].tolist():
        if state.node_of(pod) == node:
            units.setdefault(view.moving(pod), []).append(pod)
    pods = np.array([pod for members in units.values() for pod in members], np.int32)
    relief = np.nan_to_num(gauge.relief(pods, node))
    starts = np.cumsum([0, *(len(members) for members in units.values())])[:-1]
    first = tuple(members[0] for members in units.values())
    return Victims(
        pods=first,
        relief=np.add.reduceat(relief, starts, axis=0) if len(starts) else relief,
        tier=np.maximum.reduceat(tiers(view, pods), starts) if len(starts) else np.zeros(0, np.int64),
        cost=np.array([view.cost(pod) for pod in first]),
    )
