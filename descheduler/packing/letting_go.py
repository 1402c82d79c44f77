"""Who lets go of what he holds, so that others start who wait for it: as few as possible, and those that count least.

A mixed-integer programme over arrays. A job starts whole or not at all, on nodes that its members may use; a holder
lets go of all that he has or of nothing. Whoever holds a part and waits for the rest is both. What quotas allow are
rows beside those of the nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from descheduler.model.arrays import Floats, Ints, Mask
from descheduler.packing.programme import Infeasible, Programme, SolveStatus, WorkLimits

_SCALE = 1024.0
"""The largest amount of each resource counts as this: bytes beside cores would be beyond the solver's tolerance."""


_LIMITS = WorkLimits(nodes=2_000)


@dataclass(frozen=True, eq=False, slots=True)
class Members:
    """So many alike members of a job: `amounts` [R] of each, and the `nodes` [N] that may take one."""

    count: int
    amounts: Ints
    nodes: Mask


@dataclass(frozen=True, eq=False, slots=True)
class Job:
    """Who waits: all its `members` start, or none. `holder` is who has the rest of it, -1 where it holds nothing: once
    that one has let go, it starts no more. `missed` is what it costs when it neither starts nor lets go, 0: nothing."""

    members: tuple[Members, ...]
    missed: float
    holder: int = -1


@dataclass(frozen=True, eq=False, slots=True)
class Holder:
    """What one has on `nodes` [K]: `amounts` [K, R]; `weight` is what it costs when he lets go."""

    nodes: Ints
    amounts: Ints
    weight: float


@dataclass(frozen=True, eq=False, slots=True)
class Account:
    """A quota: what jobs take by starting, less what holders give back, stays within `lower` and `upper` [R]."""

    jobs: tuple[int, ...]
    holders: tuple[int, ...]
    lower: Floats
    upper: Floats


@dataclass(frozen=True, slots=True)
class LetGo:
    """Positions of the holders that let go, and of each job that starts the nodes of its members, in their order.

    `proven`: nobody does it for less.
    """

    released: tuple[int, ...] = ()
    places: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    proven: bool = True


def let_go(
    free: Ints,
    jobs: Sequence[Job],
    holders: Sequence[Holder],
    accounts: Sequence[Account] = (),
    never: Sequence[tuple[int, int]] = (),
    limits: WorkLimits = _LIMITS,
) -> LetGo:
    """The cheapest answer in which somebody starts of those who are missed otherwise; an empty one where there is none.
    `free` [N, R] is what nodes have left, in whole units."""
    model = _Model(free, jobs, holders)
    model.start_one()
    model.keep_from(never)
    for account in accounts:
        model.hold_to(account)
    solved = model.programme.solve(limits)
    if isinstance(solved, Infeasible):
        return LetGo(proven=solved.proven)
    released = tuple(np.flatnonzero(solved.values[model.lets_go] > 0.5).tolist())
    return LetGo(released, model.places(solved.values), solved.status is SolveStatus.OPTIMAL)


