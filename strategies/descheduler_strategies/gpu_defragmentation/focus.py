"""Which nodes of a large pool a search looks at: those cheapest to vacate, and those that can best take what leaves.

A plan moves a few dozen pods whatever the size of the cluster, so nodes that would take many moves to open, and empty
ones that would only be broken into, need not be looked at. What no plan can exceed is counted over all nodes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints, Mask
from descheduler.packing.make_room.demands import Demand
from descheduler.packing.state import WHOLE, Packing

CANDIDATES = 192
HOSTS = 192
"""How many nodes of each kind are looked at, with an effort of 1."""
NEVER = np.iinfo(np.int64).max // 4


def focus(packing: Packing, demand: Demand, pool: Mask, effort: float) -> Mask:
    """[N] the nodes of the pool to look at; all of them when they are few."""
    candidates, hosts = max(1, round(CANDIDATES * effort)), max(1, round(HOSTS * effort))
    if int(pool.sum()) <= candidates + hosts:
        return pool
    least = fewest_moves(packing, demand)
    free = np.where(packing.devices > 0, packing.devices, 0).sum(axis=1)
    taken = np.where(packing.devices >= 0, WHOLE - packing.devices, 0).sum(axis=1)
    out = np.zeros(len(pool), np.bool_)
    openable = np.flatnonzero(pool & demand.mask(len(pool)) & (least < NEVER))
    out[openable[np.lexsort((openable, taken[openable], least[openable]))][:candidates]] = True
    able = np.flatnonzero(pool & ~out & (free > 0) & (taken > 0))
    out[able[np.lexsort((able, -taken[able]))][:hosts]] = True
    return out


def fewest_moves(packing: Packing, demand: Demand) -> Ints:
    """[N] at least so many items must leave before a member of the demand fits, by whole devices alone; NEVER if none.

    The items that hold most devices leave first; a node on which the member fits already counts 0.
    """
    size = len(packing.free)
    whole = (packing.devices >= demand.milli).sum(axis=1)
    lacking = np.maximum(demand.gpus - whole, 0).astype(np.int64)
    items = np.flatnonzero(packing.movable & (packing.node >= 0) & (packing.held != 0))
    frees = _devices(packing.held[items])
    node = packing.node[items]
    order = np.lexsort((-frees, node))
    node, frees = node[order], frees[order]
    first = np.searchsorted(node, np.arange(size))
    before = np.concatenate(([0], np.cumsum(frees)))
    got = before[1:] - before[first[node]]  # devices freed by this item and the larger ones of its node
    enough = got >= lacking[node]
    out = np.full(size, NEVER)
    rank = np.arange(len(node)) - first[node] + 1
    np.minimum.at(out, node[enough], rank[enough])
    out[lacking == 0] = 0
    return out


def most_openable(least: Ints, nodes: Mask, moves: int) -> int:
    """No plan of so many moves opens more of the nodes [N] than this: the cheapest, one after the other."""
    costs = np.sort(least[nodes & (least > 0) & (least < NEVER)])
    return int(np.searchsorted(np.cumsum(costs), moves, side="right"))


def _devices(held: NDArray[np.int64]) -> Ints:
    """[P] how many devices each item holds."""
    bits = (held[:, None] >> np.arange(64)) & 1
    out: Ints = bits.sum(axis=1)
    return out
