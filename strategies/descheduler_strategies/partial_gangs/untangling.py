"""Stuck gangs as arrays: what they hold, what they lack, and who would let go of it for whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Ints, Mask
from descheduler.packing.letting_go import Account, Holder, Job, Members, let_go
from descheduler_strategies.elastic_quotas import elastic_quotas
from descheduler_strategies.partial_gangs.stuck import Stuck

_LEVELS = 5
"""Priorities above so many are not told apart."""


@dataclass(frozen=True, slots=True)
class Untangled:
    """Positions of the gangs that let go, and of those that start then, with a node for each of their waiting members.

    `roomy` have room as things are, and `hopeless` would have none if all others let go.
    """

    released: tuple[int, ...]
    started: Mapping[int, tuple[tuple[int, int], ...]]
    roomy: Mapping[int, tuple[tuple[int, int], ...]]
    hopeless: frozenset[int]


def untangle(view: RebalanceView, gangs: Sequence[Stuck]) -> Untangled:
    """As few gangs as possible let go so that all others start, those of the lowest priority first, then those that
    cost least. Nobody does who may not, and nobody for nothing."""
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
        cleared = state.fork()
        for gang in gangs:
            for pod in gang.holding:
                cleared.remove(pod)
        weights = _weights(view, gangs)
        # Of two that could start with one another's room, the scheduler takes the one of the higher priority.
        self._missed = (float(weights.sum()) + 1.0) * (1.0 + _ranks(gangs))
        self._held = {
            at: self._holder(state, gang, weights[at])
            for at, gang in enumerate(gangs)
            if view.releasable[list(gang.holding)].all()
        }
        self._types = [_alike(view, gang) for gang in gangs]
        self._members = [
            tuple(self._alike(cleared, gang, pods) for pods in types)
            for gang, types in zip(gangs, self._types, strict=True)
        ]

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
        answer = let_go(free, jobs, [self._held[at] for at in may], self._accounts(waiting, may))
        started = {waiting[job]: nodes for job, nodes in answer.places.items()}
        return started, tuple(may[h] for h in answer.released)

    def could_start(self, at: int, others: Sequence[int], free: Ints) -> bool:
        """Whether the gang would have room if all others that may let go of what they hold."""
        free = free.copy()
        for held in (self._held[one] for one in others if one != at and one in self._held):
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
        return {
            at: tuple(zip((pod for pods in self._types[at] for pod in pods), nodes, strict=True))
            for at, nodes in places.items()
        }

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

    def _holder(self, state: Scenario, gang: Stuck, weight: float) -> Holder:
        columns = self._view.snapshot.columns
        at = np.array([state.node_of(pod) for pod in gang.holding])
        nodes, rows = np.unique(at, return_inverse=True)
        amounts = np.zeros((len(nodes), self.free.shape[1]), np.int64)
        np.add.at(amounts, rows, columns.requests(np.array(gang.holding, np.int32)))
        return Holder(nodes, amounts, weight)

    def _alike(self, cleared: Scenario, gang: Stuck, pods: Sequence[int]) -> Members:
        nodes: Mask = cleared.fits(pods[0]) & self._view.destinations()
        if gang.inside is not None:
            nodes = nodes & gang.inside
        amounts = self._view.snapshot.columns.requests(np.array(pods[:1], np.int32))[0]
        return Members(len(pods), amounts.astype(np.int64), nodes)


def _alike(view: RebalanceView, gang: Stuck) -> list[list[int]]:
    """The waiting members, those of one spec together."""
    found: dict[int, list[int]] = {}
    for pod in gang.waiting:
        found.setdefault(int(view.snapshot.columns.pod_spec[pod]), []).append(pod)
    return list(found.values())


def _weights(view: RebalanceView, gangs: Sequence[Stuck]) -> Floats:
    """[G] one gang of a higher priority outweighs all of lower ones; among equals each counts one, and all their costs
    together less than that."""
    costs = np.array([float(view.costs[list(gang.holding)].sum()) for gang in gangs])
    rank = _ranks(gangs)
    weights: Floats = (len(gangs) + 1.0) ** rank * (1.0 + 0.5 * costs / max(costs.sum(), 1.0) / max(len(gangs), 1))
    return weights


def _ranks(gangs: Sequence[Stuck]) -> Floats:
    """[G] the place of each gang's priority among those that there are, the lowest 0."""
    levels = sorted({gang.priority for gang in gangs})
    return np.array([min(levels.index(gang.priority), _LEVELS - 1) for gang in gangs], np.float64)
