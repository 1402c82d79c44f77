"""One proposal on trial: filters, gangs, budgets, proof of re-placement, and worth against cost.

What is proved here is proved on the state that already holds everything accepted before, so that no later move takes
the place of an earlier one.
"""

from __future__ import annotations

from collections import Counter
from copy import copy
from functools import partial

import numpy as np

from descheduler.contract import Scenario
from descheduler.model.fence import fenced
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import DisruptionMode
from descheduler.planning.apart import waves_of
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.context import PlanningContext
from descheduler.planning.proofs import Accepted
from descheduler.planning.staging import Stager, restarting, split
from descheduler.planning.turns import Crowd, Turns


class Prover:
    """The state of one plan in the making: what is accepted so far, and the budgets it uses."""

    def __init__(self, context: PlanningContext) -> None:
        view = context.view
        self.view = view
        self.state = view.what_if()
        self.accepted: list[Accepted] = []
        self.budgets = context.budgets.fork()
        self._stager = Stager(view, context.settings.proof, context.budgets)
        self._margin = context.settings.costs.margin
        self._ways = context.ways
        self._moved: set[int] = set()
        self._seated: set[int] = set()
        self._turns = Turns(Crowd(self.state))
        # A pod that is being moved already is missing from its gang, though it may still be counted as alive.
        self._taken = Counter(
            view.units.of(p).name for p in context.given.in_flight if view.snapshot.pods[p].deleting is None
        )

    def fork(self) -> Prover:
        """An independent copy: judge with it, and drop it to undo."""
        twin = copy(self)
        twin.accepted, twin.budgets, twin._taken = list(self.accepted), self.budgets.fork(), Counter(self._taken)
        twin._moved, twin._seated = set(self._moved), set(self._seated)
        return twin

    def under(self, limits: DisruptionLimits) -> Prover:
        """An independent copy under other limits of the cycle."""
        twin = self.fork()
        twin.budgets = self.budgets.under(limits)
        return twin

    def judge(self, proposal: Proposal) -> tuple[Accepted, ...] | Blocked:
        """Accept the proposal, stage by stage, and take its moves as done; or say why not, and change nothing."""
        pods = tuple(move.pod for move in proposal.moves)
        refused = self._filters(pods) or self._sources(proposal) or self._gangs(pods)
        if refused is not None:
            return refused
        way = self._ways.of(pods)
        if isinstance(way, Blocked):  # each can be moved, but not all in one way
            return way
        cost = float(self.view.costs[list(restarting(self.view, pods))].sum())
        if proposal.worth <= self._margin * cost:
            text = f"worth {proposal.worth:.0f}, cost {cost:.0f}, margin {self._margin:g}"
            return Blocked(Reason.NOT_WORTH_IT, "cost", text)
        turns = self._turns.fork()
        stages = self._stager.prove(proposal, self.state, turns, len(self.accepted))
        if isinstance(stages, Blocked):
            return stages
        attempt = stages[-1].made.state
        costs = [float(self.view.costs[list(stage.restarting)].sum()) for stage in stages]
        unseated = self._seat(proposal, attempt)
        if unseated is not None:
            return unseated
        before = self.budgets.fork()
        charges = self.budgets.charge_all(tuple((stage.restarting, stage.evicted) for stage in stages))
        if isinstance(charges, Blocked):
            return charges
        accepted = tuple(
            Accepted(part, stage.restarting, stage.proofs, taken, price, i, len(stages), stage.needs)
            for i, (part, stage, taken, price) in enumerate(
                zip(split(proposal, stages, costs), stages, charges, costs, strict=True), start=1
            )
        )
        crowded = self._crowded(accepted)
        if crowded is not None:
            self.budgets = before
            return crowded
        self._turns = turns
        self._take(proposal, accepted, attempt)
        return accepted

    def share(self, proposal: Proposal) -> float:
        """The probability that the pods land well, the least of them; 0 where it cannot be done. Nothing is changed."""
        prove = partial(self._stager.prove, proposal, self.state, self._turns.fork(), len(self.accepted))
        stages = fenced(prove, lambda _: ())
        if isinstance(stages, Blocked):
            return 0.0
        return min((proof.share for stage in stages for proof in stage.proofs), default=0.0)

    def _crowded(self, new: tuple[Accepted, ...]) -> Blocked | None:
        """Actions that must keep apart, or wait for one another, may need more waves than there may be."""
        most, landing = self.budgets.limits.waves, self.view.landing
        if most is None:
            return None
        if max(waves_of(self.budgets, [*self.accepted, *new], landing)) < most:
            return None
        if landing is not LandingMode.STEERED or any(one.needs for one in new):
            return Blocked(Reason.NO_PLACE, "wave", "it needs a place that another action of the wave holds until then")
        return Blocked(Reason.WOULD_STAY, "steering", "another action of the wave steers away from where it would land")

    def _take(self, proposal: Proposal, accepted: tuple[Accepted, ...], state: Scenario) -> None:
        self.state = state
        self.accepted.extend(accepted)
        self._seated.update(seat.pod for seat in proposal.seats)
        for move in proposal.moves:
            self._moved.add(move.pod)
            self._taken[self.view.units.of(move.pod).name] += 1

    def _filters(self, pods: tuple[int, ...]) -> Blocked | None:
        for pod in pods:
            blocked = self.view.blocked(pod)
            if blocked is not None:
                return blocked
            if pod in self._moved:
                return Blocked(
                    Reason.SUPERSEDED, f"pod/{self.view.snapshot.pods[pod].key}", "already moves in this plan"
                )
        return self.view.together((*sorted(self._moved), *pods))

    def _sources(self, proposal: Proposal) -> Blocked | None:
        """A move from where the pod is not is a mistake of the strategy: its worth speaks of another node."""
        for move in proposal.moves:
            if self.state.node_of(move.pod) != move.source:
                text = f"pod/{self.view.snapshot.pods[move.pod].key} is not on {self._name(move.source)}"
                return Blocked(Reason.STRATEGY_FAILED, proposal.finding.strategy, text)
        return None

    def _name(self, node: int) -> str:
        return self.view.snapshot.nodes[node].name

    def _gangs(self, pods: tuple[int, ...]) -> Blocked | None:
        """Whole gangs move whole; the others lose no more than their slack, over the whole plan."""
        together = set(pods)
        asked: Counter[str] = Counter()
        for pod in pods:
            unit = self.view.units.of(pod)
            if not unit.gang:
                continue
            if unit.mode is DisruptionMode.WHOLE:
                left = [m for m in unit.members if m not in together]
                if left:
                    name = self.view.snapshot.pods[left[0]].key
                    return Blocked(Reason.GANG_WOULD_TEAR, unit.name, f"{name} would stay behind")
                continue
            asked[unit.name] += 1
            if self._taken[unit.name] + asked[unit.name] > unit.slack:
                text = f"{unit.alive} alive, minimum {unit.min_available}"
                return Blocked(Reason.GANG_WOULD_TEAR, unit.name, text)
        return None

    def _seat(self, proposal: Proposal, attempt: Scenario) -> Blocked | None:
        """Set the room of the pending pods aside, so that nothing later in the plan takes it; or say who finds none.

        They must fit all together. Until the scheduler has placed them nobody else's place may rest on theirs.
        """
        together = attempt.fork()
        for seat in proposal.seats:
            pod = self.view.snapshot.pods[seat.pod]
            key = f"pod/{pod.key}"
            if pod.terminal or pod.deleting is not None:
                return Blocked(Reason.STRATEGY_FAILED, proposal.finding.strategy, f"{key} does not wait for room")
            if seat.pod in self._seated or together.node_of(seat.pod) >= 0:
                return Blocked(Reason.SUPERSEDED, key, "has its room already")
            if not together.fits(seat.pod, np.array([seat.node], np.int32))[0]:
                return Blocked(Reason.NO_CURE, key, f"would not fit on {self._name(seat.node)} after the moves")
            together.place(seat.pod, seat.node)
        for seat in proposal.seats:
            attempt.reserve(seat.pod, seat.node)
        return None
