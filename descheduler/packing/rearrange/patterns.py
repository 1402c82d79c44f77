"""The best thing that every site could do on its own, were items bought and sold at given prices.

A site is a bin, or two bins that items may stand across. Its patterns are the ways to let items leave, take others in
and gain slots; one is worth

    slots - sum out · cost + sum into · worth

and the best of each site is a small knapsack over the units of one resource, done for all sites at once. With the
prices of the linking rows as `cost` and `worth` this prices the columns of a Dantzig-Wolfe decomposition (Dantzig and
Wolfe 1960), and the sum over the sites is its Lagrangian bound (Geoffrion 1974).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Floats, Ints, Mask
from descheduler.packing.rearrange.flow_problem import FlowProblem
from descheduler.packing.state import ABSENT

NEVER = -1e9
_TINY = 1e-12
FINEST = 4096
"""Units that a bin may have at most; finer amounts make the knapsacks too wide."""
FINEST_PAIR = 192
"""The same where items stand across two bins, for every balance of those is tried."""


@dataclass(frozen=True, eq=False, slots=True)
class SitePatterns:
    """N patterns: `site` [N], `out` and `into` [N, 3, C] on the site's first bin, second bin and both, `slots` [N]."""

    site: Ints
    out: Ints
    into: Ints
    slots: Ints

    def __len__(self) -> int:
        return len(self.site)

    def pick(self, which: Ints | Mask) -> SitePatterns:
        """Those of them: positions [K], or a mask [N]."""
        return SitePatterns(self.site[which], self.out[which], self.into[which], self.slots[which])


def joined(parts: list[SitePatterns]) -> SitePatterns:
    """One after the other."""
    return SitePatterns(*(np.concatenate([getattr(part, name) for part in parts]) for name in SitePatterns.__slots__))


@dataclass(frozen=True, eq=False, slots=True)
class Ground:
    """S sites seen through one resource, in units of `unit`.

    `place` [S, 3] first bin, second bin, both (ABSENT where there is none); `bin` [S, 2]; `room` [S, 2]; `size` [C];
    `slot` of the shape; `width` the most that a bin could ever have free; `count` [3, C, S] movable items; `kind`
    [3, S] and `kinds[k]` [K, C]: which classes may enter; `most` [S, 2] slots of a bin.
    """

    place: Ints
    bin: Ints
    room: Ints
    size: Ints
    slot: int
    width: int
    count: Ints
    kind: Ints
    kinds: Mask
    most: Ints

    @property
    def paired(self) -> bool:
        """Whether any item could stand across two bins."""
        return bool(self.count[2].any() or self.kinds[self.kind[2]].any())


