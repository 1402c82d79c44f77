"""Make room for pending requests (pods, gangs all or none, in one domain) with few moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from descheduler.packing.make_room.assignments import Wanted
from descheduler.packing.make_room.demands import Admitted, Allowance, Demand, Request, RoomEffort
from descheduler.packing.make_room.draft import Assignment
from descheduler.packing.make_room.node_choice import RequestClass
from descheduler.packing.make_room.solve import solve
from descheduler.packing.state import ABSENT, Packing, Step, bits, replay

__all__ = ["admit"]

TURNS = 8
"""A node is opened for one demand at a time; so many times what is left over is tried on what came of it."""


def admit(
    packing: Packing, requests: Sequence[Request], moves: int | Allowance, effort: RoomEffort | None = None
) -> Admitted:
    """The requests of most worth that fit once at most `moves` pods have moved; no more moves than needed.

    Those that fit as things are need none. Moved pods go to nodes that are not being opened, gangs among them move
    whole or not at all; the steps can be done in order, capacity kept at each.
    """
    allowance = moves if isinstance(moves, Allowance) else Allowance(moves)
    state, found, steps, bound = packing, list[_Seated](), list[Step](), 0.0
    for turn in range(TURNS if requests else 0):
        served = {s.request for s in found}
        waiting = [at for at in range(len(requests)) if at not in served]
        answer = solve(state, request_classes_of(requests, waiting), allowance, effort or RoomEffort(), prove=not turn)
        bound = bound if turn else answer.bound
        if not answer.draft.assignments:
            break
        steps += answer.draft.steps
        state = _without(replay(state, answer.draft.steps), answer.draft.steps)
        found += _seat(state, requests, answer.draft.assignments)
        allowance = _less(allowance, answer.draft.steps)
        worth = sum(requests[s.request].worth for s in found)
        if worth >= bound - 1e-6 or not any(_mixes(packing, requests[at].demand) for at in waiting):
            break
    found.sort(key=lambda s: s.request)
    return Admitted(
        admitted=tuple(s.request for s in found),
        places=tuple(s.nodes for s in found),
        held=tuple(s.held for s in found),
        steps=tuple(steps),
        worth=sum(requests[s.request].worth for s in found),
        bound=bound,
    )


@dataclass(frozen=True, slots=True)
class _Seated:
    """A request with the node and the devices (bits) of each member."""

    request: int
    nodes: tuple[int, ...]
    held: tuple[int, ...]


def _mixes(packing: Packing, demand: Demand) -> bool:
    """Whether a node could hold a member beside another one of as many devices."""
    return 2 * demand.gpus <= int((packing.devices != ABSENT).sum(axis=1).max(initial=0))


def _without(state: Packing, steps: Sequence[Step]) -> Packing:
    """The state in which what has moved stays."""
    able = state.movable.copy()
    able[[s.item for s in steps]] = False
    return replace(state, movable=able)


def _less(allowance: Allowance, steps: Sequence[Step]) -> Allowance:
    """What may still move."""
    allowed = list(allowance.allowed)
    if allowance.budget is not None:
        for budget in allowance.budget[[s.item for s in steps]].tolist():
            if budget != ABSENT:
                allowed[budget] -= 1
    return replace(allowance, moves=allowance.moves - len(steps), allowed=tuple(allowed))


def request_classes_of(requests: Sequence[Request], positions: Sequence[int]) -> Wanted:
    """Those of the requests, alike ones together."""
    kinds: dict[tuple[object, ...], int] = {}
    demands: list[Demand] = []
    request_classes: list[RequestClass] = []
    members: list[list[int]] = []
    alike: dict[tuple[object, ...], int] = {}
    for at in positions:
        request, demand = requests[at], requests[at].demand
        key = (demand.amounts, demand.gpus, demand.milli, None if demand.nodes is None else demand.nodes.tobytes())
        kind = kinds.setdefault(key, len(demands))
        if kind == len(demands):
            demands.append(demand)
        where = None if request.domain is None else request.domain.tobytes()
        request_class = alike.setdefault((kind, request.members, request.worth, where), len(request_classes))
        if request_class == len(request_classes):
            request_classes.append(RequestClass(kind, request.members, request.worth, 0, request.domain))
            members.append([])
        members[request_class].append(at)
    counted = tuple(replace(f, copies=len(p)) for f, p in zip(request_classes, members, strict=True))
    return Wanted(tuple(demands), counted, tuple(tuple(p) for p in members))


def _seat(state: Packing, requests: Sequence[Request], assignments: Sequence[Assignment]) -> list[_Seated]:
    """Devices for every member, whose room is taken from `state`.

    Raises:
        ValueError: members find no room (never for what `solve` answers).
    """
    placed = sorted((r, seats) for g in assignments for r, seats in zip(g.requests, g.seats, strict=True))
    by_node: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for request, seats in placed:
        for j, node in enumerate(seats):
            by_node[node].append((request, j))
    held: dict[tuple[int, int], int] = {}
    for node, members in by_node.items():
        members.sort(key=lambda m: (-requests[m[0]].demand.milli, -requests[m[0]].demand.gpus, m))
        demands = [requests[request].demand for request, _ in members]
        state.free[node] -= np.sum([d.amounts for d in demands], axis=0)
        found = _devices_for(np.maximum(state.devices[node], 0).tolist(), demands)
        if found is None or (state.free[node] < 0).any():
            raise ValueError(f"members of requests {[request for request, _ in members]} find no room on node {node}")
        for member, demand, some in zip(members, demands, found, strict=True):
            state.devices[node, bits(some)] -= demand.milli
            held[member] = some
    return [_Seated(r, seats, tuple(held[r, j] for j in range(len(seats)))) for r, seats in placed]


def _devices_for(left: list[int], demands: Sequence[Demand]) -> list[int] | None:
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
        more = _devices_for(after, rest)
        if more is not None:
            return [sum(1 << d for d in chosen), *more]
    return None
