"""Make room: from requests to steps, by programme, real places, correction, and a proven bound."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.packing.requests import Allowance, Demand, Effort, slots
from descheduler.packing.slots_choice import Choice, Family, Question, bound, choose, whole
from descheduler.packing.slots_draft import Draft, Grant, Realiser
from descheduler.packing.slots_exact import size, solve_exactly, sound
from descheduler.packing.slots_room import Room, rooms
from descheduler.packing.slots_vacate import Option, Yard
from descheduler.packing.state import ABSENT, Packing

REFUSALS = 8
"""Nodes (or domains) in a row whose pods find no place, after which the cheap search goes no further."""
HOSTS = 12
"""Nodes of each kind that may be opened for moved pods."""
UNITS = 16
"""More members than these are never made room for on one node at a time (free room is always used)."""


@dataclass(frozen=True, eq=False, slots=True)
class Wanted:
    """Families, and which requests (positions) are of each."""

    demands: tuple[Demand, ...]
    families: tuple[Family, ...]
    requests: tuple[Sequence[int], ...]

    @property
    def worth(self) -> float:
        return sum(f.worth * f.copies for f in self.families)


@dataclass(frozen=True, eq=False, slots=True)
class Answer:
    draft: Draft
    bound: float


def solve(packing: Packing, wanted: Wanted, allowance: Allowance, effort: Effort) -> Answer:
    """The best draft found, and what no plan within the limits exceeds."""
    yard = Yard(packing, allowance)
    options, complete = candidates(packing, yard, wanted, allowance)
    if not options:
        return Answer(Draft(), 0.0 if complete else wanted.worth)
    if sound(packing) and size(packing, yard.able, len(wanted.demands)) <= effort.exact:
        exact = _exactly(packing, yard, wanted, allowance, effort)
        if exact is not None:
            return exact
    strict, lenient = rooms(packing, yard, allowance, options, len(wanted.demands))
    asked = Question(packing, yard.able, allowance, wanted.demands, wanted.families, options)
    most = min(wanted.worth, bound(asked, lenient, 0) if complete else np.inf)
    realiser = Realiser(packing, allowance, strict.kind_of)
    best = _rounds(realiser, yard, asked, wanted, (strict, lenient), effort, most)
    best = max(best, _greedy(realiser, asked, wanted, Draft()), key=lambda d: d.key) if not best.worth else best
    if best.worth < most * (1 - effort.gap) - 1e-6 and complete and effort.nodes:
        most = min(most, bound(asked, lenient, effort.nodes))
    return Answer(best, max(most, best.worth))


def _exactly(packing: Packing, yard: Yard, wanted: Wanted, allowance: Allowance, effort: Effort) -> Answer | None:
    """The answer of the exact programme, if it came to an end."""
    asked = Question(packing, yard.able, allowance, wanted.demands, wanted.families, ())
    found = solve_exactly(asked, 50 * effort.nodes)
    if found is None:
        return None
    grants, _ = grants_of(replace(asked, options=found.options), wanted, found.choice, len(wanted.demands))
    return Answer(Draft(tuple(grants), found.steps), max(found.bound, found.choice.worth))


def candidates(packing: Packing, yard: Yard, wanted: Wanted, allowance: Allowance) -> tuple[tuple[Option, ...], bool]:
    """Options of every node and demand, free ones included; whether none was left out that could matter."""
    found: list[Option] = []
    complete = True
    uneven = len(np.unique(packing.cost[yard.able])) > 1
    for kind, demand in enumerate(wanted.demands):
        need = sum(f.members * f.copies for f in wanted.families if f.kind == kind)
        now = slots(packing, demand)
        for node in np.flatnonzero(demand.mask(len(now))).tolist():
            free = min(int(now[node]), need)
            if free:
                found.append(Option(node, kind, free, (), 0.0, 0))
            for units in range(free + 1, min(need, free + UNITS) + 1):
                made = yard.option(node, kind, demand, units)
                if made is None or made.least > allowance.moves:
                    break
                cheaper = yard.option(node, kind, demand, units, by_cost=True) if uneven else None
                found += [o for o in _distinct(made, cheaper) if len(o.items) <= allowance.moves]
                complete = complete and units < free + UNITS
    return tuple(found), complete


def _distinct(fewest: Option, cheapest: Option | None) -> list[Option]:
    return [fewest] if cheapest is None or cheapest.items == fewest.items else [fewest, cheapest]


def _rounds(
    realiser: Realiser,
    yard: Yard,
    asked: Question,
    wanted: Wanted,
    rooms_: tuple[Room, Room],
    effort: Effort,
    most: float,
) -> Draft:
    """Choose, make it real, and where pods found no place, choose again with less room to reckon with."""
    strict, lenient = rooms_
    own = len(wanted.demands)
    hosts = _cheap_hosts(yard, strict, lenient, realiser.allowance)
    hosting = replace(
        asked,
        options=(*asked.options, *hosts),
        demands=(*asked.demands, *(strict.hosted[k] for k in sorted(strict.hosted))),
    )
    best = Draft()
    margin = strict.margin.copy()
    for _ in range(effort.rounds):
        if best.worth >= most - 1e-6:
            break
        choice = choose(hosting, replace(strict, margin=margin), effort.nodes // 4, most=most, own=own)
        if choice is None or choice.worth <= best.worth + 1e-9:
            break
        grants, used = grants_of(hosting, wanted, choice, own)
        attempt = realiser.attempt(grants, used)
        draft = _greedy(realiser, asked, wanted, attempt.draft)
        best = max(best, draft, key=lambda d: d.key)
        if not attempt.lost:
            break
        for item in attempt.lost:
            count = int(realiser.packing.shapes.count[realiser.packing.shape[item]])
            margin[_largest(realiser.packing, strict, item)] += max(count, 1) / 2
    return best


def _cheap_hosts(yard: Yard, strict: Room, lenient: Room, allowance: Allowance) -> list[Option]:
    """Of each kind, the few nodes where room for the largest of it is made with fewest moves."""
    found: list[Option] = []
    for kind, demand in strict.hosted.items():
        alike = {k for k, d in lenient.hosted.items() if d.gpus == demand.gpus}
        cheap = sorted((h for h in lenient.hosting if h.kind in alike and h.units == 1 and h.items), key=_price)
        made = [yard.option(h.node, kind, demand, 1) for h in cheap[:HOSTS]]
        found += [o for o in made if o is not None and len(o.items) <= allowance.moves]
    return found


def _price(option: Option) -> tuple[float, float, int]:
    return len(option.items) / option.units, option.cost, option.node


def _largest(packing: Packing, room: Room, item: int) -> int:
    """The group of nodes that has most whole devices among those that could take the item."""
    allowed = packing.shapes.allowed[packing.shape[item]]
    whole_ = (packing.devices == 1000).sum(axis=1) * allowed
    return int(np.argmax(np.bincount(room.group, weights=whole_, minlength=len(room.margin))))


def grants_of(asked: Question, wanted: Wanted, choice: Choice, own: int) -> tuple[list[Grant], list[Option]]:
    """Which request gets which nodes; and the options that host moved pods."""
    taken = [asked.options[i] for i in choice.taken]
    pools: dict[int, list[list[int]]] = defaultdict(list)
    for i, o in enumerate(taken):
        if o.kind < own:
            pools[o.kind].append([i, o.units])
    jobs = [(f, domain, n) for f, served in enumerate(choice.served) for domain, n in served.items()]
    jobs.sort(key=lambda j: (_width(wanted.families[j[0]], j[1]), j[0], j[1]))
    following = [iter(positions) for positions in wanted.requests]
    made: list[tuple[int, float, list[int]]] = []
    for f, domain, n in jobs:
        family = wanted.families[f]
        pool = pools[family.kind]
        for _ in range(n):
            drawn = _draw(pool, taken, family, domain)
            if drawn is None:
                break
            made.append((next(following[f]), family.worth, drawn))
    return _joined(made, taken), [o for o in taken if o.kind >= own]


def _width(family: Family, domain: int) -> int:
    """Nodes of the domain: small domains are served first, what may stand anywhere last."""
    return 1 << 40 if family.domain is None else int((family.domain == domain).sum())


def _draw(pool: list[list[int]], taken: Sequence[Option], family: Family, domain: int) -> list[int] | None:
    """Positions in `taken`, one for each member."""
    drawn: list[int] = []
    for entry in pool:
        if family.domain is None or int(family.domain[taken[entry[0]].node]) == domain:
            some = min(entry[1], family.members - len(drawn))
            drawn += [entry[0]] * some
        if len(drawn) == family.members:
            break
    if len(drawn) < family.members:
        return None
    for entry in pool:
        entry[1] -= drawn.count(entry[0])
    return drawn


def _joined(made: Iterable[tuple[int, float, list[int]]], taken: Sequence[Option]) -> list[Grant]:
    """Requests that share an option become one grant."""
    groups: list[tuple[set[int], list[tuple[int, float, list[int]]]]] = []
    for request in made:
        mine = set(request[2])
        touched = [g for g in groups if g[0] & mine]
        groups = [g for g in groups if not g[0] & mine]
        members = [r for g in touched for r in g[1]]
        groups.append((mine.union(*(g[0] for g in touched)), [*members, request]))
    return [
        Grant(
            requests=tuple(r[0] for r in members),
            seats=tuple(tuple(taken[i].node for i in r[2]) for r in members),
            options=tuple(taken[i] for i in sorted(used)),
            worth=sum(r[1] for r in members),
        )
        for used, members in groups
    ]


def _greedy(realiser: Realiser, asked: Question, wanted: Wanted, draft: Draft) -> Draft:
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
        there.sort(key=_price)
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


__all__ = ["Answer", "Wanted", "candidates", "grants_of", "solve", "whole"]
