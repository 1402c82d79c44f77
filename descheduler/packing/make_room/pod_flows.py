"""What moved pods leave and where they come in, added up over alike nodes: flows between groups, plain resources, and
the nodes that host demands of many devices."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints
from descheduler.packing.make_room.demands import Demand
from descheduler.packing.make_room.host_room import HostRoom
from descheduler.packing.make_room.rows import Rows, Terms
from descheduler.packing.make_room.vacate import Option
from descheduler.packing.programme import Programme
from descheduler.packing.state import ABSENT, WHOLE, Packing


@dataclass(eq=False, slots=True)
class PodFlows:
    """Columns for what leaves (`out`) and comes in (`into`), by (shape, group), and the rows that tie them.

    `victims` what the options take from each, as terms of their columns. Options of kinds from `own` on open their
    node for moved pods alone.
    """

    programme: Programme
    packing: Packing
    options: Sequence[Option]
    option: list[int]
    room: HostRoom
    demands: Sequence[Demand]
    own: int
    rows: Rows = field(default_factory=Rows)
    out: dict[tuple[int, int], int] = field(default_factory=dict)
    into: dict[tuple[int, int], int] = field(default_factory=dict)
    victims: dict[tuple[int, int], Terms] = field(default_factory=dict)

    def run(self, moves: Ints | None, hosts: Ints | None) -> None:
        """Add all rows; `moves` [M] and `hosts` [H] are columns of the lenient form (None: the strict one)."""
        self._flows(moves, hosts)
        self._plain()
        self._hosting(hosts)

    def _flows(self, moves: Ints | None, hosts: Ints | None) -> None:
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

    def _hosted(self, hosts: Ints | None) -> dict[tuple[int, int], dict[int, float]]:
        """What has to leave nodes that host, where nothing else can be opened there at the same time."""
        packing, room = self.packing, self.room
        found: dict[tuple[int, int], dict[int, float]] = defaultdict(lambda: defaultdict(float))
        if hosts is None:
            return found
        devices = (packing.devices != ABSENT).sum(axis=1)
        small = {o.node for o in self.options if not big(o, self.demands[o.kind], devices)}
        for column, o in zip(hosts.tolist(), room.hosting, strict=True):
            if o.node not in small and big(o, room.hosted[o.kind], devices):
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

    def _hosting(self, hosts: Ints | None) -> None:
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


def big(option: Option, demand: Demand, devices: NDArray[np.int64]) -> bool:
    """Whether the option uses more than half of the devices of its node; `devices` [N] how many each has."""
    return demand.milli == WHOLE and 2 * demand.gpus * option.units > int(devices[option.node])
