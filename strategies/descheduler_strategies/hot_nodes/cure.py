"""One hot node: units leave it, each for a place where it stays cool, until the node is cool; or all of them stay."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from descheduler.contract import MOST_AVOIDED, RebalanceView, Relocation, Scenario, rate, relocate
from descheduler.model.moves import Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler_strategies.hot_nodes.args import HotNodesArgs
from descheduler_strategies.hot_nodes.heat import Heat, Thermometer
from descheduler_strategies.hot_nodes.places import Places
from descheduler_strategies.hot_nodes.victims import Leaving, victims_on, who_leaves

MOST_REFUSED = 12  # units of one node that are tried in vain; more would only search among ever worse ones
STRAIN = 0.4
"""A hot node counts as if it were this much further above its threshold: that it is hot at all harms everybody on it,
so of two cures for the same moves those of two nodes are worth more than that of the hotter one."""


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """A unit that left the hot node, with who had to move for it; the node's level `before` and `after`."""

    moved: Relocation
    before: float
    after: float
    cost: float


@dataclass(frozen=True, eq=False, slots=True)
class Cure:
    """The steps that cool one node, in their order; `state` has all of them done."""

    heat: Heat
    steps: tuple[Step, ...]
    state: Scenario


@dataclass(slots=True)
class Tries:
    """What came of the units of one node: those that may not go, and why, counted."""

    refused: dict[int, Blocked] = field(default_factory=dict)

    def why(self) -> Blocked | None:
        """The most frequent refusal, and how often each was given."""
        if not self.refused:
            return None
        counts = Counter(blocked.reason for blocked in self.refused.values())
        most = counts.most_common(1)[0][0]
        first = next(blocked for blocked in self.refused.values() if blocked.reason is most)
        if len(self.refused) == 1:
            return first
        told = ", ".join(f"{count} {reason.value}" for reason, count in counts.most_common())
        return replace(first, detail=f"{first.detail}; of {len(self.refused)} pods that were tried: {told}")


class Curing:
    """How single nodes are cooled in a given state; the state itself is left as it was."""

    def __init__(self, view: RebalanceView, args: HotNodesArgs, meter: Thermometer, places: Places | None) -> None:
        self._view, self._args, self._meter, self._places = view, args, meter, places

    def promise(self, state: Scenario, heat: Heat) -> float:
        """What cooling the node would be worth for its cost, if all who should leave found a place; 0: they would not
        cool it."""
        leaving = who_leaves(self._meter, state, heat, victims_on(self._view, state, heat), self.most(heat))
        if not leaving.pods or leaving.level > heat.threshold:
            return 0.0
        return rate(self.worth(heat), leaving.cost)

    def worth(self, heat: Heat) -> float:
        """What it is worth that the node is not hot within the horizon: what comes later, a later plan can still do."""
        cores = float(self._view.snapshot.columns.allocatable[heat.node, 0]) / 1000.0
        over = heat.finding.value - heat.threshold + STRAIN
        return over * cores * min(heat.lasts, self._meter.seconds) * self._args.weight

    def most(self, heat: Heat) -> int:
        """How many units may still leave the node in this plan."""
        granted = self._view.granted_for(heat.finding.strategy, heat.finding.subject)
        return self._args.max_moves_per_node - len(granted)

    def cool(self, state: Scenario, heat: Heat) -> Cure | Blocked:
        """The moves that cool the node, or why there are none."""
        steps: list[Step] = []
        tries = Tries()
        attempt, level, most = state, self._meter.level(state, heat), self.most(heat)
        while level > heat.target:
            leaving = self._next(attempt, heat, tries, most - len(steps))
            if leaving.level > heat.threshold and not (steps and level <= heat.threshold):
                return self._failed(heat, tries, leaving, len(steps))
            if not leaving.pods:
                break
            for pod in leaving.pods:
                moved = self._leave(attempt, pod)
                if isinstance(moved, Blocked):
                    tries.refused[pod] = moved
                    break
                attempt, before = moved.state, level
                level = self._meter.level(attempt, heat)
                steps.append(Step(moved, before, level, sum(self._view.cost(move.pod) for move in moved.moves)))
        return Cure(heat, tuple(steps), attempt)

    def _next(self, state: Scenario, heat: Heat, tries: Tries, left: int) -> Leaving:
        if len(tries.refused) >= MOST_REFUSED:
            left = 0
        victims = victims_on(self._view, state, heat, tries.refused)
        return who_leaves(self._meter, state, heat, victims, left)

    def _leave(self, state: Scenario, pod: int) -> Relocation | Blocked:
        wished = self._places.wished(state, pod) if self._places is not None else ()
        return relocate(
            self._view,
            state,
            (pod,),
            self._meter.stays_cool,
            max_risk=self._args.max_risk,
            bad=Reason.DESTINATION_HOT,
            wished=dict.fromkeys(self._view.moving(pod), wished),
            more_avoided=MOST_AVOIDED,
        )

    def _failed(self, heat: Heat, tries: Tries, leaving: Leaving, done: int) -> Blocked:
        why = tries.why()
        if why is not None:
            return why
        subject = str(heat.finding.subject)
        if not leaving.pods:
            return Blocked(Reason.NO_CURE, subject, "no pod on it may be moved, or none would help")
        return Blocked(Reason.NO_CURE, subject, f"at best {leaving.level:.0%} with {done + len(leaving.pods)} moves")


def proposals(view: RebalanceView, cure: Cure, worth: float) -> list[Proposal]:
    """One for each step, accepted together or not at all; they share what they are worth together by what they cost."""
    total = sum(step.cost + 1.0 for step in cure.steps)
    most = None if view.landing.chosen else 1  # what the scheduler may choose besides is no wish
    return [
        Proposal(
            finding=cure.heat.finding,
            moves=tuple(replace(move, destinations=move.destinations[:most]) for move in step.moved.moves),
            benefit=step.before - step.after,
            worth=worth * (step.cost + 1.0) / total,
            note=f"{cure.heat.resource} {step.before:.0%} → {step.after:.0%}",
            avoid=step.moved.avoid,
            follows=at > 0,
        )
        for at, step in enumerate(cure.steps)
    ]
