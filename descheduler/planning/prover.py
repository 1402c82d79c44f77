"""One proposal on trial: filters, gangs, budgets, proof of re-placement, and worth against cost.

What is proved here is proved on the state that already holds everything accepted before, so that no later move takes
the place of an earlier one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from copy import copy
from functools import cache, partial

import numpy as np

from descheduler.contract import Scenario
from descheduler.model.fence import fenced
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import ActionKind, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import DisruptionMode
from descheduler.planning.apart import waves_of
from descheduler.planning.budgets.charging import Budgets
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.context import PlanningContext
from descheduler.planning.executor_rules import ExecutorTraits
from descheduler.planning.executor_tally import ExecutorTally
from descheduler.planning.filters.context import Act
from descheduler.planning.proofs import Accepted
from descheduler.planning.releasing import retaken
from descheduler.planning.stages import restarting, split
from descheduler.planning.staging import Stager
from descheduler.planning.turns import Crowd, Turns


class Prover:
    """The state of one plan in the making: what is accepted so far, and the budgets it uses."""

    def __init__(self, context: PlanningContext) -> None:
        view = context.view
        self.view = view
        self._filters_of = context.filters_of
        self._fits_on = cache(context.fits_on)
        self.state = view.what_if()
        self.accepted: list[Accepted] = []
        self.budgets = context.budgets.fork()
        self._stager = Stager(view, context.settings.proof, context.budgets)
        self._margin = context.settings.costs.margin
        self._ways = context.ways
        self._tally = ExecutorTally(context.given.moved_by, len(view.snapshot.columns.order))
        self._evicting = context.evicting.fork() if context.evicting is not None else None
        self._moved: set[int] = set()  # pods that leave
        self._moves = False  # some of them for other nodes
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
        twin._evicting = self._evicting.fork() if self._evicting is not None else None
        twin._tally = self._tally.fork()
        return twin

    def under(self, limits: DisruptionLimits) -> Prover:
        """An independent copy under other limits of the cycle."""
        twin = self.fork()
        twin.budgets = self.budgets.under(limits)
        return twin

    def judge(self, proposal: Proposal) -> tuple[Accepted, ...] | Blocked:
        """Accept the proposal, stage by stage, and take its moves as done; or say why not, and change nothing."""
        pods = tuple(move.pod for move in proposal.moves)
        refused = self._filters(proposal) or self._unfit(proposal) or self._sources(proposal) or self._gangs(proposal)
        if refused is not None:
            return refused
        unable = self._unable(proposal, pods)
        if unable is not None:
            return unable
        cost = float(self.view.costs[list(restarting(self.view, pods))].sum())
        if proposal.worth <= self._margin * cost:
            text = f"worth {proposal.worth:.0f}, cost {cost:.0f}, margin {self._margin:g}"
            return Blocked(Reason.NOT_WORTH_IT, "cost", text)
        if proposal.kind is ActionKind.REMOVE and (exceeded := self.budgets.exceeded(pods, pods)) is not None:
            return exceeded  # cheaper to ask than the proof
        turns = self._turns.fork()
        stages = self._stager.prove(proposal, self.state, turns, len(self.accepted))
        if isinstance(stages, Blocked):
            return stages
        attempt = stages[-1].state
        costs = [float(self.view.costs[list(stage.restarting)].sum()) for stage in stages]
        unseated = self._seat(proposal, attempt)
        if unseated is not None:
            return unseated
        disrupted = tuple((stage.restarting, stage.evicted) for stage in stages)
        evicting = self._charged_as_eviction(proposal, disrupted)
        if isinstance(evicting, Blocked):
            return evicting
        before = self.budgets.fork() if self.budgets.limits.waves is not None else self.budgets
        charges = self.budgets.charge_all(disrupted)
        if isinstance(charges, Blocked):
            return charges
        accepted = tuple(
            Accepted(part, stage.restarting, stage.proofs, taken, price, i, len(stages), stage.needs, self._way(part))
            for i, (part, stage, taken, price) in enumerate(
                zip(split(proposal, stages, costs), stages, charges, costs, strict=True), start=1
            )
        )
        crowded = self._crowded(accepted)
        if crowded is not None:
            self.budgets = before
            return crowded
        self._turns, self._evicting = turns, evicting
        self._take(proposal, accepted, attempt)
        return accepted

    def _unable(self, proposal: Proposal, pods: tuple[int, ...]) -> Blocked | None:
        """Each pod can be moved, but perhaps not all in one way, or no more in it; removals are always evictions."""
        if proposal.kind is ActionKind.REMOVE:
            return None
        way = self._way_of(proposal.kind, pods)
        if isinstance(way, Blocked):
            return way
        taken = None
        if proposal.kind is ActionKind.RELEASE:
            before = ((one.proposal, one.way) for one in self.accepted if one.kind is ActionKind.RELEASE)
            taken = retaken(self.view, [*((one, by) for one, by in before if by is not None), (proposal, way)])
        return taken or self._tally.exceeded(way, len(pods))

    def _way_of(self, kind: ActionKind, pods: Iterable[int]) -> ExecutorTraits | Blocked:
        return self._ways.releasing(pods) if kind is ActionKind.RELEASE else self._ways.of(pods)

    def _way(self, stage: Proposal) -> ExecutorTraits | None:
        """By what the pods of one stage are moved; any that can move all of the proposal can."""
        if stage.kind is ActionKind.REMOVE:
            return None
        way = self._way_of(stage.kind, [move.pod for move in stage.moves])
        return None if isinstance(way, Blocked) else way

    def _charged_as_eviction(
        self, proposal: Proposal, disrupted: Sequence[tuple[Collection[int], Collection[int]]]
    ) -> Budgets | Blocked | None:
        """Where moves spare budgets: the budgets with what is evicted all the same, which are removals."""
        if self._evicting is None or proposal.kind is ActionKind.MOVE:
            return self._evicting
        twin = self._evicting.fork()
        refused = twin.charge_all(disrupted)
        return refused if isinstance(refused, Blocked) else twin

    def beyond(self, proposal: Proposal, limits: Collection[Reason]) -> Blocked | None:
        """Whether one of these limits alone refuses the moves, wherever their pods would land. Nothing is changed."""
        if proposal.kind is not ActionKind.MOVE:
            return None
        pods = tuple(move.pod for move in proposal.moves)
        found = self.budgets.exceeded(restarting(self.view, pods), pods)
        return found if found is not None and found.reason in limits else None

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
        if most is None or self._meets_nobody(new):
            return None
        if max(waves_of(self.budgets, [*self.accepted, *new], landing, self._evicting)) < most:
            return None
        if landing is not LandingMode.STEERED or any(one.needs for one in new):
            return Blocked(Reason.NO_PLACE, "wave", "it needs a place that another action of the wave holds until then")
        return Blocked(Reason.WOULD_STAY, "steering", "another action of the wave steers away from where it would land")

    def _meets_nobody(self, new: tuple[Accepted, ...]) -> bool:
        """What is over is in nobody's way, and what is made again anywhere only in that of who moves."""
        again = [one for one in new if one.restarting]
        anywhere = all(one.kind is ActionKind.REMOVE and not one.needs for one in again)
        return not again or (anywhere and not self._moves)

    def _take(self, proposal: Proposal, accepted: tuple[Accepted, ...], state: Scenario) -> None:
        self.state = state
        self._moves |= proposal.kind is ActionKind.MOVE
        self.accepted.extend(accepted)
        for one in accepted:
            if one.way is not None:
                self._tally.take(one.way, len(one.proofs))
        self._seated.update(seat.pod for seat in proposal.seats)
        for move in proposal.moves:
            self._moved.add(move.pod)
            self._taken[self.view.units.of(move.pod).name] += 1

    def _filters(self, proposal: Proposal) -> Blocked | None:
        filters = self._filters_of(proposal.finding.strategy)
        refusal, done = {
            ActionKind.MOVE: (filters.blocked, "moves"),
            ActionKind.REMOVE: (filters.kept, "leaves"),
            ActionKind.RELEASE: (filters.held, "leaves"),
        }[proposal.kind]
        for move in proposal.moves:
            blocked = refusal(move.pod)
            if blocked is not None:
                return blocked
            if move.pod in self._moved:
                name = f"pod/{self.view.snapshot.pods[move.pod].key}"
                return Blocked(Reason.SUPERSEDED, name, f"already {done} in this plan")
        if not filters.asked_together:
            return None
        act = Act.RELEASE if proposal.kind is ActionKind.RELEASE else Act.MADE_AGAIN
        return filters.together((*sorted(self._moved), *(move.pod for move in proposal.moves)), act)

    def _unfit(self, proposal: Proposal) -> Blocked | None:
        """Why a pod may not move that none of the nodes could take which its protections name."""
        among = self._fits_on(proposal.finding.strategy) if proposal.kind is ActionKind.MOVE else None
        if among is None:
            return None
        for pod in (move.pod for move in proposal.moves):
            fits = self.state.fits(pod) & among
            fits[self.state.node_of(pod)] = False
            if not fits.any():
                return Blocked(Reason.NO_PLACE, "protections.nodeSelector", f"pod/{self.view.snapshot.pods[pod].key}")
        return None

    def _sources(self, proposal: Proposal) -> Blocked | None:
        """A move from where the pod is not is a mistake of the strategy: its worth speaks of another node."""
        for move in proposal.moves:
            over = self.view.snapshot.columns.pod_terminal[move.pod]  # has no place in a state, for it holds nothing
            there = self.view.snapshot.columns.pod_node[move.pod] if over else self.state.node_of(move.pod)
            if there != move.source:
                text = f"pod/{self.view.snapshot.pods[move.pod].key} is not on {self._name(move.source)}"
                return Blocked(Reason.STRATEGY_FAILED, proposal.finding.strategy, text)
        return None

    def _name(self, node: int) -> str:
        return self.view.snapshot.nodes[node].name

    def _gangs(self, proposal: Proposal) -> Blocked | None:
        """Whole gangs move whole, and are released whole in any case, all that hold something; the others lose no more
        than their slack, over the whole plan."""
        pods, releases = [move.pod for move in proposal.moves], proposal.kind is ActionKind.RELEASE
        together = set(pods)
        asked: Counter[str] = Counter()
        for pod in pods:
            unit = self.view.units.of(pod)
            if not unit.gang:
                continue
            if unit.mode is DisruptionMode.WHOLE or releases:
                staying = (m for m in unit.members if m not in together)
                left = [m for m in staying if not releases or self.state.node_of(m) >= 0]
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
