"""What is asked for (members of a shape, gangs all or none, in one domain), and the answers.

A whole free slot is the plainest request: one member, any number of them wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Ints, Mask
from descheduler.packing.state import ABSENT, WHOLE, Packing, Step


@dataclass(frozen=True, eq=False, slots=True)
class Demand:
    """What one member takes of one node: `amounts` [R], `milli` of each of `gpus` devices.

    `nodes` [N] where it may stand (None: anywhere).
    """

    amounts: tuple[int, ...]
    gpus: int = 0
    milli: int = WHOLE
    nodes: Mask | None = None

    def __post_init__(self) -> None:
        if min(self.amounts, default=0) < 0 or self.gpus < 0 or (self.gpus and not 0 < self.milli <= WHOLE):
            raise ValueError(f"amounts {self.amounts}, {self.gpus} devices of {self.milli}: not a demand")
        if not self.gpus and not any(self.amounts):
            raise ValueError("a demand for nothing has no end")

    def mask(self, size: int) -> Mask:
        """[N] nodes on which it may stand."""
        return np.ones(size, np.bool_) if self.nodes is None else self.nodes


@dataclass(frozen=True, eq=False, slots=True)
class Request:
    """`members` of one demand, all or none, worth `worth` together.

    With `domain` [N] (ids of racks, blocks, …; ABSENT: the node belongs to none), all in one domain.
    """

    demand: Demand
    members: int = 1
    worth: float = 1.0
    domain: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        if self.members < 1 or not self.worth > 0:
            raise ValueError(f"{self.members} members worth {self.worth}: not a request")


@dataclass(frozen=True, eq=False, slots=True)
class Allowance:
    """At most `moves` pods move.

    `group` [P] ids of gangs that move whole or not at all (ABSENT: the item moves alone); `budget` [P] ids of
    disruption budgets (ABSENT: none), of which `allowed` [B] items may move.
    """

    moves: int
    group: NDArray[np.int32] | None = None
    budget: NDArray[np.int32] | None = None
    allowed: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class RoomEffort:
    """How hard to search, in work and never in seconds.

    `nodes` of a branch-and-bound tree; `rounds` in which a choice that finds no places is corrected; `exact` the
    largest programme (variables) that holds every node and device; `gap` the share of the bound within which neither
    better plans nor better bounds are looked for.
    """

    nodes: int = 200
    rounds: int = 8
    exact: int = 4000
    gap: float = 0.03


@dataclass(frozen=True, slots=True)
class Opened:
    """Slots of one shape: how many `before` and `after` the `steps`, which can be done in order.

    No plan within the limits reaches more than `bound`; `optimal` when this one reaches it.
    """

    steps: tuple[Step, ...]
    before: int
    after: int
    bound: int
    nodes: tuple[int, ...] = ()  # those with more slots than before

    @property
    def optimal(self) -> bool:
        return self.after >= self.bound


@dataclass(frozen=True, slots=True)
class Admitted:
    """Which requests (positions, ascending) fit after the `steps`, and on which node each of their members stands.

    `places[i][j]` is the node of member j of request `admitted[i]`. `worth` is their sum, which no plan within the
    limits can raise above `bound`.
    """

    admitted: tuple[int, ...] = ()
    places: tuple[tuple[int, ...], ...] = ()
    steps: tuple[Step, ...] = ()
    worth: float = 0.0
    bound: float = 0.0
    held: tuple[tuple[int, ...], ...] = field(default=())  # devices (bits) of each member, as `places`

    @property
    def optimal(self) -> bool:
        return self.worth >= self.bound - 1e-6


def slots(packing: Packing, demand: Demand) -> Ints:
    """[N] members of the demand that each node could take now, one beside the other."""
    amounts = np.asarray(demand.amounts, np.int64)
    room = np.full(len(packing.free), np.iinfo(np.int64).max)
    for r in np.flatnonzero(amounts).tolist():
        room = np.minimum(room, np.maximum(packing.free[:, r], 0) // amounts[r])
    if demand.gpus:
        room = np.minimum(room, _on_devices(packing.devices, demand))
    sound = (packing.free >= 0).all(axis=1)
    return np.where(demand.mask(len(room)) & sound, room, 0)


def _on_devices(devices: NDArray[np.int32], demand: Demand) -> Ints:
    """[N] members that the devices alone would take; none takes a device twice."""
    shares = np.maximum(devices, 0).astype(np.int64) // demand.milli
    most = shares.sum(axis=1) // demand.gpus
    if demand.gpus > 1 and demand.milli < WHOLE:
        while True:  # j members take of a device j shares at most
            fewer = np.minimum(shares, most[:, None]).sum(axis=1) // demand.gpus
            if (fewer >= most).all():
                break
            most = np.minimum(fewer, most)
    return np.asarray(most)


def movable(packing: Packing, limits: Allowance) -> Mask:
    """[P] items that may move: placed, movable, and so is everything that has to move with them."""
    able: Mask = packing.movable & (packing.node != ABSENT)
    if limits.group is not None:
        tied = limits.group != ABSENT
        size = np.zeros(int(limits.group.max(initial=ABSENT)) + 1, np.int64)
        np.add.at(size, limits.group[tied & able], 1)
        whole = np.zeros_like(size)
        np.add.at(whole, limits.group[tied], 1)
        stays = size != whole
        able = able & ~(tied & stays[np.where(tied, limits.group, 0)]) if len(size) else able
    return able
