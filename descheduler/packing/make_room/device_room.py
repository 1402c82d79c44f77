"""Devices that moved pods could take, counted by what is left of each.

So that a pod of 810 thousandths does not fit the halves of two devices, and none on a device of a node that is opened.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from descheduler.model.arrays import Ints
from descheduler.packing.make_room.demands import Demand
from descheduler.packing.make_room.host_room import HostRoom
from descheduler.packing.make_room.pod_flows import PodFlows
from descheduler.packing.make_room.rows import Terms
from descheduler.packing.make_room.vacate import Option
from descheduler.packing.programme import Programme
from descheduler.packing.state import ABSENT, WHOLE, Packing, bits

REMOVALS = 4000
"""Ways to take shares off devices, above which the lenient form does not count devices."""
Content = tuple[int, tuple[int, ...]]
"""What is left of a device, and the shares on it that may move."""


def add_room(
    programme: Programme,
    packing: Packing,
    options: Sequence[Option],
    option: Ints,
    room: HostRoom,
    demands: Sequence[Demand],
    *,
    moves: Ints | None = None,
    hosts: Ints | None = None,
    own: int | None = None,
) -> None:
    """Rows that give everything that moves a place. `option` [O] are the columns of
    the options, `moves` and `hosts` those of the lenient form.

    Options of kinds from `own` on open their node for moved pods alone.
    """
    kinds = len(demands) if own is None else own
    flows = PodFlows(programme, packing, options, option.tolist(), room, demands, kinds)
    flows.run(moves, hosts)
    devices = _Devices(flows)
    if room.strict or devices.countable():
        devices.run()
    flows.rows.put(programme)


@dataclass(eq=False, slots=True)
class _Devices:
    flows: PodFlows

    def countable(self) -> bool:
        """Whether devices can be counted without wronging any plan: nodes opened use all of theirs."""
        devices = (self.flows.packing.devices != ABSENT).sum(axis=1)
        shapes = self.flows.packing.shapes
        odd = (shapes.count > 1) & (shapes.milli < WHOLE)
        full = all(
            self.flows.demands[o.kind].milli == WHOLE and self.flows.demands[o.kind].gpus * o.units == devices[o.node]
            for o in self.flows.options
        )
        return full and not odd[self.flows.room.moving].any() and len(self._removals()) <= REMOVALS

    def _contents(self) -> dict[tuple[int, int], Content]:
        """(node, device) -> what is left of it, and the shares on it that may move."""
        packing = self.flows.packing
        shares: dict[tuple[int, int], list[int]] = defaultdict(list)
        for item in np.flatnonzero(self.flows.room.able).tolist():
            shape = int(packing.shape[item])
            if packing.shapes.count[shape] == 1 and packing.shapes.milli[shape] < WHOLE:
                for d in bits(int(packing.held[item])).tolist():
                    shares[int(packing.node[item]), d].append(int(packing.shapes.milli[shape]))
        there = self._usable() if self.flows.room.strict else np.argwhere(packing.devices != ABSENT).tolist()
        return {(n, d): (int(packing.devices[n, d]), tuple(sorted(shares.get((n, d), ())))) for n, d in there}

    def _usable(self) -> list[tuple[int, int]]:
        """(node, device), emptiest first, as many of each node as its other resources could ever feed."""
        packing, shapes = self.flows.packing, self.flows.packing.shapes
        coming = self.flows.room.moving[shapes.count[self.flows.room.moving] > 0]
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

    def _removals(self) -> list[tuple[int, Content, tuple[int, ...]]]:
        """(group, content, the shares taken off): every way to make more room on devices that stay in use."""
        made: list[tuple[int, Content, tuple[int, ...]]] = []
        seen = sorted({(int(self.flows.room.group[n]), content) for (n, _), content in self._contents().items()})
        for group, content in seen:
            if len(content[1]) > 10:
                return [(group, content, ())] * (REMOVALS + 1)
            for size in range(1, len(content[1]) + 1):
                made += [(group, content, part) for part in sorted(set(combinations(content[1], size)))]
        return made

    def run(self) -> None:
        """Shares come onto devices with enough left, whole demands onto whole ones; each serves once."""
        room = self.flows.room
        contents = self._contents()
        have: Counter[tuple[int, int]] = Counter()
        lots: Counter[tuple[int, Content]] = Counter()
        of_node: dict[int, Counter[Content]] = defaultdict(Counter)
        for (n, _), content in contents.items():
            have[int(room.group[n]), content[0]] += 1
            lots[int(room.group[n]), content] += 1
            of_node[n][content] += 1
        supply: dict[tuple[int, int], Terms] = defaultdict(list)
        lot: dict[tuple[int, Content], Terms] = defaultdict(list)
        for column, o in zip(self.flows.option, self.flows.options, strict=True):
            g = int(room.group[o.node])
            for content, n in of_node[o.node].items():
                supply[g, content[0]].append((column, -float(n)))
                lot[g, content].append((column, float(n)))
            if o.kind >= self.flows.own:
                supply[g, self.flows.demands[o.kind].milli].append(
                    (column, float(self.flows.demands[o.kind].gpus * o.units))
                )
        if not room.strict:
            self._take_off(supply, lot, lots)
        self._shares(have, supply)

    def _take_off(
        self,
        supply: dict[tuple[int, int], Terms],
        lot: dict[tuple[int, Content], Terms],
        lots: Counter[tuple[int, Content]],
    ) -> None:
        """Helping moves: shares that leave devices of other nodes, and whole demands that do."""
        removals = self._removals()
        columns = self.flows.programme.add(len(removals), integer=False).tolist()
        gone: dict[tuple[int, int], Terms] = defaultdict(list)
        for column, (g, content, part) in zip(columns, removals, strict=True):
            supply[g, content[0]].append((column, -1.0))
            supply[g, content[0] + sum(part)].append((column, 1.0))
            lot[g, content].append((column, 1.0))
            for milli, n in Counter(part).items():
                gone[g, milli].append((column, float(n)))
        for key, terms in lot.items():
            self.flows.rows.add(terms, upper=float(lots[key]))
        shapes = self.flows.packing.shapes
        leaving: dict[tuple[int, int], Terms] = defaultdict(list)
        for (s, g), column in self.flows.out.items():
            if not shapes.count[s]:
                continue
            forced = [(c, -v) for c, v in self.flows.victims.get((s, g), [])]
            if shapes.milli[s] == WHOLE:
                each = float(shapes.count[s])
                supply[g, WHOLE] += [(c, v * each) for c, v in [(column, 1.0), *forced]]
            else:
                leaving[g, int(shapes.milli[s])] += [(column, 1.0), *forced]
        for size in sorted({*leaving, *gone}):
            self.flows.rows.add([*leaving[size], *((c, -v) for c, v in gone[size])], lower=0.0, upper=0.0)

    def _shares(self, have: Counter[tuple[int, int]], supply: dict[tuple[int, int], Terms]) -> None:
        shapes, room = self.flows.packing.shapes, self.flows.room
        levels = sorted({*have, *supply})
        for g in range(len(room.margin)):
            demand: dict[int, Terms] = defaultdict(list)
            whole: Terms = []
            for (s, h), column in self.flows.into.items():
                if h == g and shapes.count[s]:
                    if shapes.milli[s] == WHOLE:
                        whole.append((column, float(shapes.count[s])))
                    else:
                        demand[int(shapes.milli[s])].append((column, float(shapes.count[s])))
            sizes = sorted(demand)
            on: dict[int, Terms] = defaultdict(list)
            opened = int(self.flows.programme.add(1, integer=False)[0])
            for h, level in levels:
                able = [m for m in sizes if h == g and m <= level]
                if not able:
                    continue
                columns = dict(zip(able, self.flows.programme.add(len(able), integer=False).tolist(), strict=True))
                for m, c in columns.items():
                    on[m].append((c, 1.0))
                if level == WHOLE:
                    self._levels(columns, level, 0.0, [(opened, 1.0)])
                else:
                    self._levels(columns, level, float(have[g, level]), supply[g, level])
            for m in sizes:
                self.flows.rows.add([*demand[m], *((c, -1.0) for c, _ in on[m])], lower=0.0, upper=0.0)
            less = [(c, -v) for c, v in supply[g, WHOLE]]
            self.flows.rows.add([*whole, (opened, 1.0), *less], upper=max(0.0, float(have[g, WHOLE] - room.margin[g])))

    def _levels(self, columns: dict[int, int], level: int, count: float, more: Terms) -> None:
        """`count` (and `more`) devices with `level` left take these sizes: by what fits in sum, and by number."""
        fill = _fill(sorted(columns), level)
        self.flows.rows.add(
            [*((c, float(m)) for m, c in columns.items()), *((c, -v * fill) for c, v in more)], upper=count * fill
        )
        for least in columns:
            n = level // least
            if n <= 3:
                terms = [(c, 1.0) for m, c in columns.items() if m >= least]
                self.flows.rows.add([*terms, *((c, -v * n) for c, v in more)], upper=count * n)
                # what is larger than the rest beside the least leaves no room for the least (dual feasible function)
                terms = [(c, float(level) if m > level - least else float(m)) for m, c in columns.items() if m >= least]
                self.flows.rows.add([*terms, *((c, -v * level) for c, v in more)], upper=count * level)


def _fill(sizes: Sequence[int], level: int) -> int:
    """The most of `level` that sums of the sizes can fill."""
    reach = 1
    for size in sizes:
        for _ in range(level // size):
            reach |= reach << size
    return (reach & ((1 << (level + 1)) - 1)).bit_length() - 1
