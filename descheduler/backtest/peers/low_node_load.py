"""Koordinator's LowNodeLoad, with the limits of its MigrationController (pkg/descheduler, evicting directly).

Hot nodes must be seen hot in several passes in a row; then pods go that come nearest to the excess, while nodes under
the low thresholds have room for them under the high ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from descheduler.backtest.cluster import Cluster
from descheduler.backtest.meter import Meter
from descheduler.backtest.peers.sight import Sight
from descheduler.backtest.world import World
from descheduler.model.arrays import Floats, Mask


@dataclass(frozen=True, slots=True)
class LowNodeLoad:
    """Thresholds are fractions, as in its sample configuration.

    `passes` of its loop end in one step of a walk (its documentation has one a minute); each counts for the detector,
    which trips after more than `abnormal` hot ones in a row. What all of them evict goes in the last: no more than
    `most_per_node` in each, which have moved by the next.
    """

    low: Mapping[str, float] = field(default_factory=lambda: {"cpu": 0.45, "memory": 0.55})
    high: Mapping[str, float] = field(default_factory=lambda: {"cpu": 0.75, "memory": 0.80})
    abnormal: int = 5
    passes: int = 5
    most_per_node: int = 2
    node_fit: bool = True
    name: str = "LowNodeLoad"

    def make(self, world: World, rng: np.random.Generator) -> _Run:
        return _Run(self.name, self)


@dataclass(slots=True)
class _Run:
    name: str
    args: LowNodeLoad
    _hot: Counter[int] = field(default_factory=Counter)  # passes in a row, by node

    def act(self, cluster: Cluster, meter: Meter, now: float) -> None:
        sight = Sight(cluster, meter, now)
        names = tuple(self.args.high)
        each = {name: sight.used(name) for name in names}
        used = {name: sight.on_whole_nodes(each[name], name) for name in names}
        most = {name: sight.capacity[name] * self.args.high[name] for name in names}
        low = sight.workable.copy()
        high = np.zeros(len(low), np.bool_)
        for name in names:
            low &= used[name] <= self.args.low[name] * sight.capacity[name]
            high |= used[name] > most[name]
        self._count(high)
        sources = [node for node in np.flatnonzero(high).tolist() if self._hot[node] > self.args.abnormal]
        if not sources or not low.any() or low.all():
            return
        room = _Room(sight, low, each, used, most)
        for node in sorted(sources, key=lambda n: -_weight(sight, used, n)):
            self._relieve(sight, room, node)
        sight.done()

    def _count(self, high: Mask) -> None:
        for node in np.flatnonzero(~high).tolist():
            del self._hot[node]
        for node in np.flatnonzero(high).tolist():
            self._hot[node] += self.args.passes

    def _relieve(self, sight: Sight, room: _Room, node: int) -> None:
        gone = 0
        pods = [p for p in sight.columns.pods_on(node).tolist() if self._removable(sight, room, p)]
        found = sight.snapshot.pods
        ranked = sorted(pods, key=lambda p: (found[p].priority, -room.closeness(p, node), -found[p].created))
        for pod in ranked:
            if gone >= self.args.most_per_node * self.args.passes or not room.goes_on(node):
                return
            if room.workload_allows(pod) and sight.evict(pod):
                room.take(pod, node)
                gone += 1

    def _removable(self, sight: Sight, room: _Room, pod: int) -> bool:
        if not sight.evictable(pod) or any(np.isnan(amount[pod]) for amount in room.each.values()):
            return False
        return not self.args.node_fit or room.seat(pod)


class _Room:
    """Room under the high thresholds on the low nodes: one pool for the stop rule, node by node for nodeFit."""

    def __init__(
        self, sight: Sight, low: Mask, each: dict[str, Floats], used: dict[str, Floats], most: dict[str, Floats]
    ) -> None:
        self.each = each
        self._sight, self._used, self._most = sight, used, most
        self._targets = np.flatnonzero(low)
        self._seated = {name: amount[low].copy() for name, amount in used.items()}
        self._pool = {name: float((most[name] - used[name])[low].sum()) for name in used}
        self._moving: Counter[int] = Counter()
        columns = sight.columns
        ready = np.fromiter((pod.ready for pod in sight.snapshot.pods), np.bool_, len(sight.snapshot.pods))
        self._size = np.bincount(columns.pod_workload, minlength=len(columns.workloads))
        self._missing = np.bincount(columns.pod_workload[~ready], minlength=len(columns.workloads))

    def seat(self, pod: int) -> bool:
        """Whether some low node takes it; the first that does keeps the room for it, evicted or not."""
        fits = self._sight.state.fits(pod, self._targets)
        for name, amount in self.each.items():
            fits &= self._seated[name] + amount[pod] <= self._most[name][self._targets]
        at = np.flatnonzero(fits)
        if not len(at):
            return False
        for name, amount in self.each.items():
            self._seated[name][at[0]] += amount[pod]
        return True

    def closeness(self, pod: int, node: int) -> float:
        """How well a pod's use covers what the node has too much: best where it just does."""
        score = 0.0
        for name, amount in self.each.items():
            excess = self._used[name][node] - self._most[name][node]
            if excess > 0:
                ratio = amount[pod] / excess
                score += ratio if ratio < 1 else 1 + 1 / ratio
        return score

    def goes_on(self, node: int) -> bool:
        over = any(self._used[name][node] > self._most[name][node] for name in self._used)
        return over and all(left > 0 for left in self._pool.values())

    def workload_allows(self, pod: int) -> bool:
        """maxMigratingPerWorkload and maxUnavailablePerWorkload by their defaults, and expected replicas."""
        at = int(self._sight.columns.pod_workload[pod])
        size = int(self._size[at])
        most = 1 if size < 4 else 2 if size <= 10 else size // 10
        return size > 1 and size != most and self._moving[at] + int(self._missing[at]) < most

    def take(self, pod: int, node: int) -> None:
        self._moving[int(self._sight.columns.pod_workload[pod])] += 1
        for name, amount in self.each.items():
            self._used[name][node] -= amount[pod]
            self._pool[name] -= float(amount[pod])


def _weight(sight: Sight, used: dict[str, Floats], node: int) -> float:
    return sum(float(amount[node] / max(sight.capacity[name][node], 1e-9)) for name, amount in used.items())