class _Model:
    def __init__(self, free: Ints, jobs: Sequence[Job], holders: Sequence[Holder]) -> None:
        self._jobs, self._holders = jobs, holders
        self.programme = Programme()
        self.lets_go = self.programme.add(len(holders), upper=1.0, cost=[one.weight for one in holders])
        self._missed = self.programme.add(len(jobs), upper=1.0, cost=[job.missed for job in jobs])
        asked = [one.amounts for job in jobs for one in job.members]
        most = np.max([*asked, *(one.amounts.sum(axis=0) for one in holders), np.ones(free.shape[1])], axis=0)
        self._unit: Floats = most / _SCALE  # [R]
        self._columns = [[self._spread(one) for one in job.members] for job in jobs]
        self._whole()
        self._room(free)

    def start_one(self) -> None:
        """Of those who are missed otherwise one starts at least."""
        able = [at for at, job in enumerate(self._jobs) if job.missed > 0]
        columns = [int(self._missed[at]) for at in able]
        columns += [int(self.lets_go[self._jobs[at].holder]) for at in able if self._jobs[at].holder >= 0]
        self.programme.constrain(1, np.zeros(len(columns)), np.array(columns), upper=len(able) - 1.0)

    def keep_from(self, pairs: Sequence[tuple[int, int]]) -> None:
        """No holder lets go where the job starts that is named with him."""
        for at, of in pairs:
            job = self._jobs[of]
            instead = [int(self._missed[of]), *([int(self.lets_go[job.holder])] if job.holder >= 0 else [])]
            columns = np.array([int(self.lets_go[at]), *instead])
            self.programme.constrain(1, np.zeros(len(columns)), columns, [1.0, *[-1.0] * len(instead)], upper=0.0)

    def hold_to(self, account: Account) -> None:
        """The rows of a quota, one for each resource."""
        columns: list[int] = []
        values: list[Floats] = []
        fixed = np.zeros(len(self._unit))
        for at in account.jobs:
            job = self._jobs[at]
            whole = sum((one.count * one.amounts for one in job.members), np.zeros(len(self._unit))) / self._unit
            fixed += whole
            columns += [int(self._missed[at]), *([int(self.lets_go[job.holder])] if job.holder >= 0 else [])]
            values += [-whole] * (2 if job.holder >= 0 else 1)
        for at in account.holders:
            columns.append(int(self.lets_go[at]))
            values.append(-self._holders[at].amounts.sum(axis=0) / self._unit)
        if not columns:
            return
        count = len(self._unit)
        rows = np.tile(np.arange(count), len(columns))
        self.programme.constrain(
            count,
            rows,
            np.repeat(columns, count),
            np.concatenate(values),
            lower=account.lower / self._unit - fixed,
            upper=account.upper / self._unit - fixed,
        )

    def places(self, values: Floats) -> Mapping[int, tuple[int, ...]]:
        """Of each job that starts: a node for each of its members."""
        found: dict[int, tuple[int, ...]] = {}
        for at, job in enumerate(self._jobs):
            gone = job.holder >= 0 and values[self.lets_go[job.holder]] > 0.5
            if values[self._missed[at]] < 0.5 and not gone:
                spread = (
                    np.repeat(np.flatnonzero(one.nodes), values[columns].astype(np.int64)).tolist()
                    for one, columns in zip(job.members, self._columns[at], strict=True)
                )
                found[at] = tuple(chain.from_iterable(spread))
        return found

    def _spread(self, members: Members) -> Ints:
        """A column for each node that may take some of them: how many it takes."""
        return self.programme.add(int(members.nodes.sum()), upper=float(members.count))

    def _whole(self) -> None:
        """All members of a job have a node, or it does not start, or what it holds is gone; not two of these."""
        for at, job in enumerate(self._jobs):
            instead = [int(self._missed[at]), *([int(self.lets_go[job.holder])] if job.holder >= 0 else [])]
            for one, columns in zip(job.members, self._columns[at], strict=True):
                values = np.concatenate([np.ones(len(columns)), np.full(len(instead), float(one.count))])
                both = np.concatenate([columns, instead])
                self.programme.constrain(1, np.zeros(len(both)), both, values, lower=one.count, upper=one.count)
            if len(instead) > 1:
                self.programme.constrain(1, [0, 0], instead, upper=1.0)

    def _room(self, free: Ints) -> None:
        """On each node no more than is free there and what is let go, of each resource."""
        used = np.zeros(len(free), np.bool_)
        for job in self._jobs:
            for one in job.members:
                used |= one.nodes
        at = np.cumsum(used) - 1  # [N] position among the nodes that anybody may come to
        width = len(self._unit)
        rows: list[Ints] = []
        columns: list[Ints] = []
        values: list[Floats] = []

        def enter(nodes: Ints, column: Ints, amounts: Floats) -> None:
            """[K] nodes and columns, [K, R] amounts."""
            rows.append((at[nodes][:, None] * width + np.arange(width)).ravel())
            columns.append(np.repeat(column, width))
            values.append((amounts / self._unit).ravel())

        for job, spread in zip(self._jobs, self._columns, strict=True):
            for one, column in zip(job.members, spread, strict=True):
                nodes = np.flatnonzero(one.nodes)
                enter(nodes, column, np.broadcast_to(one.amounts, (len(nodes), width)).astype(np.float64))
        for position, holder in zip(self.lets_go, self._holders, strict=True):
            kept = used[holder.nodes]
            nodes = holder.nodes[kept]
            enter(nodes, np.full(len(nodes), position), -holder.amounts[kept].astype(np.float64))
        if not rows:
            return
        limit = (np.maximum(free[used], 0) / self._unit).ravel()
        self.programme.constrain(
            len(limit), np.concatenate(rows), np.concatenate(columns), np.concatenate(values), upper=limit
        )
