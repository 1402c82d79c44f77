"""What users may say of IdleGpu."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from descheduler.contract import StrategyArgs
from descheduler.contract.naming import PoolName
from descheduler.contract.types import Duration, Fraction

NAME = "IdleGpu"


class IdleGpuArgs(StrategyArgs):
    """Find GPUs that are allocated and do no work."""

    act: Literal["report", "evict"] = "report"
    """report: say so, and move nothing. evict: also move idle pods to nodes that are in use already."""
    threshold: Fraction = 0.05
    """Activity of a GPU at or under which it does no work."""
    window: Duration = Field(default=timedelta(hours=1), ge=timedelta(minutes=5), le=timedelta(days=7))
    """For how long it must have done none. Beyond an hour, a single idle replica among busy ones is not seen."""
    quantile: Fraction = 1.0
    """Which quantile of the window is held against the threshold; 1 is the largest value."""
    grace: Duration = timedelta(hours=1)
    """Pods that started more recently are left out: they may still be loading."""
    min_coverage: Fraction = 0.9
    """Share of the window that must have been measured; with less, nothing is said of the pod."""
    memory_change: Fraction = 0.02
    """GPU memory that changes by more than this share of its peak is a sign of work, where it is known."""
    pools: list[PoolName] = Field(default_factory=list)
    """Only nodes of these pools; all when empty."""
    max_findings: int = Field(default=20, ge=1, le=1000)
    """So many workloads are reported one by one, those with most idle GPU-hours; the others are summed up."""
    max_moves: int = Field(default=8, ge=1, le=1000)
    """evict: at most so many pods in one plan."""
    freed_worth: Duration = timedelta(minutes=10)
    """evict: how long a GPU that a move frees on its node is expected to serve others, which is its worth."""
    max_risk: Fraction = 0.2
    """evict: accepted probability that a pod lands on its source or on a node whose GPUs are all free."""
