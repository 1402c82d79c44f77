"""Counts of pods per domain that a rule looks at, kept current while pods move in a what-if state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.scheduler.classes import PodClasses
from descheduler.scheduler.domains import Topology


@dataclass(frozen=True, eq=False, slots=True)
class Counter:
    """Weighted pods per domain of one topology.

    Only pods of the classes in `weights` count, and only on `eligible` nodes (None: all). `base` [D + 1] is the count
    in the snapshot; its last entry, for nodes without the label, is always 0.
    """

    topology: Topology
    weights: dict[int, int]
    base: Ints
    eligible: Mask | None
    skip_terminating: bool

    def shift(self, counts: Ints, moves: Sequence[Shift]) -> Ints:
        """[D + 1] the counts after the moves; the given array itself when none of them matters."""
        own = counts
        domain, last = self.topology.domain, self.topology.size
        for move in moves:
            weight = self.weights.get(move[0])
            if weight is None or (move[3] and self.skip_terminating):
                continue
            node = move[1]
            at = domain[node]
            if at == last or (self.eligible is not None and not self.eligible[node]):
                continue
            if own is counts:
                own = counts.copy()
            own[at] += weight * move[2]
        return own


Shift = tuple[int, int, int, bool]
"""(class, node, +1 placed or -1 removed, the pod is terminating)"""


class PodsByClass:
    """Where the live pods of each class are in the snapshot; builds counters from it."""

    def __init__(self, classes: PodClasses, pod_node: Positions, terminating: Mask) -> None:
        self._classes = classes
        self._node = pod_node
        self._terminating = terminating
        self._any_terminating = bool(terminating.any())

    def counter(
        self,
        topology: Topology,
        weights: dict[int, int],
        *,
        eligible: Mask | None = None,
        skip_terminating: bool = False,
    ) -> Counter:
        """A counter of the classes in `weights` (by class), on the `eligible` [N] nodes."""
        members = np.fromiter(weights, np.int64, len(weights))
        base = self._base(topology, members, weights, eligible, skip_terminating)
        return Counter(topology, weights, base, eligible, skip_terminating)

    def _base(
        self, topology: Topology, members: Ints, weights: dict[int, int], eligible: Mask | None, skip: bool
    ) -> Ints:
        if not len(members):
            return np.zeros(topology.size + 1, np.int64)
        pods = self._classes.live_of(members)
        each = np.fromiter(weights.values(), np.int64, len(weights))
        sizes = self._classes.live_start[members + 1] - self._classes.live_start[members]
        weight = np.repeat(each, sizes)
        nodes = self._node[pods]
        keep = np.ones(len(pods), np.bool_) if eligible is None else eligible[nodes]
        if skip and self._any_terminating:
            keep = keep & ~self._terminating[pods]
        base = np.bincount(topology.domain[nodes[keep]], weight[keep], topology.size + 1).astype(np.int64)
        base[-1] = 0
        return base
