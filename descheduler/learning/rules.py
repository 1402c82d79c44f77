"""What follows from past moves, as the policy has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from descheduler.learning.circuit import CircuitRules
from descheduler.policy import Policy


@dataclass(frozen=True, slots=True)
class LedgerRules:
    """What follows from past moves. Times are in seconds.

    unit, workload: how long a moved pod (its replacement, that is) and the others of its workload stay in peace.
    growth: each further move of the same unit within a day makes its cooldown this many times longer, up to `longest`.
    quarantine_after: moves of the same unit within a day after which it stays, for `quarantine`.
    circuit: when acting is paused because replacements are late, and for whom.
    hit_rate, hit_window, hit_least, pause: a strategy of whose last `hit_window` judged actions (at least `hit_least`)
        less than `hit_rate` reached their goal proposes nothing for `pause`.
    settle: how long after a move its finding is judged.
    eased_share: how much of the promised change must be there where a finding was to be eased, not cured.
    size: how many moves are remembered.
    """

    unit: float
    workload: float
    growth: float
    longest: float
    quarantine_after: int
    quarantine: float
    circuit: CircuitRules
    hit_rate: float
    hit_window: int
    hit_least: int
    pause: float
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
            hit_rate=learning.min_hit_rate,
            hit_window=learning.window,
            hit_least=learning.min_judged,
            pause=learning.pause.total_seconds(),
            settle=learning.settle.total_seconds(),
            eased_share=learning.eased_share,
            size=learning.remember,
        )
