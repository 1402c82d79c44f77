"""Rows and sentences of a plan as people read them; the table and the page say the same in the same words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from descheduler.model.format import number, percent, plural, tried
from descheduler.model.plan import Action, FindingRow, LeverRow, PlanDocument, PodMove, RefusalRow
from descheduler.model.removed_state import was_let_go, was_over
from descheduler.report import outcomes
from descheduler.report.outcomes import OUTCOMES as OUTCOMES

LABELS = {"hot_nodes": "Hot nodes", "whole_gpu_nodes": "Whole GPU nodes free", "gpu_slots": "Whole GPU slots free"}
"""Numbers of the summary that have a before and an after, and a name that is not their own."""


@dataclass(frozen=True, slots=True)
class Group:
    """Refusals with one reason; `count` sums what the rows fold."""

    reason: str
    explanation: str
    count: int
    rows: tuple[RefusalRow, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A number before and after."""

    key: str
    label: str
    before: float
    after: float


def is_fraction(finding: FindingRow) -> bool:
    """Is the finding's measure a share (shown in percent), not a count?"""
    return "fraction" in finding.measure


def level(finding: FindingRow, value: float) -> str:
    """A value of the finding's measure."""
    return percent(value) if is_fraction(finding) else number(value)


def bound(finding: FindingRow) -> str:
    """The best that any plan within the same limits could reach: `at most 24`; empty where that is not proven."""
    if finding.bound is None:
        return ""
    return f"{'at most' if finding.bound >= finding.value else 'at least'} {level(finding, finding.bound)}"


def gain(finding: FindingRow, actions: Iterable[Action]) -> str:
    """What a counted finding gains by its moves: `8 gained with 22 moves, 0.36 a move`; empty without any."""
    moves = sum(len(action.pods) for action in actions)
    gained = abs(finding.after - finding.value)
    if not moves or not gained or is_fraction(finding):
        return ""
    return f"{number(round(gained, 3))} gained with {plural(moves, 'move')}, {number(round(gained / moves, 2))} a move"


def numbers(finding: FindingRow) -> str:
    """The further numbers of a finding: `idle GPU-hours 37.5 · GPUs held 4`."""
    return " · ".join(f"{name} {number(round(value, 2))}" for name, value in finding.numbers.items())


def refused(finding: FindingRow) -> str:
    """Who was tried for a finding that is not cured: `12 tried in vain: 9 WouldLandOnSource, 3 DestinationHot`; of one
    that is reported alone also what would be done."""
    if finding.outcome == "cured":
        return ""
    return "; ".join(filter(None, (finding.would and f"reported alone: {finding.would}", tried(finding.refused))))


def subject(text: str) -> str:
    """`node/general-07` as `general-07`; what is no single object stays as it is."""
    kind, _, name = text.partition("/")
    return name if kind in ("node", "finding", "pod", "unit", "gang", "workload") and name else text


def weighed(action: Action) -> str:
    """Worth against cost: `70× its cost`."""
    return f"{number(action.worth / action.cost.total)}×" if action.cost.total > 0 else "free"


def room(action: Action) -> str:
    """Whom an action makes room for: `room for ml/train-0 on gpu-04 and 3 more`; empty for nobody."""
    if not action.room_for:
        return ""
    first, *others = action.room_for
    more = f" and {len(others)} more" if others else ""
    return f"room for {first.namespace}/{first.pod} on {first.node}{more}"


def stage(action: Action) -> str:
    """`stage 2 of 3, after a4`; empty for what is done at once."""
    if action.stages <= 1:
        return ""
    after = f", after {action.bundle}" if action.stage > 1 and action.bundle else ""
    return f"stage {action.stage} of {action.stages}{after}"


def carried_out(plan: PlanDocument, action: Action) -> str:
    """By which executor, step by step, what is not lost by it, and why no gentler one does it; empty for a plain
    eviction."""
    found = next((row for row in plan.executors if row.name == action.executor), None)
    if found is None or (action.executor == "evict" and not action.gentler):
        return ""
    kept = f"; {found.kept}" if found.kept else ""
    refused = "".join(f"; not {why}" for why in action.gentler)
    return f"by {found.name}: {', '.join(found.steps)}{kept}{refused}"


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}" if text else ""


