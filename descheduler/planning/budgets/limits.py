"""How much the policy lets be disrupted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from descheduler.policy.planning import LimitsPolicy


@dataclass(frozen=True, slots=True)
class DisruptionLimits:
    """Limits in pods that restart; None is unlimited.

    `per_workload` holds at any moment, like a Deployment's `maxUnavailable`: a number, or a percentage of the
    workload's running pods (rounded down, at least 1). The policy's default, 10%, keeps a large workload from being
    moved one by one and a small one from losing more than a pod at a time. A gang that moves whole counts as one. Pods
    that the workload lacks (missing or not ready, for whatever reason) count as disrupted already, unless they are what
    moves; `leaving` False counts those alone, and not pods on their way out that are replaced by now.
    `per_node`, `per_namespace` and `per_cycle` are the sigs descheduler's maxNoOfPodsToEvictPerNode, …PerNamespace and
    …Total. `waves` bounds how many waves one cycle may take.
    """

    per_node: int | None = None
    per_namespace: int | None = None
    per_workload: int | str | None = None
    per_cycle: int | None = None
    per_hour: int | None = None
    waves: int | None = None
    leaving: bool = True

    @classmethod
    def of(cls, limits: LimitsPolicy) -> Self:
        return cls(limits.per_node, limits.per_namespace, limits.per_workload, limits.per_cycle, limits.per_hour)
