"""How full nodes are, by whatever tells: in percent of what they offer, of several resources at once.

A node that does not offer a resource, and one of which nobody knows what it uses, has NaN there: it is neither above
nor below anything. N nodes, P pods, K resources.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Positions
from descheduler.model.moves import Move

Landed = Sequence[tuple[int, int]]
"""Pods that land together with another, each with the node that it has already."""


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

    def levels_with(self, state: Scenario, nodes: Positions, pod: int, landed: Landed) -> Floats:
        """[M, K] the same, with what will be made in place of the pod on each of them."""
        ...

    def relief(self, pods: Positions, node: int) -> Floats:
        """[M, K] by how much the node is emptier without each of the pods, about."""
        ...

    def moved(self, moves: Iterable[Move], landed: dict[int, int]) -> None:
        """These moves are made; what is asked from now on counts them."""
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
        for pod, node in view.start.moved.items():
            self._shift(pod, int(self._home[pod]), node)

    def levels(self, state: Scenario, nodes: Positions) -> Floats:
        """[M, K] as the gauge says."""
        found: Floats = 100.0 * self._used[nodes] / self._whole[nodes]
        return found

    def levels_with(self, state: Scenario, nodes: Positions, pod: int, landed: Landed) -> Floats:
        """[M, K] as the gauge says."""
        used = self._used[nodes] + self._arriving[pod]
        for other, node in landed:
            used[nodes == node] += self._arriving[other]
        found: Floats = 100.0 * used / self._whole[nodes]
        return found

    def relief(self, pods: Positions, node: int) -> Floats:
        """[M, K] as the gauge says."""
        found: Floats = 100.0 * self._leaving[pods] / self._whole[node]
        return found

    def moved(self, moves: Iterable[Move], landed: dict[int, int]) -> None:
        for move in moves:
            self._shift(move.pod, move.source, landed[move.pod])

    def _shift(self, pod: int, source: int, node: int) -> None:
        if source >= 0:
            self._used[source] -= np.nan_to_num(self._of(pod, source))
        if node >= 0:
            self._used[node] += self._of(pod, node)

    def _of(self, pod: int, node: int) -> Floats:
        found: Floats = (self._leaving if node == self._home[pod] else self._arriving)[pod]
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

    def levels_with(self, state: Scenario, nodes: Positions, pod: int, landed: Landed) -> Floats:
        """[M, K] as the gauge says."""
        return self._laid_over(state, nodes, self._requested.levels_with(state, nodes, pod, landed), pod)

    def relief(self, pods: Positions, node: int) -> Floats:
        """[M, K] as the gauge says."""
        found, at = self._requested.relief(pods, node), np.full(len(pods), node, np.int32)
        for column, resource in self._forecast():
            loads = self._view.loads[resource]
            vectors = loads.of_pods(pods)
            found[:, column] = 100.0 * loads.hottest(vectors, at, self._quantile, self._horizon)
        return found

    def moved(self, moves: Iterable[Move], landed: dict[int, int]) -> None:
        self._requested.moved(moves, landed)

    def _forecast(self) -> list[tuple[int, str]]:
        return [(at, name) for at, name in enumerate(self.resources) if name != "pods"]

    def _laid_over(self, state: Scenario, nodes: Positions, levels: Floats, pod: int | None) -> Floats:
        for column, resource in self._forecast():
            top = state.hottest(resource, nodes, self._quantile, self._horizon, plus=pod)
            known = ~self._view.loads[resource].unknown[nodes] & ~np.isnan(levels[:, column])
            levels[:, column] = np.where(known, 100.0 * top.astype(np.float64), np.nan)
        return levels
