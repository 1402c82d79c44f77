"""Which profiles are given to others: as metrics, and as Koordinator's Recommendation objects."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator, Field

from descheduler.contract.types import Fraction
from descheduler.model.workloads import WorkloadKey
from descheduler.policy.section import Section
from descheduler.policy.selecting import Name
from descheduler_profiling.settings import QUANTILES


def _pattern(value: str) -> str:
    parts = value.split("/")
    if len(parts) != 3 or not all(parts):
        raise ValueError("must be namespace/Kind/name, such as shop/Deployment/checkout or shop/*/*")
    return value


def _quantile(value: float) -> float:
    if not 0.0 < value < 1.0:
        raise ValueError("must lie between 0 and 1, such as 0.95")
    return value


WorkloadPattern = Annotated[str, AfterValidator(_pattern)]
Quantile = Annotated[Fraction, AfterValidator(_quantile)]


class RecommendationsPolicy(Section):
    """Recommendation objects of analysis.koordinator.sh for the published workloads."""

    enabled: bool = False
    """Write them, in mode `dry-run` too, where the cluster has that API. Needs rights of its own."""
    quantile: Quantile = Field(default=0.95)
    """Quantile of the forecast for the day ahead: of CPU at the worst time of it, of memory at its peak."""
    margin: Fraction = 0.1
    """Added on top, as a fraction."""
    min_confidence: Fraction = 0.5
    """Workloads whose profile is less certain get no recommendation."""


class PublishPolicy(Section):
    """Profiles for other programs to read."""

    workloads: tuple[WorkloadPattern, ...] = ()
    """Whose profiles: `namespace/Kind/name`, where `*` stands for any text."""
    signals: tuple[Name, ...] = ("cpu", "memory")
    """Which signals."""
    quantiles: tuple[Quantile, ...] = QUANTILES
    """Which quantiles, each for every horizon of the profile."""
    max_workloads: int = Field(default=200, ge=1, le=10_000)
    """At most so many workloads, the first by name: each is a dozen series for each signal."""
    recommendations: RecommendationsPolicy = RecommendationsPolicy()
    """Koordinator's Recommendation objects."""

    def names(self, key: WorkloadKey) -> bool:
        """Whether a pattern matches the workload."""
        return any(_matches(pattern, key) for pattern in self.workloads)


def _matches(pattern: str, key: WorkloadKey) -> bool:
    wanted = pattern.split("/")
    return all(fnmatchcase(part, one) for part, one in zip((key.namespace, key.kind, key.name), wanted, strict=True))
