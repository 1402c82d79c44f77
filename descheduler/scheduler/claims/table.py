"""Which claims are allocated, to what and for whom, in one state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from descheduler.model.arrays import Mask
from descheduler.model.dra import MOST_PODS, ClaimedDevice
from descheduler.model.fence import fenced
from descheduler.scheduler.claims.demands import Demand
from descheduler.scheduler.claims.pools import Pools
from descheduler.scheduler.claims.search import MOST_STEPS, CannotJudge, Granted, Search
from descheduler.scheduler.claims.uses import Uses
from descheduler.scheduler.claims.wanted import Claims, Existing, Wanted

_ALL_STEPS = 1_000_000
"""Of all searches in one snapshot: some seconds."""


@dataclass(frozen=True, eq=False, slots=True)
class Standing:
    """A claim of the snapshot in one state: for how many it is reserved, and what it has.

    `where` [N] are the nodes that can use what it has, None: all. What is not allocated has no devices.
    """

    users: int
    allocated: bool
    devices: tuple[ClaimedDevice, ...] = ()
    where: Mask | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Holding:
    """What one pod has: claims of the snapshot, and devices by claims of its own that are made with it."""

    claims: tuple[int, ...] = ()
    own: tuple[ClaimedDevice, ...] = ()


class Base:
    """What never changes: pools, the claims as they are in the snapshot, and what was found out about devices."""

    def __init__(self, pools: Pools, standing: Sequence[Standing], lasting: frozenset[int]) -> None:
        self.pools = pools
        self.standing = standing
        self.lasting = lasting  # claims that stay allocated whoever leaves
        self._steps = _ALL_STEPS
        self._found: dict[tuple[object, ...], tuple[tuple[Granted, ...], ...] | str | None] = {}

    def search(
        self, demands: tuple[Demand, ...], node: int, uses: Uses
    ) -> tuple[tuple[Granted, ...], ...] | str | None:
        """What new claims are given on a node; None: there is not enough, a text: why it cannot be judged."""
        if self.pools.blind[node]:
            return None
        key = (demands, node, uses.mark(pool.key for pool in self.pools.of_node(node)))
        if key not in self._found:
            self._found[key] = fenced(partial(self._searched, demands, node, uses), str)
        return self._found[key]

    def _searched(
        self, demands: tuple[Demand, ...], node: int, uses: Uses
    ) -> tuple[tuple[Granted, ...], ...] | str | None:
        search = Search(demands, node, self.pools, uses, min(self._steps, MOST_STEPS))
        try:
            return search.run()
        except CannotJudge as failed:
            return str(failed)
        finally:
            self._steps = max(0, self._steps - search.steps)


class ClaimTable:
    """One state. Copies share what neither has changed."""

    def __init__(
        self, base: Base, uses: Uses, standing: dict[int, Standing], holding: dict[int, Holding | None]
    ) -> None:
        self._base, self.uses = base, uses
        self._standing, self._holding = standing, holding

    def fork(self) -> ClaimTable:
        return ClaimTable(self._base, self.uses.fork(), dict(self._standing), dict(self._holding))

    def standing(self, claim: int) -> Standing:
        return self._standing.get(claim) or self._base.standing[claim]

    def give(self, holder: int, initial: Sequence[int] = ()) -> None:
        """The holder leaves; `initial` are the claims that it holds in the snapshot, for one that never changed."""
        found = self._holding[holder] if holder in self._holding else Holding(tuple(initial))
        if found is None:
            return
        self._holding[holder] = None
        self.uses.shift(found.own, -1)
        for claim in found.claims:
            now = self.standing(claim)
            left = now.users - 1
            if left > 0 or claim in self._base.lasting or not now.allocated:
                self._standing[claim] = Standing(left, now.allocated, now.devices, now.where)
            else:
                # Nobody has it any more: what it had is taken from it (kubernetes pkg/controller/resourceclaim).
                self.uses.shift(now.devices, -1)
                self._standing[claim] = Standing(0, allocated=False)

    def take_back(self, holder: int, claims: Sequence[int]) -> None:
        """The holder has the claims of the snapshot again, as they were."""
        self._holding[holder] = Holding(tuple(claims))
        for claim in claims:
            now, before = self.standing(claim), self._base.standing[claim]
            if before.allocated and not now.allocated:
                self.uses.shift(before.devices, 1)
                now = Standing(now.users, True, before.devices, before.where)
            self._standing[claim] = Standing(now.users + 1, now.allocated, now.devices, now.where)

    def take(self, holder: int, node: int, wanted: Wanted) -> tuple[ClaimedDevice, ...]:
        """The holder gets what it wants on a node, as far as it is there; returns the devices that are new."""
        claims = wanted.on(node)
        existing = [one for one in claims if isinstance(one, Existing)]
        new = [one for one in claims if self.demand(one) is not None]
        found = self._base.search(tuple(d for one in new if (d := self.demand(one)) is not None), node, self.uses)
        granted = found if isinstance(found, tuple) else tuple(() for _ in new)
        own: list[ClaimedDevice] = []
        for one, devices in zip(new, granted, strict=True):
            given = tuple(each.device for each in devices)
            self.uses.shift(given, 1)
            if isinstance(one, Existing):
                where = _where(self._base.pools, devices, node)
                self._standing[one.at] = Standing(self.standing(one.at).users, bool(devices), given, where)
            else:
                own.extend(given)
        for one in existing:
            now = self.standing(one.at)
            self._standing[one.at] = Standing(now.users + 1, now.allocated, now.devices, now.where)
        self._holding[holder] = Holding(tuple(one.at for one in existing), tuple(own))
        return tuple(each.device for devices in granted for each in devices)

    def demand(self, one: Existing | Demand) -> Demand | None:
        """What must be allocated; None for a claim that is."""
        if isinstance(one, Existing):
            return None if self.standing(one.at).allocated else one.demand
        return one

    def demands(self, claims: Claims) -> tuple[Demand, ...]:
        """What of these must be allocated."""
        return tuple(demand for one in claims if (demand := self.demand(one)) is not None)

    def full(self, wanted: Wanted) -> bool:
        """Whether a claim is reserved for as many pods as it can be."""
        return any(isinstance(one, Existing) and self.standing(one.at).users >= MOST_PODS for one in wanted.claims)

    def elsewhere(self, wanted: Wanted) -> Mask | None:
        """[N] nodes that can use everything that is allocated already; None: all can."""
        out: Mask | None = None
        for one in wanted.claims:
            if isinstance(one, Existing) and (where := self.standing(one.at).where) is not None:
                out = where if out is None else out & where
        return out


def _where(pools: Pools, devices: Iterable[Granted], node: int) -> Mask | None:
    """[N] from where what was given on a node can be used (`createNodeSelector`)."""
    out: Mask | None = None
    for one in devices:
        found, facts = one.candidate.slice, one.candidate.facts
        reach = facts.reach if found.per_device else found.reach
        if reach is not None and (reach.node or facts.binds_to_node):
            alone = np.zeros(len(pools.blind), np.bool_)
            alone[node] = True
            return alone
        if reach is not None and reach.terms is not None:
            mask = pools.selected(reach.terms)
            out = mask if out is None else out & mask
    return out
