"""What users may say of HotNodes."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from descheduler.contract import StrategyArgs
from descheduler.contract.naming import Load, PoolName
from descheduler.contract.types import Duration, Fraction

NAME = "HotNodes"


class HotNodesArgs(StrategyArgs):
    """Cool nodes whose forecast load is too high."""

    thresholds: dict[Load, Fraction] = Field(default_factory=lambda: {"cpu": 0.75, "memory": 0.85})
    """Fraction of allocatable, by resource, above which a node is hot."""
    pools: dict[PoolName, dict[Load, Fraction]] = Field(default_factory=dict)
    """Thresholds by pool, laid over `thresholds`."""
    quantile: Fraction = 0.95
    """Quantile of the forecast by which a node is hot: an alarm, and the higher it is the more of them are false."""
    clearance: Fraction = 0.03
    """A hot node is cooled to this far below its threshold, so that noise does not make it hot again."""
    headroom: Fraction = 0.05
    """A destination must stay this far below its threshold."""
    destination_quantile: Fraction = 0.95
    """Quantile of the forecast by which a destination must. The alarm's counts where that is higher, for who comes
    must not make a node hot."""
    horizon: Duration = timedelta(hours=1)
    """How far ahead to look."""
    min_duration: Duration = timedelta(minutes=15)
    """A node that will be hot for no longer than this is left alone: the peak passes before a move pays. One that was
    hot for longer already is hot whatever the forecast says."""
    min_confidence: Fraction = 0.3
    """Nodes whose profiles are trusted less than this are left alone."""
    min_coverage: Fraction = 0.8
    """Share of a node's requests that must have history; otherwise its load is not known and it is left alone."""
    max_moves_per_node: int = Field(default=8, ge=1, le=50)
    """At most so many units leave one node in one plan. A node that they do not cool is left alone."""
    max_risk: Fraction = 0.2
    """Accepted probability that a pod lands on its source or on a node that it would make hot."""
    weight: float = Field(default=4.0, gt=0)
    """Worth of one core-second (or the same share of memory) of excess, in core-seconds of restarted work."""

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        for where, levels in (("thresholds", self.thresholds), *((f"pools.{k}", own) for k, own in self.pools.items())):
            for resource, level in levels.items():
                for name, below in (("headroom", self.headroom), ("clearance", self.clearance)):
                    if below >= level:
                        raise ValueError(f"{name} {below:g} leaves nothing of {where}.{resource} {level:g}")
        return self

    @property
    def promise(self) -> float:
        """The quantile by which destinations are judged."""
        return max(self.quantile, self.destination_quantile)