def spaced(reason: str) -> str:
    """`DisruptionBudget` as `Disruption budget`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", reason).lower()
    return words[:1].upper() + words[1:]


def groups(refusals: Iterable[RefusalRow]) -> tuple[Group, ...]:
    """Refusals by reason, most frequent first."""
    by: dict[str, list[RefusalRow]] = {}
    for row in refusals:
        by.setdefault(row.reason, []).append(row)
    made = [Group(reason, rows[0].explanation, sum(r.count for r in rows), tuple(rows)) for reason, rows in by.items()]
    return tuple(sorted(made, key=lambda g: (-g.count, g.reason)))


def lever(row: LeverRow) -> str:
    """What a limit held back: `65 findings not cured: 218 moves refused by perCycle 50; with 120: 31 cured`."""
    here = number(row.allowed) if row.written == str(row.allowed) else f"{number(row.allowed)} ({row.written})"
    held = f"{plural(row.findings, 'finding')} not cured: {plural(row.moves, 'move')} refused by {row.setting} {here}"
    steps = [f"with {number(step.limit)}: {number(step.cured)}" for step in row.steps]
    brings = f"{steps[0]} cured{''.join(f', {step}' for step in steps[1:])}" if steps else "more would cure none"
    return f"{held}; {brings}" + (f"; then {' and '.join(row.then)} would hold" if row.then else "")


def changes(plan: PlanDocument) -> tuple[Change, ...]:
    """The numbers of the summary that have a before and an after."""
    out = []
    for key in plan.summary:
        if key.endswith("_before") and f"{key[:-7]}_after" in plan.summary:
            name = key[:-7]
            label = LABELS.get(name) or sentence(name.replace("_", " ")).rstrip(".")
            out.append(Change(name, label, plan.summary[key], plan.summary[f"{name}_after"]))
    return tuple(out)


def verdict(plan: PlanDocument) -> str:
    """The plan in a sentence or two."""
    if plan.acting_blocked:
        return "The data does not allow a decision, so nothing moves."
    if not plan.actions and plan.unlooked:
        found = plural(len(plan.findings), "finding") if plan.findings else "Nothing was found"
        return f"{found}, but not all was looked at: {'; '.join(plan.unlooked)}."
    if not plan.findings:
        return "Nothing needs to move."
    if not plan.actions:
        found = plural(len(plan.findings), "finding")
        if all(finding.outcome == "left-alone" for finding in plan.findings):
            return f"{found}, left alone, and nothing moves."
        return f"{found}, and nothing moves: every way to answer was refused, or not worth its cost."
    first = f"{_done(plan)} in {plural(plan.summary.get('waves', 0.0), 'wave')}"
    first += f": {outcomes.told(plan)}." if plan.findings else "."
    return f"{first} Not all was looked at: {'; '.join(plan.unlooked)}." if plan.unlooked else first


def _done(plan: PlanDocument) -> str:
    """`3 pods move and 12 pods are removed`; `8 pods let others start`."""
    moves, removals, released = (plan.summary.get(name, 0.0) for name in ("moves", "removals", "releases"))
    told = [f"{plural(moves, 'pod')} {'moves' if moves == 1 else 'move'}"] if moves or not removals + released else []
    told += [f"{plural(removals, 'pod')} {'is' if removals == 1 else 'are'} removed"] if removals else []
    told += [f"{plural(released, 'pod')} let others start"] if released else []
    return " and ".join(told)


def target(pod: PodMove) -> str:
    """The node to which a pod moves, or what becomes of one that is removed."""
    if not pod.state:
        return pod.destination
    if was_let_go(pod.state):
        return "waits until others have started"
    return "removed" if was_over(pod.state) else "made again anywhere"


def way(pod: PodMove) -> str:
    """`n1 → n2`, or `n1 (Failed): removed`."""
    source = pod.source or "–"
    return f"{source} ({pod.state}): {target(pod)}" if pod.state else f"{source} → {pod.destination}"


def by_finding(plan: PlanDocument) -> dict[str, tuple[Action, ...]]:
    """Actions by the finding that they answer, in the order of the plan."""
    out: dict[str, tuple[Action, ...]] = {}
    for action in plan.actions:
        out[action.finding] = (*out.get(action.finding, ()), action)
    return out
