"""From what the policy says about acting to what the executor and the ledger take."""

from __future__ import annotations

from descheduler.execution.limits import ExecutionLimits
from descheduler.learning.ledger import LedgerRules
from descheduler.policy import Policy


def limits_of(policy: Policy) -> ExecutionLimits:
    """How hard and how long executing may push."""
    acting = policy.acting
    return ExecutionLimits(
        max_parallel=acting.max_parallel,
        rate=acting.qps,
        burst=acting.burst,
        ready=acting.wave_timeout.total_seconds(),
    )


def rules_of(policy: Policy) -> LedgerRules:
    """What follows from past moves."""
    cooldown, acting, learning = policy.cooldown, policy.acting, policy.learning
    return LedgerRules(
        unit=cooldown.unit.total_seconds(),
        workload=cooldown.workload.total_seconds(),
        growth=cooldown.backoff_factor,
        longest=cooldown.longest.total_seconds(),
        quarantine_after=cooldown.quarantine_after,
        quarantine=cooldown.quarantine.total_seconds(),
        pending_limit=acting.pending_limit,
        pending_after=acting.pending_after.total_seconds(),
        hit_rate=learning.min_hit_rate,
        hit_window=learning.window,
        hit_least=learning.min_judged,
        pause=learning.pause.total_seconds(),
        settle=learning.settle.total_seconds(),
        eased_share=learning.eased_share,
        size=learning.remember,
    )
