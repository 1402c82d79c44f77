"""Make room: from requests to steps, by programme, real places, correction, and a proven bound."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from descheduler.packing.make_room.assignments import Wanted, assignments_of
from descheduler.packing.make_room.demands import Allowance, RoomEffort, slots
from descheduler.packing.make_room.draft import Draft, Realiser
from descheduler.packing.make_room.greedy import price, serve_greedily
from descheduler.packing.make_room.host_room import HostRoom, rooms
from descheduler.packing.make_room.node_choice import RoomProblem, bound, choose
from descheduler.packing.make_room.pod_programme import size, solve_exactly, sound
from descheduler.packing.make_room.vacate import Option, Vacating
from descheduler.packing.state import Packing

HOSTS = 12
"""Nodes of each kind that may be opened for moved pods."""
UNITS = 16
"""More members than these are never made room for on one node at a time (free room is always used)."""


@dataclass(frozen=True, eq=False, slots=True)
class RoomPlan:
    draft: Draft
    bound: float


def solve(
    packing: Packing, wanted: Wanted, allowance: Allowance, effort: RoomEffort, *, prove: bool = True
) -> RoomPlan:
    """The best draft found, and what no plan within the limits exceeds (as good as nothing, unless to `prove`)."""
    vacating = Vacating(packing, allowance)
    options, complete = candidates(packing, vacating, wanted, allowance)
    if not options:
        return RoomPlan(Draft(), 0.0 if complete else wanted.worth)
    if sound(packing) and size(packing, vacating.able, len(wanted.demands)) <= effort.exact:
        exact = _exactly(packing, vacating, wanted, allowance, effort)
        if exact is not None:
            return exact
    strict, lenient = rooms(packing, vacating, allowance, options, len(wanted.demands))
    asked = RoomProblem(packing, vacating.able, allowance, wanted.demands, wanted.request_classes, options)
    most = min(wanted.worth, bound(asked, lenient, 0) if complete and prove else np.inf)
    realiser = Realiser(packing, allowance, strict.kind_of)
    best = _rounds(realiser, vacating, asked, wanted, (strict, lenient), effort, most)
    best = max(best, serve_greedily(realiser, asked, wanted, Draft()), key=lambda d: d.key) if not best.worth else best
    if best.worth < most * (1 - effort.gap) - 1e-6 and complete and prove and effort.nodes:
        most = min(most, bound(asked, lenient, effort.nodes // 4))
    return RoomPlan(best, max(most, best.worth))


def _exactly(
    packing: Packing, vacating: Vacating, wanted: Wanted, allowance: Allowance, effort: RoomEffort
) -> RoomPlan | None:
    """The answer of the exact programme, if it came to an end."""
    asked = RoomProblem(packing, vacating.able, allowance, wanted.demands, wanted.request_classes, ())
    found = solve_exactly(asked, 50 * effort.nodes)
    if found is None:
        return None
    assignments, _ = assignments_of(replace(asked, options=found.options), wanted, found.choice, len(wanted.demands))
    return RoomPlan(Draft(tuple(assignments), found.steps), max(found.bound, found.choice.worth))


def candidates(
    packing: Packing, vacating: Vacating, wanted: Wanted, allowance: Allowance
) -> tuple[tuple[Option, ...], bool]:
    """Options of every node and demand, free ones included; whether none was left out that could matter."""
    found: list[Option] = []
    complete = True
    uneven = len(np.unique(packing.cost[vacating.able])) > 1
    for kind, demand in enumerate(wanted.demands):
        need = sum(f.members * f.copies for f in wanted.request_classes if f.kind == kind)
        now = slots(packing, demand)
        for node in np.flatnonzero(demand.mask(len(now))).tolist():
            free = min(int(now[node]), need)
            if free:
                found.append(Option(node, kind, free, (), 0.0, 0))
            for units in range(free + 1, min(need, free + UNITS) + 1):
                made = vacating.option(node, kind, demand, units)
                if made is None or made.least > allowance.moves:
                    break
                cheaper = vacating.option(node, kind, demand, units, by_cost=True) if uneven else None
                found += [o for o in _distinct(made, cheaper) if len(o.items) <= allowance.moves]
                complete = complete and units < free + UNITS
    return tuple(found), complete


def _distinct(fewest: Option, cheapest: Option | None) -> list[Option]:
    return [fewest] if cheapest is None or cheapest.items == fewest.items else [fewest, cheapest]


def _rounds(
    realiser: Realiser,
    vacating: Vacating,
    asked: RoomProblem,
    wanted: Wanted,
    rooms_: tuple[HostRoom, HostRoom],
    effort: RoomEffort,
    most: float,
) -> Draft:
    """Choose, make it real, and where pods found no place, choose again with less room to reckon with."""
    strict, lenient = rooms_
    own = len(wanted.demands)
    hosts = _cheap_hosts(vacating, strict, lenient, realiser.allowance)
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
        assignments, used = assignments_of(hosting, wanted, choice, own)
        attempt = realiser.attempt(assignments, used)
        draft = serve_greedily(realiser, asked, wanted, attempt.draft)
        best = max(best, draft, key=lambda d: d.key)
        if not attempt.lost:
            break
        for item in attempt.lost:
            count = int(realiser.packing.shapes.count[realiser.packing.shape[item]])
            margin[_largest(realiser.packing, strict, item)] += max(count, 1) / 2
    return best


def _cheap_hosts(vacating: Vacating, strict: HostRoom, lenient: HostRoom, allowance: Allowance) -> list[Option]:
    """Of each kind, the few nodes where room for the largest of it is made with fewest moves."""
    found: list[Option] = []
    for kind, demand in strict.hosted.items():
        alike = {k for k, d in lenient.hosted.items() if d.gpus == demand.gpus}
        cheap = sorted((h for h in lenient.hosting if h.kind in alike and h.units == 1 and h.items), key=price)
        made = [vacating.option(h.node, kind, demand, 1) for h in cheap[:HOSTS]]
        found += [o for o in made if o is not None and len(o.items) <= allowance.moves]
    return found


def _largest(packing: Packing, room: HostRoom, item: int) -> int:
    """The group of nodes that has most whole devices among those that could take the item."""
    allowed = packing.shapes.allowed[packing.shape[item]]
    whole_ = (packing.devices == 1000).sum(axis=1) * allowed
    return int(np.argmax(np.bincount(room.group, weights=whole_, minlength=len(room.margin))))
