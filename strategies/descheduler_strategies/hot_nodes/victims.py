"""Who should leave a hot node: the units whose leaving cools it, few and cheap.

By how much a node cools is nearly the sum of what each unit relieves alone. So the cheapest set is found on those
numbers, exactly but for rounding, and then held against the forecast of what stays: a set that is too little is added
to, and what is not needed stays.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Floats32
from descheduler_strategies.hot_nodes.heat import Heat, Thermometer

DISTURBANCE = 90.0
"""Core-seconds that any restart counts beside what it costs, so that few pods move rather than many small ones: what
restart and warm-up of one core cost by default (`CostPolicy`)."""
_UNITS = 128  # in which relief is counted
_REPAIRS = 3  # times that a set which does not quite cool the node is added to
_NOTHING = 0.02  # share of the excess: who relieves less than this is no help


@dataclass(frozen=True, eq=False, slots=True)
class Victims:
    """K units that may leave a node: one pod of each, what they take with them [K, D], and what they cost [K]."""

    pods: tuple[int, ...]
    vectors: Floats32
    cost: Floats


@dataclass(frozen=True, slots=True)
class Leaving:
    """One pod of each unit that should leave, the strongest first; the `level` of the node without them."""

    pods: tuple[int, ...]
    level: float
    cost: float


def victims_on(view: RebalanceView, state: Scenario, heat: Heat, staying: Collection[int] = ()) -> Victims:
    """The movable units that are still on the hot node in `state`, but for those with pods that are `staying`."""
    units: dict[tuple[int, ...], list[int]] = {}  # what moves together -> its pods on the node
    for pod in view.snapshot.columns.pods_on(heat.node).tolist():
        if view.movable[pod] and state.node_of(pod) == heat.node:
            units.setdefault(view.moving(pod), []).append(pod)
    here = [pods for unit, pods in units.items() if not any(pod in staying for pod in unit)]
    each = view.loads[heat.resource].of_pods(np.array([pod for pods in here for pod in pods], np.int32))
    starts = np.cumsum([0, *(len(pods) for pods in here[:-1])])
    return Victims(
        pods=tuple(pods[0] for pods in here),
        vectors=np.add.reduceat(each, starts, axis=0) if here else each,
        cost=np.array([view.cost(pods[0]) for pods in here]) + DISTURBANCE,
    )


def who_leaves(meter: Thermometer, state: Scenario, heat: Heat, victims: Victims, most: int) -> Leaving:
    """Up to `most` units whose leaving brings the node to its target for the least cost; as near to it as they can
    where that is not to be had."""
    chosen: list[int] = []
    left = meter.vector(state, heat)
    level, relief = float(meter.levels(heat, left[None])[0]), np.zeros(len(victims.pods))
    for _ in range(1 + _REPAIRS):
        need = level - heat.target
        if need <= 0 or len(chosen) >= most:
            break
        others = np.array([i for i in range(len(victims.pods)) if i not in chosen], np.int64)
        alone = np.maximum(level - meter.levels(heat, left - victims.vectors[others]).astype(np.float64), 0.0)
        relief[others] = alone
        useful = others[alone > _NOTHING * need]
        added = cheapest(relief[useful], victims.cost[useful], need, most - len(chosen))
        if not len(added):
            break
        chosen += useful[added].tolist()
        left = left - victims.vectors[useful[added]].sum(axis=0)
        level = float(meter.levels(heat, left[None])[0])
    for i in sorted(chosen, key=lambda i: -victims.cost[i]):
        without = float(meter.levels(heat, (left + victims.vectors[i])[None])[0])
        if without <= heat.target:
            chosen.remove(i)
            left, level = left + victims.vectors[i], without
    chosen.sort(key=lambda i: (-relief[i], victims.pods[i]))
    return Leaving(tuple(victims.pods[i] for i in chosen), level, float(victims.cost[chosen].sum()))


def cheapest(relief: Floats, cost: Floats, need: float, most: int) -> list[int]:
    """Positions of at most `most` of K, with a relief of `need` together, for the least cost; the strongest ones where
    no such set is enough.

    A knapsack: `best[c, u]` is the least cost of c of them that relieve at least u units, rounded down.
    """
    most = min(most, len(relief))
    if most < 1:
        return []
    gain = np.minimum(np.floor(relief / need * _UNITS + 1e-9), _UNITS).astype(np.int64)
    best = np.full((most + 1, _UNITS + 1), np.inf)
    best[0, 0] = 0.0
    taken = np.full((len(relief), most + 1, _UNITS + 1), -1, np.int32)  # from which u it was taken, -1: it was not
    for i, units in enumerate(gain.tolist()):
        offer, origin = np.full((most, _UNITS + 1), np.inf), np.zeros((most, _UNITS + 1), np.int32)
        offer[:, units:] = best[:-1, : _UNITS + 1 - units] + cost[i]
        origin[:, units:] = np.arange(_UNITS + 1 - units)
        full = best[:-1, _UNITS - units :].argmin(axis=1) + _UNITS - units
        offer[:, _UNITS] = best[np.arange(most), full] + cost[i]
        origin[:, _UNITS] = full
        better = offer < best[1:]
        best[1:][better] = offer[better]
        taken[i, 1:][better] = origin[better]
    count, unit = int(best[:, _UNITS].argmin()), _UNITS
    if not np.isfinite(best[count, unit]):
        return sorted(np.argsort(-relief, kind="stable")[:most].tolist())
    out: list[int] = []
    for i in range(len(relief) - 1, -1, -1):
        if count and taken[i, count, unit] >= 0:
            out.append(i)
            count, unit = count - 1, int(taken[i, count, unit])
    return out[::-1]
