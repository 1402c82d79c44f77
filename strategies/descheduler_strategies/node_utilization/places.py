"""Whether an underutilized node could take a pod at all: asked once for all pods of one look, before any is tried.

In one plan nodes are filled, not emptied, so that who has no place now has none later in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Positions
from descheduler.model.format import plural
from descheduler.model.reasons import Blocked, Reason
from descheduler_strategies.node_utilization.bounds import Bounds
from descheduler_strategies.node_utilization.gauges import Gauge

TRIED = 4
"""Times that pods of one look are tried in vain, from different nodes, before it counts for all of them."""
WISHED = 64  # nodes that are named for one pod where the plan chooses


_Look = tuple[int, int, int]


class Places:
    """The underutilized nodes [U] of one plan."""

    def __init__(self, view: RebalanceView, gauge: Gauge, bounds: Bounds, nodes: Positions) -> None:
        self._view, self._gauge, self._bounds, self._nodes = view, gauge, bounds, nodes
        self._without: dict[_Look, Blocked] = {}
        self._vain: dict[_Look, list[Blocked]] = {}

    def hopeless(self, state: Scenario, pods: Sequence[int]) -> dict[int, Blocked]:
        """Those of the pods that need not be tried, and why."""
        of = {self._look(pod): pod for pod in reversed(pods)}
        known = {look: self.refusal(state, pod) for look, pod in of.items()}
        return {pod: why for pod in pods if (why := known[self._look(pod)]) is not None}

    def refusal(self, state: Scenario, pod: int) -> Blocked | None:
        """Why the pod need not be tried; None where it should be."""
        look = self._look(pod)
        vain = self._vain.get(look, [])
        if len(vain) >= TRIED:
            return vain[-1]
        alike = (-1, *look[1:])  # whatever the workload
        if alike not in self._without and not len(self._able(state, pod)):
            text = f"none of {plural(len(self._nodes), 'underutilized node')} has room for it below the target"
            self._without[alike] = Blocked(Reason.NO_PLACE, f"pod/{self._view.snapshot.pods[pod].key}", text)
        return self._without.get(alike)

    def tried(self, pod: int, refused: Blocked | None) -> None:
        """What came of it."""
        if refused is None:
            self._vain.pop(self._look(pod), None)
        else:
            self._vain.setdefault(self._look(pod), []).append(refused)

    def wished(self, state: Scenario, pod: int) -> tuple[int, ...]:
        """Nodes for the pod, those first that stay farthest below their target with it."""
        nodes = self._able(state, pod)
        _, levels = self._gauge.levels_with(state, nodes, pod)
        fullest = np.fmax.reduce(levels - self._bounds.high, axis=1, initial=-np.inf)
        return tuple(nodes[np.argsort(fullest, kind="stable")][:WISHED].tolist())

    def _able(self, state: Scenario, pod: int) -> Positions:
        """[K] underutilized nodes that have the room, and stay below their target with it."""
        nodes = with_room(self._view, state, pod, self._nodes)
        if not len(nodes):
            return nodes
        _, then = self._gauge.levels_with(state, nodes, pod)
        with np.errstate(invalid="ignore"):
            over = (then > self._bounds.high).any(axis=1)
        able: Positions = nodes[~over]
        return able

    def _look(self, pod: int) -> _Look:
        """What pods have in common that find a place or none: workload and spec; who has volumes is alone."""
        columns = self._view.snapshot.columns
        alone = pod if self._view.snapshot.pods[pod].claims else -1
        return int(columns.pod_workload[pod]), int(columns.pod_remade[pod]), alone


def with_room(view: RebalanceView, state: Scenario, pod: int, nodes: Positions) -> Positions:
    """[K] those of the nodes on which what is made in place of the pod may run, and has the room; what rules between
    pods say of it is not asked."""
    columns = view.snapshot.columns
    asked = columns.spec_requests[columns.pod_remade[pod]]
    needed = np.flatnonzero(asked)
    able = nodes[state.possible(pod)[nodes]]
    found: Positions = able[(state.free(able)[:, needed] >= asked[needed]).all(axis=1)]
    return found
