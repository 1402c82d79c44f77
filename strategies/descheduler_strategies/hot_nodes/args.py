"""What users may say of HotNodes."""

from __future__ import annotations

from collections.abc import Iterator
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
        for name, place, margin, level in self._all_of_a_threshold():
            if name in self.model_fields_set:
                raise ValueError(f"{name} {margin:g} leaves nothing of {'.'.join(place)} {level:g}")
        return self

    def doubts(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Thresholds within the default margins: lowered to see what is hot, and nothing is cool enough for a move."""
        for name, place, margin, level in self._all_of_a_threshold():
            yield place, f"{name} {margin:g} leaves nothing of {level:g}: nothing can be cool enough"

    def _all_of_a_threshold(self) -> Iterator[tuple[str, tuple[str, ...], float, float]]:
        """Each margin that takes all of a threshold: its name, the threshold's place, and both."""
        places = (("thresholds",), self.thresholds), *((("pools", pool), own) for pool, own in self.pools.items())
        for place, levels in places:
            for resource, level in levels.items():
                for name, margin in (("headroom", self.headroom), ("clearance", self.clearance)):
                    if margin >= level:
                        yield name, (*place, resource), margin, level

    @property
    def promise(self) -> float:
        """The quantile by which destinations are judged."""
        return max(self.quantile, self.destination_quantile)
