"""What is measured on the way: how hot every node is, and what the history server would know of it.

A node that is asked for more CPU than it has gives everybody the same share of it, and only what was given is measured:
a descheduler sees no more of the load than it would in life. Memory is not throttled.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from descheduler.backtest.cluster import Cluster
from descheduler.backtest.world import Usage, World
from descheduler.contract.loads import UNIT
from descheduler.model.arrays import Floats, Floats32, Indices, Mask, Positions
from descheduler_profiling.history.past import as_of
from descheduler_profiling.history.rollup import reduce_rows
from descheduler_profiling.series import History

COMPRESSIBLE = frozenset({"cpu"})
_HOUR = 3600


class Meter:
    """Loads of N nodes over the C columns of the walk, and the histories of W workloads.

    `thresholds` [N] by resource, fractions of allocatable above which a node counts as hot. `window` seconds of history
    are known at any time.
    """

    def __init__(self, world: World, thresholds: Mapping[str, Floats32], window: float) -> None:
        columns = world.snapshot.columns
        self.world = world
        self.thresholds = {signal: thresholds[signal] for signal in world.usage if signal in thresholds}
        self.first = world.clock.column(world.begin)
        self.steps = world.clock.column(world.end) - self.first
        nodes, pods = len(world.snapshot.nodes), len(world.snapshot.pods)
        self.load = {signal: np.zeros((nodes, self.steps), np.float32) for signal in world.usage}  # of allocatable
        self._window = max(1, int(window // world.step))
        self._hour = max(1, _HOUR // world.step)
        self._capacity: dict[str, Floats] = {}
        self._requested: dict[str, Floats] = {}
        for signal in world.usage:
            at = columns.resource(signal)
            unit = UNIT.get(signal, 1.0)
            self._capacity[signal] = np.maximum(columns.allocatable[:, at] / unit, 1e-9)
            self._requested[signal] = columns.spec_requests[columns.pod_spec, at] / unit
        self._workload = columns.pod_workload.astype(np.intp)
        self._replicas = np.bincount(self._workload, minlength=len(world.keys)).astype(np.float32)
        self._measured = {signal: world.measured(signal) for signal in world.usage}
        self._recent = {
            signal: np.stack([usage.at(self.first - age) for age in range(self._hour)], axis=1)
            for signal, usage in world.usage.items()
        }  # [P, hour] measured of each slot, NaN where it did not run
        self._live = np.fromiter((not pod.terminal for pod in world.snapshot.pods), np.bool_, pods)
        self._known = {signal: self._live & (usage.row >= 0) for signal, usage in world.usage.items()}

    # -- what is done ------------------------------------------------------------------------------------------------

    def step(self, cluster: Cluster, now: float) -> None:
        """The step that ends `now` is over."""
        running = cluster.running(now, self.world.step) * self._live
        nodes = cluster.nodes
        placed = np.flatnonzero(running > 0)
        at = self.world.clock.column(now) - self.first - 1
        for signal, usage in self.world.usage.items():
            wanted = self._use(usage, usage.column(now))
            capacity = self._capacity[signal]
            asked = np.bincount(nodes[placed], (wanted * running)[placed], minlength=len(capacity))
            demand = asked + self.outside(signal, usage.column(now))
            given = np.ones(len(capacity))
            if signal in COMPRESSIBLE:
                given = np.minimum(1.0, capacity / np.maximum(demand, 1e-12))
            self.load[signal][:, at] = demand / capacity
            measured = np.full(len(wanted), np.nan, np.float32)
            measured[placed] = wanted[placed] * given[nodes[placed]]
            measured[~self._known[signal]] = np.nan
            self._keep(signal, usage.column(now), measured)

    def _keep(self, signal: str, column: int, measured: Floats32) -> None:
        rows = reduce_rows(measured[:, None], self._workload, len(self._replicas), "mean")
        self._measured[signal][:, column] = rows[:, 0]
        recent = self._recent[signal]
        recent[:, 1:] = recent[:, :-1].copy()
        recent[:, 0] = measured

    def forget(self, slot: int) -> None:
        """The pod of a slot is another from now on: nothing of it was measured yet."""
        for recent in self._recent.values():
            recent[slot] = np.nan

    # -- what is known -----------------------------------------------------------------------------------------------

    def histories(self, cluster: Cluster, now: float) -> dict[str, History]:
        """What the history server would answer at a time: nothing later than that."""
        snapshot = cluster.snapshot(now)
        names = [(snapshot.pods[at].namespace, snapshot.pods[at].name) for at in cluster.position.tolist()]
        found = {signal: self._history(usage, names, now) for signal, usage in self.world.usage.items()}
        found.update(
            {
                signal: as_of(history, now, self._window * self.world.step)
                for signal, history in self.world.others.items()
            }
        )
        return found

    def _history(self, usage: Usage, names: list[tuple[str, str]], now: float) -> History:
        end = usage.column(now) + 1
        first = max(0, end - self._window)
        recent = self._recent[usage.signal]
        there = np.isfinite(recent)
        count = there.sum(axis=1)
        level = np.where(there, recent, 0.0).sum(axis=1) / np.maximum(count, 1)
        measured = np.flatnonzero((count > 0) & self._known[usage.signal])
        levels = dict(zip([names[i] for i in measured.tolist()], level[measured].tolist(), strict=True))
        return History(
            signal=usage.signal,
            unit=usage.unit,
            keys=self.world.keys,
            start=usage.start + first * usage.step,
            step=usage.step,
            values=self._measured[usage.signal][:, first:end],
            replicas=self._replicas,
            pod_level=levels,
        )

    def outside(self, signal: str, column: int) -> Floats:
        """[N] what nodes use during a column besides their pods, of what these are offered."""
        known = self.world.outside.get(signal)
        return np.zeros(len(self._capacity[signal])) if known is None else known[:, column].astype(np.float64)

    def use(self, signal: str) -> Floats:
        """[P] what was measured of each slot's pod during the last step, NaN where nothing was; the request of those of
        whom nobody knows."""
        return np.where(self._known[signal], self._recent[signal][:, 0], self._requested[signal])

    # -- what nobody could know --------------------------------------------------------------------------------------

    def ahead(self, nodes: Positions, now: float, seconds: float) -> dict[str, Floats32]:
        """By signal [N, H]: how loaded each node would be, step by step, if all pods stayed on `nodes` [P]."""
        out: dict[str, Floats32] = {}
        placed = np.flatnonzero((nodes >= 0) & self._live)
        on = np.ones(len(placed)), (nodes[placed], np.arange(len(placed)))
        for signal, usage in self.world.usage.items():
            capacity = self._capacity[signal]
            of_node = sparse.csr_matrix(on, (len(capacity), len(placed)))
            demand = np.asarray(of_node @ self._ahead(usage, placed, now, seconds), np.float64)
            first = usage.column(now) + 1
            outside = (self.outside(signal, column) for column in range(first, first + demand.shape[1]))
            demand += np.stack(list(outside), axis=1)
            out[signal] = (demand / capacity[:, None]).astype(np.float32)
        return out

    def demand(self, slots: Positions, now: float, seconds: float) -> dict[str, Floats32]:
        """By signal [K, H]: what the pods of some slots will ask for, step by step."""
        usage = self.world.usage.items()
        return {signal: self._ahead(one, slots, now, seconds).astype(np.float32) for signal, one in usage}

    def _ahead(self, usage: Usage, slots: Positions | Indices, now: float, seconds: float) -> Floats:
        first = usage.column(now) + 1
        last = first + max(1, int(seconds // usage.step))
        rows = usage.row[slots]
        known = np.nan_to_num(usage.values[rows, first:last], nan=0.0) * usage.weight[slots][:, None]
        return np.where(rows[:, None] >= 0, known, self._requested[usage.signal][slots][:, None])

    def hot(self, load: Mapping[str, Floats32]) -> Mask:
        """[N, H] whether a node is hot by loads [N, H] of any resource."""
        made = [load[signal] > limit[:, None] for signal, limit in self.thresholds.items()]
        out: Mask = np.logical_or.reduce(made)
        return out

    def _use(self, usage: Usage, column: int) -> Floats:
        used = usage.at(column)
        return np.where(usage.row >= 0, used, self._requested[usage.signal])
