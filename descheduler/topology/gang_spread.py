"""Gangs on network levels: the largest that would fit below one domain, and how far one is spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.topology.levels import Levels


def room_by_domain(levels: Levels, level: int, room: Ints) -> Ints:
    """[D] members that each domain of the level can hold; `room` [N] members that each node can."""
    return np.bincount(levels.domain[level], room, levels.size(level)).astype(np.int64)


def largest_gangs(levels: Levels, room: Ints) -> Ints:
    """[L] members of the largest gang that fits below one domain of each level (Koordinator's offer slots)."""
    return np.array([room_by_domain(levels, i, room).max(initial=0) for i in range(len(levels))], np.int64)


@dataclass(frozen=True, eq=False, slots=True)
class Spread:
    """Domains of each level that a gang uses, and the fewest that could hold it; `known` [L] no member is unplaced.

    Where a level is not known, nothing follows from its numbers.
    """

    used: Ints  # [L]
    fewest: Ints  # [L]
    known: Mask  # [L]


def spread(levels: Levels, nodes: Positions, room: Ints) -> Spread:
    """How K members on `nodes` [K] are spread, when node n could hold `room` [n] of them, its own ones counted.

    The fewest domains are those with the most room; a gang that fits nowhere needs as many as it uses.
    """
    used = np.array([len(np.unique(levels.domain[i, nodes])) for i in range(len(levels))], np.int64)
    fewest = np.array([_fewest(room_by_domain(levels, i, room), len(nodes)) for i in range(len(levels))], np.int64)
    known = np.asarray(levels.known[:, nodes].all(axis=1), np.bool_)
    return Spread(used, np.minimum(used, np.where(fewest > 0, fewest, used)), known)


def _fewest(room: Ints, members: int) -> int:
    """How many domains hold the members at least; 0 when all together do not."""
    total = np.cumsum(-np.sort(-room))
    return int(np.searchsorted(total, members)) + 1 if total.size and total[-1] >= members else 0
