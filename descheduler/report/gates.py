"""What a pipeline may stop for: a plan is held against the gates that were named."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason

_WANTING = frozenset({Reason.DATA_MISSING.value, Reason.LOW_CONFIDENCE.value})


class Gate(StrEnum):
    """What must not be in a plan."""

    FINDINGS = "findings"
    """Anything that was found, whatever becomes of it."""
    UNANSWERED = "unanswered"
    """A finding that is neither cured nor eased, and that no rule of the policy leaves alone."""
    MOVES = "moves"
    """A pod that moves or is removed."""
    DATA = "data"
    """Something that was not looked at, or is left alone for want of data."""


def shut(plan: PlanDocument, gates: Iterable[Gate]) -> tuple[Gate, ...]:
    """Those of the gates that the plan does not pass."""
    return tuple(gate for gate in dict.fromkeys(gates) if _holds(plan, gate))


def _holds(plan: PlanDocument, gate: Gate) -> bool:
    match gate:
        case Gate.FINDINGS:
            return bool(plan.findings)
        case Gate.UNANSWERED:
            return any(finding.outcome == "unanswered" for finding in plan.findings)
        case Gate.MOVES:
            return bool(plan.actions)
        case Gate.DATA:
            wanting = any(row.finding and row.reason in _WANTING for row in plan.refusals)
            return bool(plan.unlooked or plan.acting_blocked or plan.problems or wanting)
