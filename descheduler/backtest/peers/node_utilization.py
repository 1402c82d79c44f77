"""LowNodeUtilization and HighNodeUtilization of the sigs descheduler (pkg/framework/plugins/nodeutilization).

The room of all destinations is one pool, from which what an evicted pod used is taken; no node is chosen for it. Pods
go by priority and quality of service, whatever they use; beyond that the order is arbitrary there, and drawn here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from descheduler.backtest.cluster import Cluster
from descheduler.backtest.meter import Meter
from descheduler.backtest.peers.sight import PODS, Sight
from descheduler.backtest.world import World
from descheduler.model.arrays import Floats, Mask

_QOS = {"BestEffort": 0, "Burstable": 1, "Guaranteed": 2}
_RAW = {"cpu": 1000.0}  # nodes are sorted by one sum of millicores, bytes and pods

Amounts = dict[str, Floats]


@dataclass(frozen=True, slots=True)
class LowNodeUtilization:
    """Nodes over any of the `targets` lose pods as long as there are nodes under all `thresholds` (fractions).

    By what is used (metricsUtilization KubernetesMetrics), or with `metrics` False by what is requested. `node_fit`:
    only pods that some other node has room for.
    """

    thresholds: Mapping[str, float] = field(default_factory=lambda: {"cpu": 0.45, "memory": 0.55})
    targets: Mapping[str, float] = field(default_factory=lambda: {"cpu": 0.75, "memory": 0.85})
    metrics: bool = True
    node_fit: bool = True
    name: str = "LowNodeUtilization"

    def make(self, world: World, rng: np.random.Generator) -> _Low:
        return _Low(self.name, self, rng)


@dataclass(frozen=True, slots=True)
class HighNodeUtilization:
    """Nodes under all `thresholds` by requests lose what fits into the room of the others."""

    thresholds: Mapping[str, float] = field(default_factory=lambda: {"cpu": 0.2, "memory": 0.2})
    node_fit: bool = True
    name: str = "HighNodeUtilization"

    def make(self, world: World, rng: np.random.Generator) -> _High:
        return _High(self.name, self, rng)


@dataclass(slots=True)
class _Low:
    name: str
    args: LowNodeUtilization
    rng: np.random.Generator

    def act(self, cluster: Cluster, meter: Meter, now: float) -> None:
        sight = Sight(cluster, meter, now)
        names = (*self.args.targets, PODS)
        limit = {**self.args.targets, PODS: 1.0}
        each = {name: sight.used(name) if self.args.metrics else sight.requested(name) for name in names}
        used = {
            name: sight.on_whole_nodes(each[name], name) if self.args.metrics else sight.on_nodes(each[name])
            for name in names
        }
        part = {name: used[name] / np.maximum(sight.capacity[name], 1e-9) for name in names}
        low = sight.workable & _all(part[name] <= self.args.thresholds[name] for name in self.args.thresholds)
        high = ~low & ~_all(part[name] <= limit[name] for name in names)
        if not low.any() or low.all() or not high.any():
            return
        room = {name: float((sight.capacity[name] * limit[name] - used[name])[low].sum()) for name in names}

        def goes_on(node: int) -> bool:
            over = any(used[name][node] > limit[name] * sight.capacity[name][node] for name in names)
            return over and all(left > 0 for left in room.values())

        for node in _by_sum(used, high, ascending=False):
            _empty(sight, node, _Pool(each, used, room, goes_on), self.args.node_fit, self.rng)
        sight.done()


@dataclass(slots=True)
class _High:
    name: str
    args: HighNodeUtilization
    rng: np.random.Generator

    def act(self, cluster: Cluster, meter: Meter, now: float) -> None:
        sight = Sight(cluster, meter, now)
        names = tuple(dict.fromkeys((*self.args.thresholds, "cpu", "memory", PODS)))
        each = {name: sight.requested(name) for name in names}
        used = {name: sight.on_nodes(each[name]) for name in names}
        low = _all(used[name] <= limit * sight.capacity[name] for name, limit in self.args.thresholds.items())
        others = ~low & sight.workable
        if not low.any() or low.all() or not others.any():
            return
        room = {name: float((sight.capacity[name] - used[name])[others].sum()) for name in names}
        pool = _Pool(each, used, room, lambda _node: all(left > 0 for left in room.values()))
        for node in _by_sum(used, low, ascending=True):
            _empty(sight, node, pool, self.args.node_fit, self.rng)
        sight.done()


@dataclass(frozen=True, slots=True)
class _Pool:
    """What each pod uses, each node, and what room there is for all together."""

    each: Amounts
    used: Amounts
    room: dict[str, float]
    goes_on: Callable[[int], bool]


def _empty(sight: Sight, node: int, pool: _Pool, node_fit: bool, rng: np.random.Generator) -> None:
    """Evict from one node, pod after pod, until it is enough."""
    if not pool.goes_on(node):
        return
    pods = rng.permutation(sight.columns.pods_on(node)).tolist()
    found = sight.snapshot.pods
    for pod in sorted(pods, key=lambda p: (found[p].priority, _QOS.get(found[p].spec.qos, 1))):
        if not sight.evictable(pod) or any(np.isnan(amount[pod]) for amount in pool.each.values()):
            continue
        if node_fit and not _fits_elsewhere(sight, pod, node):
            continue
        if not sight.evict(pod):
            continue
        for name, amount in pool.each.items():
            pool.used[name][node] -= amount[pod]
            pool.room[name] -= float(amount[pod])
        if not pool.goes_on(node):
            return


def _fits_elsewhere(sight: Sight, pod: int, node: int) -> bool:
    fits = sight.state.fits(pod)
    fits[node] = False
    return bool(fits.any())


def _by_sum(used: Amounts, chosen: Mask, *, ascending: bool) -> list[int]:
    total = sum((amount * _RAW.get(name, 1.0) for name, amount in used.items()), np.zeros(len(chosen)))
    order = np.argsort(total if ascending else -total, kind="stable")
    return [int(node) for node in order if chosen[node]]


def _all(masks: object) -> Mask:
    out: Mask = np.logical_and.reduce(list(masks))  # type: ignore[call-overload]
    return out
