"""What the findings of a plan were to become, and whether they did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from descheduler.model.plan import Action, FindingRow, PlanDocument
from descheduler.model.subjects import Subject, SubjectKind

_SAME = 1e-6


@dataclass(frozen=True, slots=True)
class Goal:
    """What an action is for, as far as later plans can tell.

    `finding` is the name by which they know the finding ("strategy|subject|measure|resource"). `before` is its value,
    at the time when it will be looked at again, without the plan, `after` with all of it; the action's `share` of that
    adds up to 1 over the actions for the finding. `cured`: the finding should be gone.
    """

    finding: str
    before: float = 0.0
    after: float = 0.0
    share: float = 1.0
    cured: bool = True

    @property
    def telling(self) -> bool:
        """Whether anything was promised that can be looked at."""
        return self.cured or abs(self.after - self.before) > _SAME


def name_of(finding: FindingRow) -> str:
    """The name by which other plans know the finding; its id holds for one plan."""
    return f"{finding.strategy}|{finding.subject}|{finding.measure}|{finding.resource}"


def goals_of(plan: PlanDocument, settle: float = 0.0) -> Mapping[str, Goal]:
    """By id of its actions, what they will be judged by, `settle` seconds later; findings that nothing changes have no
    goal.
    """
    findings = {f.id: f for f in plan.findings if f.outcome in ("cured", "eased")}
    numbers = Counter(action.finding for action in plan.actions)
    totals: dict[str, float] = {}
    for action in plan.actions:
        totals[action.finding] = totals.get(action.finding, 0.0) + max(0.0, action.benefit)
    goals: dict[str, Goal] = {}
    for action in plan.actions:
        finding = findings.get(action.finding)
        if finding is None:
            continue
        goal = Goal(
            finding=name_of(finding),
            before=level(finding, finding.curve, finding.value, plan.horizon_seconds, settle),
            after=level(finding, finding.curve_after, finding.after, plan.horizon_seconds, settle),
            share=_part_of_finding(action, totals[action.finding], numbers[action.finding]),
            cured=finding.outcome == "cured",
        )
        if goal.telling:
            goals[action.id] = goal
    return goals


def level(
    finding: FindingRow, curve: tuple[float, ...], value: float, horizon_seconds: float, ahead: float = 0.0
) -> float:
    """The highest point of a finding's curve within the horizon, seen `ahead` seconds later: a forecast rises and
    falls with the hour, which is nobody's merit. Its plain value where it has no curve.
    """
    step = finding.step_seconds
    if step <= 0 or not finding.curve or not curve:
        return value
    first = min(int(ahead // step), len(curve) - 1)
    return max(curve[first : first + max(1, int(horizon_seconds // step))])


def values_of(plan: PlanDocument) -> Mapping[str, float]:
    """What a plan says now of every finding in it, by name."""
    return {name_of(f): level(f, f.curve, f.value, plan.horizon_seconds) for f in plan.findings}


def silent(plan: PlanDocument) -> frozenset[str]:
    """Strategies that did not look (paused, or without data): that they found nothing says nothing."""
    subjects = (Subject.read(row.subject) for row in plan.refusals)
    return frozenset(subject.name for subject in subjects if subject.kind == SubjectKind.STRATEGY)


def reached(goals: Iterable[Goal], now: float | None, eased_share: float) -> bool:
    """Whether what was done for one finding did what it was to do; `now` is its value, None when it is gone.

    Where the finding was to be eased, or not all that was planned for it was done, `eased_share` of the promised change
    is enough.
    """
    tried = tuple(goals)
    if now is None or not tried:
        return True
    one, done = tried[0], sum(goal.share for goal in tried)
    if one.cured and done > 1.0 - _SAME:
        return False
    promised = (one.after - one.before) * min(1.0, done)
    if abs(promised) <= _SAME:
        return True
    return (now - one.before) / promised >= eased_share - _SAME


def _part_of_finding(action: Action, total: float, number: int) -> float:
    return max(0.0, action.benefit) / total if total > 0.0 else 1.0 / number
