"""The relaxation solved for given prices: a bound for every node, and the rearrangement that attains it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from descheduler.model.arrays import Floats, Indices
from descheduler.packing.fragmentation.relaxed import NodeGroup, Relaxed

_SAME = 1e-9


@dataclass(frozen=True, eq=False, slots=True)
class Prices:
    """`host` [S] what a node is paid for taking an item of a shape; `move` of a unit of cost; `cpu` [Θ] ascending."""

    host: Floats
    move: float
    cpu: Floats


@dataclass(frozen=True, eq=False, slots=True)
class PricedNodes:
    """What all nodes together gain at most (`total`), the cost of the moves that attain it, and how many items of each
    shape are taken more than given away (`surplus` [S])."""

    total: float
    cost: float
    surplus: Floats


@dataclass(frozen=True, eq=False, slots=True)
class PricedGroup:
    """A group at the prices: `best` [Q + 1, J, Θ] of a rest and which class comes first (`choice`, -1 none); `ways`
    [rows, J, Θ]; `paid` [T] for giving a type away; `levels` [N, J] the value at each level, `value` [N] the largest;
    the level and price of CPU where it is attained."""

    best: Floats
    choice: NDArray[np.int32]
    ways: Floats
    paid: Floats
    levels: Floats
    value: Floats
    level: Indices
    price: Indices


def _rest(group: NodeGroup, relaxed: Relaxed, prices: Prices) -> tuple[Floats, NDArray[np.int32]]:
    """What a rest of a device is worth with the best that can be added to it."""
    classes = group.classes[relaxed.milli[group.classes] > 0]
    income = prices.host[classes, None] * relaxed.share[classes, None]
    income = income - prices.cpu * (relaxed.cpu * relaxed.share)[classes, None]
    sizes, which = np.unique(relaxed.milli[classes], return_inverse=True)
    lead = np.full((len(sizes), len(prices.cpu)), -np.inf)
    who = np.full(lead.shape, -1, np.int32)
    for row in range(len(classes)):
        better = income[row] > lead[which[row]]
        lead[which[row]] = np.where(better, income[row], lead[which[row]])
        who[which[row]] = np.where(better, classes[row], who[which[row]])
    levels, units = group.usable.shape
    best = np.empty((units, levels, len(prices.cpu)))
    choice = np.full(best.shape, -1, np.int32)
    for rest in range(units):
        best[rest] = group.usable[:, rest, None]
        fitting = int(np.searchsorted(sizes, rest, side="right"))
        if fitting:
            tried = best[rest - sizes[:fitting]] + lead[:fitting, None]
            top = tried.argmax(axis=0)
            found = np.take_along_axis(tried, top[None], axis=0)[0]
            better = found > best[rest] + _SAME
            choice[rest] = np.where(better, np.take_along_axis(who, top, axis=0), -1)
            best[rest] = np.where(better, found, best[rest])
    return best, choice


def solve(group: NodeGroup, relaxed: Relaxed, prices: Prices) -> PricedGroup:
    parts, theta = relaxed.parts, prices.cpu
    best, choice = _rest(group, relaxed, prices)
    paid = prices.move * parts.cost + prices.host[parts.shape] * parts.share
    ways = best[group.left]
    ways -= (group.kept[:, None] * theta)[:, None] + (group.gone @ paid)[:, None, None]
    levels = len(group.need)
    total = np.zeros((len(group.nodes), levels, len(theta)))
    if len(group.first):
        devices = np.maximum.reduceat(ways, group.first, axis=0)
        total += (group.devices @ devices.reshape(len(devices), -1)).reshape(total.shape)
    stay = -parts.cpu[:, None] * theta
    total += (group.loose @ np.where(parts.movable[:, None], np.maximum(stay, -paid[:, None]), stay))[:, None]
    total += (group.room[:, None] - group.need)[:, :, None] * theta
    total += (group.room[:, None] * np.maximum(loose_income(group, relaxed, prices)[0] - theta, 0.0))[:, None]
    total[group.need > group.room[:, None]] = -np.inf
    at = total.argmin(axis=2)
    least = np.take_along_axis(total, at[:, :, None], axis=2)[:, :, 0]
    level = least.argmax(axis=1)
    rows = np.arange(len(level))
    return PricedGroup(best, choice, ways, paid, least, least[rows, level], level, at[rows, level])


def loose_income(group: NodeGroup, relaxed: Relaxed, prices: Prices) -> tuple[float, int]:
    """The most that a unit of CPU earns with a shape without devices, and which shape that is."""
    classes = group.classes[(relaxed.milli[group.classes] == 0) & (relaxed.cpu[group.classes] > 0)]
    if not len(classes):
        return 0.0, -1
    earns = prices.host[classes] / relaxed.cpu[classes]
    return float(earns.max()), int(classes[earns.argmax()])


@dataclass(frozen=True, eq=False, slots=True)
class _Made:
    """What attains the value of each node of a group: cost and CPU used [N], and what comes less what goes, as entries
    (`entry` into the nodes, `shape`, `amount`)."""

    cost: Floats
    used: Floats
    entry: Indices
    shape: Indices
    amount: Floats


def _make(group: NodeGroup, relaxed: Relaxed, prices: Prices, solved: PricedGroup, price: Indices) -> _Made:
    """At the chosen level of each node and the prices of CPU [N]."""
    parts, level, size = relaxed.parts, solved.level, len(group.nodes)
    grouped = group.devices.tocoo()
    node, device, times = grouped.row, grouped.col, grouped.data
    ends = np.append(group.first[1:], len(group.left))
    many = ends[device] - group.first[device]
    start = np.cumsum(many) - many
    of = np.repeat(np.arange(len(node)), many)
    row = group.first[device][of] + np.arange(len(of)) - start[of]
    worth = solved.ways[row, level[node][of], price[node][of]]
    top = np.maximum.reduceat(worth, start) if len(start) else worth
    hits = np.flatnonzero(worth >= top[of] - _SAME)
    chosen = row[hits[np.unique(of[hits], return_index=True)[1]]] if len(hits) else row
    gone = csr_array(group.gone[chosen]).tocoo()
    entry: list[Indices] = [node[gone.row].astype(np.intp)]
    shape: list[Indices] = [parts.shape[gone.col]]
    amount = [-gone.data * times[gone.row] * parts.share[gone.col]]
    cost, used = np.zeros(size), np.zeros(size)
    cost += np.bincount(node[gone.row], gone.data * times[gone.row] * parts.cost[gone.col], size)
    used += np.bincount(node, times * group.kept[chosen], size)
    rest, here = group.left[chosen].copy(), np.arange(len(node))
    while len(here):
        add = solved.choice[rest[here], level[node[here]], price[node[here]]]
        here, add = here[add >= 0], add[add >= 0]
        entry.append(node[here].astype(np.intp))
        shape.append(add.astype(np.intp))
        amount.append(times[here] * relaxed.share[add])
        used += np.bincount(node[here], times[here] * relaxed.share[add] * relaxed.cpu[add], size)
        rest[here] -= relaxed.milli[add]
    loose = group.loose.tocoo()
    leaves = parts.movable[loose.col] & (solved.paid[loose.col] < prices.cpu[price[loose.row]] * parts.cpu[loose.col])
    entry.append(loose.row[leaves].astype(np.intp))
    shape.append(parts.shape[loose.col[leaves]])
    amount.append(-loose.data[leaves])
    cost += np.bincount(loose.row[leaves], loose.data[leaves] * parts.cost[loose.col[leaves]], size)
    used += np.bincount(loose.row[~leaves], loose.data[~leaves] * parts.cpu[loose.col[~leaves]], size)
    income, which = loose_income(group, relaxed, prices)
    takes = np.flatnonzero(income > prices.cpu[price])
    entry.append(takes)
    shape.append(np.full(len(takes), which))
    amount.append(group.room[takes] / relaxed.cpu[which])
    used[takes] += group.room[takes]
    return _Made(cost, used, np.concatenate(entry), np.concatenate(shape), np.concatenate(amount))


def priced_nodes(relaxed: Relaxed, prices: Prices) -> PricedNodes:
    """The nodes at these prices; where the CPU falls between two rearrangements of a node, their mixture."""
    total, cost, surplus = 0.0, 0.0, np.zeros(len(prices.host))
    for group in relaxed.groups:
        solved = solve(group, relaxed, prices)
        value = solved.value + relaxed.value[group.nodes]
        total += float(np.maximum(value, 0.0).sum())
        one = _make(group, relaxed, prices, solved, solved.price)
        spare = group.room - group.need[solved.level]
        other = np.where(one.used > spare, solved.price + 1, solved.price - 1).clip(0, len(prices.cpu) - 1)
        two = _make(group, relaxed, prices, solved, other)
        apart = two.used - one.used
        share = np.divide(spare - one.used, apart, out=np.zeros(len(apart)), where=apart != 0).clip(0.0, 1.0)
        for made, part in ((one, (1 - share) * (value > 0)), (two, share * (value > 0))):
            cost += float(made.cost @ part)
            surplus += np.bincount(made.shape, made.amount * part[made.entry], len(surplus))
    return PricedNodes(total, cost, surplus)
