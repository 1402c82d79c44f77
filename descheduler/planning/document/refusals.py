"""What is not done, as rows of a plan that stays small however many pods stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from descheduler.model.bounds import ROWS
from descheduler.model.format import plural
from descheduler.model.moves import Finding, FindingKey, Tried
from descheduler.model.plan import RefusalRow
from descheduler.model.reasons import EXPLANATION, Blocked, Reason
from descheduler.planning.planner import Outcome, Refused

Ids = Mapping[FindingKey, str]

FOLDED = frozenset({Reason.DAEMON_SET, Reason.MIRROR_POD, Reason.SYSTEM_CRITICAL, Reason.TERMINAL, Reason.TERMINATING})
"""Reasons that say nothing about a single pod: one row a node is enough."""


def refusal_rows(outcome: Outcome, ids: Ids) -> Iterator[RefusalRow]:
    """All that is not done and why; `ids` names the findings."""
    return _bounded(_refusals(outcome, ids))


def counted(outcome: Outcome) -> Mapping[FindingKey, Mapping[str, int]]:
    """Of each finding, the units that might have answered it, by the reason why they may not."""
    reasons: dict[FindingKey, dict[tuple[int, ...], Reason]] = {}
    for one in outcome.refused:
        if one.pods:
            reasons.setdefault(one.finding.key, {})[one.pods] = one.blocked.reason
    for key, seen in outcome.observed.items():
        reasons.setdefault(key, {}).update({unit.pods: unit.blocked.reason for unit in seen.tried})
    return {key: dict(sorted(Counter(found.values()).items())) for key, found in reasons.items()}


def _refusals(outcome: Outcome, ids: Ids) -> Iterable[RefusalRow]:
    """Proposals that failed, findings left alone, and the pods on the nodes concerned that no filter lets go."""
    for refused in outcome.refused:
        yield _refused(outcome, refused, ids)
    for refused in outcome.observed.values():
        yield from _left_alone(refused, ids)
    seen: set[int] = set()
    for key, finding in outcome.findings.items():
        filters = outcome.context.filters_of(finding.strategy)
        seen_here: dict[tuple[Reason, str], list[int]] = {}
        for node in finding.nodes:
            for pod in outcome.view.snapshot.columns.pods_on(node).tolist():
                blocked = filters.blocked(pod)
                if blocked is not None and pod not in seen:
                    seen.add(pod)
                    by = "" if blocked.reason in FOLDED else f"{blocked.by}|{pod}"
                    seen_here.setdefault((blocked.reason, by), []).append(pod)
        for pods in seen_here.values():
            blocked = filters.blocked(pods[0])
            if blocked is not None:
                subject = f"pod/{outcome.view.snapshot.pods[pods[0]].key}"
                yield _row(blocked, subject, outcome.findings[key], ids, len(pods))


def _refused(outcome: Outcome, refused: Refused, ids: Ids) -> RefusalRow:
    if not refused.pods:
        return _row(refused.blocked, str(refused.finding.subject), refused.finding, ids)
    first = outcome.view.snapshot.pods[refused.pods[0]].key
    subject = f"pod/{first}" if len(refused.pods) == 1 else f"unit/{first} and {len(refused.pods) - 1} more"
    return _row(refused.blocked, subject, refused.finding, ids)


def _row(blocked: Blocked, subject: str, finding: Finding, ids: Ids, count: int = 1) -> RefusalRow:
    return RefusalRow(
        reason=blocked.reason.value,
        explanation=EXPLANATION[blocked.reason],
        subject=subject,
        by=blocked.by,
        detail=blocked.detail,
        strategy=finding.strategy,
        finding=ids.get(finding.key, ""),
        count=count,
    )


def _left_alone(refused: Refused, ids: Ids) -> Iterator[RefusalRow]:
    """A finding that a strategy gave up: one row for each reason of the units that it tried, the most frequent first,
    with the first of them as an example."""
    subject = f"finding/{refused.finding.subject}"
    by_reason: dict[Reason, list[Tried]] = {}
    for unit in refused.tried:
        by_reason.setdefault(unit.blocked.reason, []).append(unit)
    if refused.blocked.reason not in by_reason:
        yield _row(refused.blocked, subject, refused.finding, ids)
    for units in sorted(by_reason.values(), key=len, reverse=True):
        yield _row(units[0].blocked, subject, refused.finding, ids, len(units))


def _bounded(rows: Iterable[RefusalRow]) -> Iterator[RefusalRow]:
    """The rows, of each reason the first `ROWS`, then one that counts the rest of them."""
    seen: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    explained: dict[str, str] = {}
    for row in rows:
        seen[row.reason] += 1
        if seen[row.reason] <= ROWS:
            yield row
        else:
            rest[row.reason] += row.count
            explained[row.reason] = row.explanation
    for reason, count in rest.items():
        text = f"{count} more of this reason, not named one by one"
        yield RefusalRow(reason, explained[reason], plural(count, "pod"), "", text, count=count)
