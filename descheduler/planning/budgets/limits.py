"""How much the policy lets be disrupted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from descheduler.policy.amounts import Amount
from descheduler.policy.planning import LimitsPolicy


@dataclass(frozen=True, slots=True)
class DisruptionLimits:
    """Limits in pods that restart, `nodes_per_cycle` in nodes that they leave; None is unlimited.

    Each is a number, a percentage of what is there (rounded down, at least 1), or the larger of both
    (`policy/amounts`). `per_workload` holds at any moment, like a Deployment's `maxUnavailable`. The policy's default,
    10%, keeps a large workload from being moved one by one and a small one from losing more than a pod at a time. A
    gang that moves whole counts as one. Pods that the workload lacks (missing or not ready, for whatever reason) count
    as disrupted already, unless they are what moves; `leaving` False counts those alone, and not pods on their way out
    that are replaced by now.
    `per_node`, `per_namespace` and `per_cycle` are the sigs descheduler's maxNoOfPodsToEvictPerNode, …PerNamespace and
    …Total; `nodes_per_cycle` is like the `nodes` of Karpenter's disruption budgets. `waves` bounds how many waves one
    cycle may take.
    """

    per_node: Amount | None = None
    per_namespace: Amount | None = None
    per_workload: Amount | None = None
    per_cycle: Amount | None = None
    per_hour: Amount | None = None
    waves: int | None = None
    leaving: bool = True
    nodes_per_cycle: Amount | None = None

    @classmethod
    def of(cls, limits: LimitsPolicy) -> Self:
        return cls(
            limits.per_node,
            limits.per_namespace,
            limits.per_workload,
            limits.per_cycle,
            limits.per_hour,
            nodes_per_cycle=limits.nodes_per_cycle,
        )
