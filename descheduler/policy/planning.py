"""How much may be moved, to where, and what it must be worth."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from descheduler.contract.naming import Load, OwnerKind, ReadKind
from descheduler.contract.types import Duration, Fraction
from descheduler.policy.amounts import Amount
from descheduler.policy.section import Section


def _half_checkpoints() -> dict[str, timedelta]:
    batch = dict.fromkeys(("Job", "JobSet", "MPIJob", "PyTorchJob", "TrainJob"), timedelta(minutes=15))
    return {**batch, "RayCluster": timedelta(minutes=5)}


class GangsPolicy(Section):
    """Groups of pods that must run together."""

    when_unset: Literal["Whole", "PerPod"] = "Whole"
    """How a gang moves whose objects do not say: all its pods together, or single ones beyond its minimum."""


class LimitsPolicy(Section):
    """How many pods may be moved: evicted ones and those that restart with them count.

    Each is a number, a percentage such as `5%` (rounded down, but one at least), or the larger of both, such as
    `max(50, 0.2%)`, so that one policy fits clusters of every size; null: no limit.
    """

    per_node: Amount | None = 8
    """From one node in one plan; a percentage is of the node's running pods."""
    per_namespace: Amount | None = "max(20, 1%)"
    """In one namespace in one plan; a percentage is of the namespace's running pods."""
    per_workload: Amount | None = "10%"
    """Of one workload at any moment; a percentage is of its running pods.

    Pods that it lacks, missing or not ready, count too.
    """
    per_cycle: Amount | None = "max(50, 0.2%)"
    """In one plan; a percentage is of the cluster's running pods."""
    per_hour: Amount | None = "max(200, 0.8%)"
    """Within an hour, over all plans; a percentage is of the cluster's running pods."""
    nodes_per_cycle: Amount | None = None
    """Nodes that pods leave in one plan; a percentage is of the cluster's nodes."""


class ProofPolicy(Section):
    """When a destination is good enough."""

    max_load: dict[Load, Fraction] = Field(default_factory=lambda: {"cpu": 0.8, "memory": 0.9})
    """Forecast load of a destination with the pod on it, as a fraction of allocatable, by resource."""
    quantile: Fraction = Field(default=0.95, gt=0, lt=1)
    """Quantile of the forecast that is held against it."""
    horizon: Duration = Field(default=timedelta(hours=1), ge=timedelta(minutes=5), le=timedelta(days=1))
    """How long a destination must stay below it."""
    max_risk: Fraction = 0.2
    """Accepted probability that the scheduler puts a pod back on its node, or on one that it would make hot."""


class CostPolicy(Section):
    """What moving a pod costs; weighed in core-seconds, a GPU counting as 20 cores."""

    margin: float = Field(default=1.5, ge=1.0, le=100.0)
    """A move must be worth this many times its cost."""
    restart: Duration = timedelta(seconds=30)
    """Until a replacement runs."""
    warm_up: Duration = timedelta(seconds=60)
    """Until it is as good as the old one."""
    stateful: Duration = timedelta(seconds=60)
    """What a StatefulSet's member takes longer, because its old self must be gone and its volume must move."""
    lost_work: dict[OwnerKind, Duration] = Field(default_factory=_half_checkpoints)
    """Work not yet saved when a pod is stopped, by kind of its topmost controller: half a checkpoint interval."""


class CooldownPolicy(Section):
    """How long what was moved is left in peace."""

    unit: Duration = timedelta(hours=1)
    """A pod, or a gang, that was moved stays for so long."""
    workload: Duration = timedelta(minutes=15)
    """The other pods of its workload stay for so long."""
    backoff_factor: float = Field(default=2.0, ge=1.0, le=10.0)
    """Each further move of the same unit within a day makes its cooldown this many times longer."""
    longest: Duration = timedelta(hours=24)
    """But never longer than this."""
    quarantine_after: int = Field(default=3, ge=1)
    """A unit that was moved this often within a day is quarantined: it keeps coming back, and somebody should look."""
    quarantine: Duration = timedelta(days=7)
    """How long it then stays."""

    @model_validator(mode="after")
    def _longest_is(self) -> Self:
        if self.longest < self.unit:
            raise ValueError("longest must not be less than unit")
        return self


class FreshnessPolicy(Section):
    """How old what was read from the API server may be; older data moves nothing."""

    max_age: Duration = Field(default=timedelta(minutes=4), ge=timedelta(seconds=5))
    """For every kind that is not listed below. An API server confirms a quiet watch only every minute or two."""
    kinds: dict[ReadKind, Duration] = Field(default_factory=dict)
    """By plural kind, such as `poddisruptionbudgets: 1m`."""
