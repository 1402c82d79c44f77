"""How full nodes are, by whatever tells: in percent of what they offer, of several resources at once.

A node that does not offer a resource, and one of which nobody knows what it uses, has NaN there: it is neither above
nor below anything. N nodes, P pods, K resources.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Mask, Positions
from descheduler.model.moves import Placed


class Gauge(Protocol):
    """One way to tell how full nodes are. `resources` [K] are named as in thresholds; `source` is for people.

    `counts_pods`: it is known what single pods use. Otherwise moves are guesses, and few are made at a time.
    """

    resources: tuple[str, ...]
    source: str
    counts_pods: bool

    def levels(self, state: Scenario, nodes: Positions) -> Floats:
        """[M, K] percent of what the nodes offer."""
        ...

    def levels_with(self, state: Scenario, nodes: Positions, pod: int) -> tuple[Floats, Floats]:
        """[M, K] the same, and [M, K] with what will be made in place of the pod on each of them."""
        ...

    def relief(self, pods: Positions, node: int) -> Floats:
        """[M, K] by how much the node is emptier without each of the pods, about."""
        ...


class Sums:
    """What is used adds up: the pods of a node, or what was measured of it with the pods that came and went since.

    `capacity` [N, K] and `used` [N, K] in the same unit, 0 and NaN where there is nothing to tell; `leaving` [P, K] is
    what a pod uses, `arriving` [P, K] what will be made in its place, NaN where nobody knows.
    """

    def __init__(
        self,
        view: RebalanceView,
        source: str,
        resources: tuple[str, ...],
        capacity: Floats,
        used: Floats,
        leaving: Floats,
        arriving: Floats,
        *,
        counts_pods: bool = True,
    ) -> None:
        self.source, self.resources, self.counts_pods = source, resources, counts_pods
        self._home = view.snapshot.columns.pod_node
        # One division of whole numbers, so that a node which is exactly at a threshold is at it.
        self._whole = np.where(capacity > 0, capacity, np.nan)
        self._used, self._leaving, self._arriving = used.astype(np.float64), leaving, arriving

    def levels(self, state: Scenario, nodes: Positions) -> Floats:
        """[M, K] as the gauge says."""
        found: Floats = 100.0 * self._used_in(state, nodes) / self._whole[nodes]
        return found

    def levels_with(self, state: Scenario, nodes: Positions, pod: int) -> tuple[Floats, Floats]:
        """[M, K] twice, as the gauge says."""
        used, whole = self._used_in(state, nodes), self._whole[nodes]
        return 100.0 * used / whole, 100.0 * (used + self._arriving[pod]) / whole

    def relief(self, pods: Positions, node: int) -> Floats:
        """[M, K] as the gauge says."""
        found: Floats = 100.0 * self._leaving[pods] / self._whole[node]
        return found

    def _used_in(self, state: Scenario, nodes: Positions) -> Floats:
        """[M, K] what is used of the nodes in the state: where pods went that moved, and came from."""
        if not state.moved:
            return self._used[nodes]
        pods = np.fromiter(state.moved.keys(), np.int64, len(state.moved))
        now = np.fromiter(state.moved.values(), np.int64, len(state.moved))
        before, used = self._home[pods], self._used.copy()
        left, came = (before >= 0) & (before != now), (now >= 0) & (before != now)
        np.subtract.at(used, before[left], np.nan_to_num(self._leaving[pods[left]]))
        np.add.at(used, now[came], self._arriving[pods[came]])
        found: Floats = used[nodes]
        return found


class Forecast:
    """The highest point of the forecast within a horizon, and how many pods there are."""

    counts_pods = True

    def __init__(
        self, view: RebalanceView, resources: tuple[str, ...], requested: Sums, quantile: float, horizon: float
    ) -> None:
        """`requested` counts pods, by the same resources."""
        self.source, self.resources = "forecast", resources
        self._view, self._requested, self._quantile, self._horizon = view, requested, quantile, horizon

    def levels(self, state: Scenario, nodes: Positions) -> Floats:
        """[M, K] as the gauge says."""
        return self._laid_over(state, nodes, self._requested.levels(state, nodes), None)

    def levels_with(self, state: Scenario, nodes: Positions, pod: int) -> tuple[Floats, Floats]:
        """[M, K] twice, as the gauge says."""
        now, then = self._requested.levels_with(state, nodes, pod)
        return self._laid_over(state, nodes, now, None), self._laid_over(state, nodes, then, pod)

    def relief(self, pods: Positions, node: int) -> Floats:
        """[M, K] as the gauge says."""
        found, at = self._requested.relief(pods, node), np.full(len(pods), node, np.int32)
        for column, resource in self._forecast():
            loads = self._view.loads[resource]
            vectors = loads.of_pods(pods)
            found[:, column] = 100.0 * loads.hottest(vectors, at, self._quantile, self._horizon)
        return found

    def _forecast(self) -> list[tuple[int, str]]:
        return [(at, name) for at, name in enumerate(self.resources) if name != "pods"]

    def _laid_over(self, state: Scenario, nodes: Positions, levels: Floats, pod: int | None) -> Floats:
        for column, resource in self._forecast():
            top = state.hottest(resource, nodes, self._quantile, self._horizon, plus=pod)
            known = ~self._view.loads[resource].unknown[nodes] & ~np.isnan(levels[:, column])
            levels[:, column] = np.where(known, 100.0 * top.astype(np.float64), np.nan)
        return levels


@dataclass(frozen=True, slots=True, eq=False)
class KeepsTarget:
    """The promise that a pod lands on an `able` [N] node that is not above the target `high` [K] with it."""

    gauge: Gauge
    high: Floats
    able: Mask

    def keeps(self, state: Placed, pod: int, nodes: Positions) -> Mask:
        """[M] as promises say; the state is a scenario."""
        assert isinstance(state, Scenario)
        now, then = self.gauge.levels_with(state, nodes, pod)
        with np.errstate(invalid="ignore"):
            within = (then <= self.high) | np.isnan(now)
        found: Mask = self.able[nodes] & within.all(axis=1)
        return found

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, KeepsTarget) or self.gauge.source != other.gauge.source:
            return False
        return np.array_equal(self.high, other.high) and np.array_equal(self.able, other.able)

    def __hash__(self) -> int:
        return hash((self.gauge.source, self.high.tobytes(), self.able.tobytes()))
