"""Where pods of hot nodes should go, where the plan chooses: to nodes that stay cool for the whole forecast.

Pods that peak at different hours fit together. So a node is judged with the pod on it, hour by hour of the day ahead,
and not by how cool it is alone; whether it stays below its threshold is asked of the forecast's quantile afterwards.
"""

from __future__ import annotations

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Floats32, Positions
from descheduler_profiling.quantiles import upper
from descheduler_strategies.hot_nodes.heat import Thermometer

MOST = 128  # nodes that are looked at for one pod: those that may take it and stay coolest as the plan begins


class Places:
    """The nodes that may receive pods, and the forecast's day of each."""

    def __init__(self, view: RebalanceView, meter: Thermometer, state: Scenario, quantile: float) -> None:
        self._view, self._meter = view, meter
        able = np.flatnonzero(view.destinations()).astype(np.int32)
        self._margins: dict[str, Floats32] = {}  # [N, L] by resource: of the forecast's error at each kept point
        hottest = np.full(len(able), -np.inf)
        for resource in meter.limits:
            vectors = state.vectors(resource, able)
            margins = np.zeros((len(view.snapshot.nodes), view.loads[resource].profiles.layout.points), np.float32)
            margins[able] = _margins(view, resource, vectors, quantile)
            self._margins[resource] = margins
            hottest = np.maximum(hottest, self._day(resource, able, vectors))
        self._coolest: Positions = able[np.lexsort((able, hottest))]

    def wished(self, state: Scenario, pod: int) -> tuple[int, ...]:
        """Nodes for the pod in this state, by how far below their thresholds they stay with it for the day ahead."""
        nodes = self._coolest[state.possible(pod)[self._coolest]][:MOST]
        hottest = np.full(len(nodes), -np.inf)
        for resource in self._meter.limits:
            loads = self._view.loads[resource]
            points = loads.profiles.layout.points
            added = loads.of_pods(np.array([pod], np.int32), remade=True, width=points)
            hottest = np.maximum(hottest, self._day(resource, nodes, state.vectors(resource, nodes, points) + added))
        return tuple(nodes[np.lexsort((nodes, hottest))].tolist())

    def _day(self, resource: str, nodes: Positions, vectors: Floats32) -> Floats:
        """[K] the highest point of the day ahead on nodes with these vectors, as a fraction of the threshold."""
        loads = self._view.loads[resource]
        points = vectors[:, : loads.profiles.layout.points] + self._margins[resource][nodes]
        ceiling = np.maximum(loads.capacity[nodes] * self._meter.limits[resource][nodes], 1e-9)
        out: Floats = points.max(axis=1, initial=0.0).astype(np.float64) / ceiling
        return out


def _margins(view: RebalanceView, resource: str, vectors: Floats32, quantile: float) -> Floats32:
    """[K, L] what the quantile adds to each kept point of the forecast vectors [K, D]."""
    layout = view.loads[resource].profiles.layout
    errors = [upper(vectors[:, bucket.offset : bucket.offset + bucket.size], quantile) for bucket in layout.buckets]
    return np.stack(errors, axis=1)[:, layout.bucket_of_step[layout.point_leads - 1]]
