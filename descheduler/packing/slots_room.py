"""Where moved pods could go, added up over alike nodes: the relaxed half of the programme of `slots_choice`.

Nodes of one group have as many devices and take the same shapes. Plain resources are sums; devices are counted by what
is left of them, so that a pod of 810 thousandths does not fit the halves of two devices. Demands of many devices, for
which few nodes have room, are seated node by node.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from descheduler.packing.programme import Columns, Programme
from descheduler.packing.requests import Allowance, Demand, slots
from descheduler.packing.slots_vacate import Option, Yard
from descheduler.packing.state import ABSENT, WHOLE, Mask, Packing, bits

GROUPS = 40
"""More kinds of nodes than these are told apart by their number of devices alone."""
REMOVALS = 4000
"""Ways to take shares off devices, above which the lenient form does not count devices."""
SCARCE = 4
"""A shape is seated node by node when there is room for fewer than so many times the pods, as large, that may move."""

Terms = list[tuple[int, float]]


class Rows:
    """Rows collected as lists of (column, value), put into a programme together."""

    def __init__(self) -> None:
        self._row: list[int] = []
        self._column: list[int] = []
        self._value: list[float] = []
        self._lower: list[float] = []
        self._upper: list[float] = []

    def add(self, terms: Iterable[tuple[int, float]], *, lower: float = -np.inf, upper: float = np.inf) -> None:
        at = len(self._lower)
        for column, value in terms:
            self._row.append(at)
            self._column.append(column)
            self._value.append(value)
        self._lower.append(lower)
        self._upper.append(upper)

    def put(self, programme: Programme) -> None:
        if self._lower:
            programme.constrain(
                len(self._lower), self._row, self._column, self._value, lower=self._lower, upper=self._upper
            )


@dataclass(frozen=True, eq=False, slots=True)
class Room:
    """`strict`: only chosen options move pods, nodes opened take none. Otherwise lenient: whatever could be done.

    `group` [N]; `moving` shapes that may move; `able` [P]; `hosting` options for moved pods of scarce shapes, of kinds
    that stand in `hosted` (above those of the requests; one for each shape in the strict form, one for as many devices
    in the lenient one), `kind_of` shape -> kind. `margin` [G] whole devices of each
    group that turned out to be of no use, with which a later round does not reckon.
    """

    strict: bool
    able: Mask
    group: NDArray[np.int64]
    moving: NDArray[np.int64]
    hosting: tuple[Option, ...]
    hosted: dict[int, Demand]
    kind_of: dict[int, int]
    margin: NDArray[np.float64]


def rooms(
    packing: Packing, yard: Yard, allowance: Allowance, options: Sequence[Option], kinds: int
) -> tuple[Room, Room]:
    """The strict and the lenient room."""
    victims = sorted({i for o in options for i in o.items})
    taken = np.unique(packing.shape[victims]).astype(np.int64)
    every = np.unique(packing.shape[np.flatnonzero(yard.able)]).astype(np.int64)
    group = _groups(packing, every)
    room = {s: slots(packing, _demand(packing, [s], np.min)) for s in taken.tolist() if packing.shapes.count[s] > 1}
    most = Counter(int(packing.shape[i]) for i in victims)
    return (
        _strict(packing, yard, group, taken, _scarce(packing, room, most, 1 << 30), room, kinds),
        _lenient(packing, yard, group, every, _scarce(packing, room, most, allowance.moves), kinds),
    )


def _strict(
    packing: Packing,
    yard: Yard,
    group: NDArray[np.int64],
    taken: NDArray[np.int64],
    scarce: list[int],
    room: dict[int, NDArray[np.int64]],
    kinds: int,
) -> Room:
    """A kind for each scarce shape, hosted where there is room as things are."""
    kind_of = {s: kinds + i for i, s in enumerate(scarce)}
    hosted = {kind_of[s]: _demand(packing, [s], np.max) for s in scarce}
    ready = [
        Option(n, kind_of[s], int(room[s][n]), (), 0.0, 0) for s in scarce for n in np.flatnonzero(room[s]).tolist()
    ]
    margin = np.zeros(int(group.max(initial=0)) + 1)
    return Room(True, yard.able, group, taken, tuple(ready), hosted, kind_of, margin)


def _lenient(
    packing: Packing, yard: Yard, group: NDArray[np.int64], every: NDArray[np.int64], scarce: list[int], kinds: int
) -> Room:
    """A kind for scarce shapes of as many devices, of the least amounts, hosted wherever room could be made."""
    counts = sorted({int(packing.shapes.count[s]) for s in scarce})
    kind_of = {s: kinds + counts.index(int(packing.shapes.count[s])) for s in scarce}
    hosted = {
        k: _demand(packing, [s for s in scarce if kind_of[s] == k], np.min) for k in sorted(set(kind_of.values()))
    }
    devices = (packing.devices != ABSENT).sum(axis=1)
    possible = [o for k, d in hosted.items() for o in _hosts(yard, k, d, devices)]
    margin = np.zeros(int(group.max(initial=0)) + 1)
    return Room(False, yard.able, group, every, tuple(possible), hosted, kind_of, margin)


def _scarce(packing: Packing, room: dict[int, NDArray[np.int64]], most: Counter[int], moves: int) -> list[int]:
    """Shapes of several devices for which there is little room beside what else, as large, may have to move."""
    count = packing.shapes.count
    return [
        s
        for s, now in room.items()
        if int(now.sum()) < SCARCE * min(moves, sum(n for t, n in most.items() if count[t] >= count[s]))
    ]


def _demand(packing: Packing, alike: list[int], pick: Callable[..., NDArray[np.int64]]) -> Demand:
    """One demand for shapes of as many devices: of the least (or the largest) amounts, on the nodes of any of them."""
    shapes = packing.shapes
    amounts = tuple(int(a) for a in pick(shapes.amounts[alike], axis=0))
    milli = int(pick(shapes.milli[alike].astype(np.int64), axis=0))
    return Demand(amounts, int(shapes.count[alike[0]]), milli, np.asarray(shapes.allowed[alike].any(axis=0)))


def _hosts(yard: Yard, kind: int, demand: Demand, devices: NDArray[np.int64]) -> Iterable[Option]:
    """Every number of members on every node, at the least that it can cost."""
    for node in np.flatnonzero(demand.mask(len(devices)) & (devices >= demand.gpus)).tolist():
        for units in range(1, int(devices[node]) // demand.gpus + 1):
            found = yard.option(node, kind, demand, units)
            if found is None:
                break
            yield found


def _groups(packing: Packing, shapes: NDArray[np.int64]) -> NDArray[np.int64]:
    count = (packing.devices != ABSENT).sum(axis=1)
    signature = np.concatenate([count[None, :], packing.shapes.allowed[shapes]]).T
    _, group = np.unique(signature, axis=0, return_inverse=True)
    if group.max(initial=0) >= GROUPS:
        _, group = np.unique(count, return_inverse=True)
    return group.reshape(-1).astype(np.int64)


def add_room(
    programme: Programme,
    packing: Packing,
    options: Sequence[Option],
    option: Columns,
    room: Room,
    demands: Sequence[Demand],
    *,
    moves: Columns | None = None,
    hosts: Columns | None = None,
    own: int | None = None,
) -> None:
    """Rows that give everything that moves a place. `moves` and `hosts` are columns of the lenient form.

    Options of kinds from `own` on open their node for moved pods alone.
    """
    kinds = len(demands) if own is None else own
    _Build(programme, packing, options, option.tolist(), room, demands, kinds).run(moves, hosts)


@dataclass(eq=False, slots=True)
class _Build:
    programme: Programme
    packing: Packing
    options: Sequence[Option]
    option: list[int]
    room: Room
    demands: Sequence[Demand]
    own: int
    rows: Rows = field(default_factory=Rows)
    out: dict[tuple[int, int], int] = field(default_factory=dict)
    into: dict[tuple[int, int], int] = field(default_factory=dict)
    victims: dict[tuple[int, int], Terms] = field(default_factory=dict)

    def run(self, moves: Columns | None, hosts: Columns | None) -> None:
        self._flows(moves, hosts)
        self._plain()
        self._hosting(hosts)
        if self.room.strict or self._countable():
            self._devices()
        self.rows.put(self.programme)

    def _flows(self, moves: Columns | None, hosts: Columns | None) -> None:
        """What leaves each group by shape comes in somewhere."""
        room, packing = self.room, self.packing
        groups = range(len(room.margin))
        found: dict[tuple[int, int], dict[int, float]] = defaultdict(lambda: defaultdict(float))
        for column, o in zip(self.option, self.options, strict=True):
            for item in o.items if room.strict else o.forced:
                found[int(packing.shape[item]), int(room.group[packing.node[item]])][column] += 1.0
        self.victims = {key: list(terms.items()) for key, terms in found.items()}
        hosted = self._hosted(hosts)
        here: Counter[tuple[int, int]] = Counter()
        for item in np.flatnonzero(room.able).tolist():
            here[int(packing.shape[item]), int(room.group[packing.node[item]])] += 1
        leaving = sorted(self.victims if room.strict else here)
        block = self.programme.add(len(leaving), upper=[float(here[k]) for k in leaving], integer=False)
        self.out = dict(zip(leaving, block.tolist(), strict=True))
        for key, column in self.out.items():
            less = [(c, -v) for c, v in (*self.victims.get(key, []), *hosted.get(key, {}).items())]
            self.rows.add([(column, 1.0), *less], lower=0.0, upper=0.0 if room.strict else np.inf)
        may = [(s, g) for s in room.moving.tolist() for g in groups if self._allowed(s, g)]
        self.into = dict(zip(may, self.programme.add(len(may), integer=False).tolist(), strict=True))
        for s in room.moving.tolist():
            terms = [(c, 1.0) for (t, _), c in self.into.items() if t == s]
            self.rows.add([*terms, *((c, -1.0) for (t, _), c in self.out.items() if t == s)], lower=0.0, upper=0.0)
        if moves is not None:
            self.rows.add([*((c, 1.0) for c in self.out.values()), (int(moves[0]), -1.0)], lower=0.0, upper=0.0)

    def _hosted(self, hosts: Columns | None) -> dict[tuple[int, int], dict[int, float]]:
        """What has to leave nodes that host, where nothing else can be opened there at the same time."""
        packing, room = self.packing, self.room
        found: dict[tuple[int, int], dict[int, float]] = defaultdict(lambda: defaultdict(float))
        if hosts is None:
            return found
        devices = (packing.devices != ABSENT).sum(axis=1)
        small = {o.node for o in self.options if not _big(o, self.demands[o.kind], devices)}
        for column, o in zip(hosts.tolist(), room.hosting, strict=True):
            if o.node not in small and _big(o, room.hosted[o.kind], devices):
                for item in o.forced:
                    found[int(packing.shape[item]), int(room.group[o.node])][column] += 1.0
        return found

    def _allowed(self, shape: int, group: int) -> bool:
        return bool(self.packing.shapes.allowed[shape, self.room.group == group].any())

    def _plain(self) -> None:
        """Amounts that come in <= amounts free, with the nodes opened."""
        packing, room = self.packing, self.room
        free = np.maximum(packing.free, 0)
        for g in range(len(room.margin)):
            total = free[room.group == g].sum(axis=0)
            for r in range(free.shape[1]):
                terms: Terms = [(c, float(packing.shapes.amounts[s, r])) for (s, h), c in self.into.items() if h == g]
                if not room.strict:
                    terms += [(c, -float(packing.shapes.amounts[s, r])) for (s, h), c in self.out.items() if h == g]
                for column, o in zip(self.option, self.options, strict=True):
                    if room.group[o.node] == g:
                        seat = self.demands[o.kind].amounts[r] * o.units
                        given = seat if o.kind >= self.own else 0
                        terms.append((column, float(free[o.node, r] - given if room.strict else seat)))
                self.rows.add([(c, v) for c, v in terms if v], upper=float(total[r]))

    def _hosting(self, hosts: Columns | None) -> None:
        """Pods of scarce shapes come in only where a node has room for one of them."""
        room = self.room
        if hosts is None:
            hosts = self.programme.add(len(room.hosting), upper=1.0)
            by_node: dict[int, Terms] = defaultdict(list)
            for column, o in zip(self.option, self.options, strict=True):
                by_node[o.node].append((column, 1.0))
            for column, host in zip(hosts.tolist(), room.hosting, strict=True):
                by_node[host.node].append((column, 1.0))
            for node in {h.node for h in room.hosting}:
                self.rows.add(by_node[node], upper=1.0)
        for kind in room.hosted:
            for g in range(len(room.margin)):
                coming = [(c, 1.0) for (s, h), c in self.into.items() if h == g and room.kind_of.get(s) == kind]
                seats = [*zip(hosts.tolist(), room.hosting, strict=True), *zip(self.option, self.options, strict=True)]
                there = [(c, -float(o.units)) for c, o in seats if o.kind == kind and room.group[o.node] == g]
                if coming:
                    self.rows.add([*coming, *there], upper=0.0)

    def _countable(self) -> bool:
        """Whether devices can be counted without wronging any plan: nodes opened use all of theirs."""
        devices = (self.packing.devices != ABSENT).sum(axis=1)
        shapes = self.packing.shapes
        odd = (shapes.count > 1) & (shapes.milli < WHOLE)
        full = all(
            self.demands[o.kind].milli == WHOLE and self.demands[o.kind].gpus * o.units == devices[o.node]
            for o in self.options
        )
        return full and not odd[self.room.moving].any() and len(self._removals()) <= REMOVALS

    def _contents(self) -> dict[tuple[int, int], tuple[int, tuple[int, ...]]]:
        """(node, device) -> what is left of it, and the shares on it that may move."""
        packing = self.packing
        shares: dict[tuple[int, int], list[int]] = defaultdict(list)
        for item in np.flatnonzero(self.room.able).tolist():
            shape = int(packing.shape[item])
            if packing.shapes.count[shape] == 1 and packing.shapes.milli[shape] < WHOLE:
                for d in bits(int(packing.held[item])).tolist():
                    shares[int(packing.node[item]), d].append(int(packing.shapes.milli[shape]))
        there = self._usable() if self.room.strict else np.argwhere(packing.devices != ABSENT).tolist()
        return {(n, d): (int(packing.devices[n, d]), tuple(sorted(shares.get((n, d), ())))) for n, d in there}

    def _usable(self) -> list[tuple[int, int]]:
        """(node, device), emptiest first, as many of each node as its other resources could ever feed."""
        packing, shapes = self.packing, self.packing.shapes
        coming = self.room.moving[shapes.count[self.room.moving] > 0]
        if not len(coming):
            return []
        each = (shapes.amounts[coming] / shapes.count[coming][:, None]).min(axis=0)
        fed = np.floor(np.maximum(packing.free, 0) / np.maximum(each, 1e-9)).min(axis=1)
        order = np.argsort(-packing.devices, axis=1, kind="stable")
        return [
            (n, d)
            for n in range(len(fed))
            for d in order[n, : int(min(fed[n], order.shape[1]))].tolist()
            if packing.devices[n, d] != ABSENT
        ]

    def _removals(self) -> list[tuple[int, tuple[int, tuple[int, ...]], tuple[int, ...]]]:
        """(group, content, the shares taken off): every way to make more room on devices that stay in use."""
        made: list[tuple[int, tuple[int, tuple[int, ...]], tuple[int, ...]]] = []
        seen = sorted({(int(self.room.group[n]), content) for (n, _), content in self._contents().items()})
        for group, content in seen:
            if len(content[1]) > 10:
                return [(group, content, ())] * (REMOVALS + 1)
            for size in range(1, len(content[1]) + 1):
                made += [(group, content, part) for part in sorted(set(combinations(content[1], size)))]
        return made

    def _devices(self) -> None:
        """Shares come onto devices with enough left, whole demands onto whole ones; each serves once."""
        room = self.room
        contents = self._contents()
        have: Counter[tuple[int, int]] = Counter()
        lots: Counter[tuple[int, tuple[int, tuple[int, ...]]]] = Counter()
        of_node: dict[int, Counter[tuple[int, tuple[int, ...]]]] = defaultdict(Counter)
        for (n, _), content in contents.items():
            have[int(room.group[n]), content[0]] += 1
            lots[int(room.group[n]), content] += 1
            of_node[n][content] += 1
        supply: dict[tuple[int, int], Terms] = defaultdict(list)
        lot: dict[tuple[int, tuple[int, tuple[int, ...]]], Terms] = defaultdict(list)
        for column, o in zip(self.option, self.options, strict=True):
            g = int(room.group[o.node])
            for content, n in of_node[o.node].items():
                supply[g, content[0]].append((column, -float(n)))
                lot[g, content].append((column, float(n)))
            if o.kind >= self.own:
                supply[g, self.demands[o.kind].milli].append((column, float(self.demands[o.kind].gpus * o.units)))
        if not room.strict:
            self._take_off(supply, lot, lots)
        self._shares(have, supply)

    def _take_off(
        self,
        supply: dict[tuple[int, int], Terms],
        lot: dict[tuple[int, tuple[int, tuple[int, ...]]], Terms],
        lots: Counter[tuple[int, tuple[int, tuple[int, ...]]]],
    ) -> None:
        """Helping moves: shares that leave devices of other nodes, and whole demands that do."""
        removals = self._removals()
        columns = self.programme.add(len(removals), integer=False).tolist()
        gone: dict[tuple[int, int], Terms] = defaultdict(list)
        for column, (g, content, part) in zip(columns, removals, strict=True):
            supply[g, content[0]].append((column, -1.0))
            supply[g, content[0] + sum(part)].append((column, 1.0))
            lot[g, content].append((column, 1.0))
            for milli, n in Counter(part).items():
                gone[g, milli].append((column, float(n)))
        for key, terms in lot.items():
            self.rows.add(terms, upper=float(lots[key]))
        shapes = self.packing.shapes
        leaving: dict[tuple[int, int], Terms] = defaultdict(list)
        for (s, g), column in self.out.items():
            if not shapes.count[s]:
                continue
            forced = [(c, -v) for c, v in self.victims.get((s, g), [])]
            if shapes.milli[s] == WHOLE:
                each = float(shapes.count[s])
                supply[g, WHOLE] += [(c, v * each) for c, v in [(column, 1.0), *forced]]
            else:
                leaving[g, int(shapes.milli[s])] += [(column, 1.0), *forced]
        for size in sorted({*leaving, *gone}):
            self.rows.add([*leaving[size], *((c, -v) for c, v in gone[size])], lower=0.0, upper=0.0)

    def _shares(self, have: Counter[tuple[int, int]], supply: dict[tuple[int, int], Terms]) -> None:
        shapes, room = self.packing.shapes, self.room
        levels = sorted({*have, *supply})
        for g in range(len(room.margin)):
            demand: dict[int, Terms] = defaultdict(list)
            whole: Terms = []
            for (s, h), column in self.into.items():
                if h == g and shapes.count[s]:
                    if shapes.milli[s] == WHOLE:
                        whole.append((column, float(shapes.count[s])))
                    else:
                        demand[int(shapes.milli[s])].append((column, float(shapes.count[s])))
            sizes = sorted(demand)
            on: dict[int, Terms] = defaultdict(list)
            opened = int(self.programme.add(1, integer=False)[0])
            for h, level in levels:
                able = [m for m in sizes if h == g and m <= level]
                if not able:
                    continue
                columns = dict(zip(able, self.programme.add(len(able), integer=False).tolist(), strict=True))
                for m, c in columns.items():
                    on[m].append((c, 1.0))
                if level == WHOLE:
                    self._levels(columns, level, 0.0, [(opened, 1.0)])
                else:
                    self._levels(columns, level, float(have[g, level]), supply[g, level])
            for m in sizes:
                self.rows.add([*demand[m], *((c, -1.0) for c, _ in on[m])], lower=0.0, upper=0.0)
            less = [(c, -v) for c, v in supply[g, WHOLE]]
            self.rows.add([*whole, (opened, 1.0), *less], upper=max(0.0, float(have[g, WHOLE] - room.margin[g])))

    def _levels(self, columns: dict[int, int], level: int, count: float, more: Terms) -> None:
        """`count` (and `more`) devices with `level` left take these sizes: by what fits in sum, and by number."""
        fill = _fill(sorted(columns), level)
        self.rows.add(
            [*((c, float(m)) for m, c in columns.items()), *((c, -v * fill) for c, v in more)], upper=count * fill
        )
        for least in columns:
            n = level // least
            if n <= 3:
                terms = [(c, 1.0) for m, c in columns.items() if m >= least]
                self.rows.add([*terms, *((c, -v * n) for c, v in more)], upper=count * n)
                # what is larger than the rest beside the least leaves no room for the least (dual feasible function)
                terms = [(c, float(level) if m > level - least else float(m)) for m, c in columns.items() if m >= least]
                self.rows.add([*terms, *((c, -v * level) for c, v in more)], upper=count * level)


def _big(option: Option, demand: Demand, devices: NDArray[np.int64]) -> bool:
    """Whether the option uses more than half of the devices of its node."""
    return demand.milli == WHOLE and 2 * demand.gpus * option.units > int(devices[option.node])


def _fill(sizes: Sequence[int], level: int) -> int:
    """The most of `level` that sums of the sizes can fill."""
    reach = 1
    for size in sizes:
        for _ in range(level // size):
            reach |= reach << size
    return (reach & ((1 << (level + 1)) - 1)).bit_length() - 1
