"""The verdict on past actions, by where their pods are and by what a later plan says of their findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from descheduler.learning.entry import LedgerEntry
from descheduler.learning.landings import Landing, as_expected, landings
from descheduler.learning.rules import LedgerRules
from descheduler.learning.verification import Goal, Seen, made_hot, reached, seen_in, silent
from descheduler.model.plan import PlanDocument
from descheduler.model.removed_state import was_let_go


def judged(
    entries: Sequence[LedgerEntry], plan: PlanDocument, now: float, rules: LedgerRules
) -> tuple[LedgerEntry, ...]:
    """The entries, those of actions that have settled with a verdict; an action has one for all its pods."""
    actions: dict[tuple[str, str], list[LedgerEntry]] = {}
    for entry in entries:
        actions.setdefault((entry.plan, entry.action), []).append(entry)
    later, quiet, where = _Later(entries, plan, rules.eased_share), silent(plan), landings(entries)
    verdicts: dict[str, bool] = {}
    for pods in actions.values():
        if pods[0].strategy in quiet or not all(_settled(pod, now, rules) for pod in pods):
            continue
        hit = later.came_true(pods, where)
        verdicts.update({pod.uid: hit for pod in pods if pod.resolved is None})
    return tuple(replace(e, resolved=verdicts[e.uid]) if e.uid in verdicts else e for e in entries)


def _settled(entry: LedgerEntry, now: float, rules: LedgerRules) -> bool:
    """Long enough ago, with a replacement that is ready, or that nobody waits for any more."""
    ago = now - entry.at
    given_up = ago >= rules.settle + rules.circuit.after
    return entry.goal is not None and ago >= rules.settle and (not entry.waiting or given_up)


class _Later:
    """What a later plan says of what was done before."""

    def __init__(self, entries: Sequence[LedgerEntry], plan: PlanDocument, share: float) -> None:
        self._seen: Mapping[str, Seen] = seen_in(plan)
        self._share = share
        self._goals: dict[tuple[str, str], dict[str, Goal]] = {}  # by plan and finding, of the actions for it
        for e in entries:
            if e.goal is not None:
                self._goals.setdefault((e.plan, e.goal.finding), {})[e.action] = e.goal

    def came_true(self, pods: Sequence[LedgerEntry], where: Mapping[str, Landing]) -> bool:
        """Whether the action of these pods did what it was to do."""
        goal = pods[0].goal
        if goal is None or any(pod.waiting or where[pod.uid] is Landing.BACK for pod in pods):
            return False
        if pods[0].removed and not was_let_go(pods[0].removed):
            return True  # the pods are gone, whatever has become of others like them since
        expected = [as_expected(pod, where[pod.uid]) for pod in pods]
        if goal.load:
            return not any(
                made_hot(goal, pod.landed, self._seen, len(pods))
                for pod, well in zip(pods, expected, strict=True)
                if not well
            )
        if not pods[0].removed and (goal.room or (goal.free_room and all(expected))):
            return True
        done = self._goals[pods[0].plan, goal.finding].values()
        return reached(done, self._seen.get(goal.finding), self._share)
