"""Which nodes are underutilized and which overutilized, and how far others may fill them."""

from __future__ import annotations

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Floats, Mask, Positions


def seen_nodes(view: RebalanceView) -> Mask:
    """[N] nodes that are looked at: selected, ready, and real; cordoned ones too."""
    nodes = view.snapshot.nodes
    there = np.fromiter((node.ready and not node.virtual for node in nodes), np.bool_, len(nodes))
    seen: Mask = there & view.selected_nodes
    return seen


def below(levels: Floats, most: Floats) -> Mask:
    """[N] nodes at or below all of what they have ([N, K] percent, NaN: it has not), of `most` [K]."""
    known = ~np.isnan(levels)
    with np.errstate(invalid="ignore"):
        within = (levels <= most) | ~known
    found: Mask = np.logical_and(within.all(axis=1), known.any(axis=1))
    return found


_NOISE = 1e-9  # percentage points that sums of floats may differ by


class Bounds:
    """Thresholds as they are written: `low` [K] and `high` [K] in percent."""

    def __init__(self, low: Floats, high: Floats) -> None:
        self.low, self.high = low, high

    def excess(self, levels: Floats) -> Floats:
        """[M, K] percentage points above the target; 0 for what is not above it, or not known."""
        over = levels - self.high
        with np.errstate(invalid="ignore"):
            return np.where(over > _NOISE, over, 0.0)

    def admits(self, now: Floats, then: Floats, source: int, relief: Floats, nodes: Positions) -> Mask:
        """[M] nodes whose levels [M, K] may become `then`: what was known of them is known still, and not above the
        target. `relief` [K] is by how much the node `source` becomes emptier."""
        known = ~np.isnan(now)
        with np.errstate(invalid="ignore"):
            within = (then <= self.high) | ~known
        fine: Mask = np.logical_and(within.all(axis=1), known.any(axis=1))
        return fine

    def changed(self, nodes: Positions, now: Floats) -> None:
        """The levels of these nodes are [M, K] from now on."""


class Deviations(Bounds):
    """Thresholds around the mean of all nodes that have the resource, each node counting as much as any other.

    What is moved between nodes of different sizes moves the mean, and the target with it. So nothing is admitted that
    would bring a node which was filled before above the target that there is then.
    """

    def __init__(self, lower: Floats, higher: Floats, levels: Floats, counted: Mask) -> None:
        """`lower` [K] and `higher` [K] percentage points; `levels` [N, K] of which the `counted` [N] make the mean."""
        self._lower, self._higher = lower, higher
        self._levels = np.where(counted[:, None], levels, np.nan)
        self._count = np.maximum((~np.isnan(self._levels)).sum(axis=0), 1)
        self._sum = np.nansum(self._levels, axis=0)
        self._filled = np.full(len(lower), -np.inf)  # the fullest of the nodes that were filled
        super().__init__(*self._around(self._sum))

    def _around(self, total: Floats) -> tuple[Floats, Floats]:
        mean = total / self._count
        return np.clip(mean - self._lower, 0.0, 100.0), np.clip(mean + self._higher, 0.0, 100.0)

    def admits(self, now: Floats, then: Floats, source: int, relief: Floats, nodes: Positions) -> Mask:
        """[M] as above, by the mean that there is then."""
        fine = super().admits(now, then, source, relief, nodes)
        counts = ~np.isnan(self._levels[nodes])
        more = np.where(counts, np.nan_to_num(then - now), 0.0)
        less = np.where(np.isnan(self._levels[source]), 0.0, np.nan_to_num(relief))
        _, high = self._around(self._sum + more - less)
        with np.errstate(invalid="ignore"):
            above = (np.fmax(then, self._filled) > high + _NOISE).any(axis=1)
        found: Mask = fine & ~above
        return found

    def changed(self, nodes: Positions, now: Floats) -> None:
        """The levels of these nodes are [M, K] from now on, and with them the mean is another."""
        before = self._levels[nodes]
        more = np.nan_to_num(now - before)
        self._levels[nodes] = before + more
        self._sum = self._sum + more.sum(axis=0)
        rising = (more > 0).any(axis=1)
        self._filled = np.fmax(self._filled, np.fmax.reduce(now[rising], axis=0, initial=-np.inf))
        self.low, self.high = self._around(self._sum)
