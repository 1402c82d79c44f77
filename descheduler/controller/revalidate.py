"""The second validation before a wave: does what the plan decided still hold on what the cluster is now?

Beyond the executor's own check (the very pods, where the plan saw them, within their budgets) every pod passes the
gates again, every gang is still the same gang, and every pod still has a place elsewhere, all of the wave taken
together. What a forecast said is not asked again: it is as old as the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from descheduler.execution.executor import Revalidate
from descheduler.execution.ledger import Ledger
from descheduler.model.plan import Action
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.units import DisruptionMode
from descheduler.placement import WhatIf, prepare
from descheduler.planning.gates import Gates, build_gates
from descheduler.planning.settings import settings_of, when_unset
from descheduler.policy import Policy
from descheduler.units import Units, resolve


def second_validation(policy: Policy, ledger: Ledger) -> Revalidate:
    """The check under a policy, with the ledger as the plan was made with."""

    def revalidate(snapshot: ClusterSnapshot, actions: Sequence[Action]) -> Mapping[str, Blocked | None]:
        settings = settings_of(policy, snapshot)
        units = resolve(snapshot, when_unset=when_unset(policy))
        gates = build_gates(snapshot, units, settings.gates, now=snapshot.taken_at, ledger=ledger)
        state = prepare(snapshot, scoring=settings.scoring).what_if()
        verdicts: dict[str, Blocked | None] = {}
        for action in actions:
            pods = [snapshot.pod_index.get((m.namespace, m.pod), -1) for m in action.pods]
            if -1 in pods:
                verdicts[action.id] = Blocked(Reason.CHANGED, action.unit, "a pod of it is gone")
                continue
            blocked = _gated(gates, pods) or _torn(snapshot, units, pods)
            if blocked is None:
                attempt = state.fork()
                blocked = _placed(snapshot, attempt, pods)
                state = attempt if blocked is None else state
            verdicts[action.id] = blocked
        return verdicts

    return revalidate


def _gated(gates: Gates, pods: Sequence[int]) -> Blocked | None:
    return next((blocked for pod in pods if (blocked := gates.blocked(pod)) is not None), None)


def _torn(snapshot: ClusterSnapshot, units: Units, pods: Sequence[int]) -> Blocked | None:
    """A gang that moves whole must be all there; one that does not may lose no more than its slack."""
    leaving: dict[str, int] = {}
    for pod in pods:
        unit = units.of(pod)
        if not unit.gang:
            continue
        leaving[unit.name] = leaving.get(unit.name, 0) + 1
        if unit.mode is DisruptionMode.WHOLE:
            left = sorted(set(unit.members) - set(pods))
            if left:
                return Blocked(Reason.GANG_WOULD_TEAR, unit.name, f"{snapshot.pods[left[0]].key} would stay behind")
        elif leaving[unit.name] > unit.slack:
            return Blocked(Reason.GANG_WOULD_TEAR, unit.name, f"{unit.alive} alive, minimum {unit.min_available}")
    return None


def _placed(snapshot: ClusterSnapshot, attempt: WhatIf, pods: Sequence[int]) -> Blocked | None:
    """Place every pod on the first node, other than its own, that takes it; the state then holds them all."""
    sources = {pod: attempt.node_of(pod) for pod in pods}
    for pod in pods:
        attempt.remove(pod)
    for pod in pods:
        fits = attempt.fits(pod)
        if sources[pod] >= 0:
            fits[sources[pod]] = False
        if not fits.any():
            return Blocked(Reason.NO_PLACE, f"pod/{snapshot.pods[pod].key}", attempt.explain_text(pod))
        attempt.place(pod, int(fits.argmax()))
    return None
