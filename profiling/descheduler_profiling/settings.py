"""What can be chosen about profiles; every default was picked on one half of the benchmark's series."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.defaults import CEILING

HOUR = 3600
DAY = 24 * HOUR
WEEK = 7 * DAY
ONE_WEEK, TWO_WEEKS = 6.75, 13.5
"""Days that must be known to tell weekends, and to tell weekdays: a few hours less than whole weeks."""
QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Likeness:
    """What tells which workloads are alike, for those with too little history of their own."""

    request: float = 0.0  # of one replica, in the unit of the signal; 0: none asked for
    kind: str = ""
    image: str = ""
    limit: float = math.inf  # what one replica cannot use more of


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """How profiles are built.

    `quantiles` and `horizons` (seconds; each bucket reaches from the horizon before it to its own) are those of the
    reported table and of the race between models, which is run to `select` among them; vectors answer any quantile, and
    say the same with and without it. `min_history` (seconds measured) is
    what a workload needs to speak for itself; with less it borrows from its like. `half_life` (seconds) is how fast
    the seasonal profile and the pooled statistics forget. `limit` clips forecasts from above (1.0 for a fraction);
    what is above `absurd` is no measurement.
    """

    quantiles: tuple[float, ...] = QUANTILES
    horizons: tuple[int, ...] = (900, 1 * HOUR, 6 * HOUR, DAY)
    min_history: int = DAY
    half_life: int = 3 * DAY
    limit: float | None = None
    absurd: float = CEILING
    select: bool = True
    chunk: int = 512
    likeness: Mapping[WorkloadKey, Likeness] = field(default_factory=dict)

    def limit_of(self, key: WorkloadKey) -> float:
        """What a replica of a workload should not use more of; infinite where nobody says."""
        like = self.likeness.get(key)
        return math.inf if like is None else like.limit

    @property
    def most(self) -> float:
        """What no forecast is above."""
        return math.inf if self.limit is None else self.limit

    def __post_init__(self) -> None:
        if not self.quantiles or any(not 0.0 < q < 1.0 for q in self.quantiles):
            raise ValueError("quantiles must lie between 0 and 1")
        if not self.horizons or list(self.horizons) != sorted(set(self.horizons)) or self.horizons[0] <= 0:
            raise ValueError("horizons must be positive and rising")
        if self.horizons[-1] != DAY:
            raise ValueError("the last horizon must be a day: curves and daily peaks reach that far")
        if self.chunk <= 0 or self.half_life <= 0 or self.min_history < 0:
            raise ValueError("chunk and half_life must be positive, min_history not negative")
