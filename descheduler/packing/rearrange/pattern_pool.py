"""The flows by column generation: every site chooses one pattern, prices make the patterns of all sites agree.

    max  sum slots[j] x[j]                     x[j]: pattern j is chosen by its site
         sum (out[j] - into[j]) x[j] <= 0      per class: no more leave than places are offered
         sum out[j] x[j] within moves and budgets, groups whole or not at all
         sum over the patterns of a site <= 1

The relaxation (Dantzig and Wolfe 1960) is tight: fractions of a site's moves gain nothing. Its prices give the
patterns that are missing, and the Lagrangian bound tells how many slots no plan can exceed. The integer programme over
the patterns found so far then gives the plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from descheduler.model.arrays import Floats, Ints
from descheduler.packing.programme import Infeasible, Programme, Solution, SolveStatus, WorkLimits
from descheduler.packing.rearrange.flow_problem import FlowChange, FlowProblem, Limited, fit, limited, nothing
from descheduler.packing.rearrange.patterns import Ground, SitePatterns, ground, joined, price
from descheduler.packing.state import ABSENT

_NEW = 1e-7
"""A pattern that gains less than this on its site's price is no news."""
_CLOSE = 1e-3
"""Master and bound this near (in slots): more rounds would not change a whole number."""
_EPSILON = 1e-3
"""Slots that all moves together count against a plan, so that of equal plans the one with fewer moves wins."""


@dataclass(frozen=True, eq=False, slots=True)
class PatternPool:
    """The patterns found for `flows`, and the proven `bound` on the slots of any change."""

    flows: FlowProblem
    ground: Ground
    rows: Limited
    patterns: SitePatterns
    bound: float
    rounds: int

    @property
    def ceiling(self) -> int:
        """The bound as a whole number of slots."""
        return int(np.floor(self.bound + 1e-6))


@dataclass(frozen=True, eq=False, slots=True)
class PickedPatterns:
    """The patterns chosen (indices into the pool), the change they make, its slots, and whether the same work always
    ends here."""

    picked: Ints
    change: FlowChange
    slots: int
    repeatable: bool


def binding(flows: FlowProblem) -> Ints:
    """[K] resources that could ever run short, the one that decides first.

    Whatever stands in a bin keeps a ratio between two resources; where a bin has more of the second than the ratio
    asks of all its first, the second never runs short.
    """
    demand = np.concatenate([flows.demand, flows.shape[None]]).astype(np.float64)
    ever = np.maximum(flows.room + flows.load(flows.count), 0)
    short = []
    for q in range(len(flows.shape)):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(demand > 0, demand / demand[:, [q]], 0).max(axis=0)
        needed = np.where(ever[:, [q]] > 0, ratio * ever[:, [q]], 0)
        over = (needed > ever).any(axis=0)
        over[q] = True
        short.append(over)
    best = min(range(len(short)), key=lambda q: (not flows.shape[q], int(short[q].sum()), q))
    rest = np.flatnonzero(short[best])
    return np.concatenate([[best], rest[rest != best]]).astype(np.int64)


def generate(flows: FlowProblem, rounds: int = 100) -> PatternPool | None:
    """Patterns by pricing, until none is missing or `rounds` are done; None where amounts are too fine.

    With more than one binding resource the bound leaves out all but one (it holds, but may be out of reach), and the
    patterns that break the others are cut down to what has room, so that the best plan may be missing.
    """
    resources = binding(flows)
    g = ground(flows, int(resources[0]))
    if g is None or not g.slot:
        return None
    rows = limited(flows)
    pool = PatternPool(flows, g, rows, _still(flows, g), float("inf"), 0)
    balance = g.size * np.where(g.count[2].any(axis=1), 2, 1) / g.slot
    prices = _Prices(balance, np.full(len(rows.most), 0.4), np.zeros(len(rows.size)), np.full(len(g.place), np.inf))
    cut_down = [pool.patterns]
    for done in range(1, rounds + 1):
        epsilon = _EPSILON / max(1, flows.moves)
        best = price(g, prices.leaving(rows) + epsilon, prices.balance)
        limit = float(rows.most @ prices.limits + np.maximum(rows.size * prices.groups, 0).sum() + best.value.sum())
        pool = replace(pool, bound=min(pool.bound, limit + _EPSILON), rounds=done)
        new = best.value > prices.sites + _NEW if done > 1 else np.ones(len(best.value), dtype=np.bool_)
        fresh = best.patterns.pick(new)
        if not len(fresh):
            break
        if len(resources) > 1:
            cut_down.append(_cut_down(flows, g, fresh))
        pool = replace(pool, patterns=joined([pool.patterns, fresh]))
        master = _master(pool, relaxed=True)
        found = master.programme.solve(WorkLimits(), relaxed=True)
        if isinstance(found, Infeasible) or found.prices is None or pool.bound - found.objective < _CLOSE + _EPSILON:
            break
        prices = master.prices(found.prices)
    return replace(pool, patterns=joined(cut_down)) if len(resources) > 1 else pool


