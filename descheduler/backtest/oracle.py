"""What was possible: a greedy that knows what every pod will use, under the same budgets and the same landings.

It is a yardstick and no bound: it acts when a node is about to be hot, takes the pod whose move spares most hot steps
within the horizon, and stops where a move would spare too few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from descheduler.backtest.cluster import Cluster
from descheduler.backtest.meter import Meter
from descheduler.backtest.peers.sight import Sight
from descheduler.backtest.world import World
from descheduler.model.arrays import Floats, Floats32, Ints

_EXCESS = 2.0
"""What a load of one above the threshold counts in hot steps, so that half of a cure is worth something."""


@dataclass(frozen=True, slots=True)
class Oracle:
    """`chooses`: it says where pods land; else the scheduler does, and it takes what the scheduler would do.

    It looks `horizon` seconds ahead, moves what becomes hot within `soon` seconds, and spares at least `least` hot
    steps with every move.
    """

    name: str = "oracle"
    chooses: bool = True
    horizon: float = 6 * 3600.0
    soon: float = 900.0
    least: float = 3.0

    def make(self, world: World, rng: np.random.Generator) -> _Run:
        return _Run(self.name, self)


@dataclass(slots=True)
class _Run:
    name: str
    args: Oracle

    def act(self, cluster: Cluster, meter: Meter, now: float) -> None:
        ahead = meter.ahead(cluster.nodes, now, self.args.horizon)
        soon = max(1, int(self.args.soon // meter.world.step))
        hot = meter.hot(ahead)
        sources = np.flatnonzero(hot[:, :soon].any(axis=1))
        if not len(sources):
            return
        sight = Sight(cluster, meter, now)
        search = _Search(sight, cluster, meter, ahead, self.args, now)
        for node in sorted(sources.tolist(), key=lambda n: -int(hot[n].sum())):
            while search.relieve(node):
                pass
        sight.done(search.towards)


class _Search:
    """Loads to come of N nodes over H steps, with all that was decided so far. Those are fractions of allocatable."""

    def __init__(
        self, sight: Sight, cluster: Cluster, meter: Meter, ahead: Mapping[str, Floats32], args: Oracle, now: float
    ) -> None:
        self.towards: dict[int, int] = {}
        self._sight, self._cluster, self._meter, self._args, self._now = sight, cluster, meter, args, now
        self._state = sight.state.fork()
        self._limits = {name: limit[:, None] for name, limit in meter.thresholds.items()}
        self._loads = {name: ahead[name].astype(np.float64) for name in self._limits}
        self._badness = self._bad(self._loads, np.arange(len(cluster.snapshot(now).nodes)))

    def relieve(self, node: int) -> bool:
        """Move the best pod of a node; False where none is worth it."""
        if self._badness[node] < self._args.least:
            return False
        pods = [p for p in self._sight.columns.pods_on(node).tolist() if self._state.node_of(p) == node]
        pods = [p for p in pods if self._sight.evictable(p) and p not in self._sight.evicted]
        if not pods:
            return False
        slots = self._cluster.slot[np.array(pods)]
        demand = self._meter.demand(slots, self._now, self._args.horizon)
        here = np.full(len(pods), node)
        left = self._bad(self._with(demand, here, -1.0), here)
        spared = self._badness[node] - left
        best: tuple[float, int, int] | None = None
        for at in np.argsort(-spared).tolist():
            if spared[at] < self._args.least or (best is not None and spared[at] <= best[0]):
                break
            own = {name: rows[at : at + 1] for name, rows in demand.items()}
            target, costs = self._target(pods[at], node, own)
            worth = float(spared[at]) - costs
            if target >= 0 and worth >= self._args.least and (best is None or worth > best[0]):
                best = (worth, at, target)
        if best is None:
            return False
        _, at, target = best
        if not self._sight.evict(pods[at]):
            return False
        self._move(pods[at], node, target, {name: rows[at] for name, rows in demand.items()})
        return True

    def _target(self, pod: int, node: int, own: Mapping[str, Floats32]) -> tuple[int, float]:
        """Where the pod goes, and how much worse that node gets; -1 where it cannot go."""
        if self._args.chooses:
            nodes = np.flatnonzero(self._state.fits(pod))
            nodes = nodes[nodes != node]
        else:
            likely = self._state.likely(pod)
            nodes = np.array([target for target, _ in likely[:1]], np.intp)
            nodes = nodes[nodes != node]
        if not len(nodes):
            return -1, 0.0
        more = self._with(own, nodes, 1.0)
        costs = self._bad(more, nodes) - self._badness[nodes]
        peak = np.max([(rows - self._limits[name][nodes]).max(axis=1) for name, rows in more.items()], axis=0)
        at = int(np.lexsort((peak, np.round(costs, 3)))[0])
        return int(nodes[at]), float(costs[at])

    def _move(self, pod: int, node: int, target: int, own: Mapping[str, Floats32]) -> None:
        self._state.remove(pod)
        self._state.place(pod, target)
        self._state.linger(pod, node)
        for name, rows in self._loads.items():
            cores = self._sight.capacity[name]
            rows[node] -= own[name] / cores[node]
            rows[target] += own[name] / cores[target]
        both = np.array([node, target])
        self._badness[both] = self._bad({name: rows[both] for name, rows in self._loads.items()}, both)
        if self._args.chooses:
            self.towards[pod] = target

    def _with(self, demand: Mapping[str, Floats32], nodes: Ints, sign: float) -> dict[str, Floats]:
        """[K, H] loads of nodes with a pod more or less each."""
        return {
            name: rows[nodes] + sign * demand[name] / self._sight.capacity[name][nodes][:, None]
            for name, rows in self._loads.items()
        }

    def _bad(self, loads: Mapping[str, Floats], nodes: Ints) -> Floats:
        """[K] how many steps nodes are hot with these loads [K, H], and a little for how hot."""
        over = [loads[name] - limit[nodes] for name, limit in self._limits.items()]
        worst = np.maximum.reduce(over)
        return np.asarray((worst > 0).sum(axis=1) + _EXCESS * np.maximum(worst, 0).sum(axis=1), np.float64)
