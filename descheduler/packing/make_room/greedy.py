"""The cheap way: requests one after the other, each on the cheapest nodes whose pods find places."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from descheduler.packing.make_room.choice import Family, Question
from descheduler.packing.make_room.draft import Draft, Grant, Realiser
from descheduler.packing.make_room.grants import Wanted
from descheduler.packing.make_room.vacate import Option
from descheduler.packing.state import ABSENT

REFUSALS = 8
"""Nodes (or domains) in a row whose pods find no place, after which the cheap search goes no further."""


def serve_greedily(realiser: Realiser, asked: Question, wanted: Wanted, draft: Draft) -> Draft:
    """Serve what is not served yet on the cheapest nodes, requests of most worth per member first."""
    if draft.places is None:
        if draft.grants:
            return draft
        draft = realiser.lay([], [])[0] or draft
    order = sorted(range(len(wanted.families)), key=lambda f: -wanted.families[f].worth / wanted.families[f].members)
    for f in order:
        served = {r for g in draft.grants for r in g.requests}
        waiting = [r for r in wanted.requests[f] if r not in served]
        used = {o.node for g in draft.grants for o in g.options}
        family = wanted.families[f]
        there = [o for o in asked.options if o.kind == family.kind and o.node not in used]
        there.sort(key=price)
        if family.members == 1:
            draft = _pour(realiser, family, waiting, there, draft)
        else:
            for request in waiting:
                grown = _gather(realiser, family, request, there, draft)
                if grown is None:
                    break  # the next one of the family is alike
                draft = grown
                gone = {o.node for o in draft.grants[-1].options}
                there = [o for o in there if o.node not in gone]
    return draft


def _pour(realiser: Realiser, family: Family, waiting: Sequence[int], options: Sequence[Option], draft: Draft) -> Draft:
    """Single requests, all alike, onto one option after the other."""
    used: set[int] = set()
    refused = 0
    for o in options:
        if not waiting or refused >= REFUSALS:
            break
        if o.node in used or (family.domain is not None and family.domain[o.node] == ABSENT):
            continue
        if len(draft.steps) + len(o.items) > realiser.allowance.moves:
            if realiser.allowance.group is None:
                break
            continue
        some = tuple(waiting[: o.units])
        grant = Grant(some, tuple((o.node,) for _ in some), (o,), family.worth * len(some))
        grown = realiser.add(draft, grant)
        refused += grown is None
        if grown is not None:
            draft, waiting = grown, waiting[len(some) :]
            used.add(o.node)
    return draft


def _gather(realiser: Realiser, family: Family, request: int, options: Sequence[Option], draft: Draft) -> Draft | None:
    """One gang on the cheapest nodes of the cheapest domain where it works."""
    moving = {s.item for s in draft.steps}
    domains: dict[int, list[Option]] = defaultdict(list)
    for o in options:
        where = ABSENT if family.domain is None else int(family.domain[o.node])
        if family.domain is None or where != ABSENT:
            domains[where].append(o)
    tries: list[tuple[int, int, list[Option]]] = []
    for where, there in domains.items():
        picked = _pick(there, family.members)
        if picked is not None:
            cost = len({i for o in picked for i in o.items} - moving)
            if cost <= realiser.allowance.moves - len(moving):
                tries.append((cost, where, picked))
    for *_, picked in sorted(tries, key=lambda t: t[:2])[:REFUSALS]:
        seats = tuple(o.node for o in picked for _ in range(o.units))[: family.members]
        grown = realiser.add(draft, Grant((request,), (seats,), tuple(picked), family.worth))
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