def choose(
    pool: PatternPool, limits: WorkLimits, *, barred: list[Ints] | None = None, fewest: bool = True
) -> PickedPatterns | Infeasible:
    """The best plan of the pool's patterns within the limits.

    `barred`: sets [K] of patterns that may not all be chosen together. `fewest`: of plans with as many slots, look for
    one with fewer moves.
    """
    master = _master(pool, relaxed=False, barred=barred or [])
    slots = pool.patterns.slots[:, None]
    master.programme.constrain(1, 0, master.patterns, slots[:, 0], upper=pool.ceiling)
    found = master.programme.solve(replace(limits, gap=max(limits.gap, 0.5 / max(1, pool.ceiling))))
    if isinstance(found, Infeasible):
        return found
    repeatable = found.status is not SolveStatus.TIME
    gained = float(pool.patterns.slots @ found.values[master.patterns])
    if fewest:
        master.programme.constrain(1, 0, master.patterns, slots[:, 0], lower=gained)
        better = master.programme.solve(replace(limits, nodes=min(limits.nodes, 200)))
        repeatable &= better.status is not SolveStatus.TIME
        found = better if isinstance(better, Solution) and better.objective > found.objective else found
    picked = np.flatnonzero(found.values[master.patterns] > 0.5)
    change = _change(pool, pool.patterns.pick(picked))
    return PickedPatterns(picked, change, int(pool.flows.slots(change).sum()), repeatable)


@dataclass(frozen=True, eq=False, slots=True)
class _Prices:
    """What one unit more of each row of the master is worth, in slots: `balance` [C], `limits` [L], `groups` [G],
    `sites` [S]."""

    balance: Floats
    limits: Floats
    groups: Floats
    sites: Floats

    def leaving(self, rows: Limited) -> Floats:
        """[C] what one item that leaves costs."""
        cost: Floats = self.balance + self.limits @ rows.weight + self.groups @ rows.member
        return cost


@dataclass(frozen=True, eq=False, slots=True)
class _Master:
    programme: Programme
    patterns: Ints
    classes: int
    limits: int
    groups: int

    def prices(self, rows: Floats) -> _Prices:
        """The prices of the rows by name."""
        parts = np.split(rows, np.cumsum([self.classes, self.limits, self.groups]))
        return _Prices(np.maximum(parts[0], 0), np.maximum(parts[1], 0), parts[2], np.maximum(parts[3], 0))


