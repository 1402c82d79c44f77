"""NodeResourcesBalancedAllocation: whether CPU and memory of a node are evenly used, as each release scores it.

After kubernetes pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go at v1.29.0 to v1.36.3; the other
scores of the default profile, and their weights, are the same in all of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from descheduler.model.arrays import Floats, Ints
from descheduler.model.release import Release

BEST = 100  # framework.MaxNodeScore
WITHOUT_BEST_EFFORT = Release(1, 33)
"""Since then pods that ask for neither CPU nor memory are not scored (PreScore returns Skip)."""
BY_CHANGE = Release(1, 36)
"""Since then what counts is by how much the pod makes it more even; before, how even it is with the pod."""


@dataclass(frozen=True, slots=True)
class Balance:
    """The score of one release; `best_effort`: pods that ask for nothing are scored too."""

    by_change: bool = True
    best_effort: bool = False

    @classmethod
    def of(cls, release: Release | None) -> Self:
        """That of the release, or of the newest one that is known where it is not known."""
        if release is None:
            return cls()
        return cls(release >= BY_CHANGE, release < WITHOUT_BEST_EFFORT)

    def scores(self, capacity: Ints, left: Ints, requests: tuple[int, int]) -> Ints:
        """[K] for a pod with these requests (CPU, memory) on nodes with that much and, without it, so much left, both
        [K, 2]."""
        if not any(requests) and not self.best_effort:
            return np.zeros(len(capacity), np.int64)
        used = capacity - left
        after = _evenness(used + np.array(requests, np.int64), capacity)
        if not self.by_change:
            return after
        return BEST // 2 + (BEST // 2 + after - _evenness(used, capacity)) // 2


def _evenness(used: Ints, capacity: Ints) -> Ints:
    """[K] 100 where the two fractions are the same, 50 where one is full and the other empty."""
    fractions: Floats = np.minimum(used / np.maximum(capacity, 1), 1.0)
    both = (capacity[:, 0] > 0) & (capacity[:, 1] > 0)
    std = np.where(both, np.abs((fractions[:, 0] - fractions[:, 1]) / 2), 0.0)
    return ((1 - std) * BEST).astype(np.int64)
