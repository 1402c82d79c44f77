"""Several pods that leave together, each landing where the scheduler would put it: one bundle, all or nothing.

Searches on arrays say who should leave; where a pod then lands is the scheduler's choice, so a bundle holds only when
what is likely is also what the strategy wants.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from descheduler.contract import Accept, RebalanceView, Scenario, land
from descheduler.model.moves import Move, Seat
from descheduler.model.reasons import Blocked, Reason


@dataclass(frozen=True, eq=False, slots=True)
class Bundle:
    """`moves` in the order in which they were tried, `landed` where each is expected, `state` with all of it done."""

    moves: tuple[Move, ...]
    landed: dict[int, int]
    state: Scenario
    seats: tuple[Seat, ...] = ()


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

    `accept` tells, for the state reached so far, which nodes are good; `avoid` are nodes that are steered away from
    beside the sources, where steering is on.
    """
    attempt = state.fork()
    leaving = tuple(dict.fromkeys(member for pod in pods for member in view.moving(pod)))
    sources = {pod: attempt.node_of(pod) for pod in leaving}
    for pod in leaving:
        blocked = view.blocked(pod)
        if blocked is not None or not view.movable[pod]:
            key = f"pod/{view.snapshot.pods[pod].key}"
            return blocked or Blocked(Reason.NO_CURE, key, "was refused before in this plan")
        if sources[pod] < 0:
            return Blocked(Reason.NOT_RUNNING, f"pod/{view.snapshot.pods[pod].key}", "has no node to leave")
        attempt.remove(pod)
    if view.steering:
        attempt.steer((*dict.fromkeys((*sources.values(), *avoid)),))
    moves: list[Move] = []
    landed: dict[int, int] = {}
    for pod in leaving:
        landing = land(view.snapshot, attempt, pod, sources[pod], accept(attempt), max_risk, bad)
        if isinstance(landing, Blocked):
            return landing
        attempt.place(pod, landing.nodes[0])
        landed[pod] = landing.nodes[0]
        moves.append(Move(pod, sources[pod], landing.nodes))
    return Bundle(tuple(moves), landed, attempt)
