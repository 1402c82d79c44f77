"""What follows from past moves, as the policy has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from descheduler.learning.circuit import CircuitRules
from descheduler.learning.strategy_pauses import PauseRules
from descheduler.policy import Policy


@dataclass(frozen=True, slots=True)
class LedgerRules:
    """What follows from past moves. Times are in seconds.

    unit, workload: how long a moved pod (its replacement, that is) and the others of its workload stay in peace.
    growth: each further move of the same unit within a day makes its cooldown this many times longer, up to `longest`.
    quarantine_after: moves of the same unit within a day after which it stays, for `quarantine`.
    circuit: when acting is paused because replacements are late, and for whom.
    pausing: when a strategy is paused because its moves miss.
    owner_misses: after misses in so many plans in a row a workload stays, for as long as a strategy's pause lasts.
    settle: how long after a move it is judged.
    eased_share: how much of the promised change must be there.
    size: how many moves are remembered.
    """

    unit: float
    workload: float
    growth: float
    longest: float
    quarantine_after: int
    quarantine: float
    circuit: CircuitRules
    pausing: PauseRules
    owner_misses: int
    settle: float
    eased_share: float
    size: int

    @classmethod
    def of(cls, policy: Policy) -> Self:
        cooldown, learning = policy.cooldown, policy.learning
        return cls(
            unit=cooldown.unit.total_seconds(),
            workload=cooldown.workload.total_seconds(),
            growth=cooldown.backoff_factor,
            longest=cooldown.longest.total_seconds(),
            quarantine_after=cooldown.quarantine_after,
            quarantine=cooldown.quarantine.total_seconds(),
            circuit=CircuitRules.of(policy.acting),
            pausing=PauseRules.of(learning),
            owner_misses=learning.owner_misses,
            settle=learning.settle.total_seconds(),
            eased_share=learning.eased_share,
            size=learning.remember,
        )
