"""Stuck gangs as arrays: what they hold, what they lack, and who would let go of it for whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats, Ints
from descheduler.packing.letting_go import Account, Job, let_go
from descheduler_strategies.elastic_quotas import elastic_quotas
from descheduler_strategies.partial_gangs.stuck import Stuck
from descheduler_strategies.releases import holder, members, seated, without

_LARGEST = 2e4
"""No weight is larger, for the solver's tolerances are relative: the more gangs, the fewer priorities weigh apart. That
nobody lets go for a lower one holds for all."""


@dataclass(frozen=True, slots=True)
class Untangled:
    """Positions of the gangs that let go, and of those that start then, with a node for each of their waiting members.

    `roomy` have room as things are, and `hopeless` would have none if all others of no higher priority let go.
    """

    released: tuple[int, ...]
    started: Mapping[int, tuple[tuple[int, int], ...]]
    roomy: Mapping[int, tuple[tuple[int, int], ...]]
    hopeless: frozenset[int]


def untangle(view: RebalanceView, gangs: Sequence[Stuck]) -> Untangled:
    """As few gangs as possible let go so that all others start, those of the lowest priority first, then those that
    cost least. Nobody does who may not, nobody for one of a lower priority, and nobody for nothing."""
    everybody = range(len(gangs))
    knot = _Knot(view, gangs)
    roomy, _ = knot.solve(everybody, (), knot.free)
    left = [at for at in everybody if at not in roomy]
    free = knot.free_with(roomy)
    hopeless = frozenset(at for at in left if not knot.could_start(at, left, free))
    started, released = knot.solve(left, left, free, hopeless)
    return Untangled(released if started else (), knot.seats(started), knot.seats(roomy), hopeless)


class _Knot:
    def __init__(self, view: RebalanceView, gangs: Sequence[Stuck]) -> None:
        self._view, self._gangs = view, gangs
        state = view.what_if()
        self.free: Ints = state.free().astype(np.int64)  # [N, R]
        self._quotas = elastic_quotas(view)
        cleared = without(state, (pod for gang in gangs for pod in gang.holding))
        weights = _weights(view, gangs)
        # Of two that could start with one another's room, the scheduler takes the one of the higher priority.
        self._missed = (float(weights.sum()) + 1.0) * (1.0 + _ranks(gangs))
        self._held = {
            at: holder(view, state, gang.holding, float(weights[at]))
            for at, gang in enumerate(gangs)
            if view.releasable[list(gang.holding)].all()
        }
        self._members = [members(view, cleared, gang.waiting, gang.inside) for gang in gangs]

    def solve(
        self, waiting: Sequence[int], holding: Sequence[int], free: Ints, hopeless: Collection[int] = ()
    ) -> tuple[dict[int, tuple[int, ...]], tuple[int, ...]]:
        """Who of the `waiting` starts, with nodes, and who of the `holding` lets go for it; `hopeless` ones need not
        start. Quotas are kept."""
        if all(at in hopeless for at in waiting):
            return {}, ()
        may = [at for at in holding if at in self._held]
        position = {at: h for h, at in enumerate(may)}
        jobs = [
            Job(self._members[at], 0.0 if at in hopeless else float(self._missed[at]), position.get(at, -1))
            for at in waiting
        ]
        held, accounts = [self._held[at] for at in may], self._accounts(waiting, may)
        answer = let_go(free, jobs, held, accounts, self._never(waiting, may))
        started = {waiting[job]: nodes for job, nodes in answer.places.items()}
        return started, tuple(may[h] for h in answer.released)

    def could_start(self, at: int, others: Sequence[int], free: Ints) -> bool:
        """Whether the gang would have room if all others that may for it let go of what they hold."""
        free, mine = free.copy(), self._gangs[at].priority
        able = (one for one in others if one != at and self._gangs[one].priority <= mine)
        for held in (self._held[one] for one in able if one in self._held):
            np.add.at(free, held.nodes, held.amounts)
        return bool(let_go(free, [Job(self._members[at], 1.0)], []).places)

    def free_with(self, places: Mapping[int, Sequence[int]]) -> Ints:
        """[N, R] what is free once these have started."""
        free = self.free.copy()
        for at, nodes in places.items():
            rows = [one.amounts for one in self._members[at] for _ in range(one.count)]
            np.subtract.at(free, list(nodes), np.array(rows))
        return free

    def seats(self, places: Mapping[int, Sequence[int]]) -> dict[int, tuple[tuple[int, int], ...]]:
        """(pod, node) of the waiting members of each gang."""
        return {at: seated(self._view, self._gangs[at].waiting, nodes) for at, nodes in places.items()}

    def _accounts(self, waiting: Sequence[int], holding: Sequence[int]) -> list[Account]:
        """The quotas of their namespaces, as rows."""

        def of(namespace: str, gangs: Sequence[int]) -> tuple[int, ...]:
            return tuple(i for i, at in enumerate(gangs) if self._gangs[at].namespace == namespace)

        quotas, least = self._quotas, np.full(self.free.shape[1], -np.inf)
        found = [
            Account(of(name, waiting), of(name, holding), least, most - used)
            for name, most, used in zip(quotas.namespaces, quotas.most, quotas.used, strict=True)
        ]
        if quotas.namespaces:
            each = [(one.jobs, one.holders) for one in found]
            jobs, holders = (tuple(at for one in part for at in one) for part in zip(*each, strict=True))
            found.append(Account(jobs, holders, least, quotas.unused))
        return found

    def _never(self, waiting: Sequence[int], may: Sequence[int]) -> list[tuple[int, int]]:
        """(holder, job) of those who would let go for one of a lower priority that could have what they hold."""
        return [
            (h, job)
            for h, high in enumerate(may)
            for job, low in enumerate(waiting)
            if self._gangs[high].priority > self._gangs[low].priority and self._meet(high, low)
        ]

    def _meet(self, high: int, low: int) -> bool:
        held = self._held[high].nodes
        return self._gangs[high].namespace == self._gangs[low].namespace or any(
            bool(one.nodes[held].any()) for one in self._members[low]
        )


def _weights(view: RebalanceView, gangs: Sequence[Stuck]) -> Floats:
    """[G] one gang of a higher priority outweighs all of lower ones; of the lowest each counts one, and the costs of
    all together less than that."""
    costs = np.array([float(view.costs[list(gang.holding)].sum()) for gang in gangs])
    rank = _ranks(gangs)
    weights: Floats = (len(gangs) + 1.0) ** rank + 0.5 * costs / max(costs.sum(), 1.0)
    return weights


def _ranks(gangs: Sequence[Stuck]) -> Floats:
    """[G] the place of each gang's priority among those that there are, the lowest 0."""
    levels = sorted({gang.priority for gang in gangs})
    highest = int(np.log(_LARGEST) / np.log(len(gangs) + 1.0))
    return np.array([min(levels.index(gang.priority), highest) for gang in gangs], np.float64)
