"""Pods leave, then each lands: how strategies try a move, and how planning proves one.

A search on arrays may say who should leave; where a pod then lands is mostly the scheduler's choice. So pods move in a
state only through here: all of them leave, each lands by the rule of `land` among those that landed before it, and if
one has no good landing, nothing has moved.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from descheduler.contract.landing import Accept, Landing, land
from descheduler.contract.scenario import Scenario
from descheduler.contract.view import RebalanceView
from descheduler.model.arrays import Mask, Positions
from descheduler.model.directing import direction_of
from descheduler.model.fence import fenced
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Move, Promise
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot

AcceptIn = Callable[[Scenario, int], Accept]
"""Which nodes are good for a pod in the state reached so far: asked once a pod, when all have left."""

_ROUNDS = 4  # in which it may come out to which nodes pods of one controller are directed together
MOST_AVOIDED = 24
"""What callers allow as `more_avoided`: each node that is steered away from costs two writes."""


@dataclass(frozen=True, eq=False, slots=True)
class Relocation:
    """`moves` in the order in which they landed, each with its good nodes, the one where it is expected first.

    `landings` belong to the moves one by one. `state` has all of it done. `avoid` are the nodes that, beside the
    sources, must be steered away from for it to come out like this.
    """

    moves: tuple[Move, ...]
    landings: tuple[Landing, ...]
    state: Scenario
    avoid: tuple[int, ...] = ()

    @property
    def landed(self) -> dict[int, int]:
        """Where each pod is expected."""
        return {move.pod: move.destinations[0] for move in self.moves}


def relocate(
    view: RebalanceView,
    state: Scenario,
    pods: Iterable[int],
    accept: AcceptIn,
    *,
    max_risk: float,
    bad: Reason,
    wished: Mapping[int, Sequence[int]] | None = None,
    avoid: Sequence[int] = (),
    more_avoided: int = 0,
    cordon: Sequence[int] = (),
) -> Relocation | Blocked:
    """The pods, and all that must move with them, leave; then each lands. `state` itself is left as it was.

    `wished` nodes of a pod, best first, come before others that are good and likely. For the rest see `land_all`.
    A pod that may not move, or has no node to leave, holds all back.
    """
    leaving = dict.fromkeys(member for pod in pods for member in view.moving(pod))
    wishes = wished or {}
    moves = tuple(Move(pod, state.node_of(pod), tuple(wishes.get(pod, ()))) for pod in leaving)
    alone = len({view.units.of(pod).name for pod in leaving}) == 1
    held = next((blocked for move in moves if (blocked := _held_back(view, move)) is not None), None)
    if held is not None:
        return held
    found = land_all(
        view.snapshot,
        state,
        moves,
        accept,
        max_risk=max_risk,
        bad=bad,
        avoid=avoid,
        more_avoided=more_avoided,
        ending=view.ending(leaving) if alone else (),
        cordon=cordon,
    )
    if isinstance(found, Blocked):
        return found
    return replace(found, moves=tuple(map(_wishing, found.moves, found.landings)))


def _wishing(move: Move, landing: Landing) -> Move:
    """The move with all nodes that are known to be good: where it is proved, some of them may have no room any more."""
    return replace(move, destinations=tuple(dict.fromkeys((*move.destinations, *landing.others))))


def land_all(
    snapshot: ClusterSnapshot,
    state: Scenario,
    moves: Sequence[Move],
    accept: AcceptIn,
    *,
    max_risk: float,
    bad: Reason,
    avoid: Sequence[int] = (),
    more_avoided: int = 0,
    ending: Collection[int] = (),
    cordon: Sequence[int] = (),
) -> Relocation | Blocked:
    """Exactly these moves, done in a fork of `state`: all leave, then each lands, in their order.

    A destination of a move is a wish, unless the move has `only` these. `max_risk` and `bad` are those of `land`.
    `avoid` are nodes that, beside the sources, are steered away from where steering is on. Nodes that would attract a
    pod without being good are added to them, up to so many together as `more_avoided` says. Pods that are `ending`
    still hold their room while the replacements look for theirs, which must do without them afterwards. Nodes that are
    in `cordon` take nobody meanwhile.

    Pods that are directed under one key prefer the nodes of all of them. So they are landed anew with these until none
    is added.
    """
    asked = partial(_landed, snapshot, state, moves, accept, max_risk, bad, avoid, more_avoided, ending, cordon)
    named: dict[str, tuple[int, ...]] = {}  # by the key under which replacements are directed
    for _ in range(_ROUNDS):
        done = asked(named)
        if isinstance(done, Blocked):
            return done
        named = {one.direction: one.towards for one in done.landings}  # those of the last hold those of all before it
        if all(len(one.towards) == len(named[one.direction]) for one in done.landings):
            return done
    by = f"pod/{snapshot.pods[moves[-1].pod].key}"
    return Blocked(bad, by, "pods of one controller are directed to more nodes in every round")


def _landed(
    snapshot: ClusterSnapshot,
    state: Scenario,
    moves: Sequence[Move],
    accept: AcceptIn,
    max_risk: float,
    bad: Reason,
    avoid: Sequence[int],
    more_avoided: int,
    ending: Collection[int],
    cordon: Sequence[int],
    known: Mapping[str, tuple[int, ...]],
) -> Relocation | Blocked:
    """One round of `land_all`: `known` are the nodes to which pods are directed at least, by the key."""
    attempt = state.fork()
    attempt.cordon(cordon)
    for move in moves:
        attempt.remove(move.pod)
    ended = attempt.fork() if ending else attempt
    staying = [move for move in moves if move.pod in ending and move.source >= 0]
    for move in staying:
        attempt.linger(move.pod, move.source)
    sources = {move.source for move in moves}
    named = dict(known)
    done = Relocation((), (), attempt, tuple(avoid))
    attempt.steer({*sources, *avoid})
    for move in moves:
        good, reason = accept(attempt, move.pod), bad
        if ended is not attempt:
            good = _also_later(good, ended, move.pod)
        if move.promise is not None:
            good, reason = _keeping(good, move.promise, attempt, move.pod), Reason.NO_GAIN
        if move.only:
            good = _among(good, move.destinations, len(snapshot.nodes))
            reason = bad if attempt.mode is LandingMode.DIRECTED else Reason.NO_GAIN
        while True:
            key = direction_of(snapshot.pods[move.pod])
            wished, others = move.destinations, named.get(key, ())
            arguments = (snapshot, attempt, move.pod, move.source, good, max_risk, reason, wished, others)
            asked = partial(land, *arguments, only=move.only)
            landing = fenced(asked, partial(_failed, snapshot, attempt, move.pod))
            if not isinstance(landing, Blocked):
                break
            wider = _wider(done, move, sources, good, more_avoided)
            if wider is None:
                return landing
            done = wider
            attempt.steer({*sources, *done.avoid})
        named[key] = landing.towards
        node = next((n for n in landing.nodes if n in move.destinations), landing.nodes[0])
        attempt.place(move.pod, node)
        if ended is not attempt:
            ended.place(move.pod, node)
        nodes = tuple(dict.fromkeys((node, *landing.towards, *landing.nodes)))
        done = replace(done, moves=(*done.moves, replace(move, destinations=nodes)), landings=(*done.landings, landing))
    attempt.steer(())
    attempt.cordon(())
    for move in staying:
        attempt.end(move.pod, move.source)
    return done


def _failed(snapshot: ClusterSnapshot, state: Scenario, pod: int, why: str) -> Blocked:
    """It cannot be said where the pod would land: it goes nowhere in this plan, and the plan says so."""
    state.set_aside(pod, why)
    return Blocked(Reason.INTERNAL, f"pod/{snapshot.pods[pod].key}", why)


def _wider(done: Relocation, move: Move, sources: set[int], good: Accept, most: int) -> Relocation | None:
    """What is avoided too when the nodes that attract the pod without being good are; None where that does not help.

    A taint makes only its node less attractive, so those that landed before stay where they are as long as none of
    them is on a node that is added.
    """
    if not most or done.state.mode is not LandingMode.STEERED:
        return None
    likely = np.array([node for node, _ in done.state.landing(move.pod, move.source)], np.int32)
    if not len(likely):
        return None
    steered = {*sources, *done.avoid}
    bad = ~good(likely) | ~done.state.stays(move.pod, likely)
    more = [node for node in likely[bad].tolist() if node not in steered]
    if not more or len(done.avoid) + len(more) > most or set(more) & set(done.landed.values()):
        return None
    return replace(done, avoid=(*done.avoid, *more))


def _among(good: Accept, nodes: Sequence[int], size: int) -> Accept:
    """Good nodes of those that are named; `size` is how many there are at all."""
    named = np.zeros(size, np.bool_)
    named[list(nodes)] = True

    def accept(at: Positions) -> Mask:
        found: Mask = named[at]
        if found.any():
            found[found] = good(at[found])
        return found

    return accept


def _keeping(good: Accept, promise: Promise, state: Scenario, pod: int) -> Accept:
    """Good nodes on which the promise holds, in the state in which the pods before it have landed."""

    def accept(at: Positions) -> Mask:
        found = promise.keeps(state, pod, at)
        if found.any():
            found[found] = good(at[found])
        return found

    return accept


def _also_later(good: Accept, ended: Scenario, pod: int) -> Accept:
    """Good nodes on which the pod fits as well when those who still end are gone: one that it must be near may be."""

    def accept(at: Positions) -> Mask:
        found: Mask = good(at)
        if found.any():
            found = found & ended.fits(pod, at)
        return found

    return accept


def _held_back(view: RebalanceView, move: Move) -> Blocked | None:
    key = f"pod/{view.snapshot.pods[move.pod].key}"
    if not view.movable[move.pod]:
        return view.blocked(move.pod) or Blocked(Reason.NO_CURE, key, "was refused before in this plan")
    return Blocked(Reason.NOT_RUNNING, key, "has no node to leave") if move.source < 0 else view.blocked(move.pod)
