"""What users may say of GpuTopology."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from descheduler.contract import StrategyArgs
from descheduler.contract.naming import Free, OwnerKind, PoolName
from descheduler.contract.types import Duration, Fraction

NAME = "GpuTopology"


class GpuTopologyArgs(StrategyArgs):
    """Move multi-GPU jobs off badly linked sets of GPUs, and gather gangs that are spread too far."""

    pools: list[PoolName] = Field(default_factory=list)
    """Only jobs on nodes of these pools, and only to such nodes; all when empty."""
    min_score: Fraction = 0.75
    """A job whose bandwidth is below this fraction of the best for its size is looked at."""
    communication: Fraction = 0.3
    """Share of a job's time that it spends communicating at the best bandwidth, unless its annotation says so."""
    expected: dict[OwnerKind, Duration] = Field(default_factory=dict)
    """How long jobs run from start to end, by kind of their topmost controller, unless an annotation says so."""
    remaining: Duration = timedelta(hours=4)
    """How long a job is taken to run on when nothing tells."""
    min_remaining: Duration = timedelta(minutes=30)
    """A job that ends sooner than this is left alone."""
    devices: Literal["any", "best"] = "any"
    """Which of a destination's free GPUs a pod is expected to get. any: perhaps the worst linked, which must do then.
    best: the device plugin, or the scheduler, gives the best linked one."""
    levels: list[Free] = Field(default_factory=list)
    """Network levels on which gangs are gathered, as the report names them; all when empty."""
    oversubscription: float = Field(default=2.0, ge=1.0, le=100.0)
    """How many times less bandwidth there is between the domains of a level than inside of one."""
    max_moves: int = Field(default=16, ge=1, le=1000)
    """At most so many pods are proposed to move in one plan."""
    max_risk: Fraction = 0.2
    """Accepted probability that a pod lands where it gains nothing."""
