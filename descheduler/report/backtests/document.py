"""What a replay found, as versioned documents; tables and pages are views of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

BACKTEST_FORMAT = "descheduler/backtest"
TUNING_FORMAT = "descheduler/tuning"
VERSION = 1

FIGURES = MappingProxyType(
    {
        "hot_minutes": "Node-minutes above a threshold",
        "spared": "Share of nobody's hot minutes that is spared",
        "excess": "Core-seconds asked for above the thresholds of CPU",
        "caused": "Hot minutes that are none where nobody does anything",
        "evictions": "Evictions",
        "restarts": "Pods that restart: the evicted ones, and what restarts with them",
        "ping_pong": "Moves of a pod back within a day to where it was moved from",
        "pending_minutes": "Minutes in which moved pods had no node",
        "gpu_slots": "Free slots of GPUs, mean over the time",
        "pending_gpu_hours": "GPU-hours for which pods without a node wait",
        "precision": "Share of the findings whose node would have been hot within the horizon",
        "recall": "Share of the bouts of heat, had nobody moved anything, that were found",
        "recall_before": "Share of the bouts of heat of a node that was cool at first that were found while it was",
        "coverage_cpu": "Share of the nodes whose CPU stayed under what was forecast as its peak",
        "coverage_memory": "The same of memory",
        "plans": "Plans made",
        "paused": "Plans for which a strategy was paused",
    }
)
"""What is measured of every contender, by name; what does not apply to one is not there."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure over all seeds: its mean, and where it is with 95 % confidence (t distribution; None: one seed alone).

    `by_seed` are the values themselves, in the order of the seeds that have one.
    """

    mean: float
    low: float | None
    high: float | None
    by_seed: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Restarts:
    """How many pods of a workload were made again, mean over the seeds."""

    workload: str
    count: float


@dataclass(frozen=True, slots=True)
class Refused:
    """How often something was refused for a reason that was to answer a finding, mean over the seeds."""

    reason: str
    explanation: str
    count: float


@dataclass(frozen=True, slots=True)
class Contestant:
    """One who went through the recorded time. `kind`: nobody, policy, peer or oracle.

    `figures` by the names of FIGURES; `hot` is the mean number of hot nodes in each step.
    """

    name: str
    kind: str
    policy_hash: str
    landing: str
    figures: Mapping[str, Estimate]
    restarts: tuple[Restarts, ...]
    refused: tuple[Refused, ...]
    hot: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What was replayed, and what was assumed.

    Times are unix seconds. `thresholds` are the fractions of allocatable above which a node counts as hot, by resource,
    several where pools differ; `judged_by` names the policy that they are of. `gpu_slot`: so many GPUs on one node are
    a slot.
    """

    product: str
    cluster: str
    begin: int
    end: int
    step_seconds: int
    startup_seconds: float
    seeds: tuple[int, ...]
    nodes: int
    pods: int
    workloads: int
    gpus: int
    gpu_slot: int
    thresholds: Mapping[str, tuple[float, ...]]
    judged_by: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Backtest:
    """All contenders beside each other; the first is nobody."""

    format: str
    version: int
    replay: Replay
    contenders: tuple[Contestant, ...]


@dataclass(frozen=True, slots=True)
class Varied:
    """A setting of the policy, and the values that were tried."""

    path: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination of values that was tried; the policy as it is has none.

    `share` of the time was walked; less than 1: dropped after a short walk, and not comparable with the others.
    `cost` are hot minutes and the price of the restarts. `front`: no other is better in one of the two and as good in
    the other.
    """

    id: str
    values: Mapping[str, str]
    policy_hash: str
    share: float
    cost: float
    front: bool
    figures: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class Tuning:
    """What came of varying a policy. `trials` are best first; `best` is the id of the one with the lowest cost.

    `price_minutes` of a hot node are what a restart may cost. `walks` were made, short ones counted by their share, of
    at most `budget`; `combinations` there are, of which the trials are those that were tried.
    """

    format: str
    version: int
    replay: Replay
    policy: str
    landing: str
    varied: tuple[Varied, ...]
    price_minutes: float
    budget: int
    walks: float
    combinations: int
    nobody: Mapping[str, Estimate]
    trials: tuple[Trial, ...]
    best: str
    best_policy: str
