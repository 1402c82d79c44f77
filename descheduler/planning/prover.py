"""One proposal on trial: filters, gangs, budgets, proof of re-placement, and worth against cost.

What is proved here is proved on the state that already holds everything accepted before, so that no later move takes
the place of an earlier one.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.contract import Accept, Relocation, Scenario, land_all
from descheduler.model.arrays import Mask, Positions
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Move, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.units import DisruptionMode
from descheduler.planning.apart import waves_of
from descheduler.planning.context import PlanningContext
from descheduler.planning.proofs import Accepted, Proof
from descheduler.planning.turns import Arrival, Crowd, Turns, carry_out, in_turn


@dataclass(frozen=True, eq=False, slots=True)
class _Proved:
    """The moves of one proposal in stages, their landings, and for each the accepted actions whose places it needs."""

    parts: tuple[tuple[Move, ...], ...]
    made: tuple[Relocation, ...]
    needs: tuple[frozenset[int], ...]
    turns: Turns


class Prover:
    """The state of one plan in the making: what is accepted so far, and the budgets it uses."""

    def __init__(self, context: PlanningContext) -> None:
        view = context.view
        self.view = view
        self.state = view.what_if()
        self.accepted: list[Accepted] = []
        self._budgets = context.budgets.fork()
        self._rules = context.settings.proof
        self._margin = context.settings.costs.margin
        self._moved: set[int] = set()
        self._seated: set[int] = set()
        self._turns = Turns(Crowd(self.state))
        # A pod that is being moved already is missing from its gang, though it may still be counted as alive.
        self._taken = Counter(
            view.units.of(p).name for p in context.given.in_flight if view.snapshot.pods[p].deleting is None
        )

    def judge(self, proposal: Proposal) -> tuple[Accepted, ...] | Blocked:
        """Accept the proposal, stage by stage, and take its moves as done; or say why not, and change nothing."""
        pods = tuple(move.pod for move in proposal.moves)
        refused = self._filters(pods) or self._sources(proposal) or self._gangs(pods)
        if refused is not None:
            return refused
        cost = float(self.view.costs[list(self._restarting(pods))].sum())
        if proposal.worth <= self._margin * cost:
            text = f"worth {proposal.worth:.0f}, cost {cost:.0f}, margin {self._margin:g}"
            return Blocked(Reason.NOT_WORTH_IT, "cost", text)
        proved = self._proved(proposal)
        if isinstance(proved, Blocked):
            return proved
        attempt = proved.made[-1].state
        moved = [tuple(move.pod for move in part) for part in proved.parts]
        restarting = [self._restarting(part) for part in moved]
        costs = [float(self.view.costs[list(part)].sum()) for part in restarting]
        stages = _split(proposal, proved.parts, costs)
        unseated = self._seat(proposal, attempt)
        if unseated is not None:
            return unseated
        before = self._budgets.fork()
        charges = self._budgets.charge_all(tuple(zip(restarting, moved, strict=True)))
        if isinstance(charges, Blocked):
            return charges
        accepted = tuple(
            Accepted(stage, also, _proofs(made), taken, price, i, len(stages), after)
            for i, (stage, also, made, taken, price, after) in enumerate(
                zip(stages, restarting, proved.made, charges, costs, proved.needs, strict=True), start=1
            )
        )
        crowded = self._crowded(accepted)
        if crowded is not None:
            self._budgets = before
            return crowded
        self._turns = proved.turns
        self._take(proposal, accepted, attempt)
        return accepted

    def _crowded(self, new: tuple[Accepted, ...]) -> Blocked | None:
        """Actions that must keep apart, or wait for one another, may need more waves than there may be."""
        most, landing = self._budgets.limits.waves, self.view.landing
        if most is None:
            return None
        if max(waves_of(self._budgets, [*self.accepted, *new], landing)) < most:
            return None
        if landing is not LandingMode.STEERED or any(one.needs for one in new):
            return Blocked(Reason.NO_PLACE, "wave", "it needs a place that another action of the wave holds until then")
        return Blocked(Reason.WOULD_STAY, "steering", "another action of the wave steers away from where it would land")

    def _stages(self, proposal: Proposal) -> tuple[tuple[Move, ...], ...]:
        """The moves in one part, or in as many as budgets need; what must move together stays together.

        Where landings are directed, and places known before they are proved, who needs one that another move frees
        goes in a later part.
        """
        if not proposal.staged:
            return (proposal.moves,)
        parts = self._units(proposal.moves)
        runs = [list(range(len(parts)))]
        if self.view.landing is LandingMode.DIRECTED:
            wished = [[Arrival(m.pod, m.source, m.destinations[:1]) for m in part] for part in parts]
            clear = self.state.fork()
            carry_out(clear, [one for unit in wished for one in unit])
            runs = in_turn(self.state, wished, clear)
            placed = {at for run in runs for at in run}
            runs += [left] if (left := [at for at in range(len(parts)) if at not in placed]) else []
        restarting = [self._restarting(tuple(m.pod for m in part)) for part in parts]
        return tuple(
            tuple(move for at in stage for move in parts[run[at]])
            for run in runs
            for stage in self._budgets.divide([restarting[at] for at in run])
        )

    def _units(self, moves: Sequence[Move]) -> list[tuple[Move, ...]]:
        """The moves, those of one unit together, in the order in which units appear."""
        units: dict[tuple[int, ...], list[Move]] = {}
        for move in moves:
            units.setdefault(self.view.moving(move.pod), []).append(move)
        return [tuple(unit) for unit in units.values()]

    def _proved(self, proposal: Proposal) -> _Proved | Blocked:
        """Prove the stages one after the other; one whose units need each other's places is divided, if it may be."""
        attempt, turns = self.state, self._turns.fork()
        done: list[tuple[tuple[Move, ...], Relocation, frozenset[int]]] = []
        todo = deque(self._stages(proposal))
        while todo:
            part = todo.popleft()
            made = self._relocated(part, proposal, attempt)
            if isinstance(made, Blocked):
                return made
            order = self._order(part, made, attempt, staged=proposal.staged)
            if isinstance(order, Blocked):
                return order
            if len(order) > 1:
                todo.extendleft(reversed(order))
                continue
            arrivals = self._arrivals(part, made)
            done.append((part, made, turns.needs(arrivals, made.state)))
            turns.leave(len(self.accepted) + len(done) - 1, arrivals)
            attempt = made.state
        parts, relocations, needs = zip(*done, strict=True)
        return _Proved(parts, relocations, needs, turns)

    def _order(
        self, part: tuple[Move, ...], made: Relocation, before: Scenario, *, staged: bool
    ) -> Sequence[tuple[Move, ...]] | Blocked:
        """The moves in as many parts as it takes that nobody needs the place of another unit of the same part."""
        units = self._units(part)
        if len(units) == 1:
            return (part,)
        runs = in_turn(before, [self._arrivals(unit, made) for unit in units], made.state)
        at_once = {at for run in (runs if staged else runs[:1]) for at in run}
        left = next((at for at in range(len(units)) if at not in at_once), None)
        if left is not None:
            by = f"pod/{self.view.snapshot.pods[units[left][0].pod].key}"
            return Blocked(Reason.NO_PLACE, by, "it needs the place of a pod that moves with it, which ends only later")
        return [tuple(move for at in run for move in units[at]) for run in runs]

    def _arrivals(self, moves: Sequence[Move], made: Relocation) -> list[Arrival]:
        """Where proved moves may come up: on their good nodes; where the executor names the node, on that one."""
        most = 1 if self.view.landing is LandingMode.DIRECTED else None
        nodes = {move.pod: move.destinations[:most] for move in made.moves}
        return [Arrival(move.pod, move.source, nodes[move.pod]) for move in moves]

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

    def _restarting(self, pods: tuple[int, ...]) -> tuple[int, ...]:
        every: dict[int, None] = dict.fromkeys(pods)
        for pod in pods:
            every.update(dict.fromkeys(self.view.units.of(pod).restarting(pod)))
        return tuple(every)

    def _relocated(self, moves: Sequence[Move], proposal: Proposal, state: Scenario) -> Relocation | Blocked:
        """Where each pod will most likely be, if what is likely is also good; on the wished node if that is so."""
        return land_all(
            self.view.snapshot,
            state,
            moves,
            self._cool,
            max_risk=self._rules.max_risk,
            bad=Reason.DESTINATION_HOT,
            avoid=proposal.vacating,  # its own nodes alone: what is not in its wave is over, or not begun
        )

    def _seat(self, proposal: Proposal, attempt: Scenario) -> Blocked | None:
        """Set the room of the pending pods aside, so that nothing later in the plan takes it; or say who finds none.

        They must fit all together. Until the scheduler has placed them nobody else's place may rest on theirs.
        """
        together = attempt.fork()
        for seat in proposal.seats:
            key = f"pod/{self.view.snapshot.pods[seat.pod].key}"
            if seat.pod in self._seated or together.node_of(seat.pod) >= 0:
                return Blocked(Reason.SUPERSEDED, key, "has its room already")
            if not together.fits(seat.pod, np.array([seat.node], np.int32))[0]:
                return Blocked(Reason.NO_CURE, key, f"would not fit on {self._name(seat.node)} after the moves")
            together.place(seat.pod, seat.node)
        for seat in proposal.seats:
            attempt.reserve(seat.pod, seat.node)
        return None

    def _cool(self, state: Scenario, pod: int) -> Accept:
        """Accepts nodes that stay under the limit of every resource with the pod on them."""

        def accept(nodes: Positions) -> Mask:
            cool = np.ones(len(nodes), np.bool_)
            for resource, limit in self._rules.max_load.items():
                if resource in self.view.loads:
                    level = state.hottest(resource, nodes, self._rules.quantile, self._rules.horizon_seconds, plus=pod)
                    cool &= level <= limit
            return cool

        return accept


def _proofs(relocated: Relocation) -> tuple[Proof, ...]:
    return tuple(
        Proof(move.pod, move.destinations[0], landing.share, landing.candidates, landing.likely)
        for move, landing in zip(relocated.moves, relocated.landings, strict=True)
    )


def _split(proposal: Proposal, parts: Sequence[tuple[Move, ...]], costs: Sequence[float]) -> list[Proposal]:
    """One proposal for each part: worth by what the part costs, the benefit with the last, which ends it.

    Each leaves free what the others leave too.
    """
    if len(parts) == 1:
        return [proposal]
    total, last = sum(costs) or 1.0, len(parts) - 1
    return [
        replace(
            proposal,
            moves=part,
            avoid=proposal.vacating,
            benefit=proposal.benefit if i == last else 0.0,
            worth=proposal.worth * costs[i] / total,
            note=f"stage {i + 1} of {len(parts)}: {proposal.note}",
        )
        for i, part in enumerate(parts)
    ]
