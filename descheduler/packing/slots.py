"""Open whole slots (k devices with CPU and memory on one node) with few moves."""

from __future__ import annotations

from dataclasses import replace

from descheduler.packing.requests import Allowance, Demand, Effort, Opened, slots
from descheduler.packing.slots_choice import Family
from descheduler.packing.slots_solve import Wanted, solve
from descheduler.packing.state import Mask, Packing, replay

__all__ = ["open_slots"]


def open_slots(
    packing: Packing,
    demand: Demand,
    moves: int | Allowance,
    nodes: Mask | None = None,
    effort: Effort | None = None,
) -> Opened:
    """As many slots of the demand as `moves` moved pods can open, on `nodes` [N] if given; no more moves than needed.

    Moved pods go to nodes that are not being opened. The steps can be done in order, capacity kept at each.
    """
    if nodes is not None:
        demand = replace(demand, nodes=demand.mask(len(nodes)) & nodes)
    allowance = moves if isinstance(moves, Allowance) else Allowance(moves)
    before = int(slots(packing, demand).sum())
    most = before + _room_for(packing, demand)
    if not most:
        return Opened((), 0, 0, 0)
    wanted = Wanted((demand,), (Family(0, 1, 1.0, most),), (range(most),))
    answer = solve(packing, wanted, allowance, effort or Effort())
    after = int(slots(replay(packing, answer.draft.steps), demand).sum())
    steps = answer.draft.steps
    if after <= before and steps:
        steps, after = (), before
    opened = sorted({o.node for g in answer.draft.grants for o in g.options if o.items})
    return Opened(steps, before, after, max(int(answer.bound + 1e-6), after), tuple(opened))


def _room_for(packing: Packing, demand: Demand) -> int:
    """Slots that there could be with every movable pod gone."""
    empty = packing.copy()
    for item in (packing.movable & (packing.node >= 0)).nonzero()[0].tolist():
        empty.give(item)
    return int(slots(empty, demand).sum())
