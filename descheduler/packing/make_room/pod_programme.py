"""The whole question as one programme: every movable pod, node and device. For small packings.

Pods may push pods: what leaves a node makes room there. The programme knows the end alone; an end that cannot be
reached one move after the other is cut off, and the next best one is taken.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from descheduler.packing.make_room.demands import Allowance, Demand
from descheduler.packing.make_room.node_choice import NodeChoice, RoomProblem, prices, serve, whole
from descheduler.packing.make_room.rows import Rows
from descheduler.packing.make_room.step_order import ordered
from descheduler.packing.make_room.vacate import Option
from descheduler.packing.programme import Infeasible, Programme, Solution, SolveStatus, WorkLimits
from descheduler.packing.state import ABSENT, WHOLE, Packing, Step, bits

CUTS = 8
"""Ends that cannot be reached in order, after which the search gives up."""


@dataclass(frozen=True, eq=False, slots=True)
class Exact:
    """`choice` over `options` (one member each), the `steps` in order, and the bound that was proven."""

    choice: NodeChoice
    options: tuple[Option, ...]
    steps: tuple[Step, ...]
    bound: float


def size(packing: Packing, able: NDArray[np.bool_], kinds: int) -> int:
    """Variables that the programme would have, about; `able` [P] the items that may move."""
    items = np.flatnonzero(able)
    shapes, shape = packing.shapes, packing.shape[items]
    nodes = int(shapes.allowed[shape].sum())
    shares = (shapes.count[shape] > 0) & (shapes.milli[shape] < WHOLE)
    devices = int((packing.devices != ABSENT).sum())
    return nodes + int(shares.sum()) * devices + devices * (1 + kinds) + len(packing.free) * kinds


def sound(packing: Packing) -> bool:
    """Whether nothing is overcommitted: nodes that are have rules of their own, which the programme does not hold."""
    return bool((packing.free >= 0).all() and (packing.devices >= ABSENT).all())


def solve_exactly(asked: RoomProblem, nodes: int) -> Exact | None:
    """The best end that can be reached in order, or None when none was found within `nodes` of all search trees."""
    build = _Build(asked)
    build.run()
    proven = np.inf
    for _ in range(CUTS):
        answer = build.programme.solve(WorkLimits(nodes=nodes, gap=1e-6, seconds=60.0))
        if isinstance(answer, Infeasible):
            return None
        nodes -= answer.nodes
        proven = min(proven, whole(answer.bound + build.tie * asked.allowance.moves, asked.request_classes))
        steps = ordered(asked.packing, build.steps(answer))
        if steps is not None:
            return Exact(build.choice(answer), build.options, steps, proven)
        if nodes < 1:
            return None
        build.cut(answer)
    return None


@dataclass(eq=False, slots=True)
class _Build:
    asked: RoomProblem
    programme: Programme = field(default_factory=lambda: Programme(maximise=True))
    rows: Rows = field(default_factory=Rows)
    tie: float = 0.0
    options: tuple[Option, ...] = ()
    served: list[dict[int, int]] = field(default_factory=list)
    members: dict[tuple[int, int], int] = field(default_factory=dict)
    to: dict[tuple[int, int], int] = field(default_factory=dict)
    on: dict[tuple[int, int, int], int] = field(default_factory=dict)
    whole: dict[tuple[int, int], int] = field(default_factory=dict)
    out: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def run(self) -> None:
        asked, packing = self.asked, self.asked.packing
        shapes = packing.shapes
        self.tie = 0.4 * min(f.worth for f in asked.request_classes) / (asked.allowance.moves + 1)
        self.options = tuple(
            Option(n, kind, 1, (), 0.0, 0)
            for kind, demand in enumerate(asked.demands)
            for n in np.flatnonzero(demand.mask(len(packing.free))).tolist()
        )
        need = float(sum(f.members * f.copies for f in asked.request_classes))
        columns = serve(self.programme, asked, self.options, upper=need)
        self.served = columns.served
        self.members = {(o.kind, o.node): int(c) for o, c in zip(self.options, columns.option, strict=True)}
        pairs = [
            (item, n)
            for item in np.flatnonzero(asked.able).tolist()
            for n in np.flatnonzero(shapes.allowed[packing.shape[item]]).tolist()
            if n != packing.node[item]
        ]
        price = prices(asked)[[item for item, _ in pairs]]
        block = self.programme.add(len(pairs), upper=1.0, cost=-self.tie * price)
        self.to = dict(zip(pairs, block.tolist(), strict=True))
        for (item, _), column in self.to.items():
            self.out[item].append(column)
        self._limits(asked.allowance)
        self._plain()
        self._devices()
        self.rows.put(self.programme)

    def _limits(self, allowance: Allowance) -> None:
        """Once each, so many in all, gangs whole, budgets kept."""
        for columns in self.out.values():
            self.rows.add([(c, 1.0) for c in columns], upper=1.0)
        self.rows.add([(c, 1.0) for c in self.to.values()], upper=float(allowance.moves))
        if allowance.group is not None:
            gangs: dict[int, list[int]] = defaultdict(list)
            for item in np.flatnonzero(self.asked.able & (allowance.group != ABSENT)).tolist():
                gangs[int(allowance.group[item])].append(item)
            for first, *others in gangs.values():
                for other in others:
                    terms = [(c, 1.0) for c in self.out[first]]
                    self.rows.add([*terms, *((c, -1.0) for c in self.out[other])], lower=0.0, upper=0.0)
        if allowance.budget is not None:
            for b, allowed in enumerate(allowance.allowed):
                items = np.flatnonzero(allowance.budget == b).tolist()
                self.rows.add([(c, 1.0) for i in items for c in self.out.get(i, [])], upper=float(allowed))

    def _plain(self) -> None:
        packing, shapes = self.asked.packing, self.asked.packing.shapes
        terms: dict[tuple[int, int], list[tuple[int, float]]] = defaultdict(list)
        for (item, n), column in self.to.items():
            for r, amount in enumerate(shapes.amounts[packing.shape[item]].tolist()):
                if amount:
                    terms[n, r].append((column, float(amount)))
                    terms[int(packing.node[item]), r].append((column, -float(amount)))
        for (kind, n), column in self.members.items():
            for r, amount in enumerate(self.asked.demands[kind].amounts):
                if amount:
                    terms[n, r].append((column, float(amount)))
        for (n, r), entries in terms.items():
            self.rows.add(entries, upper=float(packing.free[n, r]))

    def _devices(self) -> None:
        """Whole demands take whole devices, shares what is left of one, each pod a device once."""
        packing, shapes = self.asked.packing, self.asked.packing.shapes
        there = [(int(n), int(d)) for n, d in np.argwhere(packing.devices != ABSENT)]
        self.whole = dict(zip(there, self.programme.add(len(there), upper=1.0).tolist(), strict=True))
        takes: dict[tuple[int, int], list[tuple[int, float]]] = {k: [(c, float(WHOLE))] for k, c in self.whole.items()}
        wholes: dict[int, list[tuple[int, float]]] = defaultdict(list)
        of_node: dict[int, list[int]] = defaultdict(list)
        for n, d in there:
            of_node[n].append(d)
            wholes[n].append((self.whole[n, d], -1.0))
        for (item, n), column in self.to.items():
            shape, source = int(packing.shape[item]), int(packing.node[item])
            count, milli = int(shapes.count[shape]), int(shapes.milli[shape])
            for d in bits(int(packing.held[item])).tolist():
                takes[source, d].append((column, -float(milli)))
            if count and milli == WHOLE:
                wholes[n].append((column, float(count)))
            elif count:
                self._spread(item, n, column, of_node[n], count, milli, takes)
        for (kind, n), column in self.members.items():
            self._seat(self.asked.demands[kind], n, column, of_node[n], wholes, takes)
        for entries in wholes.values():
            self.rows.add(entries, lower=0.0, upper=0.0)
        for key, entries in takes.items():
            self.rows.add(entries, upper=float(packing.devices[key]))

    def _spread(
        self,
        item: int,
        node: int,
        column: int,
        devices: list[int],
        count: int,
        milli: int,
        takes: dict[tuple[int, int], list[tuple[int, float]]],
    ) -> None:
        """A share on `count` different devices of the node."""
        block = self.programme.add(len(devices), upper=1.0).tolist()
        for d, c in zip(devices, block, strict=True):
            self.on[item, node, d] = c
            takes[node, d].append((c, float(milli)))
        self.rows.add([(column, -float(count)), *((c, 1.0) for c in block)], lower=0.0, upper=0.0)

    def _seat(
        self,
        demand: Demand,
        node: int,
        column: int,
        devices: list[int],
        wholes: dict[int, list[tuple[int, float]]],
        takes: dict[tuple[int, int], list[tuple[int, float]]],
    ) -> None:
        """Members on the node; none takes a device twice."""
        if not demand.gpus:
            return
        if demand.milli == WHOLE:
            wholes[node].append((column, float(demand.gpus)))
            return
        block = self.programme.add(len(devices), upper=float(WHOLE // demand.milli)).tolist()
        for d, c in zip(devices, block, strict=True):
            takes[node, d].append((c, float(demand.milli)))
            if demand.gpus > 1:
                self.rows.add([(c, 1.0), (column, -1.0)], upper=0.0)
        self.rows.add([(column, -float(demand.gpus)), *((c, 1.0) for c in block)], lower=0.0, upper=0.0)

    def steps(self, answer: Solution) -> list[Step]:
        """The moves of an answer; whole devices are shared out in order of position."""
        packing, shapes = self.asked.packing, self.asked.packing.shapes
        spare: dict[int, list[int]] = defaultdict(list)
        for (n, d), column in self.whole.items():
            if answer.values[column] > 0.5:
                spare[n].append(d)
        made: list[Step] = []
        for (item, n), column in self.to.items():
            if answer.values[column] < 0.5:
                continue
            shape = int(packing.shape[item])
            count = int(shapes.count[shape])
            if shapes.milli[shape] == WHOLE:
                held, spare[n] = spare[n][:count], spare[n][count:]
            else:
                held = [d for (i, m, d), c in self.on.items() if (i, m) == (item, n) and answer.values[c] > 0.5]
            made.append(Step(item, int(packing.node[item]), n, sum(1 << d for d in held)))
        return made

    def choice(self, answer: Solution) -> NodeChoice:
        """Which members stand where: every option as often as it has members."""
        taken = tuple(
            i
            for i, o in enumerate(self.options)
            for _ in range(round(float(answer.values[self.members[o.kind, o.node]])))
        )
        served = tuple({d: n for d, c in s.items() if (n := round(float(answer.values[c])))} for s in self.served)
        worth = sum(f.worth * sum(s.values()) for f, s in zip(self.asked.request_classes, served, strict=True))
        return NodeChoice(taken, served, worth, answer.status is SolveStatus.OPTIMAL)

    def cut(self, answer: Solution) -> None:
        """Forbid exactly these moves."""
        columns = list(self.to.values())
        signs = [1.0 if answer.values[c] > 0.5 else -1.0 for c in columns]
        self.programme.constrain(1, 0, columns, signs, upper=sum(s for s in signs if s > 0) - 1)
