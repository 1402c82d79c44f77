"""Who leaves an overutilized node: the lowest in priority and quality of service first, and of equals as few as do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Ints, Mask
from descheduler_strategies.node_utilization.gauges import Gauge


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


def victims_on(view: RebalanceView, state: Scenario, gauge: Gauge, node: int, able: Mask, tier: Ints) -> Victims:
    """The units on the node that may leave it, with those of its pods that are `able` [P]; `tier` [P] is that of each
    pod (`sorting.tiers`)."""
    here = view.snapshot.columns.pods_on(node)
    pods = here[able[here]]
    pods = pods[[state.node_of(pod) == node for pod in pods.tolist()]] if state.moved else pods
    relief = np.nan_to_num(gauge.relief(pods, node))
    victims = Victims(tuple(pods.tolist()), relief, tier[pods], view.costs[pods])
    return _in_units(view, victims) if (view.units.unit_index[pods] >= 0).any() else victims


def _in_units(view: RebalanceView, alone: Victims) -> Victims:
    """The same, with pods that move together put together: in the tier of the last of them."""
    units: dict[tuple[int, ...], list[int]] = {}
    for at, pod in enumerate(alone.pods):
        units.setdefault(view.moving(pod), []).append(at)
    order = [at for members in units.values() for at in members]
    starts = np.cumsum([0, *(len(members) for members in units.values())])[:-1]
    first = tuple(alone.pods[members[0]] for members in units.values())
    return Victims(
        pods=first,
        relief=np.add.reduceat(alone.relief[order], starts, axis=0),
        tier=np.maximum.reduceat(alone.tier[order], starts),
        cost=np.array([view.cost(pod) for pod in first]),
    )
