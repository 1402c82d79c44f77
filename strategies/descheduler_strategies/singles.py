"""Pods that move one by one, each to a node that is named: who may, and whether their moves hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Mask, Positions
from descheduler.model.moves import Move
from descheduler.model.reasons import Blocked, Reason


def single_movers(view: RebalanceView, pods: Positions) -> Mask:
    """[K] which of the pods [K] may move on their own: nobody whom this plan moves already or with whom others restart,
    and of a gang no more than its slack."""
    moved = [move.pod for proposal in view.granted for move in proposal.moves]
    out: Mask = view.movable[pods] & ~np.isin(pods, moved)
    taken = Counter(view.units.of(pod).name for pod in moved)
    for at in np.flatnonzero(out & (view.units.unit_index[pods] >= 0)).tolist():
        pod = int(pods[at])
        unit = view.units.of(pod)
        taken[unit.name] += 1
        out[at] = unit.restarting(pod) == (pod,) and taken[unit.name] <= unit.slack
    return out


def carried_out(view: RebalanceView, state: Scenario, moves: Sequence[Move]) -> Scenario | tuple[int, Blocked]:
    """The state after the moves, one after the other, each to its first destination; or which pod may not go, and why.

    `state` itself is left as it was.
    """
    attempt = state.fork()
    for move in moves:
        key = f"pod/{view.snapshot.pods[move.pod].key}"
        blocked = view.blocked(move.pod)
        if blocked is not None:
            return move.pod, blocked
        target = move.destinations[0]
        attempt.remove(move.pod)
        if not attempt.fits(move.pod, np.array([target], np.int32))[0]:
            name = view.snapshot.nodes[target].name
            return move.pod, Blocked(Reason.NO_PLACE, key, f"{name} has the room, but rules keep it off")
        attempt.place(move.pod, target)
    return attempt
