"""PodDisruptionBudgets and priority classes."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.model.labels import Labels
from descheduler.model.selectors import LabelSelector


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A policy/v1 PodDisruptionBudget with the status its controller last wrote.

    `min_available` and `max_unavailable` are kept as written ("3" or "25%"), empty when unset. `selector` None selects
    no pod, an empty one every pod of the namespace (policy/v1 types.go). `disrupting` counts `status.disruptedPods`:
    evictions granted that the controller has not yet seen.
    """

    namespace: str
    name: str
    selector: LabelSelector | None
    min_available: str = ""
    max_unavailable: str = ""
    unhealthy_policy: str = "IfHealthyBudget"  # or AlwaysAllow
    allowed: int = 0  # status.disruptionsAllowed
    current_healthy: int = 0
    desired_healthy: int = 0
    expected: int = 0
    generation: int = 0
    observed_generation: int = 0
    disrupting: tuple[str, ...] = ()

    @property
    def stale(self) -> bool:
        """The status does not yet speak of the present spec: nothing may be concluded from it."""
        return self.observed_generation < self.generation

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}"

    def selects(self, labels: Labels) -> bool:
        """Whether it covers pods of its namespace that have these labels."""
        return self.selector is not None and self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class PriorityClass:
    name: str
    value: int
    default: bool = False
