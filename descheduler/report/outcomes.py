"""What becomes of a plan's findings, counted: headline, tiles and tables of every format say these numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from descheduler.model.format import number, plural
from descheduler.model.plan import PlanDocument

OUTCOMES = {
    "cured": "cured",
    "eased": "eased, not cured",
    "unanswered": "unanswered",
    "left-alone": "left alone",
}


def counts(plan: PlanDocument) -> Mapping[str, int]:
    """How many findings have each outcome, in the order of `OUTCOMES`; those that none has are 0."""
    found = Counter(finding.outcome for finding in plan.findings)
    return {name: found[name] for name in OUTCOMES}


def told(plan: PlanDocument) -> str:
    """`of 5 findings 2 cured, 3 left alone`; empty without findings."""
    if not plan.findings:
        return ""
    parts = ", ".join(f"{number(count)} {OUTCOMES[name]}" for name, count in counts(plan).items() if count)
    return f"of {plural(len(plan.findings), 'finding')} {parts}"
