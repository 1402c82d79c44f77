"""What a backtest walks through: a cluster as it is at the beginning, and what its pods would use from then on.

Usage belongs to the pod and follows it to wherever it is moved. A recording tells it for the replicas of a workload
together, and how the last hour of each differed from the mean of its kin; that factor is taken to hold for all time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from descheduler.contract.loads import UNIT
from descheduler.contract.outside import kept_back
from descheduler.model.arrays import Floats32, Ints32
from descheduler.model.errors import UsageError
from descheduler.model.format import instant
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.outside_queries import OUTSIDE
from descheduler_profiling.history.rollup import reduce_rows
from descheduler_profiling.history.signals import builtin_signals
from descheduler_profiling.series import History
from descheduler_profiling.settings import DAY

SIGNALS = ("cpu", "memory")
"""What nodes are hot by; histories of other signals are given to plans as they were recorded."""
LEAST = DAY
"""Seconds of history before the first cycle: with less nobody has a profile."""


@dataclass(frozen=True, eq=False)
class Usage:
    """What P pods would use of one resource, were there enough of it, in the unit of its signal.

    `values` [R, T] are on the clock of a history: column t is the mean of the `step` seconds that end at
    `start + t * step`; NaN where nothing is known, which counts as nothing used. Pod p uses `weight[p]` times row
    `row[p]`; where that is -1 nobody knows, and it counts with its request.
    """

    signal: str
    unit: str
    start: int
    step: int
    values: Floats32
    row: Ints32
    weight: Floats32

    @property
    def end(self) -> int:
        """Unix seconds of the last column."""
        columns = int(self.values.shape[1])
        return self.start + (columns - 1) * self.step

    def column(self, time: float) -> int:
        """The newest column that is over at a time."""
        return int(time - self.start) // self.step

    def at(self, column: int) -> Floats32:
        """[P] what each pod would use during one column; 0 for those of whom nobody knows."""
        now = np.nan_to_num(self.values[:, column], nan=0.0)
        used: Floats32 = np.where(self.row >= 0, now[self.row] * self.weight, np.float32(0))
        return used


@dataclass(frozen=True, eq=False)
class World:
    """`snapshot` is the cluster at `begin`; usage is known from long before until `end` (unix seconds, whole steps).

    `others` are histories of further signals, by name: nothing that is done changes them. `problems` say why histories
    are not whole, so that in life nobody acts on them. `outside` [N, T] by signal, in its unit: what nodes use besides
    their pods of what these are offered; a signal of which that is not known is not there.
    """

    snapshot: ClusterSnapshot
    usage: Mapping[str, Usage]
    begin: int
    end: int
    others: Mapping[str, History]
    problems: tuple[str, ...] = ()
    outside: Mapping[str, Floats32] = field(default_factory=dict)

    @property
    def clock(self) -> Usage:
        """The usage whose columns all keep time by."""
        return self.usage[next(iter(self.usage))]

    @property
    def step(self) -> int:
        """Seconds between two columns."""
        return self.clock.step

    @cached_property
    def keys(self) -> tuple[WorkloadKey, ...]:
        """[W] the workloads of the pods, sorted."""
        return self.snapshot.columns.workloads

    def measured(self, signal: str) -> Floats32:
        """[W, T] mean use of a replica of each workload up to `begin`, NaN afterwards and where nobody knows."""
        usage, columns = self.usage[signal], self.snapshot.columns
        known = np.flatnonzero(usage.row >= 0)
        past = usage.values[:, : usage.column(self.begin) + 1]
        out = np.full((len(self.keys), usage.values.shape[1]), np.nan, np.float32)
        owner = columns.pod_workload[known].astype(np.intp)
        for first in range(0, past.shape[1], 256):  # so that P x T is never there at once
            part = past[usage.row[known], first : first + 256] * usage.weight[known][:, None]
            out[:, first : first + part.shape[1]] = reduce_rows(part, owner, len(self.keys), "mean")
        return out


def world_of(
    snapshot: ClusterSnapshot, histories: Mapping[str, History], begin: float | None = None, end: float | None = None
) -> World:
    """The world of a recording; times are unix seconds.

    Its pods stand at `begin` where they were when it was made, all of them. Without `begin` the walk starts when two
    sevenths of the recorded time are over, at the earliest after `LEAST`.

    Raises:
        UsageError: no history of CPU, too short a one, or times that are not in it.
    """
    known = {name: histories[name] for name in SIGNALS if name in histories and histories[name].values.size}
    if "cpu" not in known:
        raise UsageError("the recording has no history of cpu: nothing can be walked through")
    cpu = known["cpu"]
    known = {name: _beside(cpu, history) for name, history in known.items()}
    first, last = cpu.start - cpu.step, cpu.end
    wanted = begin if begin is not None else first + max(LEAST, (last - first) * 2 / 7)
    started = first + -(-(int(wanted) - first) // cpu.step) * cpu.step
    ended = last if end is None else min(last, first + (int(end) - first) // cpu.step * cpu.step)
    if started < first + LEAST:
        raise UsageError(f"history begins at {instant(first)}: a walk may begin a day later at the earliest")
    if ended <= started:
        span = f"history reaches from {instant(first)} to {instant(last)}"
        raise UsageError(f"there is nothing between {instant(started)} and {instant(ended)}; {span}")
    usage = {name: _usage(snapshot, history) for name, history in known.items()}
    others = {name: history for name, history in histories.items() if name not in known}
    problems = tuple(f"history of {name}: {text}" for name, one in sorted(known.items()) for text in one.problems)
    outside = {
        name: _outside(snapshot, name, _beside(cpu, histories[OUTSIDE[name]]))
        for name in known
        if OUTSIDE[name] in histories and histories[OUTSIDE[name]].values.size
    }
    return World(_set_back(snapshot, float(started)), usage, started, ended, others, problems, outside)


def _beside(cpu: History, history: History) -> History:
    """A history with the columns of that of CPU; NaN where it has none. Raises UsageError where steps differ."""
    ahead, rest = divmod(history.start - cpu.start, cpu.step)
    if history.step != cpu.step or rest:
        raise UsageError(f"the histories of cpu and {history.signal} do not line up: they are of other steps")
    columns = cpu.values.shape[1]
    if not ahead and history.values.shape[1] == columns:
        return history
    values = np.full((len(history.values), columns), np.nan, np.float32)
    first, last = max(0, ahead), min(columns, ahead + history.values.shape[1])
    if first < last:
        values[:, first:last] = history.values[:, first - ahead : last - ahead]
    return replace(history, start=cpu.start, values=values)


def _outside(snapshot: ClusterSnapshot, resource: str, history: History) -> Floats32:
    """[N, T] what nodes use outside of pods beyond what is kept back for it; 0 where nobody knows."""
    row_of = {key.name: row for row, key in enumerate(history.keys)}
    kept = kept_back(resource, snapshot) / np.float32(UNIT.get(resource, 1.0))
    out = np.zeros((len(snapshot.nodes), history.values.shape[1]), np.float32)
    for at, node in enumerate(snapshot.nodes):
        row = row_of.get(node.name)
        if row is not None:
            out[at] = np.maximum(np.nan_to_num(history.values[row]) - kept[at], np.float32(0))
    return out


def _usage(snapshot: ClusterSnapshot, history: History) -> Usage:
    columns = snapshot.columns
    rows = {key: row for row, key in enumerate(history.keys)}
    row_of = np.array([rows.get(key, -1) for key in columns.workloads], np.int32)
    row = row_of[columns.pod_workload] if row_of.size else np.empty(0, np.int32)
    own = np.array([history.pod_level.get((pod.namespace, pod.name), np.nan) for pod in snapshot.pods])
    told = np.flatnonzero(np.isfinite(own))
    owner, workloads = columns.pod_workload, len(columns.workloads)
    count = np.bincount(owner[told], minlength=workloads)
    kin = (np.bincount(owner[told], own[told], minlength=workloads) / np.maximum(count, 1))[owner]
    # Of its kin and not of their row, so that nothing but the values of a history says what was used when.
    weight = np.where(np.isfinite(own) & (kin > 0), own / np.maximum(kin, 1e-12), 1.0)
    unit = history.unit or builtin_signals()[history.signal].unit
    return Usage(
        history.signal, unit, history.start, history.step, history.values, row, np.clip(weight, 0, 100).astype("f4")
    )


def _set_back(snapshot: ClusterSnapshot, begin: float) -> ClusterSnapshot:
    """The same cluster at an earlier time: who was made later is taken to have been there all along."""
    ago = snapshot.taken_at - begin
    pods = tuple(
        replace(
            pod,
            created=max(0.0, pod.created - ago),
            started=max(0.0, pod.started - ago),
            deleting=pod.deleting - ago if pod.deleting is not None else None,
        )
        for pod in snapshot.pods
    )
    freshness = {kind: replace(one, as_of=one.as_of - ago) for kind, one in snapshot.freshness.items()}
    return replace(snapshot, taken_at=begin, pods=pods, freshness=freshness)
