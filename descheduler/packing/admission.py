"""Make room for pending requests (pods, gangs all or none, in one domain) with few moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from descheduler.packing.requests import Admitted, Allowance, Demand, Effort, Request
from descheduler.packing.slots_choice import Family
from descheduler.packing.slots_grants import Wanted
from descheduler.packing.slots_solve import solve
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
    """Devices (bits) for every member.

    Raises:
        ValueError: members find no room (never for what `solve` answers).
    """
    by_node: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for i, (_, seats) in enumerate(placed):
        for j, node in enumerate(seats):
            by_node[node].append((i, j))
    held: dict[tuple[int, int], int] = {}
    for node, members in by_node.items():
        demands = [requests[placed[i][0]].demand for i, _ in members]
        used = np.sum([d.amounts for d in demands], axis=0)
        order = sorted(range(len(members)), key=lambda m: (-demands[m].milli, -demands[m].gpus, m))
        found = _share(np.maximum(state.devices[node], 0).tolist(), [demands[m] for m in order])
        if found is None or (state.free[node] < used).any():
            raise ValueError(f"members of requests {[placed[i][0] for i, _ in members]} find no room on node {node}")
        held.update({members[m]: bits_ for m, bits_ in zip(order, found, strict=True)})
    return tuple(tuple(held[i, j] for j in range(len(seats))) for i, (_, seats) in enumerate(placed))


def _share(left: list[int], demands: Sequence[Demand]) -> list[int] | None:
    """Devices (bits) for each demand on one node with so much `left` of each device; tightest first."""
    if not demands:
        return []
    first, rest = demands[0], demands[1:]
    able = sorted((d for d, free in enumerate(left) if free >= first.milli), key=lambda d: (left[d], d))
    tried: set[tuple[int, ...]] = set()
    for chosen in combinations(able, first.gpus):
        alike = tuple(left[d] for d in chosen)
        if alike in tried:
            continue
        tried.add(alike)
        after = [free - first.milli if d in chosen else free for d, free in enumerate(left)]
        more = _share(after, rest)
        if more is not None:
            return [sum(1 << d for d in chosen), *more]
    return None
