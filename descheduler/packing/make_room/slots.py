"""Open whole slots (k devices with CPU and memory on one node) with few moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.packing.make_room.assignments import Wanted
from descheduler.packing.make_room.demands import Allowance, Demand, Opened, RoomEffort, slots
from descheduler.packing.make_room.node_choice import RequestClass
from descheduler.packing.make_room.solve import solve
from descheduler.packing.state import ABSENT, Packing, replay

__all__ = ["open_slots"]


def open_slots(
    packing: Packing,
    demand: Demand,
    moves: int | Allowance,
    nodes: Mask | None = None,
    effort: RoomEffort | None = None,
) -> Opened:
    """As many slots of the demand as `moves` moved pods can open, on `nodes` [N] if given; no more moves than needed.

    Moved pods go to nodes that are not being opened. The steps can be done in order, capacity kept at each.
    """
    if nodes is not None:
        demand = replace(demand, nodes=demand.mask(len(nodes)) & nodes)
    allowance = moves if isinstance(moves, Allowance) else Allowance(moves)
    now = slots(packing, demand)
    before = int(now.sum())
    most = _most(packing, demand)
    if not most:
        return Opened((), 0, 0, 0)
    wanted = Wanted((demand,), (RequestClass(0, 1, 1.0, most),), (range(most),))
    answer = solve(packing, wanted, allowance, effort or RoomEffort())
    steps = answer.draft.steps
    then = slots(replay(packing, steps), demand)
    if then.sum() <= before:
        steps, then = (), now
    after = int(then.sum())
    return Opened(
        steps, before, after, max(int(answer.bound + 1e-6), after), tuple(np.flatnonzero(then > now).tolist())
    )


def _most(packing: Packing, demand: Demand) -> int:
    """Slots that there could be with every movable pod gone."""
    empty = packing.copy()
    items = np.flatnonzero(packing.movable & (packing.node != ABSENT))
    np.add.at(empty.free, packing.node[items], packing.shapes.amounts[packing.shape[items]])
    np.add.at(empty.devices, packing.node[items], packing.held_of(items))
    return int(slots(empty, demand).sum())
