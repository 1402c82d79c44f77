"""Moves of single pods, each to a node that is named: who may move, what goes together, and whether it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.contract import AcceptIn, RebalanceView, Scenario, relocate
from descheduler.model.arrays import Mask, Positions
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Move
from descheduler.model.reasons import Blocked, Reason
from descheduler.packing.dependence import independent
from descheduler.packing.state import Packing, Step

ATTEMPTS = 3
"""Searches, each without the pods that rules between pods kept off the place that the one before found for them."""


def single_movers(view: RebalanceView, pods: Positions, stay: Iterable[int] = ()) -> Mask:
    """[K] which of the pods [K] may move on their own: nobody who is to `stay`, whom this plan moves already or with
    whom others restart, and of a gang no more than its slack."""
    moved = [move.pod for proposal in view.granted for move in proposal.moves]
    out: Mask = view.movable[pods] & ~np.isin(pods, [*moved, *stay])
    taken = Counter(view.units.of(pod).name for pod in moved)
    for at in np.flatnonzero(out & (view.units.unit_index[pods] >= 0)).tolist():
        pod = int(pods[at])
        unit = view.units.of(pod)
        taken[unit.name] += 1
        out[at] = unit.restarting(pod) == (pod,) and taken[unit.name] <= unit.slack
    return out


def found_places(view: RebalanceView, pods: Positions, steps: Iterable[Step]) -> dict[int, tuple[int, ...]]:
    """The node that a search found for each of the pods [K], where it is the executor that names it."""
    if not view.landing.chosen:
        return {}
    return {int(pods[step.item]): (step.target,) for step in steps}


@dataclass(frozen=True, slots=True)
class Bundle:
    """Steps that are made together or not at all, in order, and what they gain.

    `instead`: for each step further nodes that will do, best first, with what is lost by each. None of them is touched
    by another step, so that any of them will do whatever becomes of the others.
    """

    steps: tuple[Step, ...]
    gain: float
    instead: tuple[Mapping[int, float], ...] = ()

    @property
    def places(self) -> list[tuple[Step, Mapping[int, float]]]:
        """The steps, each with the further nodes that will do for it."""
        return list(zip(self.steps, self.instead or ({},) * len(self.steps), strict=True))

    @property
    def nodes(self) -> set[int]:
        """The nodes that the steps change."""
        return {node for step in self.steps for node in (step.source, step.target)}


def bundles(
    packing: Packing, steps: Sequence[Step], make: Callable[[Sequence[Step]], float], least: float
) -> list[Bundle]:
    """The steps in bundles that gain at least `least` for every step, each after those before it in the list.

    `make` makes the steps given, which are those of all groups in turn, and returns what that gains. Steps that gain
    too little wait for others on the same nodes, with which they may; those that never do are left out.
    """
    paying: list[Bundle] = []
    waiting: list[Bundle] = []
    for group in independent(packing, steps):
        mine = tuple(steps[at] for at in group)
        bundle = Bundle(mine, make(mine))
        met = [other for other in waiting if other.nodes & bundle.nodes]
        waiting = [other for other in waiting if other not in met]
        together = [*met, bundle]
        bundle = Bundle(
            tuple(sorted((step for one in together for step in one.steps), key=steps.index)),
            sum(one.gain for one in together),
        )
        (paying if bundle.gain >= least * len(bundle.steps) else waiting).append(bundle)
    return paying


@dataclass(frozen=True, eq=False, slots=True)
class CarriedOut:
    """What became of bundles: the state reached, those that hold with their moves, and who was kept off, with why."""

    state: Scenario
    done: tuple[tuple[Bundle, tuple[Move, ...]], ...]
    failed: dict[int, Blocked]


def carry_out(
    view: RebalanceView, state: Scenario, pods: Positions, found: Iterable[Bundle], max_risk: float = 0.2
) -> CarriedOut:
    """The bundles whose every step holds on the what-if state, item i being the pod `pods[i]`.

    Where it is the scheduler that decides, though we name nodes to it, a step holds if with no more than `max_risk` the
    pod lands on none of its nodes; the bundle then gains what it does on those where its pods are expected.

    After one that does not, those that touch its nodes are left out: they were found with it in mind.
    """
    done: list[tuple[Bundle, tuple[Move, ...]]] = []
    failed: dict[int, Blocked] = {}
    spoilt: set[int] = set()
    for bundle in found:
        if bundle.nodes & spoilt:
            continue
        moves = tuple(
            Move(int(pods[step.item]), step.source, (step.target, *others), only=True) for step, others in bundle.places
        )
        reached = _made(view, state, moves, max_risk)
        if isinstance(reached, Scenario):
            state = reached
            nodes = [state.node_of(move.pod) for move in moves]
            lost = sum(others.get(node, 0.0) for node, (_, others) in zip(nodes, bundle.places, strict=True))
            done.append((replace(bundle, gain=bundle.gain - lost), moves))
        else:
            failed[reached[0]] = reached[1]
            spoilt |= bundle.nodes
    return CarriedOut(state, tuple(done), failed)


def _made(
    view: RebalanceView, state: Scenario, moves: Sequence[Move], max_risk: float
) -> Scenario | tuple[int, Blocked]:
    """The state after the moves, one after the other; or which pod may not go, and why."""
    attempt = state.fork()
    for move in moves:
        if view.landing is LandingMode.DIRECTED:
            pod, wished = (move.pod,), {move.pod: move.destinations}
            found = relocate(view, attempt, pod, _among(move), max_risk=max_risk, bad=Reason.NO_GAIN, wished=wished)
            if isinstance(found, Blocked):
                return move.pod, found
            attempt = found.state
            continue
        blocked = view.blocked(move.pod)
        if blocked is not None:
            return move.pod, blocked
        target = move.destinations[0]
        attempt.remove(move.pod)
        if not attempt.fits(move.pod, np.array([target], np.int32))[0]:
            key, name = view.snapshot.pods[move.pod].key, view.snapshot.nodes[target].name
            return move.pod, Blocked(Reason.NO_PLACE, f"pod/{key}", f"{name} has the room, but rules keep it off")
        attempt.place(move.pod, target)
    return attempt


def _among(move: Move) -> AcceptIn:
    return lambda _state, _pod: lambda nodes: np.isin(nodes, move.destinations)
