"""The proof of a removal: whoever is made again has some place, wherever that is.

A pod that has finished is made again by nobody, and nothing is to be proved. One that has not leaves its own room, so
that its replacement has a place as long as that one will do; in the state of the plan it stays there, for its room is
not given to anybody else. Where its own node would not take it again, a place elsewhere is set aside beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.moves import Move, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.proofs import NOWHERE, Proof
from descheduler.planning.stages import Stage, restarting
from descheduler.planning.turns import Arrival, Turns


def removal(view: RebalanceView, proposal: Proposal, state: Scenario, turns: Turns, turn: int) -> Stage | Blocked:
    """The one stage of a removal, which leaves at `turn`; `turns` then knows who went to other nodes."""
    over = view.snapshot.columns.pod_terminal
    again = [move for move in proposal.moves if not over[move.pod]]
    places = _places(view, again, state)
    if isinstance(places, Blocked):
        return places
    away = [move for move in again if places[move.pod] != move.source]
    after = _beside(state, away, places) if away else state.fork()
    for move in again:
        if places[move.pod] == move.source:
            after.renew(move.pod)
    needs = frozenset[int]()
    if away:
        arrivals = [Arrival(move.pod, move.source, (places[move.pod],)) for move in away]
        needs = turns.needs(arrivals, after)
        turns.leave(turn, arrivals)
    proofs = tuple(Proof(move.pod, places.get(move.pod, NOWHERE), 1.0, 0, ()) for move in proposal.moves)
    return Stage(proposal.moves, proofs, after, restarting(view, [move.pod for move in again]), needs)


def _places(view: RebalanceView, moves: Sequence[Move], state: Scenario) -> Mapping[int, int] | Blocked:
    """A node for the replacement of each pod when all of them have ended, its own wherever that will do."""
    if len(moves) == 1 and _fits(state, moves[0].pod, moves[0].source):  # as if it had just left
        return {moves[0].pod: moves[0].source}
    trial, found = state.fork(), dict[int, int]()
    for move in moves:
        trial.remove(move.pod)
    for move in moves:
        if not _fits(trial, move.pod, move.source):
            room = np.flatnonzero(trial.fits(move.pod))
            if not room.size:
                return Blocked(Reason.NO_PLACE, f"pod/{view.snapshot.pods[move.pod].key}", trial.explain(move.pod))
            found[move.pod] = int(room[0])
        trial.place(move.pod, found.setdefault(move.pod, move.source))
    return found


def _fits(state: Scenario, pod: int, node: int) -> bool:
    return bool(state.fits(pod, np.array([node], np.int32))[0])


def _beside(state: Scenario, moves: Sequence[Move], places: Mapping[int, int]) -> Scenario:
    """The state in which these pods hold their old room, and the new one, where no rule between pods counts on them:
    they may come up elsewhere."""
    after = state.fork()
    for move in moves:
        after.remove(move.pod)
        after.linger(move.pod, move.source)
    for move in moves:
        after.reserve(move.pod, places[move.pod])
    return after
