"""One proposal in stages, each proved after the one before: in as many as budgets and one another's places need."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from descheduler.contract import Accept, RebalanceView, Relocation, Scenario, land_all
from descheduler.model.arrays import Mask, Positions
from descheduler.model.directing import direction_of
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import ActionKind, Move, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.budgets.charging import Budgets
from descheduler.planning.proofs import Proof, ProofRules
from descheduler.planning.releasing import release
from descheduler.planning.removing import removal
from descheduler.planning.stages import Moves, Stage, restarting
from descheduler.planning.turns import Arrival, Turns, carry_out, in_turn


class Stager:
    """Divides proposals, and proves the parts. What it is given is left as it was, but for the turns."""

    def __init__(self, view: RebalanceView, rules: ProofRules, budgets: Budgets) -> None:
        self._view, self._rules, self._budgets = view, rules, budgets

    def prove(self, proposal: Proposal, state: Scenario, turns: Turns, turn: int) -> tuple[Stage, ...] | Blocked:
        """The stages, the first of which leaves at `turn`; a part whose units need each other's places is divided, if
        it may be. `turns` then knows who left."""
        if proposal.kind is ActionKind.REMOVE:
            stage = removal(self._view, proposal, state, turns, turn)
            return stage if isinstance(stage, Blocked) else (stage,)
        if proposal.kind is ActionKind.RELEASE:
            return (release(self._view, proposal, state),)
        done: list[Stage] = []
        todo = deque(self._parts(proposal, state))
        while todo:
            part = todo.popleft()
            made = self._made(part, proposal, state)
            if isinstance(made, Blocked):
                return made
            if not isinstance(made, Relocation):
                todo.extendleft(reversed(made))
                continue
            arrivals = self._arrivals(part, made)
            needs = turns.needs(arrivals, made.state)
            turns.leave(turn + len(done), arrivals)
            state, evicted = made.state, [move.pod for move in part]
            done.append(Stage(part, _proofs(made), state, restarting(self._view, evicted), needs))
        return tuple(done)

    def _made(self, part: Moves, proposal: Proposal, state: Scenario) -> Relocation | Sequence[Moves] | Blocked:
        """Where the pods land, which go at once; or the parts that must go one after the other.

        Who needs whose place is seen when all are gone; where each then lands, while those that are replaced at once
        still end.
        """
        ending = self._view.ending(move.pod for move in part)
        if len(self._units(part)) == 1:
            return self._relocated(part, proposal, state, ending)
        made = self._relocated(part, proposal, state)
        if isinstance(made, Blocked):
            return made
        order = self._order(part, made, state, staged=proposal.staged)
        if isinstance(order, Blocked) or len(order) > 1:
            return order
        return self._relocated(part, proposal, state, ending) if ending else made

    def _parts(self, proposal: Proposal, state: Scenario) -> tuple[Moves, ...]:
        """The moves in one part, or in as many as budgets need; what must move together stays together.

        Where the plan chooses the nodes, and so knows places before they are proved, who needs one that another move
        frees goes in a later part.
        """
        if not proposal.staged:
            return (proposal.moves,)
        units = self._units(proposal.moves)
        runs = [list(range(len(units)))]
        if self._view.landing.chosen:
            wished = [[Arrival(m.pod, m.source, m.destinations[:1]) for m in unit] for unit in units]
            clear = state.fork()
            carry_out(clear, [one for unit in wished for one in unit])
            runs = in_turn(state, wished, clear)
            placed = {at for run in runs for at in run}
            runs += [left] if (left := [at for at in range(len(units)) if at not in placed]) else []
        if self._view.landing is LandingMode.DIRECTED:
            runs = [part for run in runs for part in self._told_apart(units, run)]
        down = [restarting(self._view, [move.pod for move in unit]) for unit in units]
        return tuple(
            tuple(move for at in stage for move in units[run[at]])
            for run in runs
            for stage in self._budgets.divide([down[at] for at in run])
        )

    def _told_apart(self, units: Sequence[Moves], run: Sequence[int]) -> list[list[int]]:
        """The units of a run in parts, in each of which nobody is directed to nodes that are meant for another pod of
        its controller alone."""
        parts: list[tuple[list[int], dict[str, set[int]]]] = []
        for at in run:
            meant: dict[str, set[int]] = {}
            for move in units[at]:
                if move.only:
                    meant.setdefault(direction_of(self._view.snapshot.pods[move.pod]), set()).update(move.destinations)
            for part, taken in parts:
                if all(taken.get(key, nodes) == nodes for key, nodes in meant.items()):
                    part.append(at)
                    taken.update(meant)
                    break
            else:
                parts.append(([at], meant))
        return [part for part, _ in parts]

    def _units(self, moves: Sequence[Move]) -> list[Moves]:
        """The moves, those of one unit together, in the order in which units appear."""
        units: dict[tuple[int, ...], list[Move]] = {}
        for move in moves:
            units.setdefault(self._view.moving(move.pod), []).append(move)
        return [tuple(unit) for unit in units.values()]

    def _order(self, part: Moves, made: Relocation, before: Scenario, *, staged: bool) -> Sequence[Moves] | Blocked:
        """The moves in as many parts as it takes that nobody needs the place of another unit of the same part."""
        units = self._units(part)
        runs = in_turn(before, [self._arrivals(unit, made) for unit in units], made.state)
        at_once = {at for run in (runs if staged else runs[:1]) for at in run}
        left = next((at for at in range(len(units)) if at not in at_once), None)
        if left is not None:
            by = f"pod/{self._view.snapshot.pods[units[left][0].pod].key}"
            return Blocked(Reason.NO_PLACE, by, "it needs the place of a pod that moves with it, which ends only later")
        return [tuple(move for at in run for move in units[at]) for run in runs]

    def _arrivals(self, moves: Sequence[Move], made: Relocation) -> list[Arrival]:
        """Where proved moves may come up: on their good nodes; where the executor holds a place, on that one."""
        most = 1 if self._view.landing is LandingMode.RESERVED else None
        nodes = {move.pod: move.destinations[:most] for move in made.moves}
        return [Arrival(move.pod, move.source, nodes[move.pod]) for move in moves]

    def _relocated(
        self, moves: Moves, proposal: Proposal, state: Scenario, ending: Sequence[int] = ()
    ) -> Relocation | Blocked:
        """Where each pod will most likely be, if what is likely is also good; on the wished node if that is so.

        Where replacements are directed, what a strategy promises holds on the nodes that it names alone.
        """
        if self._view.landing is LandingMode.DIRECTED:
            moves = tuple(replace(m, only=bool(m.destinations) and self._view.directs(m.pod)) for m in moves)
        return land_all(
            self._view.snapshot,
            state,
            moves,
            self._cool,
            max_risk=self._rules.max_risk,
            bad=Reason.DESTINATION_HOT,
            avoid=proposal.vacating,  # its own nodes alone: what is not in its wave is over, or not begun
            ending=ending,
            cordon=proposal.cordon,
        )

    def _cool(self, state: Scenario, pod: int) -> Accept:
        """Accepts nodes that stay under the limit of every resource with the pod on them."""

        def accept(nodes: Positions) -> Mask:
            cool = np.ones(len(nodes), np.bool_)
            for resource, limit in self._rules.max_load.items():
                if resource in self._view.loads:
                    level = state.hottest(resource, nodes, self._rules.quantile, self._rules.horizon_seconds, plus=pod)
                    cool &= level <= limit
            return cool

        return accept


def _proofs(made: Relocation) -> tuple[Proof, ...]:
    """Where each pod will go."""
    return tuple(
        Proof(
            move.pod,
            move.destinations[0],
            landing.share,
            landing.candidates,
            landing.likely,
            landing.towards,
            landing.direction,
        )
        for move, landing in zip(made.moves, made.landings, strict=True)
    )
