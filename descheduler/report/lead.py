"""What a reader asks of a plan first: does it act, what becomes of each finding, how long will it take and who notices,
how sure is it, why do most pods stay, what does the policy say."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from descheduler.model.format import number, percent, plural, span
from descheduler.model.plan import Action, AwayRow, FindingRow, PlanDocument
from descheduler.model.reasons import EXPLANATION

_EXPLAINED = {reason.value: text for reason, text in EXPLANATION.items()}
_THRESHOLD = re.compile(r"(\w+): ([0-9.]+)")


@dataclass(frozen=True, slots=True)
class Mode:
    """Whether the plan is carried out, and who decided so."""

    active: bool
    text: str

    @classmethod
    def of(cls, plan: PlanDocument) -> Mode:
        name, _, why = plan.mode.partition(": ")
        if not name:
            return cls(False, "nothing is evicted: only the controller acts, and only in active mode")
        return cls(name == "active", why)

    @property
    def name(self) -> str:
        return "Active" if self.active else "Dry run"


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a finding: how many `pods` move or are removed for it, and otherwise `why` not."""

    finding: FindingRow
    pods: int
    why: str


@dataclass(frozen=True, slots=True)
class Stay:
    """So many pods of all may not move for this reason; `share` of all pods."""

    reason: str
    explanation: str
    count: int
    share: float


def fates(plan: PlanDocument) -> tuple[Fate, ...]:
    """One for each finding, in the order of the plan."""
    moves: dict[str, int] = {}
    for action in plan.actions:
        moves[action.finding] = moves.get(action.finding, 0) + len(action.pods)
    first: dict[str, str] = {}
    for row in plan.refusals:  # that of the finding itself says more than those of single pods
        if row.finding and (row.finding not in first or row.subject.startswith("finding/")):
            first[row.finding] = row.explanation + (f": {row.detail}" if row.detail else "")
    return tuple(Fate(found, moves.get(found.id, 0), first.get(found.id, "")) for found in plan.findings)


def away(row: AwayRow) -> str:
    """`1 of 12 replicas away for about 90 s`."""
    of = f"{number(row.pods)} of {plural(row.replicas, 'replica')}"
    return f"{of} away for about {span(row.seconds)}" if row.seconds else f"{of} replaced before it goes"


def briefly(row: AwayRow) -> str:
    """`1 of 12 for 90 s`, where a heading says what."""
    return f"{number(row.pods)} of {number(row.replicas)}" + (f" for {span(row.seconds)}" if row.seconds else "")


def seconds(plan: PlanDocument) -> float:
    """About how long the plan takes: each wave as long as the slowest of its restarts."""
    waves: dict[int, float] = {}
    for action in plan.actions:
        longest = max((row.seconds for row in action.away), default=0.0)
        waves[action.wave] = max(waves.get(action.wave, 0.0), longest)
    return sum(waves.values())


def noticed(actions: Iterable[Action]) -> tuple[AwayRow, ...]:
    """By workload, who is away at most at one time: of its waves the one with the most, the longest first."""
    at_once: dict[tuple[str, int], AwayRow] = {}
    for action in actions:
        for row in action.away:
            key = (row.workload, action.wave)
            before = at_once.get(key)
            pods = row.pods + (before.pods if before else 0)
            longest = max(row.seconds, before.seconds if before else 0.0)
            at_once[key] = AwayRow(row.workload, pods, max(row.replicas, pods), longest)
    most: dict[str, AwayRow] = {}
    for (workload, _), row in at_once.items():
        if workload not in most or row.pods > most[workload].pods:
            most[workload] = row
    return tuple(sorted(most.values(), key=lambda row: (-row.pods / row.replicas, row.workload)))


def certainty(plan: PlanDocument) -> str:
    """How yesterday's forecasts did on the nodes of the findings; why that is not known; empty where no finding is a
    forecast."""
    rows = [found.evidence for found in plan.findings if found.evidence is not None]
    if not rows:
        return ""
    tried = [row for row in rows if row.compared]
    samples = sorted({row.samples for row in rows})
    made = f"{' to '.join(dict.fromkeys((number(samples[0]), number(samples[-1]))))} samples a node"
    if not tried:
        return f"not known how well it forecasts: there is no whole day to try it on (made from {made})"
    steps = sum(row.compared for row in tried)
    held = sum(row.under * row.compared for row in tried) / steps
    return (
        f"what came yesterday stayed under the forecast for {percent(held)} of {number(steps)} measured steps on "
        f"{plural(len(tried), 'node')} ({percent(tried[0].quantile)} is what it aims at); made from {made}"
    )


def sure(finding: FindingRow) -> str:
    """How yesterday's forecast of the finding's node did."""
    row = finding.evidence
    if row is None:
        return ""
    made = f"made from {plural(row.samples, 'sample')} of {plural(row.workloads, 'workload')}"
    if not row.compared:
        return f"forecast {made}, with no whole day to try it on"
    steps = f"{percent(row.under)} of {number(row.compared)} measured steps"
    return f"yesterday's forecast for the same pods: {steps} stayed under it; {made}"


def staying(plan: PlanDocument) -> tuple[Stay, ...]:
    """Why pods may not move, of all pods, the most frequent reason first."""
    pods = max(plan.summary.get("pods", 0.0), 1.0)
    order = sorted(plan.staying.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Stay(reason, _EXPLAINED.get(reason, ""), count, count / pods) for reason, count in order)


def thresholds(plan: PlanDocument) -> dict[str, float]:
    """By resource, the lowest load of a node that the policy's strategies, or the findings, call too high."""
    found: dict[str, float] = {}
    for row in plan.settings:
        if row.path.endswith(".thresholds"):
            for resource, level in _THRESHOLD.findall(row.value):
                found[resource] = min(float(level), found.get(resource, 2.0))
    for finding in plan.findings:
        if finding.curve and "fraction" in finding.measure and not plan.settings:
            found[finding.resource] = min(finding.threshold, found.get(finding.resource, 2.0))
    return found