def _master(pool: PatternPool, *, relaxed: bool, barred: list[Ints] | None = None) -> _Master:
    patterns, rows, flows = pool.patterns, pool.rows, pool.flows
    out, into = patterns.out.sum(axis=1), patterns.into.sum(axis=1)
    leaving = out.sum(axis=1)
    cost = patterns.slots - leaving * (_EPSILON / max(1, flows.moves))
    if not relaxed:
        # A site that both gives and takes makes its moves wait for one another: of equal plans the one with fewer.
        cost = cost - 0.1 * _EPSILON / max(1, flows.moves) * ((leaving > 0) & into.any(axis=1))
    programme = Programme(maximise=True)
    columns = programme.add(len(patterns), cost=cost)
    chosen = programme.add(len(rows.size), upper=1)
    j, c = np.nonzero(out - into)
    programme.constrain(out.shape[1], c, columns[j], (out - into)[j, c], upper=0)
    weight = out @ rows.weight.T
    j, q = np.nonzero(weight)
    programme.constrain(len(rows.most), q, columns[j], weight[j, q], upper=rows.most)
    member = out @ rows.member.T
    j, q = np.nonzero(member)
    programme.constrain(
        len(rows.size),
        np.concatenate([q, np.arange(len(rows.size))]),
        np.concatenate([columns[j], chosen]),
        np.concatenate([member[j, q], -rows.size]),
        lower=0,
        upper=0,
    )
    programme.constrain(len(pool.ground.place), patterns.site, columns, upper=1)
    for together in barred or []:
        programme.constrain(1, 0, columns[together], upper=len(together) - 1)
    return _Master(programme, columns, out.shape[1], len(rows.most), len(rows.size))


def _still(flows: FlowProblem, g: Ground) -> SitePatterns:
    """Every site as it is."""
    now = np.append(flows.slots(nothing(flows)), 0)
    empty = np.zeros((len(g.place), 3, len(g.size)), dtype=np.int64)
    slots = np.where(g.bin == ABSENT, 0, now[g.bin]).sum(axis=1)
    return SitePatterns(np.arange(len(g.place)), empty, empty.copy(), slots)


def _cut_down(flows: FlowProblem, g: Ground, patterns: SitePatterns) -> SitePatterns:
    """The patterns without the entering items that find no room in some resource, and with the slots that do."""
    into = patterns.into.copy()
    rows = np.arange(len(patterns))
    bins = g.bin[patterns.site]
    room = np.where((bins == ABSENT)[:, :, None], 0, flows.room[bins])
    freed = patterns.out @ flows.demand
    while True:
        taken = into @ flows.demand
        left = room + freed[:, :2] + freed[:, 2:] - taken[:, :2] - taken[:, 2:]
        over = (left < 0) & (taken[:, :2] + taken[:, 2:] > 0)
        worst = over.reshape(len(rows), -1).argmax(axis=1)
        side, resource = np.divmod(worst, left.shape[2])
        short = rows[over.reshape(len(rows), -1).any(axis=1)]
        if not len(short):
            break
        # Of what enters the short bin, alone or across both, one item that asks most of the short resource goes.
        asked = flows.demand.T[resource[short]]
        alone, across = (np.where(into[short, at] > 0, asked, -1) for at in (side[short], 2))
        both = np.concatenate([alone, across], axis=1)
        where, which = np.divmod(both.argmax(axis=1), len(flows.demand))
        into[short, np.where(where == 0, side[short], 2), which] -= 1
    held = fit(left.reshape(-1, left.shape[2]), flows.shape, np.where(bins == ABSENT, 0, g.most[patterns.site]).ravel())
    return SitePatterns(patterns.site, patterns.out, into, held.reshape(-1, 2).sum(axis=1))


def _change(pool: PatternPool, patterns: SitePatterns) -> FlowChange:
    """The patterns as a change; places that were offered and not needed are dropped, those of busy sites first."""
    flows, g = pool.flows, pool.ground
    change = FlowChange(np.zeros_like(flows.count), np.zeros_like(flows.count))
    for side in range(3):
        place = g.place[patterns.site, side]
        real = place != ABSENT
        np.add.at(change.out.T, place[real], patterns.out[real, side])
        np.add.at(change.into.T, place[real], patterns.into[real, side])
    busy = np.zeros(flows.count.shape[1], dtype=np.bool_)
    place = g.place[patterns.site[patterns.out.any(axis=(1, 2))]]
    busy[place[place != ABSENT]] = True
    order = np.argsort(~busy, kind="stable")
    spare = change.into.sum(axis=1) - change.out.sum(axis=1)
    offered = change.into[:, order]
    before = np.cumsum(offered, axis=1) - offered
    change.into[:, order] = offered - np.clip(spare[:, None] - before, 0, offered)
    return flows.settled(change)
