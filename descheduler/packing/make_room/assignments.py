"""Which request gets which nodes of those that were chosen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from descheduler.packing.make_room.demands import Demand
from descheduler.packing.make_room.draft import Assignment
from descheduler.packing.make_room.node_choice import NodeChoice, RequestClass, RoomProblem
from descheduler.packing.make_room.vacate import Option


@dataclass(frozen=True, eq=False, slots=True)
class Wanted:
    """Families, and which requests (positions) are of each."""

    demands: tuple[Demand, ...]
    request_classes: tuple[RequestClass, ...]
    requests: tuple[Sequence[int], ...]

    @property
    def worth(self) -> float:
        return sum(f.worth * f.copies for f in self.request_classes)


def assignments_of(
    asked: RoomProblem, wanted: Wanted, choice: NodeChoice, own: int
) -> tuple[list[Assignment], list[Option]]:
    """Which request gets which nodes; and the options that host moved pods."""
    taken = [asked.options[i] for i in choice.taken]
    pools: dict[int, list[list[int]]] = defaultdict(list)
    for i, o in enumerate(taken):
        if o.kind < own:
            pools[o.kind].append([i, o.units])
    jobs = [(f, domain, n) for f, served in enumerate(choice.served) for domain, n in served.items()]
    jobs.sort(key=lambda j: (_width(wanted.request_classes[j[0]], j[1]), j[0], j[1]))
    following = [iter(positions) for positions in wanted.requests]
    made: list[tuple[int, float, list[int]]] = []
    for f, domain, n in jobs:
        request_class = wanted.request_classes[f]
        pool = pools[request_class.kind]
        for _ in range(n):
            drawn = _draw(pool, taken, request_class, domain)
            if drawn is None:
                break
            made.append((next(following[f]), request_class.worth, drawn))
    return _joined(made, taken), [o for o in taken if o.kind >= own]


def _width(request_class: RequestClass, domain: int) -> int:
    """Nodes of the domain: small domains are served first, what may stand anywhere last."""
    return 1 << 40 if request_class.domain is None else int((request_class.domain == domain).sum())


def _draw(pool: list[list[int]], taken: Sequence[Option], request_class: RequestClass, domain: int) -> list[int] | None:
    """Positions in `taken`, one for each member."""
    drawn: list[int] = []
    for entry in pool:
        if request_class.domain is None or int(request_class.domain[taken[entry[0]].node]) == domain:
            some = min(entry[1], request_class.members - len(drawn))
            drawn += [entry[0]] * some
        if len(drawn) == request_class.members:
            break
    if len(drawn) < request_class.members:
        return None
    for entry in pool:
        entry[1] -= drawn.count(entry[0])
    return drawn


def _joined(made: Iterable[tuple[int, float, list[int]]], taken: Sequence[Option]) -> list[Assignment]:
    """Requests that share an option become one assignment."""
    groups: list[tuple[set[int], list[tuple[int, float, list[int]]]]] = []
    for request in made:
        mine = set(request[2])
        touched = [g for g in groups if g[0] & mine]
        groups = [g for g in groups if not g[0] & mine]
        members = [r for g in touched for r in g[1]]
        groups.append((mine.union(*(g[0] for g in touched)), [*members, request]))
    return [
        Assignment(
            requests=tuple(r[0] for r in members),
            seats=tuple(tuple(taken[i].node for i in r[2]) for r in members),
            options=tuple(taken[i] for i in sorted(used)),
            worth=sum(r[1] for r in members),
        )
        for used, members in groups
    ]
