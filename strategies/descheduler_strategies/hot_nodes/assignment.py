"""Who of all hot nodes goes where, decided together: where cool places are few, one node must not take the last place
that another one needs.

A programme of mixed integers chooses what is worth most: pods leave for destinations that have room for all of them,
and a node counts when enough leaves it. Levels add up in it, which is a little more than is true, for pods do not peak
together. What it says is only a wish: it is tried on the state like any other move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Ints, Positions
from descheduler.packing.programme import Programme, Solution, WorkLimits
from descheduler_strategies.hot_nodes.heat import Heat, Thermometer
from descheduler_strategies.hot_nodes.places import Places
from descheduler_strategies.hot_nodes.victims import victims_on

HOT = 16  # nodes that are looked at together
VICTIMS = 8  # units of each, those that relieve most for their cost
PLACES = 12  # destinations of each unit
_EFFORT = WorkLimits(nodes=100, gap=0.01, seconds=20.0)


@dataclass(frozen=True, eq=False, slots=True)
class HotOne:
    """A hot node, how many units may leave it, and what it is worth, in core-seconds, that it is not hot."""

    heat: Heat
    most: int
    worth: float


@dataclass(frozen=True, eq=False, slots=True)
class _Unit:
    """A pod of a hot node (`of`, a position): by how much its leaving cools that, what it costs, the nodes that it may
    go to [K], and by how much it would warm them [R, K]."""

    pod: int
    of: int
    relief: float
    cost: float
    nodes: Positions
    warms: Floats


class Assignment:
    """Makes the programme for some hot nodes in one state."""

    def __init__(self, view: RebalanceView, meter: Thermometer, places: Places) -> None:
        self._view, self._meter, self._places = view, meter, places

    def wishes(self, state: Scenario, hot: Sequence[HotOne]) -> list[dict[int, int]]:
        """For each hot node the pods that leave it and where each goes; empty where it stays hot."""
        out: list[dict[int, int]] = [{} for _ in hot]
        units = [unit for at, one in enumerate(hot) for unit in self._units(state, at, one.heat)]
        if not units:
            return out
        of_unit = np.repeat(np.arange(len(units)), [len(unit.nodes) for unit in units])  # of each pair (unit, node)
        node = np.concatenate([unit.nodes for unit in units])
        programme = Programme(maximise=True)
        goes = programme.add(len(node), upper=1.0, cost=-np.array([unit.cost for unit in units])[of_unit])
        cooled = programme.add(len(hot), upper=1.0, cost=np.array([one.worth for one in hot]))
        programme.constrain(len(units), of_unit, goes, upper=1.0)
        of = np.array([unit.of for unit in units])[of_unit]
        programme.constrain(len(hot), of, goes, upper=np.array([float(one.most) for one in hot]))
        need = np.array([self._meter.level(state, one.heat) - one.heat.target for one in hot])
        relief = np.array([unit.relief for unit in units])[of_unit]
        rows, columns = np.concatenate([of, np.arange(len(hot))]), np.concatenate([goes, cooled])
        programme.constrain(len(hot), rows, columns, np.concatenate([relief, -need]), lower=0.0)
        self._rooms(programme, state, units, of_unit, node, goes)
        found = programme.solve(_EFFORT)
        if isinstance(found, Solution):
            for at in np.flatnonzero(found.values[goes] > 0.5).tolist():
                unit = units[of_unit[at]]
                if found.values[cooled[unit.of]] > 0.5:
                    out[unit.of][unit.pod] = int(node[at])
        return out

    def _units(self, state: Scenario, at: int, heat: Heat) -> list[_Unit]:
        victims = victims_on(self._view, state, heat)
        here = self._meter.vector(state, heat)
        relief = self._meter.level(state, heat) - self._meter.levels(heat, here - victims.vectors).astype(np.float64)
        order = np.argsort(-relief / victims.cost, kind="stable")
        found: list[_Unit] = []
        for i in order[relief[order] > 0].tolist():
            pod = victims.pods[i]
            if len(found) < VICTIMS and self._view.moving(pod) == (pod,):
                nodes = self._open(state, heat, pod)
                if len(nodes):
                    warms = self._meter.warmth(state, nodes, plus=pod) - self._meter.warmth(state, nodes)
                    found.append(_Unit(pod, at, float(relief[i]), float(victims.cost[i]), nodes, warms))
        return found

    def _open(self, state: Scenario, heat: Heat, pod: int) -> Positions:
        """The first nodes that the pod wishes for, have room for it, and stay cool with it."""
        wished = np.array([node for node in self._places.wished(state, pod) if node != heat.node], np.int32)
        nodes = wished[state.fits(pod, wished)]
        return nodes[self._meter.stays_cool(state, pod)(nodes)][:PLACES]

    def _rooms(
        self, programme: Programme, state: Scenario, units: Sequence[_Unit], of_unit: Ints, node: Positions, goes: Ints
    ) -> None:
        """What comes to a node neither makes it warm nor asks for more than is free."""
        columns = self._view.snapshot.columns
        nodes, row = np.unique(node, return_inverse=True)
        warms = np.concatenate([unit.warms for unit in units], axis=1)  # [R, pairs]
        for added, room in zip(warms, self._meter.rooms(state, nodes.astype(np.int32)), strict=True):
            programme.constrain(len(nodes), row, goes, np.maximum(added, 0.0), upper=np.maximum(room, 0.0))
        asked = columns.spec_requests[columns.pod_remade[[unit.pod for unit in units]]][of_unit]
        free = np.maximum(state.free(nodes), 0)
        for resource in np.flatnonzero(asked.any(axis=0)).tolist():
            scale = float(max(1, asked[:, resource].max()))
            programme.constrain(len(nodes), row, goes, asked[:, resource] / scale, upper=free[:, resource] / scale)
