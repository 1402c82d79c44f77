"""From plan documents to their comparison."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from descheduler.model import format as fmt
from descheduler.model.plan import Action, ActionKind, FindingRow, PlanDocument, PodMove
from descheduler.model.removed_state import was_over
from descheduler.report import words
from descheduler.report.comparison.document import (
    ALIKE,
    FORMAT,
    VERSION,
    Change,
    ComparedFinding,
    ComparedMove,
    ComparedPlan,
    ComparedRefusals,
    ComparedRestarts,
    Comparison,
    FindingSide,
    MoveSide,
)

Key = TypeVar("Key", bound=Hashable)
Side = TypeVar("Side")
Named = Mapping[str, PlanDocument]


def compare(plans: Named) -> Comparison:
    """The plans side by side; each has a name, and the first is what the others are held against."""
    every = tuple(plans.values())
    findings, moves = _findings(every), _moves(every)
    refusals, restarts = _refusals(every), _restarts(every)
    changes = [row.changes for row in findings] + [row.changes for row in moves]
    counts = [row.counts for row in refusals] + [row.counts for row in restarts]
    return Comparison(
        format=FORMAT,
        version=VERSION,
        plans=tuple(_plan(name, plan) for name, plan in plans.items()),
        notes=tuple(_notes(plans)),
        numbers=_numbers(every),
        findings=findings,
        moves=moves,
        refusals=refusals,
        restarts=restarts,
        same=all(map(ALIKE.issuperset, changes)) and all(len(set(row)) == 1 for row in counts),
    )


def _plan(name: str, plan: PlanDocument) -> ComparedPlan:
    return ComparedPlan(
        name=name,
        id=plan.id,
        created=plan.created,
        product=plan.product,
        cluster=plan.cluster,
        policy_hash=plan.policy_hash,
        horizon_seconds=plan.horizon_seconds,
        landing=plan.landing,
        acting_blocked=plan.acting_blocked,
        problems=plan.problems,
        remarks=plan.remarks,
    )


def _notes(plans: Named) -> Iterable[str]:
    """Where what is compared does not rest on the same."""
    told: tuple[tuple[str, Callable[[PlanDocument], str]], ...] = (
        ("they are of several clusters", lambda plan: plan.cluster or "cluster"),
        ("they are of several times", lambda plan: fmt.instant(plan.created)),
        ("they were made by several versions", lambda plan: plan.product),
        ("they look ahead differently far", lambda plan: fmt.span(plan.horizon_seconds)),
    )
    for text, of in told:
        seen = [of(plan) for plan in plans.values()]
        if len(set(seen)) > 1:
            yield f"{text}: {', '.join(f'{name} {one}' for name, one in zip(plans, seen, strict=True))}"
    if len({plan.id for plan in plans.values()}) == 1:
        yield "they are the same plan"
    elif len({plan.policy_hash for plan in plans.values()}) == 1:
        yield "they were made under the same policy"


def _numbers(plans: Sequence[PlanDocument]) -> dict[str, tuple[float | None, ...]]:
    each = [_totals(plan) for plan in plans]
    for rare in ("removals", "releases"):
        if not any(one[rare] for one in each):
            for one in each:
                del one[rare]
    return {key: tuple(one.get(key) for one in each) for key in dict.fromkeys(key for one in each for key in one)}


def _totals(plan: PlanDocument) -> dict[str, float]:
    outcomes = Counter(finding.outcome for finding in plan.findings)
    return {
        "findings": float(len(plan.findings)),
        **{outcome: float(outcomes[outcome]) for outcome in words.OUTCOMES},
        "moves": float(sum(len(action.pods) for action in plan.actions if action.kind is ActionKind.MOVE)),
        "removals": float(sum(len(action.pods) for action in plan.actions if action.kind is ActionKind.REMOVE)),
        "releases": float(sum(len(action.pods) for action in plan.actions if action.kind is ActionKind.RELEASE)),
        "restarts": float(sum(map(_restarting, plan.actions))),
        "waves": float(max((action.wave for action in plan.actions), default=-1) + 1),
        "worth": sum(action.worth for action in plan.actions),
        "cost": sum(action.cost.total for action in plan.actions),
        "refusals": float(sum(row.count for row in plan.refusals)),
        **{f"{change.key}_after": change.after for change in words.changes(plan)},
    }


def _restarting(action: Action) -> int:
    return sum(not was_over(pod.state) for pod in action.pods) + len(action.also_restarted)


def _findings(plans: Sequence[PlanDocument]) -> tuple[ComparedFinding, ...]:
    seen: list[dict[tuple[str, str, str, int], FindingRow]] = []
    for plan in plans:
        times: Counter[tuple[str, str, str]] = Counter()
        seen.append({})
        for row in plan.findings:
            key = (row.strategy, row.subject, row.resource)
            seen[-1][*key, times[key]] = row
            times[key] += 1
    answers = [words.by_finding(plan) for plan in plans]
    rows = []
    for found in _side_by_side(seen):
        sides = tuple(_finding(row, answers[i].get(row.id, ())) if row else None for i, row in enumerate(found))
        one = next(filter(None, found))
        changes = tuple(_changed(found[0], row, _otherwise) for row in found[1:])
        rows.append(ComparedFinding(one.strategy, one.subject, one.resource, one.measure, sides, changes))
    return tuple(rows)


def _finding(row: FindingRow, actions: Iterable[Action]) -> FindingSide:
    actions = tuple(actions)
    moves, restarts = sum(len(action.pods) for action in actions), sum(map(_restarting, actions))
    return FindingSide(row.id, row.value, row.threshold, row.after, row.outcome, moves, restarts)


def _otherwise(one: FindingRow, other: FindingRow) -> Change:
    """A value is another one when it is written otherwise."""
    if one.outcome != other.outcome:
        return Change.OUTCOME
    levels = [[words.level(row, x) for x in (row.value, row.threshold, row.after)] for row in (one, other)]
    return Change.SAME if levels[0] == levels[1] else Change.VALUE


def _moves(plans: Sequence[PlanDocument]) -> tuple[ComparedMove, ...]:
    seen: list[dict[tuple[str, str], tuple[Action, PodMove]]] = []
    for plan in plans:
        waves = sorted(plan.actions, key=lambda action: action.wave)
        seen.append({(pod.namespace, pod.pod): (action, pod) for action in waves for pod in action.pods})
    subjects = [{finding.id: finding.subject for finding in plan.findings} for plan in plans]
    rows = []
    for found in _side_by_side(seen):
        sides = tuple(_move(*one, subjects[i]) if one else None for i, one in enumerate(found))
        _, pod = next(filter(None, found))
        changes = tuple(_changed(sides[0], side, _elsewhere) for side in sides[1:])
        rows.append(ComparedMove(pod.namespace, pod.pod, pod.workload, sides, changes))
    return tuple(rows)


def _move(action: Action, pod: PodMove, subjects: Mapping[str, str]) -> MoveSide:
    share = pod.proof.expected_share
    subject = subjects.get(action.finding, "")
    return MoveSide(action.id, action.strategy, subject, pod.source, words.target(pod), share, action.wave)


def _elsewhere(one: MoveSide, other: MoveSide) -> Change:
    if one.source != other.source:
        return Change.SOURCE
    return Change.SAME if one.destination == other.destination else Change.DESTINATION


def _refusals(plans: Sequence[PlanDocument]) -> tuple[ComparedRefusals, ...]:
    seen = [{group.reason: group for group in words.groups(plan.refusals)} for plan in plans]
    rows = []
    for found in _side_by_side(seen):
        one = next(filter(None, found))
        counts = tuple(group.count if group else 0 for group in found)
        rows.append(ComparedRefusals(one.reason, one.explanation, counts))
    return tuple(rows)


def _restarts(plans: Sequence[PlanDocument]) -> tuple[ComparedRestarts, ...]:
    seen = [_by_workload(plan) for plan in plans]
    names = sorted({name for one in seen for name in one}, key=lambda name: (-max(one[name] for one in seen), name))
    return tuple(ComparedRestarts(name, tuple(one[name] for one in seen)) for name in names)


def _by_workload(plan: PlanDocument) -> Counter[str]:
    """Older documents do not say of which workload a pod is that restarts without being evicted: it goes uncounted."""
    counts: Counter[str] = Counter()
    for action in plan.actions:
        counts.update(action.restarts or Counter(pod.workload for pod in action.pods))
    return counts


def _side_by_side(seen: Sequence[Mapping[Key, Side]]) -> Iterable[tuple[Side | None, ...]]:
    """What the plans have under each key, in the order of the first plan that has it."""
    for key in dict.fromkeys(key for one in seen for key in one):
        yield tuple(one.get(key) for one in seen)


def _changed(one: Side | None, other: Side | None, differ: Callable[[Side, Side], Change]) -> Change:
    if one is None or other is None:
        return Change.ABSENT if one is other else Change.NEW if one is None else Change.GONE
    return differ(one, other)
