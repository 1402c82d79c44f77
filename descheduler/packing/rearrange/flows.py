"""Which places should give up how many items of each kind, and which should take them, so that most room of one shape
comes free: identical items are counted, not named.

A bin holds room of R resources: a node, or one NUMA domain of a machine. A place is where one item can stand: one bin,
or two bins of the same site at once (a virtual machine spread over both NUMA domains, half on each). Moving any one of
a thousand alike items is the same, so the unknowns are whole numbers of items per class and place instead of one yes
or no for each pair of item and place.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints, Mask
from descheduler.packing.state import ABSENT


@dataclass(frozen=True, eq=False, slots=True)
class Budgets:
    """Q limits on what may move at once (disruption budgets): of the classes `members` [Q, C] no more than `most` [Q]
    items leave their places."""

    members: Mask
    most: Ints


@dataclass(frozen=True, eq=False, slots=True)
class Flows:
    """B bins, R resources, P places, C classes of alike items.

    `room` [B, R] free now (a bin that is overcommitted in any resource is left as it is); `bins` [P, 2] of each place,
    the second ABSENT where it is one bin; every bin is in at most one place of two. `demand` [C, R] of one item from
    every bin of its place; `count` [C, P] movable items; `allowed` [C, P] where they may go. `shape` [R] of the slots
    to gain, at most `most` [B] in a bin; `moves` that may be made at most. `group` [C] classes with the same number
    move whole or not at all, though some of it may come back to where it was; ABSENT for those that need not (None: no
    class does). `detours`: an item may go to a spare place first, where moves wait for one another in a circle.

    Raises:
        ValueError: shapes that do not fit one another, a demand below 0, a bin in two pairs.
    """

    room: Ints
    bins: Ints
    demand: Ints
    count: Ints
    allowed: Mask
    shape: Ints
    most: Ints
    moves: int
    budgets: Budgets | None = None
    group: Ints | None = None
    detours: bool = True
    partner: Ints = field(init=False, repr=False)
    """[B] the other bin of the site, or ABSENT."""

    def __post_init__(self) -> None:
        bins, resources = self.room.shape
        classes, places = self.count.shape
        shapes = (
            (self.bins, (places, 2)),
            (self.demand, (classes, resources)),
            (self.allowed, (classes, places)),
            (self.shape, (resources,)),
            (self.most, (bins,)),
        )
        if any(array.shape != shape for array, shape in shapes):
            raise ValueError("the arrays of the flows do not fit one another")
        if (self.demand < 0).any() or (self.count < 0).any() or not (self.shape > 0).any():
            raise ValueError("demands and counts are 0 or more, and the shape asks for something")
        first, second = self.bins[self.bins[:, 1] != ABSENT].T
        partner = np.full(bins, ABSENT, dtype=np.int64)
        partner[first], partner[second] = second, first
        if not (partner[first] == second).all() or not (partner[second] == first).all():
            raise ValueError("a bin is in two places of two bins")
        object.__setattr__(self, "partner", partner)

    @property
    def frozen(self) -> Mask:
        """[B] overcommitted bins, where nothing may change."""
        over: Mask = np.any(self.room < 0, axis=1)
        return over

    def load(self, amount: Ints) -> Ints:
        """[B, R] what `amount` [C, P] items take from the bins."""
        each = amount.T @ self.demand
        total = np.zeros_like(self.room)
        pair = self.bins[:, 1] != ABSENT
        np.add.at(total, self.bins[:, 0], each)
        np.add.at(total, self.bins[pair, 1], each[pair])
        return total

    def slots(self, change: Change) -> Ints:
        """[B] slots of the shape after the change; none in an overcommitted bin."""
        after = self.room - self.load(change.into) + self.load(change.out)
        return np.where(self.frozen, 0, fit(after, self.shape, self.most))

    def settled(self, change: Change) -> Change:
        """The same, without items that would leave a place which another of their class enters; those of a group may:
        they restart where they are."""
        both = np.minimum(change.out, change.into)
        if self.group is not None:
            both[self.group != ABSENT] = 0
        return Change(change.out - both, change.into - both)


@dataclass(frozen=True, eq=False, slots=True)
class Change:
    """`out` and `into` [C, P]: items of each class that leave and enter each place; as many enter as leave."""

    out: Ints
    into: Ints

    @property
    def moves(self) -> int:
        """Items that move."""
        return int(self.out.sum())


def nothing(flows: Flows) -> Change:
    """The change that moves no item."""
    return Change(np.zeros_like(flows.count), np.zeros_like(flows.count))


def fit(room: Ints, shape: Ints, most: Ints) -> Ints:
    """[B] how many of the shape fit in the room [B, R], at most `most` [B]."""
    asked = shape > 0
    fitting: Ints = np.clip((room[:, asked] // shape[asked]).min(axis=1), 0, most)
    return fitting


def faults(flows: Flows, change: Change) -> list[str]:
    """What is wrong with a change, in words; empty when it keeps every rule (the order of its moves left aside)."""
    after = flows.room + flows.load(change.out) - flows.load(change.into)
    touched = (flows.load(change.out) + flows.load(change.into)).any(axis=1)
    said = {
        "more leave than stand there": bool((change.out > flows.count).any() or (change.out < 0).any()),
        "items enter where they may not": bool((change.into > 0)[~flows.allowed].any() or (change.into < 0).any()),
        "not as many enter as leave": bool((change.out.sum(axis=1) != change.into.sum(axis=1)).any()),
        "more moves than allowed": change.moves > flows.moves,
        "a bin is overfull": bool((touched & (after < 0).any(axis=1)).any()),
        "an overcommitted bin changes": bool((touched & flows.frozen).any()),
    }
    leaving = change.out.sum(axis=1)
    if flows.budgets is not None:
        said["a budget is overdrawn"] = bool((flows.budgets.members @ leaving > flows.budgets.most).any())
    if flows.group is not None:
        said["a group is torn"] = any(
            leaving[flows.group == g].sum() not in (0, flows.count[flows.group == g].sum())
            for g in np.unique(flows.group[flows.group != ABSENT]).tolist()
        )
    return [words for words, wrong in said.items() if wrong]


@dataclass(frozen=True, eq=False, slots=True)
class Limited:
    """L rows over what leaves: `weight` [L, C] · leaving <= `most` [L] (all moves first, then the budgets), and the
    groups: `member` [G, C] of `size` [G] items, all or none of which leave."""

    weight: NDArray[np.float64]
    most: NDArray[np.float64]
    member: Mask
    size: Ints


def limited(flows: Flows) -> Limited:
    """The limits of the flows as rows."""
    classes = len(flows.demand)
    weight, most = np.ones((1, classes)), np.array([float(flows.moves)])
    if flows.budgets is not None:
        weight = np.concatenate([weight, flows.budgets.members])
        most = np.concatenate([most, flows.budgets.most])
    group = np.full(classes, ABSENT) if flows.group is None else flows.group
    names = np.unique(group[group != ABSENT])
    member = group[None, :] == names[:, None]
    return Limited(weight, most, member, member @ flows.count.sum(axis=1))
