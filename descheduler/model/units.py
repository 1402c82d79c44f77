"""Units of disruption: what must be disrupted together, and what happens when it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from descheduler.model.reasons import Blocked


class DisruptionMode(StrEnum):
    """Whether a gang may lose single pods within its slack, or only move whole (PodGroup `spec.disruptionMode`)."""

    WHOLE = "Whole"
    PER_POD = "PerPod"


class Consequence(StrEnum):
    """What the eviction of one member sets off."""

    RESCHEDULED = "RescheduledAlone"
    GROUP_RESTARTS = "GroupRestarts"
    KILLED_AFTER_GRACE = "RestKilledAfterGrace"
    SAME_NODE = "ReturnsToSameNode"
    COUNTED = "CountsTowardsFailureBudget"
    FAILS = "FailsPermanently"
    LOST = "Lost"


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest set of pods that may be disrupted together.

    `members` and `amplified` are positions in `ClusterSnapshot.pods`; `amplified` adds to the members the pods that
    restart as a consequence. `min_available` and `alive` count pods of the gang; `slack` = alive - min_available may
    go one by one when `mode` is PER_POD. `blocked` is set when the gang cannot be resolved, or when its eviction
    would use up a failure budget: then nothing of it moves.
    """

    name: str  # "namespace/pod" or "dialect:namespace/gang"
    members: tuple[int, ...]
    amplified: tuple[int, ...]
    min_available: int = 0
    alive: int = 1
    mode: DisruptionMode = DisruptionMode.PER_POD
    consequence: Consequence = Consequence.RESCHEDULED
    dialects: tuple[str, ...] = ()
    blocked: Blocked | None = None

    @property
    def gang(self) -> bool:
        return bool(self.dialects)

    @property
    def slack(self) -> int:
        return max(0, self.alive - self.min_available)

    def moving(self, pod: int) -> tuple[int, ...]:
        """The pods that are evicted when `pod` is to move: all members of a whole unit, else it alone."""
        return self.members if self.mode is DisruptionMode.WHOLE else (pod,)

    def restarting(self, pod: int) -> tuple[int, ...]:
        """The pods that restart when `pod` is to move: what is evicted, and what that pulls along."""
        if self.mode is DisruptionMode.WHOLE:
            return self.amplified
        return (pod, *(p for p in self.amplified if p not in self.members))
