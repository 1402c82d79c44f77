"""The cheap way: requests one after the other, each on the cheapest nodes whose pods find places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from descheduler.packing.make_room.assignments import Wanted
from descheduler.packing.make_room.draft import Assignment, Draft, Realiser
from descheduler.packing.make_room.node_choice import RequestClass, RoomProblem
from descheduler.packing.make_room.vacate import Option
from descheduler.packing.state import ABSENT

REFUSALS = 8
"""Nodes (or domains) in a row whose pods find no place, after which the cheap search goes no further."""


def serve_greedily(realiser: Realiser, asked: RoomProblem, wanted: Wanted, draft: Draft) -> Draft:
    """Serve what is not served yet on the cheapest nodes, requests of most worth per member first."""
    if draft.places is None:
        if draft.assignments:
            return draft
        draft = realiser.lay([], [])[0] or draft
    order = sorted(
        range(len(wanted.request_classes)),
        key=lambda f: -wanted.request_classes[f].worth / wanted.request_classes[f].members,
    )
    for f in order:
        served = {r for g in draft.assignments for r in g.requests}
        waiting = [r for r in wanted.requests[f] if r not in served]
        used = {o.node for g in draft.assignments for o in g.options}
        request_class = wanted.request_classes[f]
        there = [o for o in asked.options if o.kind == request_class.kind and o.node not in used]
        there.sort(key=price)
        if request_class.members == 1:
            draft = _pour(realiser, request_class, waiting, there, draft)
        else:
            for request in waiting:
                grown = _gather(realiser, request_class, request, there, draft)
                if grown is None:
                    break  # the next one of the family is alike
                draft = grown
                gone = {o.node for o in draft.assignments[-1].options}
                there = [o for o in there if o.node not in gone]
    return draft


def _pour(
    realiser: Realiser, request_class: RequestClass, waiting: Sequence[int], options: Sequence[Option], draft: Draft
) -> Draft:
    """Single requests, all alike, onto one option after the other."""
    used: set[int] = set()
    refused = 0
    for o in options:
        if not waiting or refused >= REFUSALS:
            break
        if o.node in used or (request_class.domain is not None and request_class.domain[o.node] == ABSENT):
            continue
        if len(draft.steps) + len(o.items) > realiser.allowance.moves:
            if realiser.allowance.group is None:
                break
            continue
        some = tuple(waiting[: o.units])
        assignment = Assignment(some, tuple((o.node,) for _ in some), (o,), request_class.worth * len(some))
        grown = realiser.add(draft, assignment)
        refused += grown is None
        if grown is not None:
            draft, waiting = grown, waiting[len(some) :]
            used.add(o.node)
    return draft


def _gather(
    realiser: Realiser, request_class: RequestClass, request: int, options: Sequence[Option], draft: Draft
) -> Draft | None:
    """One gang on the cheapest nodes of the cheapest domain where it works."""
    moving = {s.item for s in draft.steps}
    domains: dict[int, list[Option]] = defaultdict(list)
    for o in options:
        where = ABSENT if request_class.domain is None else int(request_class.domain[o.node])
        if request_class.domain is None or where != ABSENT:
            domains[where].append(o)
    tries: list[tuple[int, int, list[Option]]] = []
    for where, there in domains.items():
        picked = _pick(there, request_class.members)
        if picked is not None:
            cost = len({i for o in picked for i in o.items} - moving)
            if cost <= realiser.allowance.moves - len(moving):
                tries.append((cost, where, picked))
    for *_, picked in sorted(tries, key=lambda t: t[:2])[:REFUSALS]:
        seats = tuple(o.node for o in picked for _ in range(o.units))[: request_class.members]
        grown = realiser.add(draft, Assignment((request,), (seats,), tuple(picked), request_class.worth))
        if grown is not None:
            return grown
    return None


def _pick(options: Sequence[Option], members: int) -> list[Option] | None:
    """The first options, one per node, that together seat so many."""
    picked: list[Option] = []
    nodes: set[int] = set()
    have = 0
    for o in options:
        if o.node in nodes:
            continue
        picked.append(o)
        nodes.add(o.node)
        have += o.units
        if have >= members:
            return picked
    return None


def price(option: Option) -> tuple[float, float, int]:
    """Moves for each member, their cost, and the node to tell equals apart."""
    return len(option.items) / option.units, option.cost, option.node
