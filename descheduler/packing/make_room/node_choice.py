"""Which nodes to open for which requests, as a programme over whole nodes.

Binaries say which option of which node is taken, integers how many requests of a class are served in which domain.
Where the moved pods go is a relaxation (`room.room`): room of alike nodes is added up. In its strict form (`search`)
the answer is a proposal that has to find real places; in its lenient form its value is a bound that no plan within the
limits exceeds, however it chooses, helping moves on other nodes included.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints, Mask
from descheduler.packing.make_room.demands import Allowance, Demand
from descheduler.packing.make_room.device_room import add_room
from descheduler.packing.make_room.host_room import HostRoom
from descheduler.packing.make_room.rows import Rows
from descheduler.packing.make_room.vacate import Option
from descheduler.packing.programme import Infeasible, Programme, SolveStatus, WorkLimits
from descheduler.packing.state import ABSENT, WHOLE, Packing


@dataclass(frozen=True, eq=False, slots=True)
class RequestClass:
    """`copies` requests that are alike: `members` of demand `kind`, worth `worth` each, in one of `domain` [N]."""

    kind: int
    members: int
    worth: float
    copies: int
    domain: NDArray[np.int32] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class RoomProblem:
    """What is there and what is wanted; `options` are the candidates to open, those that cost nothing included."""

    packing: Packing
    able: Mask
    allowance: Allowance
    demands: tuple[Demand, ...]
    request_classes: tuple[RequestClass, ...]
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class NodeChoice:
    """`taken` positions of options; `served` requests of each class in each domain (ABSENT: anywhere)."""

    taken: tuple[int, ...]
    served: tuple[dict[int, int], ...]
    worth: float
    proven: bool


@dataclass(frozen=True, eq=False, slots=True)
class Seating:
    """`option` columns of the options; `served` of each class, the column of each domain."""

    option: Ints
    served: list[dict[int, int]]


def choose(
    asked: RoomProblem, room: HostRoom, nodes: int, *, most: float | None = None, own: int | None = None
) -> NodeChoice | None:
    """The most worth, then the fewest moves; None when the search found nothing.

    `most` is a bound known before. Options of kinds from `own` on do not serve requests: they host moved pods.
    """
    programme = Programme(maximise=True)
    tie = 0.4 * min(f.worth for f in asked.request_classes) / (asked.allowance.moves + 1)
    columns = serve(programme, asked, asked.options, most=most)
    _moves(programme, asked, columns.option, tie)
    _budgets(programme, asked, columns.option, strict=True)
    _exclusive(programme, asked, columns.option)
    add_room(programme, asked.packing, asked.options, columns.option, room, asked.demands, own=own)
    limit = sum(f.worth * f.copies for f in asked.request_classes) if most is None or not np.isfinite(most) else most
    gap = 0.4 * min(f.worth for f in asked.request_classes) / max(limit, 1e-9)
    answer = programme.solve(WorkLimits(nodes=nodes, gap=gap, seconds=60.0))
    if isinstance(answer, Infeasible):
        return None
    values = answer.values
    served = tuple(
        {domain: n for domain, c in request_class.items() if (n := round(float(values[c])))}
        for request_class in columns.served
    )
    worth = sum(f.worth * sum(s.values()) for f, s in zip(asked.request_classes, served, strict=True))
    taken = tuple(np.flatnonzero(values[columns.option] > 0.5).tolist())
    return NodeChoice(taken, served, worth, answer.status is SolveStatus.OPTIMAL)


def bound(asked: RoomProblem, room: HostRoom, nodes: int) -> float:
    """No plan within the limits is worth more; `nodes` 0 takes the linear relaxation."""
    programme = Programme(maximise=True)
    columns = serve(programme, asked, asked.options)
    moves, hosts = _least(programme, asked, columns.option, room)
    _budgets(programme, asked, columns.option, strict=False)
    add_room(programme, asked.packing, asked.options, columns.option, room, asked.demands, moves=moves, hosts=hosts)
    answer = programme.solve(WorkLimits(nodes=max(nodes, 1), gap=0.0, seconds=60.0), relaxed=nodes == 0)
    if isinstance(answer, Infeasible):
        return 0.0 if answer.proven else np.inf
    return whole(answer.bound, asked.request_classes)


def whole(value: float, request_classes: Sequence[RequestClass]) -> float:
    """The value rounded down to what sums of the worths can reach, when they are all multiples of the least."""
    unit = min(f.worth for f in request_classes)
    even = all(abs(f.worth / unit - round(f.worth / unit)) < 1e-9 for f in request_classes)
    return float(np.floor(value / unit + 1e-6) * unit) if even and np.isfinite(value) else value


def serve(
    programme: Programme,
    asked: RoomProblem,
    options: Sequence[Option],
    *,
    upper: float = 1.0,
    most: float | None = None,
) -> Seating:
    """Requests served need members seated, in their domain. `upper` how often an option can be taken."""
    option = programme.add(len(options), upper=upper)
    served: list[dict[int, int]] = []
    for request_class in asked.request_classes:
        where = (
            [ABSENT]
            if request_class.domain is None
            else sorted({int(request_class.domain[o.node]) for o in options if o.kind == request_class.kind} - {ABSENT})
        )
        block = programme.add(len(where), upper=float(request_class.copies), cost=request_class.worth)
        served.append(dict(zip(where, block.tolist(), strict=True)))
        if len(where) > 1 and np.isfinite(request_class.copies):
            programme.constrain(1, 0, block, upper=float(request_class.copies))
    rows = Rows()
    for kind in range(len(asked.demands)):
        _seats(rows, asked, options, kind, option, served)
    rows.put(programme)
    if most is not None and np.isfinite(most):
        pairs = [(c, f.worth) for f, s in zip(asked.request_classes, served, strict=True) for c in s.values()]
        programme.constrain(1, 0, [c for c, _ in pairs], [w for _, w in pairs], upper=most + 1e-6)
    return Seating(option, served)


def _seats(
    rows: Rows,
    asked: RoomProblem,
    options: Sequence[Option],
    kind: int,
    option: Ints,
    served: list[dict[int, int]],
) -> None:
    """Members of requests served <= members seated: in all, and in every domain of every level."""
    mine = [(int(option[i]), o) for i, o in enumerate(options) if o.kind == kind]
    request_classes = [(f, s) for f, s in zip(asked.request_classes, served, strict=True) if f.kind == kind]
    total = [(c, -float(o.units)) for c, o in mine]
    rows.add([*total, *((c, float(f.members)) for f, s in request_classes for c in s.values())], upper=0.0)
    levels = {id(f.domain): f.domain for f, _ in request_classes if f.domain is not None}
    for level in levels.values():
        there: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for c, o in mine:
            there[int(level[o.node])].append((c, -float(o.units)))
        wanted: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for f, s in request_classes:
            for d, c in s.items():
                wanted[_outer(level, f.domain, d)].append((c, float(f.members)))
        for domain in sorted(set(there) - {ABSENT}):
            rows.add([*there[domain], *wanted[domain]], upper=0.0)


def _outer(level: NDArray[np.int32], inner: NDArray[np.int32] | None, domain: int) -> int:
    """The domain of the level in which all of the inner domain lies, ABSENT when there is none."""
    if inner is None:
        return ABSENT
    if inner is level:
        return domain
    found = np.unique(level[inner == domain])
    return int(found[0]) if len(found) == 1 else ABSENT


def _moves(programme: Programme, asked: RoomProblem, option: Ints, tie: float) -> None:
    """At most so many moves, the cheapest; a gang that several options move is counted once."""
    group, price = asked.allowance.group, prices(asked)
    alone = [_alone(o, group) for o in asked.options]
    gangs: dict[int, list[int]] = defaultdict(list)
    for i, o in enumerate(asked.options):
        for g in _gangs(o, group):
            gangs[g].append(i)
    members = [[] if group is None else np.flatnonzero(group == g).tolist() for g in gangs]
    extra = programme.add(len(gangs), upper=1.0)
    paid = programme.add(1, cost=-tie, integer=False)
    column, items = [*option.tolist(), *extra.tolist()], [*alone, *members]
    programme.constrain(1, 0, column, [float(len(some)) for some in items], upper=float(asked.allowance.moves))
    cost = [float(price[some].sum()) for some in items]
    programme.constrain(1, 0, [*column, int(paid[0])], [*cost, -1.0], upper=0.0)
    rows = Rows()
    for at, sharing in zip(extra.tolist(), gangs.values(), strict=True):
        for i in sharing:
            rows.add([(int(option[i]), 1.0), (at, -1.0)], upper=0.0)
    rows.put(programme)


def prices(asked: RoomProblem) -> NDArray[np.float64]:
    """[P] what a move costs, so that no plan costs more than its number of moves, and none comes for nothing."""
    cost = asked.packing.cost
    return np.asarray(0.01 + 0.99 * cost / max(float(cost.max(initial=0.0)), 1e-12))


def _alone(option: Option, group: NDArray[np.int32] | None) -> list[int]:
    return [i for i in option.items if group is None or group[i] == ABSENT]


def _gangs(option: Option, group: NDArray[np.int32] | None) -> list[int]:
    return [] if group is None else sorted({int(group[i]) for i in option.items} - {ABSENT})


def _budgets(programme: Programme, asked: RoomProblem, option: Ints, *, strict: bool) -> None:
    """Disruption budgets: of each, only so many items move (counted once per option)."""
    budget = asked.allowance.budget
    if budget is None:
        return
    rows = Rows()
    for b, allowed in enumerate(asked.allowance.allowed):
        counts = [
            (int(option[i]), float(sum(budget[m] == b for m in (o.items if strict else o.forced))))
            for i, o in enumerate(asked.options)
        ]
        entries = [(c, n) for c, n in counts if n]
        if entries:
            rows.add(entries, upper=float(allowed))
    rows.put(programme)


def _exclusive(programme: Programme, asked: RoomProblem, option: Ints) -> None:
    """One option per node: the cheapest sets of two would count the same room twice."""
    _, row = np.unique([o.node for o in asked.options], return_inverse=True)
    if len(row):
        programme.constrain(int(row.max()) + 1, row, option, upper=1.0)


def _least(programme: Programme, asked: RoomProblem, option: Ints, room: HostRoom) -> tuple[Ints, Ints]:
    """What hosting costs at least. Returns the columns of all moves together, and of `room.hosting`.

    On a node, one kind's options exclude each other; demands of more than half of its devices exclude each other,
    too; of others, the dearest counts.
    """
    devices = (asked.packing.devices != ABSENT).sum(axis=1)
    by_node: dict[int, list[tuple[int, Option]]] = defaultdict(list)
    for column, o in zip(option.tolist(), asked.options, strict=True):
        by_node[o.node].append((column, o))
    hosts = programme.add(len(room.hosting), upper=1.0)
    kinds = {o.kind: asked.demands[o.kind] for o in asked.options}
    for column, host in zip(hosts.tolist(), room.hosting, strict=True):
        by_node[host.node].append((column, host))
        kinds.setdefault(host.kind, room.hosted[host.kind])
    moves = programme.add(1, upper=float(asked.allowance.moves), integer=False)
    spent = programme.add(len(by_node), integer=False)
    rows = Rows()
    for at, (node, here) in zip(spent.tolist(), by_node.items(), strict=True):
        exclusive: dict[int, list[tuple[int, Option]]] = defaultdict(list)
        for column, o in here:
            gpus = kinds[o.kind].gpus * o.units if kinds[o.kind].milli == WHOLE else 0
            exclusive[ABSENT - 1 if 2 * gpus > devices[node] else o.kind].append((column, o))
        for part in exclusive.values():
            rows.add([*((c, float(o.least)) for c, o in part), (at, -1.0)], upper=0.0)
            rows.add([(c, 1.0) for c, _ in part], upper=1.0)
        for kind in {o.kind for _, o in here}:
            rows.add([(c, 1.0) for c, o in here if o.kind == kind], upper=1.0)
        if len(exclusive) > 1:
            used = [(c, float(kinds[o.kind].gpus * o.units)) for c, o in here if kinds[o.kind].milli == WHOLE]
            rows.add(used, upper=float(devices[node]))
    rows.add([*((int(s), 1.0) for s in spent), (int(moves[0]), -1.0)], upper=0.0)
    rows.put(programme)
    return moves, hosts
