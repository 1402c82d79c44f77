"""What an action promised, and whether that came true.

A promise is held against what the plan could know. The forecast of a node is the sum of the forecasts of its pods: what
left it is gone from it as long as it stays away, and a node that is as hot as before is so by what others did since,
who rose, or came. Without the move it would be hotter still. So a move for a node's load is judged by where the pods
are, and not by the node. Other moves are judged by the measure of their finding, of which a share is enough; free room
may be taken by others since, so there it is enough, too, that every pod is where the plan had said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import Action, FindingRow, PlanDocument
from descheduler.model.subjects import Subject, SubjectKind

_SAME = 1e-6
_ROOM = frozenset({SubjectKind.GPU, SubjectKind.GPUS, SubjectKind.SLOTS})


@dataclass(frozen=True, slots=True)
class Goal:
    """What an action is for, as far as later plans can tell.

    `finding` is the name by which they know the finding ("strategy|subject|measure|resource"). `before` is its value,
    at the time when it will be looked at again, without the plan, `after` with all of it; the action's `share` of that
    adds up to 1 over the actions for the finding. `load`: the value is a forecast of the subject's node. `pool` is that
    of the nodes that are left, `room` the nodes on which others are to find room. `reserved`: the executor holds the
    very places.
    """

    finding: str
    before: float = 0.0
    after: float = 0.0
    share: float = 1.0
    load: bool = False
    pool: str = ""
    room: tuple[str, ...] = ()
    reserved: bool = False

    @property
    def free_room(self) -> bool:
        """Whether the finding is about room that is free, which others may have taken since."""
        return Subject.read(self.finding.split("|")[1]).kind in _ROOM

    def on(self, node: str) -> str:
        """The name of the same finding about another node."""
        strategy, _, rest = self.finding.split("|", 2)
        return f"{strategy}|{Subject(SubjectKind.NODE, node)}|{rest}"


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding in a later plan: its value there, and the threshold."""

    value: float
    threshold: float


def name_of(finding: FindingRow) -> str:
    """The name by which other plans know the finding; its id holds for one plan."""
    strategy = finding.strategy.replace("|", "/")  # people choose names of uses
    return f"{strategy}|{finding.subject}|{finding.measure}|{finding.resource}"


def goals_of(plan: PlanDocument, settle: float = 0.0) -> Mapping[str, Goal]:
    """By id of its actions, what they will be judged by, `settle` seconds later; findings that nothing changes have no
    goal.
    """
    findings = {f.id: f for f in plan.findings if f.outcome in ("cured", "eased")}
    pools = {row.name: row.pool for row in plan.nodes}
    numbers = Counter(action.finding for action in plan.actions)
    totals: dict[str, float] = {}
    for action in plan.actions:
        totals[action.finding] = totals.get(action.finding, 0.0) + abs(action.benefit)
    goals: dict[str, Goal] = {}
    for action in plan.actions:
        finding = findings.get(action.finding)
        if finding is None:
            continue
        before = level(finding, finding.curve, finding.value, plan.horizon_seconds, settle)
        after = level(finding, finding.curve_after, finding.after, plan.horizon_seconds, settle)
        if finding.curve_after or abs(after - before) > _SAME:
            goals[action.id] = Goal(
                finding=name_of(finding),
                before=before,
                after=after,
                share=_part_of_finding(action, totals[action.finding], numbers[action.finding]),
                load=bool(finding.curve_after),
                pool=next((pools[move.source] for move in action.pods if move.source in pools), ""),
                room=tuple(sorted({seat.node for seat in action.room_for})),
                reserved=plan.landing == LandingMode.RESERVED,
            )
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


def seen_in(plan: PlanDocument) -> Mapping[str, Seen]:
    """What a plan says now of every finding in it, by name."""
    return {name_of(f): Seen(level(f, f.curve, f.value, plan.horizon_seconds), f.threshold) for f in plan.findings}


def silent(plan: PlanDocument) -> frozenset[str]:
    """Strategies that did not look, for want of data: that they found nothing says nothing."""
    subjects = (Subject.read(row.subject) for row in plan.refusals)
    return frozenset(subject.name for subject in subjects if subject.kind == SubjectKind.STRATEGY)


def reached(goals: Iterable[Goal], now: Seen | None, share: float) -> bool:
    """Whether `share` of what was promised for one finding, by what was done of it, can be seen `now`; None: the
    finding is gone."""
    tried = tuple(goals)
    if now is None or not tried:
        return True
    one, done = tried[0], sum(goal.share for goal in tried)
    promised = (one.after - one.before) * min(1.0, done)
    if abs(promised) <= _SAME:
        return True
    return (now.value - one.before) / promised >= share - _SAME


def made_hot(goal: Goal, node: str, seen: Mapping[str, Seen], parts: int) -> bool:
    """Whether the node is hot now, and would not be without a pod that landed there; of the action's pods, `parts` in
    number, each is taken for as large as the others, and its node for as large as the one that it left."""
    now = seen.get(goal.on(node))
    if now is None or now.value <= now.threshold:
        return False
    brought = max(0.0, goal.before - goal.after) * goal.share / max(1, parts)
    return now.value - brought <= now.threshold


def _part_of_finding(action: Action, total: float, number: int) -> float:
    return abs(action.benefit) / total if total > 0.0 else 1.0 / number
