"""How hard and how long executing a plan may push."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from descheduler.policy.acting import ActingPolicy


@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    """Rates are requests per second, everything else of time is in seconds.

    max_parallel: evictions under way at once; under one budget it is one (`queues`).
    rate, burst: of the token bucket that all evictions go through; the rate gives way to throttling.
    finish: how long one execution insists on finishing a unit that a budget race broke; after it the intent stays
        open and the next cycle goes on.
    finish_on_stop: the same when the process is asked to stop, and, after that, how long replacements may take to get
        a node before what was prepared for them is taken away; keep twice of it below its termination grace period.
    budget_retry: between two tries against a closed budget.
    grace: that evicted pods get to end, None: their own.
    ready: how long to wait for the replacements of a wave before the rest of the plan is given up.
    observe_every: between two looks at whether replacements are ready.
    resume: an interrupted unit older than this is left alone if its workload has recovered by itself meanwhile.
    """

    max_parallel: int
    rate: float
    burst: int
    ready: float
    grace: int | None = None
    finish: float = 600.0
    finish_on_stop: float = 20.0
    budget_retry: float = 2.0
    observe_every: float = 1.0
    resume: float = 900.0

    @classmethod
    def of(cls, acting: ActingPolicy) -> Self:
        return cls(
            acting.max_parallel,
            acting.qps,
            acting.burst,
            acting.wave_timeout.total_seconds(),
            acting.grace_period_seconds,
        )
