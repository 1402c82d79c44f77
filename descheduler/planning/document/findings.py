"""The findings of an outcome as rows of a plan: their levels with and without it, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from descheduler.model.moves import Finding, FindingKey
from descheduler.model.plan import Action, FindingRow
from descheduler.model.reasons import Reason
from descheduler.planning.document.refusals import counted
from descheduler.planning.effects import cures, level_with
from descheduler.planning.planner import Outcome

LEFT_ALONE = frozenset(
    {Reason.SPIKE_PASSES, Reason.LOW_CONFIDENCE, Reason.DATA_MISSING, Reason.REPORT_ONLY, Reason.NOT_PINNED}
)
CURVE_STEPS = 72  # six hours of five minutes: what a chart shows


def finding_rows(outcome: Outcome, ids: Mapping[FindingKey, str], actions: Iterable[Action]) -> Iterator[FindingRow]:
    """One for each finding, by the `ids` under which the actions know them."""
    answers: dict[str, list[Action]] = {}
    for action in actions:
        answers.setdefault(action.finding, []).append(action)
    tried = counted(outcome)
    for key, finding in outcome.findings.items():
        yield _row(outcome, finding, ids[key], answers.get(ids[key], ()), tried.get(key, {}))


def _row(
    outcome: Outcome, finding: Finding, name: str, mine: Sequence[Action], refused: Mapping[str, int]
) -> FindingRow:
    after, curve = level_with(outcome.view, outcome.final, finding, sum(a.benefit for a in mine))
    return FindingRow(
        id=name,
        strategy=finding.strategy,
        subject=str(finding.subject),
        measure=finding.measure,
        resource=finding.resource,
        value=finding.value,
        threshold=finding.threshold,
        after=after,
        outcome=_outcome(outcome, finding, after, bool(mine)),
        text=finding.text,
        nodes=tuple(outcome.view.snapshot.nodes[n].name for n in finding.nodes),
        since=finding.since,
        until=finding.until,
        curve=_short(finding.curve),
        curve_after=_short(curve),
        step_seconds=finding.step_seconds,
        bound=finding.bound,
        numbers=dict(sorted(finding.numbers)),  # as they come back from storage
        refused=refused,
        would=_would(outcome, finding),
    )


def _would(outcome: Outcome, finding: Finding) -> str:
    if not any(one.reported and one.name == finding.strategy for one in outcome.chosen):
        return ""
    seen = outcome.observed.get(finding.key)
    return seen.blocked.detail if seen is not None and seen.blocked.reason is Reason.REPORT_ONLY else ""


def _short(curve: Iterable[float]) -> tuple[float, ...]:
    return tuple(round(float(x), 4) for x in tuple(curve)[:CURVE_STEPS])


def _outcome(outcome: Outcome, finding: Finding, after: float, moved: bool) -> str:
    if moved:
        return "cured" if cures(finding, after) else "eased"
    seen = outcome.observed.get(finding.key)
    return "left-alone" if seen is not None and seen.blocked.reason in LEFT_ALONE else "unanswered"
