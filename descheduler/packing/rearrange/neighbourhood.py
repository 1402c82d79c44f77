"""Large neighbourhoods: most sites stay as they are, a few are solved exactly, again and again (Shaw 1998).

Every neighbourhood is a small integer programme (`compact`). A change is taken only when it gains and its moves can be
put in order, so that the search can stop after any round. Which sites are freed depends on the state alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from descheduler.model.arrays import Ints, Mask
from descheduler.packing.programme import Infeasible, SolveStatus, WorkLimits
from descheduler.packing.rearrange import compact
from descheduler.packing.rearrange.flow_problem import FlowChange, FlowProblem
from descheduler.packing.rearrange.ordering import ItemMove, order
from descheduler.packing.state import ABSENT


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """A change, its moves in order, the slots after it, and whether the same work always ends here."""

    change: FlowChange
    moves: tuple[ItemMove, ...]
    slots: int
    repeatable: bool = True


def improve(flows: FlowProblem, start: Found, ceiling: int, rounds: int, limits: WorkLimits, bins: int = 48) -> Found:
    """The best found in `rounds` neighbourhoods of about `bins` bins each, or once `ceiling` slots are reached."""
    best = start
    fruitless = 0
    for number in range(rounds):
        if best.slots >= ceiling or fruitless > 2 * _SPREADS:
            break
        frame = compact.Frame(_open(flows, best.change, number, bins), best.change)
        found = attempt(flows, limits, best, frame=frame, ceiling=ceiling)
        gained = found.slots > best.slots or len(found.moves) < len(best.moves)
        fruitless = 0 if gained else fruitless + 1
        best = found
    return best


def attempt(
    flows: FlowProblem,
    limits: WorkLimits,
    best: Found,
    *,
    frame: compact.Frame | None = None,
    ceiling: float = np.inf,
    repairs: int = 3,
) -> Found:
    """One programme; where its moves wait in a circle, up to `repairs` more, each without one of the entries that
    wait (most slots first).

    Returns `best` unless a programme gains slots, or as many with fewer moves.
    """
    repeatable = best.repeatable
    waiting: list[tuple[int, frozenset[tuple[int, int]]]] = [(0, frozenset())]
    seen: set[frozenset[tuple[int, int]]] = set()
    for _ in range(repairs + 1):
        if not waiting:
            break
        waiting.sort(key=lambda entry: (-entry[0], len(entry[1]), sorted(entry[1])))
        _, closed = waiting.pop(0)
        seen.add(closed)
        barred = np.zeros(flows.count.shape, dtype=np.bool_)
        for kind, place in closed:
            barred[kind, place] = True
        solved = compact.solve(flows, limits, frame=frame, barred=barred, ceiling=ceiling)
        timed = solved.status if isinstance(solved, Infeasible) else solved.solution.status
        repeatable &= timed is not SolveStatus.TIME
        if isinstance(solved, Infeasible) or _worth(solved.slots, solved.change) <= _worth(best.slots, best.change):
            continue
        ordered = order(flows, solved.change)
        if ordered.whole:
            best = Found(solved.change, ordered.moves, solved.slots)
            break
        circle = [(kind, place) for kind, place in np.argwhere(ordered.left.into > 0).tolist()]
        waiting += [(solved.slots, more) for more in (closed | {entry} for entry in circle) if more not in seen]
    return replace(best, repeatable=repeatable)


def _worth(slots: int, change: FlowChange) -> tuple[int, int]:
    return slots, -change.moves


_SPREADS = 5
"""Ways to choose what is freed, by turns."""


def _open(flows: FlowProblem, change: FlowChange, number: int, bins: int) -> Mask:
    """[P] the places of the sites that round `number` frees: some that could gain a slot, some that could take what
    leaves, and some that the change moves already."""
    room = flows.room + flows.load(change.out) - flows.load(change.into)
    asked = flows.shape > 0
    short = (-room[:, asked] % flows.shape[asked] / flows.shape[asked]).max(axis=1)
    loose = (room[:, asked] % flows.shape[asked] / flows.shape[asked]).min(axis=1)
    busy = (flows.load(change.out) + flows.load(change.into)).any(axis=1)
    turn, kind = divmod(number, _SPREADS)
    scattered = _scattered(len(room), number)
    rankings = {
        0: (np.lexsort((scattered, short)), np.lexsort((scattered, -loose))),
        1: (np.lexsort((scattered, ~busy)), np.lexsort((scattered, short))),
        2: (np.lexsort((scattered, ~busy)), np.lexsort((scattered, -loose))),
        3: (np.argsort(scattered), np.lexsort((scattered, short))),
        4: (np.argsort(scattered), np.lexsort((scattered, ~busy))),
    }
    freed = np.zeros(len(room), dtype=np.bool_)
    for ranking in rankings[kind]:
        freed[list(_window(ranking, turn, bins // 2))] = True
    mates = flows.partner[freed]
    freed[mates[mates != ABSENT]] = True
    open_: Mask = freed[flows.bins[:, 0]]
    return open_


def _window(ranking: Ints, turn: int, width: int) -> Iterator[int]:
    """`width` of the ranking, from a place that moves on by half a width with every turn and starts anew at the end."""
    start = turn * max(1, width // 2) % max(1, len(ranking))
    yield from np.take(ranking, np.arange(start, start + min(width, len(ranking))), mode="wrap").tolist()


def _scattered(count: int, number: int) -> Ints:
    """[count] a fixed shuffle of 0..count-1 for every number (multiples of the golden ratio, modulo 1)."""
    keys = (np.arange(count) * (0.6180339887498949 + number * 0.1380)) % 1.0
    order_: Ints = np.argsort(np.argsort(keys, kind="stable"), kind="stable").astype(np.int64)
    return order_
