"""The documented differences from the original that situations meet, and how each is recognised.

`docs/from-sigs-descheduler.md` tells them to users, under the same ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason

DIFFERENCES: Final[Mapping[str, frozenset[Reason]]] = {
    "D-reserved": frozenset({Reason.NO_PLACE}),
    "D-landing": frozenset(
        {Reason.WOULD_STAY, Reason.NODE_NAMED, Reason.NO_GAIN, Reason.DESTINATION_HOT, Reason.RETURNS_TO_NODE}
    ),
    "D-whole": frozenset(
        {Reason.NO_PLACE, Reason.LOCAL_STORAGE, Reason.NAMESPACE_EXCLUDED, Reason.NODE_LIMIT, Reason.NOT_SELECTED}
    ),
    "D-restarted": frozenset({Reason.NO_PLACE}),
    "D-daemonset": frozenset(),
    "D-evict-annotation": frozenset({Reason.OPTED_OUT}),
    "D-ended": frozenset(),
    "D-nodes": frozenset(),
    "D-made-again": frozenset({Reason.BARE_POD}),
    "D-better-node": frozenset(),
    "D-node-selector": frozenset(),
    "D-other-side": frozenset(),
    "D-whole-term": frozenset(),
    "D-selected": frozenset(),
    "D-all-count": frozenset(),
    "D-least-important": frozenset(),
    "D-sees-budgets": frozenset(),
    "D-relief": frozenset(),
    "D-lacking": frozenset(),
}
"""Id -> one of these reasons must be among the plan's refusals; empty: it is a rule of the strategy, not a refusal."""


def shown(difference: str, plan: PlanDocument) -> bool:
    """Whether the plan's own words say that this is the difference."""
    reasons = {row.reason for row in plan.refusals} | {reason for row in plan.findings for reason in row.refused}
    wanted = DIFFERENCES[difference]
    return not wanted or not wanted.isdisjoint(Reason(reason) for reason in reasons)
