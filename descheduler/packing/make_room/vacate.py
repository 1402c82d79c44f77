"""The cheapest pods of a node that, once gone, leave room for so many members of a demand.

A subset problem per node: devices to clear by branch and bound, then a knapsack cover for CPU, memory and the like.
Pods of a gang that stand on one node are one bundle, which weighs as much as the whole gang.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints
from descheduler.packing.make_room.cover import cover
from descheduler.packing.make_room.demands import Allowance, Demand, movable
from descheduler.packing.state import ABSENT, WHOLE, Packing

LEAVES = 400
"""Sets of devices tried per node before the best so far is taken."""


@dataclass(frozen=True, slots=True)
class Option:
    """`node` takes `units` members of demand `kind` once `items` (gang members elsewhere included) have moved.

    No way to do so moves fewer than `least` items of this node, and every way moves those of `forced`.
    """

    node: int
    kind: int
    units: int
    items: tuple[int, ...]
    cost: float
    least: int
    forced: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Bundles:
    """What can leave one node, B bundles: `items` here, `own` [B] their number, `weight` [B] and `cost` [B] of all that
    move with them; `amounts` [B, R] and `devices` [B, D] (thousandths) that become free here."""

    items: tuple[tuple[int, ...], ...]
    own: NDArray[np.float64]
    weight: NDArray[np.float64]
    cost: NDArray[np.float64]
    amounts: Ints
    devices: Ints


class Vacating:
    """The movable items of a packing by node; opened once, asked for many nodes."""

    def __init__(self, packing: Packing, limits: Allowance, able: NDArray[np.bool_] | None = None) -> None:
        self.packing = packing
        self.able = movable(packing, limits) if able is None else able
        self.group = limits.group
        items = np.flatnonzero(self.able)
        order = items[np.argsort(packing.node[items], kind="stable")]
        self._order = order
        self._start = np.searchsorted(packing.node[order], np.arange(len(packing.free) + 1))
        self._bundles: dict[int, Bundles] = {}
        self.members: dict[int, list[int]] = defaultdict(list)
        if self.group is not None:
            for item in items[self.group[items] != ABSENT].tolist():
                self.members[int(self.group[item])].append(item)

    def on(self, node: int) -> NDArray[np.intp]:
        """[K] movable items of the node, ascending."""
        return self._order[self._start[node] : self._start[node + 1]]

    def closure(self, items: Sequence[int]) -> tuple[int, ...]:
        """The items and all that move with them, ascending."""
        if self.group is None:
            return tuple(sorted(items))
        return tuple(sorted({m for i in items for m in self._with(i)}))

    def _with(self, item: int) -> list[int]:
        group = ABSENT if self.group is None else int(self.group[item])
        return [item] if group == ABSENT else self.members[group]

    def bundles(self, node: int) -> Bundles:
        """What can leave the node."""
        found = self._bundles.get(node)
        if found is None:
            found = self._bundles[node] = self._bundle(node)
        return found

    def _bundle(self, node: int) -> Bundles:
        packing = self.packing
        parts: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for item in self.on(node).tolist():
            group = ABSENT if self.group is None else int(self.group[item])
            parts[(item, ABSENT) if group == ABSENT else (ABSENT, group)].append(item)
        bundles = tuple(tuple(part) for part in parts.values())
        items = np.array([item for part in bundles for item in part], np.int64)
        bundle = np.repeat(np.arange(len(bundles)), np.array([len(part) for part in bundles], np.int64))
        devices = np.zeros((len(bundles), packing.devices.shape[1]), np.int64)
        amounts = np.zeros((len(bundles), packing.free.shape[1]), np.int64)
        np.add.at(devices, bundle, packing.held_of(items))
        np.add.at(amounts, bundle, packing.shapes.amounts[packing.shape[items]])
        whole = [self.closure(part) for part in bundles]
        return Bundles(
            items=bundles,
            own=np.array([len(part) for part in bundles], np.float64),
            weight=np.array([len(all_) for all_ in whole], np.float64),
            cost=np.array([float(packing.cost[list(all_)].sum()) for all_ in whole]),
            amounts=amounts,
            devices=devices,
        )

    def option(self, node: int, kind: int, demand: Demand, units: int, *, by_cost: bool = False) -> Option | None:
        """The set of least weight (or, `by_cost`, of least cost), or None when no set makes the room."""
        bundles = self.bundles(node)
        weight = bundles.cost if by_cost else bundles.weight
        room = _Room(self.packing, node, demand, units, bundles)
        found = room.cheapest(weight + bundles.cost * (1e-5 / max(float(bundles.cost.max(initial=0.0)), 1e-9)))
        if found is None:
            return None
        least = found.least
        if by_cost or self.group is not None:
            lone = room.cheapest(bundles.own)
            least = lone.least if lone is not None else 0.0
        items = self.closure([i for b in found.bundles for i in bundles.items[b]])
        return Option(
            node=node,
            kind=kind,
            units=units,
            items=items,
            cost=float(self.packing.cost[list(items)].sum()),
            least=int(np.ceil(least - 1e-2)),
            forced=tuple(sorted(i for b in found.forced for i in bundles.items[b])),
        )


@dataclass(frozen=True, slots=True)
class _Found:
    bundles: tuple[int, ...]
    least: float
    forced: tuple[int, ...]


class _Room:
    """One question to one node."""

    def __init__(self, packing: Packing, node: int, demand: Demand, units: int, bundles: Bundles) -> None:
        self.bundles = bundles
        self.demand = demand
        self.need = np.asarray(demand.amounts, np.int64) * units - packing.free[node]
        self.left: list[int] = packing.devices[node].tolist()
        self.target = demand.gpus * units
        self.units = units
        self.freed: list[list[int]] = bundles.devices.tolist()
        self.choices = self._choices()

    def cheapest(self, weight: NDArray[np.float64]) -> _Found | None:
        choices = self.choices
        ready = sum(self._seats(left) for left in self.left) if self.target else 0
        wanted = self.target - ready
        if wanted > sum(max((gain for gain, _ in c), default=0) for c in choices):
            return None
        if (self.need > self.bundles.amounts.sum(axis=0)).any():
            return None
        choices = sorted((c for c in choices if c), key=lambda c: float(min(weight[list(s)].sum() for _, s in c)))
        best: tuple[float, int, tuple[int, ...]] | None = None
        leaves, least = 0, np.inf
        for cleared in self._sets(choices, wanted, weight):
            leaves += 1
            base = float(weight[list(cleared)].sum())
            if leaves > LEAVES:
                least = self._floor(choices, wanted, weight)
                break
            if best is not None and base > best[0] + 1e-9:
                continue
            rest = [b for b in range(len(weight)) if b not in cleared]
            deficit = self.need - self.bundles.amounts[list(cleared)].sum(axis=0)
            more = cover(weight[rest], self.bundles.amounts[rest], deficit)
            if more is None:
                continue
            least = min(least, base + more.least)
            chosen = tuple(sorted((*cleared, *(rest[i] for i in more.chosen))))
            burden = int(self.bundles.devices[list(chosen)].sum())
            key = (base + more.weight, burden, chosen)
            if best is None or (key[0] < best[0] - 1e-9 or (key[0] <= best[0] + 1e-9 and key[1:] < best[1:])):
                best = key
        if best is None:
            return None
        forced: tuple[int, ...] = ()
        if wanted > 0 and wanted == sum(1 for c in choices) and all(len(c) == 1 and c[0][0] == 1 for c in choices):
            forced = tuple(sorted({b for c in choices for b in c[0][1]}))
        return _Found(best[2], float(min(least, best[0])), forced)

    def _choices(self) -> list[list[tuple[int, frozenset[int]]]]:
        """Per device, the sets of bundles that make seats on it, with how many more seats each set makes."""
        made: list[list[tuple[int, frozenset[int]]]] = []
        for d, left in enumerate(self.left if self.target else ()):
            holders = {b: freed[d] for b, freed in enumerate(self.freed) if freed[d]}
            now = self._seats(left)
            found: list[tuple[int, frozenset[int]]] = []
            for subset in _subsets(list(holders), whole=self.demand.milli == WHOLE):
                gain = self._seats(left + sum(holders[b] for b in subset)) - now
                if gain > 0 and not any(s <= frozenset(subset) and g >= gain for g, s in found):
                    found.append((gain, frozenset(subset)))
            made.append(found)
        return made

    def _seats(self, left: int) -> int:
        """Shares for members on a device with so much left; a member takes no device twice."""
        return min(max(left, 0) // self.demand.milli, self.units)

    def _sets(
        self, choices: list[list[tuple[int, frozenset[int]]]], wanted: int, weight: NDArray[np.float64]
    ) -> Iterator[frozenset[int]]:
        """Sets of bundles that make the wanted seats, likely cheap ones first; none twice."""
        seen: set[frozenset[int]] = set()
        after = [0]
        for c in reversed(choices):
            after.append(after[-1] + max(gain for gain, _ in c))
        after.reverse()

        def walk(at: int, have: int, chosen: frozenset[int]) -> Iterator[frozenset[int]]:
            if have >= wanted:
                if chosen not in seen:
                    seen.add(chosen)
                    yield chosen
                return
            if at == len(choices) or have + after[at] < wanted:
                return
            for gain, subset in choices[at]:
                yield from walk(at + 1, have + gain, chosen | subset)
            yield from walk(at + 1, have, chosen)

        yield from walk(0, 0, frozenset())

    def _floor(
        self, choices: list[list[tuple[int, frozenset[int]]]], wanted: int, weight: NDArray[np.float64]
    ) -> float:
        """What `wanted` seats weigh at least, each bundle shared out over the devices that it holds."""
        over = np.maximum((self.bundles.devices > 0).sum(axis=1), 1)
        each = sorted(min(float((weight[list(s)] / over[list(s)]).sum()) / gain for gain, s in c) for c in choices)
        most = max(gain for c in choices for gain, _ in c)
        return float(sum(each[: -(-wanted // most)]))


def _subsets(holders: list[int], *, whole: bool) -> Iterator[tuple[int, ...]]:
    """All of them when the device has to be empty, else every subset, small ones first (none of more than three)."""
    if whole or len(holders) > 12:
        if holders:
            yield tuple(holders)
        return
    from itertools import combinations

    for size in range(1, len(holders) + 1):
        yield from combinations(holders, size)
