"""What a move must not spoil while it cures something else: another strategy would move the pod back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.model.moves import Among, Placed, Promise


@dataclass(frozen=True, slots=True)
class AllOf:
    """Several promises at once."""

    promises: tuple[Promise, ...]

    def keeps(self, state: Placed, pod: int, nodes: Positions) -> Mask:
        """[K] for the nodes."""
        found: Mask = np.logical_and.reduce([one.keeps(state, pod, nodes) for one in self.promises])
        return found


class NoLessWanted:
    """Nodes that a pod, as it will be made again, wants no less than its own; alike pods on alike nodes share them."""

    def __init__(self, view: RebalanceView) -> None:
        self._view = view
        self._weights = cache(lambda spec: view.start.preferences(view.snapshot.columns.specs[spec]))
        self._taints = cache(lambda spec: view.start.soft_taints(view.snapshot.columns.specs[spec]))
        self._free = cache(lambda spec, most: Among(self._taints(spec) <= most))
        self._both = cache(
            lambda spec, least, most: Among((self._weights(spec) >= least) & self._free(spec, most).mask)
        )

    def of(self, pod: int) -> Among:
        """By its preferred node affinity, and by taints PreferNoSchedule that it does not tolerate."""
        spec, node = self._where(pod)
        return self._both(spec, int(self._weights(spec)[node]), int(self._taints(spec)[node]))

    def by_taints(self, pod: int) -> Among:
        """By the taints alone."""
        spec, node = self._where(pod)
        return self._free(spec, int(self._taints(spec)[node]))

    def _with_both(self, spec: int, least: int, most: int) -> Among:
        weights: Ints = self._weights(spec)
        return Among((weights >= least) & self._free(spec, most).mask)

    def _where(self, pod: int) -> tuple[int, int]:
        columns = self._view.snapshot.columns
        return int(columns.pod_remade[pod]), int(columns.pod_node[pod])
