"""Several pods that leave together, each landing where the scheduler would put it: one bundle, all or nothing.

Searches on arrays say who should leave; where a pod then lands is the scheduler's choice, so a bundle holds only when
what is likely is also what the strategy wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract import Accept, RebalanceView, Scenario, land
from descheduler.contract.landing import Landing
from descheduler.model.moves import Move
from descheduler.model.reasons import Blocked, Reason

MOST_AVOIDED = 24
"""Nodes that one bundle may steer away from beside its sources: each costs two writes."""


@dataclass(frozen=True, eq=False, slots=True)
class Bundle:
    """`moves` in the order in which they were tried, `landed` where each is expected, `state` with all of it done.

    `avoid` are the nodes that, beside the sources, must be steered away from for it to come out like this.
    """

    moves: tuple[Move, ...]
    landed: dict[int, int]
    state: Scenario
    avoid: tuple[int, ...] = ()


def relocate(
    view: RebalanceView,
    state: Scenario,
    pods: Iterable[int],
    accept: Callable[[Scenario], Accept],
    *,
    avoid: Sequence[int] = (),
    max_risk: float,
    bad: Reason,
) -> Bundle | Blocked:
    """The pods, and all that must move with them, leave; then each lands. `state` itself is left as it was.

    `accept` tells, for the state reached so far, which nodes are good. `avoid` are nodes that, beside the sources, are
    steered away from where steering is on; nodes that would attract a pod without being good are added to them.
    """
    attempt = state.fork()
    leaving = tuple(dict.fromkeys(member for pod in pods for member in view.moving(pod)))
    sources = {pod: attempt.node_of(pod) for pod in leaving}
    for pod in leaving:
        blocked = _held_back(view, pod, sources[pod])
        if blocked is not None:
            return blocked
        attempt.remove(pod)
    bundle = Bundle((), {}, attempt, tuple(avoid))
    attempt.steer({*sources.values(), *avoid})
    for pod in leaving:
        landing = _land(view, bundle, pod, sources, accept, max_risk, bad)
        if isinstance(landing, Blocked):
            return landing
        (node, *_), avoid = landing[0].nodes, landing[1]
        attempt.place(pod, node)
        move = Move(pod, sources[pod], landing[0].nodes)
        bundle = Bundle((*bundle.moves, move), {**bundle.landed, pod: node}, attempt, avoid)
    return bundle


def _held_back(view: RebalanceView, pod: int, node: int) -> Blocked | None:
    key = f"pod/{view.snapshot.pods[pod].key}"
    if not view.movable[pod]:
        return view.blocked(pod) or Blocked(Reason.NO_CURE, key, "was refused before in this plan")
    return Blocked(Reason.NOT_RUNNING, key, "has no node to leave") if node < 0 else view.blocked(pod)


def _land(
    view: RebalanceView,
    bundle: Bundle,
    pod: int,
    sources: Mapping[int, int],
    accept: Callable[[Scenario], Accept],
    max_risk: float,
    bad: Reason,
) -> tuple[Landing, tuple[int, ...]] | Blocked:
    """Where the pod lands, and what is steered away from then.

    A taint makes only its node less attractive, so those that landed before stay where they are as long as none of
    them is on a node that is added.
    """
    good, avoid = accept(bundle.state), bundle.avoid
    while True:
        landing = land(view.snapshot, bundle.state, pod, sources[pod], good, max_risk, bad)
        if not isinstance(landing, Blocked):
            return landing, avoid
        likely = np.array([node for node, _ in bundle.state.landing(pod, sources[pod])], np.int32)
        steered = {*sources.values(), *avoid}
        more = [n for n in likely[~good(likely)].tolist() if n not in steered] if view.steering and len(likely) else []
        if not more or len(avoid) + len(more) > MOST_AVOIDED or set(more) & set(bundle.landed.values()):
            return landing
        avoid = (*avoid, *more)
        bundle.state.steer({*sources.values(), *avoid})


def moves_left(view: RebalanceView, strategy: str, subject: str, most: int) -> int:
    """How many more pods may move for the finding, of so many in one plan."""
    return most - sum(len(proposal.moves) for proposal in view.granted_for(strategy, subject))
