"""Make room for pending requests (pods, gangs all or none, in one domain) with few moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from descheduler.packing.requests import Admitted, Allowance, Demand, Effort, Request
from descheduler.packing.slots_choice import Family
from descheduler.packing.slots_solve import Wanted, solve
from descheduler.packing.state import Packing, replay

__all__ = ["admit"]


def admit(
    packing: Packing, requests: Sequence[Request], moves: int | Allowance, effort: Effort | None = None
) -> Admitted:
    """The requests of most worth that fit once at most `moves` pods have moved; no more moves than needed.

    Those that fit as things are need none. Moved pods go to nodes that are not being opened, gangs among them move
    whole or not at all; the steps can be done in order, capacity kept at each.
    """
    allowance = moves if isinstance(moves, Allowance) else Allowance(moves)
    if not requests:
        return Admitted()
    wanted = families_of(requests)
    answer = solve(packing, wanted, allowance, effort or Effort())
    steps = answer.draft.steps
    placed = sorted(
        (request, seats) for g in answer.draft.grants for request, seats in zip(g.requests, g.seats, strict=True)
    )
    held = _seat(replay(packing, steps), requests, placed)
    return Admitted(
        admitted=tuple(request for request, _ in placed),
        places=tuple(seats for _, seats in placed),
        held=held,
        steps=steps,
        worth=sum(requests[request].worth for request, _ in placed),
        bound=answer.bound,
    )


def families_of(requests: Sequence[Request]) -> Wanted:
    """Requests that are alike together."""
    kinds: dict[tuple[object, ...], int] = {}
    demands: list[Demand] = []
    families: list[Family] = []
    positions: list[list[int]] = []
    alike: dict[tuple[object, ...], int] = {}
    for at, request in enumerate(requests):
        demand = request.demand
        key = (demand.amounts, demand.gpus, demand.milli, None if demand.nodes is None else demand.nodes.tobytes())
        kind = kinds.setdefault(key, len(demands))
        if kind == len(demands):
            demands.append(demand)
        where = None if request.domain is None else request.domain.tobytes()
        family = alike.setdefault((kind, request.members, request.worth, where), len(families))
        if family == len(families):
            families.append(Family(kind, request.members, request.worth, 0, request.domain))
            positions.append([])
        positions[family].append(at)
    counted = tuple(replace(f, copies=len(p)) for f, p in zip(families, positions, strict=True))
    return Wanted(tuple(demands), counted, tuple(tuple(p) for p in positions))


def _seat(
    state: Packing, requests: Sequence[Request], placed: Sequence[tuple[int, tuple[int, ...]]]
) -> tuple[tuple[int, ...], ...]:
    """Devices (bits) for every member, whose room is taken from `state`.

    Raises:
        ValueError: a member finds no room (never for what `solve` answers).
    """
    held: list[tuple[int, ...]] = []
    for request, seats in placed:
        demand = requests[request].demand
        mine: list[int] = []
        for node in seats:
            row = state.devices[node]
            able = np.flatnonzero(row >= demand.milli)
            able = able[np.argsort(row[able], kind="stable")][: demand.gpus]
            state.devices[node, able] -= demand.milli
            state.free[node] -= np.asarray(demand.amounts, np.int64)
            if len(able) < demand.gpus or (state.free[node] < 0).any():
                raise ValueError(f"request {request} finds no room on node {node}")
            mine.append(sum(1 << int(d) for d in able))
        held.append(tuple(mine))
    return tuple(held)
