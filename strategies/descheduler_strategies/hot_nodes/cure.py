"""One hot node: units leave it, each for a place where it stays cool, until the node is cool; or all of them stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from descheduler.contract import MOST_AVOIDED, RebalanceView, Relocation, Scenario, rate, relocate
from descheduler.model.moves import Proposal, Tried
from descheduler.model.reasons import Blocked, Reason
from descheduler_strategies.hot_nodes.args import HotNodesArgs
from descheduler_strategies.hot_nodes.exchange import Exchange
from descheduler_strategies.hot_nodes.heat import Heat, Thermometer
from descheduler_strategies.hot_nodes.places import Places
from descheduler_strategies.hot_nodes.victims import DISTURBANCE, Leaving, victims_on, who_leaves

FULL = frozenset({Reason.DESTINATION_HOT, Reason.NO_PLACE})
"""Refusals that somebody who makes place may end."""
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
    refused: bool = False  # whether some of those who should have left found no place

    @property
    def price(self) -> float:
        """What it costs, in core-seconds, the disturbance of every pod included."""
        return sum(step.cost + DISTURBANCE * len(step.moved.moves) for step in self.steps)


@dataclass(frozen=True, eq=False, slots=True)
class Hot:
    """A node that is not cured: why, and all units that were tried."""

    blocked: Blocked
    tried: tuple[Tried, ...] = ()


@dataclass(slots=True)
class Tries:
    """What came of the units of one node: those that may not go, by the pod that they were tried for, and why."""

    refused: dict[int, Blocked] = field(default_factory=dict)

    def why(self) -> Blocked | None:
        """The first of the most frequent refusal."""
        if not self.refused:
            return None
        counts = Counter(blocked.reason for blocked in self.refused.values())
        most = counts.most_common(1)[0][0]
        return next(blocked for blocked in self.refused.values() if blocked.reason is most)


class Curing:
    """How single nodes are cooled in a given state; the state itself is left as it was."""

    def __init__(self, view: RebalanceView, args: HotNodesArgs, meter: Thermometer, places: Places | None) -> None:
        self._view, self._args, self._meter, self._places = view, args, meter, places
        self._exchange = Exchange(view, args, meter, places) if places is not None else None

    def begin(self) -> None:
        """A pass over the hot nodes begins: what may be tried in it is counted from here."""
        if self._exchange is not None:
            self._exchange.begin()

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

    def cool(self, state: Scenario, heat: Heat) -> Cure | Hot:
        """The moves that cool the node, or why there are none; with others making place where that is cheaper."""
        alone = self._cool(state, heat, None)
        if self._exchange is None or (isinstance(alone, Cure) and not alone.refused):
            return alone
        together = self._cool(state, heat, self._exchange)
        if isinstance(together, Hot) or (isinstance(alone, Cure) and alone.price <= together.price):
            return alone
        return together

    def _cool(self, state: Scenario, heat: Heat, exchange: Exchange | None) -> Cure | Hot:
        steps: list[Step] = []
        tries = Tries()
        attempt, level, most = state, self._meter.level(state, heat), self.most(heat)
        while level > heat.target:
            leaving = self._next(attempt, heat, tries, most - len(steps))
            if leaving.level > heat.threshold:
                return self._failed(heat, tries, leaving, len(steps))
            if not leaving.pods:
                break
            for pod in leaving.pods:
                moved = self._leave(attempt, pod)
                if isinstance(moved, Blocked):
                    tries.refused[pod] = moved
                    made = exchange.make_place(attempt, heat, pod) if exchange and moved.reason in FULL else None
                    if made is None:
                        break
                    moved = made
                attempt, before = moved.state, level
                level = self._meter.level(attempt, heat)
                steps.append(self._step(moved, before, level))
        return Cure(heat, tuple(steps), attempt, bool(tries.refused))

    def follow(self, state: Scenario, heat: Heat, wishes: Mapping[int, int]) -> Cure | None:
        """The node cooled by these pods, each on the node that is wished for it or on one that is as good; None where
        that does not cool it."""
        steps: list[Step] = []
        attempt, level = state, self._meter.level(state, heat)
        for pod, node in wishes.items():
            moved = self._leave(attempt, pod, (node,))
            if isinstance(moved, Blocked):
                return None
            attempt, before = moved.state, level
            level = self._meter.level(attempt, heat)
            steps.append(self._step(moved, before, level))
        return Cure(heat, tuple(steps), attempt) if level <= heat.threshold else None

    def _step(self, moved: Relocation, before: float, after: float) -> Step:
        return Step(moved, before, after, sum(self._view.cost(move.pod) for move in moved.moves))

    def _next(self, state: Scenario, heat: Heat, tries: Tries, left: int) -> Leaving:
        if len(tries.refused) >= MOST_REFUSED:
            left = 0
        victims = victims_on(self._view, state, heat, tries.refused)
        return who_leaves(self._meter, state, heat, victims, left)

    def _leave(self, state: Scenario, pod: int, first: tuple[int, ...] = ()) -> Relocation | Blocked:
        wished = (*first, *self._places.wished(state, pod)) if self._places is not None else ()
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

    def _failed(self, heat: Heat, tries: Tries, leaving: Leaving, done: int) -> Hot:
        subject = str(heat.finding.subject)
        best = f"at best {leaving.level:.0%} with {done + len(leaving.pods)} moves"
        text = best if leaving.pods else "no pod on it may be moved, or none would help"
        tried = tuple(Tried(self._view.moving(pod), blocked) for pod, blocked in tries.refused.items())
        return Hot(tries.why() or Blocked(Reason.NO_CURE, subject, text), tried)


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
            staged=len({view.moving(move.pod) for move in step.moved.moves}) > 1,
            follows=at > 0,
        )
        for at, step in enumerate(cure.steps)
    ]