def ground(flows: FlowProblem, resource: int) -> Ground | None:
    """The sites as the resource shows them; None where the amounts are too fine for knapsacks."""
    firsts = np.flatnonzero((flows.partner == ABSENT) | (np.arange(len(flows.room)) < flows.partner))
    bins = np.column_stack([firsts, flows.partner[firsts]])
    place = _places(flows, bins)
    unit = int(np.gcd.reduce(np.append(flows.demand[:, resource], flows.shape[resource])))
    held = np.where(place == ABSENT, 0, flows.count[:, place])
    live = (place != ABSENT) & ~_stuck(flows, bins)
    count = np.where(live, held, 0).transpose(2, 0, 1)
    open_ = (flows.allowed[:, place] & live).transpose(2, 1, 0)
    kinds, kind = np.unique(open_.reshape(-1, len(flows.demand)), axis=0, return_inverse=True)
    ever = (flows.room + flows.load(flows.count))[:, resource]
    width = int(max(0, ever.max(initial=0)) // unit)
    made = Ground(
        place=place,
        bin=bins,
        room=np.where(bins == ABSENT, 0, np.maximum(flows.room[bins, resource], 0) // unit),
        size=flows.demand[:, resource] // unit,
        slot=int(flows.shape[resource] // unit),
        width=width,
        count=count,
        kind=kind.reshape(3, -1),
        kinds=kinds,
        most=np.where((bins == ABSENT) | flows.frozen[bins], 0, flows.most[bins]),
    )
    return made if width <= (FINEST_PAIR if made.paired else FINEST) else None


def _places(flows: FlowProblem, bins: Ints) -> Ints:
    pair = flows.bins[:, 1] != ABSENT
    alone = np.full(len(flows.room) + 1, ABSENT)
    both = alone.copy()
    alone[flows.bins[~pair, 0]] = np.flatnonzero(~pair)
    both[flows.bins[pair].min(axis=1)] = np.flatnonzero(pair)
    return np.column_stack([alone[bins[:, 0]], alone[bins[:, 1]], both[bins[:, 0]]])


def _stuck(flows: FlowProblem, bins: Ints) -> Mask:
    """[S, 3] places that touch an overcommitted bin."""
    frozen = np.append(flows.frozen, False)[bins]
    return np.column_stack([frozen, frozen.any(axis=1)])


@dataclass(frozen=True, eq=False, slots=True)
class _Leaving:
    """Bounded knapsack: `value` [S, W+1] of letting exactly so many units go; `chosen` per class [S, W+1]."""

    value: Floats
    chosen: list[NDArray[np.int16]]


@dataclass(frozen=True, eq=False, slots=True)
class _Entering:
    """Unbounded knapsack: `value` [K, W+1] of so much room; `chosen` [K, W+1] the class put in last (ABSENT: none)."""

    value: Floats
    chosen: Ints


@dataclass(frozen=True, eq=False, slots=True)
class Priced:
    """The best of every site: `value` [S] of the best pattern, and the pattern itself."""

    value: Floats
    patterns: SitePatterns


def price(g: Ground, cost: Floats, worth: Floats) -> Priced:
    """The best pattern of every site at a `cost` [C] of every item that leaves and a `worth` [C] of one that enters."""
    sites = len(g.place)
    shifts = np.arange(-g.width, g.width + 1) if g.paired else np.zeros(1, dtype=np.int64)
    leaving = [_leaving(g, g.count[side], cost) for side in (0, 1)]
    entering = _entering(g, worth)
    gains = [_with_slots(g, entering, side) for side in (0, 1)]
    total = np.zeros((sites, len(shifts)))
    kept: list[Ints] = []
    for side in (0, 1):
        value, freed = _side(g, leaving[side], gains[side][0], g.room[:, side], shifts)
        total += value
        kept.append(freed)
    across = _across(g, cost, entering, shifts) if g.paired else None
    if across is not None:
        total += across.value
    best = total.argmax(axis=1)
    rows = np.arange(sites)
    made = SitePatterns(
        rows,
        np.zeros((sites, 3, len(g.size)), dtype=np.int64),
        np.zeros((sites, 3, len(g.size)), dtype=np.int64),
        np.zeros(sites, dtype=np.int64),
    )
    for side in (0, 1):
        freed = kept[side][rows, best]
        _trace_out(g, leaving[side], freed, made.out[:, side])
        room = g.room[:, side] + shifts[best] + freed
        slots = gains[side][1][rows, room]
        made.slots[:] += slots
        _trace_in(g, entering, g.kind[side], room - slots * g.slot, made.into[:, side])
    if across is not None:
        freed = across.freed[rows, best]
        _trace_out(g, across.leaving, freed, made.out[:, 2])
        _trace_in(g, entering, g.kind[2], freed - shifts[best], made.into[:, 2])
    return Priced(total[rows, best], made)


def _leaving(g: Ground, count: Ints, cost: Floats) -> _Leaving:
    value = np.full((count.shape[1], g.width + 1), NEVER)
    value[:, 0] = 0
    chosen = []
    for c, size in enumerate(g.size.tolist()):
        took = np.zeros(value.shape, dtype=np.int16)
        most = int(count[c].max(initial=0)) if size else 0
        after = value.copy() if most else value
        for k in range(1, min(most, g.width // size) + 1 if size else 1):
            reach = np.where((count[c] >= k)[:, None], value[:, : g.width + 1 - k * size] - k * cost[c], NEVER)
            better = reach > after[:, k * size :] + _TINY
            after[:, k * size :][better] = reach[better]
            took[:, k * size :][better] = k
        value = after
        chosen.append(took)
    return _Leaving(value, chosen)


def _entering(g: Ground, worth: Floats) -> _Entering:
    value = np.zeros((len(g.kinds), g.width + 1))
    chosen = np.full(value.shape, ABSENT)
    useful = [c for c in np.flatnonzero((worth > 0) & (g.size > 0)).tolist() if g.kinds[:, c].any()]
    for x in range(1, g.width + 1):
        value[:, x] = value[:, x - 1]
        for c in useful:
            if g.size[c] <= x:
                reach = np.where(g.kinds[:, c], value[:, x - g.size[c]] + worth[c], NEVER)
                better = reach > value[:, x] + _TINY
                value[better, x] = reach[better]
                chosen[better, x] = c
    return _Entering(value, chosen)


def _with_slots(g: Ground, entering: _Entering, side: int) -> tuple[Floats, Ints]:
    """[S, W+1] the value of room for items and slots, and how many slots that is."""
    value = entering.value[g.kind[side]]
    slots = np.zeros(value.shape, dtype=np.int64)
    plain = value.copy()
    for s in range(1, min(int(g.most[:, side].max(initial=0)), g.width // g.slot) + 1):
        reach = np.where((g.most[:, side] >= s)[:, None], plain[:, : g.width + 1 - s * g.slot] + s, NEVER)
        better = reach > value[:, s * g.slot :] + _TINY
        value[:, s * g.slot :][better] = reach[better]
        slots[:, s * g.slot :][better] = s
    return value, slots


def _side(g: Ground, leaving: _Leaving, gain: Floats, room: Ints, shifts: Ints) -> tuple[Floats, Ints]:
    """[S, D] the best value of a bin whose room is shifted by so much, and the units that leave it for that."""
    value = np.empty((len(room), len(shifts)))
    freed = np.empty(value.shape, dtype=np.int64)
    units = np.arange(g.width + 1)
    rows = np.arange(len(room))[:, None]
    for d, shift in enumerate(shifts.tolist()):
        left = room[:, None] + shift + units
        able = (left >= 0) & (left <= g.width)
        options = np.where(able, gain[rows, np.clip(left, 0, g.width)] + leaving.value, NEVER)
        freed[:, d] = options.argmax(axis=1)
        value[:, d] = options[rows[:, 0], freed[:, d]]
    return value, freed


@dataclass(frozen=True, eq=False, slots=True)
class _Across:
    """[S, D] the best change of the items across two bins for a balance of units on each, and what leaves for it."""

    value: Floats
    freed: Ints
    leaving: _Leaving


def _across(g: Ground, cost: Floats, entering: _Entering, shifts: Ints) -> _Across:
    leaving = _leaving(g, g.count[2], cost)
    value = np.full((len(g.place), len(shifts)), NEVER)
    freed = np.zeros(value.shape, dtype=np.int64)
    units = np.broadcast_to(np.arange(g.width + 1), leaving.value.shape)
    for taken in range(g.width + 1):
        part = slice(g.width - taken, 2 * g.width + 1 - taken)
        reach = leaving.value + entering.value[g.kind[2], taken][:, None]
        better = reach > value[:, part] + _TINY
        value[:, part][better] = reach[better]
        freed[:, part][better] = units[better]
    return _Across(value, freed, leaving)


def _trace_out(g: Ground, leaving: _Leaving, freed: Ints, out: Ints) -> None:
    rows, left = np.arange(len(freed)), freed.copy()
    for c in reversed(range(len(g.size))):
        took = leaving.chosen[c][rows, left].astype(np.int64)
        out[:, c] += took
        left -= took * g.size[c]


def _trace_in(g: Ground, entering: _Entering, kind: Ints, room: Ints, into: Ints) -> None:
    left, rows = room.copy(), np.arange(len(room))
    while (left > 0).any():
        put = entering.chosen[kind, left]
        real = put != ABSENT
        np.add.at(into, (rows[real], put[real]), 1)
        left = np.where(left > 0, left - np.where(real, g.size[put], 1), 0)
