"""From a change to moves that can be made one after the other, with room for each at its turn.

A change says how many leave and enter each place; which of those that leave takes which of the offered places is free
to choose, and so is the order. Moves wait for one another where a bin must give something up before it can take
something else; where they wait in a circle, one of them goes to a spare place first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Ints, Mask
from descheduler.packing.rearrange.flows import Change, Flows
from descheduler.packing.state import ABSENT


@dataclass(frozen=True, slots=True)
class ItemMove:
    """One item of a class from place to place; one of a group that restarts where it is has the same for both."""

    kind: int
    source: int
    target: int


@dataclass(frozen=True, eq=False, slots=True)
class Ordered:
    """`moves` that can be made in this order, and what of the change is `left` because it waits in a circle."""

    moves: tuple[ItemMove, ...]
    left: Change

    @property
    def whole(self) -> bool:
        """Whether nothing is left."""
        return not self.left.moves


@dataclass(eq=False, slots=True)
class _State:
    flows: Flows
    room: Ints
    out: Ints
    into: Ints
    coming: Ints
    """[B, R] what is still to enter the bins."""
    spent: Ints
    """[C] moves made."""
    moves: list[ItemMove]

    def need(self, kind: int, place: int) -> tuple[Ints, Ints]:
        bins = self.flows.bins[place]
        return bins[bins != ABSENT], self.flows.demand[kind]

    def fits(self, kind: int, place: int) -> bool:
        bins, demand = self.need(kind, place)
        return bool((self.room[bins] >= demand).all())

    def clear(self, place: int) -> bool:
        """Whether all that is still to enter the bins of the place has room now: the order there does not matter."""
        bins = self.flows.bins[place]
        bins = bins[bins != ABSENT]
        return bool((self.room[bins] >= self.coming[bins]).all())

    def make(self, move: ItemMove) -> None:
        bins, demand = self.need(move.kind, move.source)
        self.room[bins] += demand
        bins, demand = self.need(move.kind, move.target)
        self.room[bins] -= demand
        self.spent[move.kind] += 1
        self.moves.append(move)

    def settle(self, move: ItemMove) -> None:
        """The move is one of the change's."""
        self.make(move)
        self.out[move.kind, move.source] -= 1
        self.into[move.kind, move.target] -= 1
        bins, demand = self.need(move.kind, move.target)
        self.coming[bins] -= demand

    def detour(self, move: ItemMove) -> None:
        """The move leads to a spare place, which the item is still to leave."""
        self.make(move)
        self.out[move.kind, move.source] -= 1
        self.out[move.kind, move.target] += 1


def order(flows: Flows, change: Change) -> Ordered:
    """The moves of a change in an order that can be carried out; moves beyond the change's own only within limits."""
    change = flows.settled(change)
    stay = np.minimum(change.out, change.into)
    state = _State(
        flows=flows,
        room=flows.room.copy(),
        out=change.out - stay,
        into=change.into - stay,
        coming=flows.load(change.into - stay),
        spent=stay.sum(axis=1),
        moves=[ItemMove(c, p, p) for c, p in np.argwhere(stay).tolist() for _ in range(int(stay[c, p]))],
    )
    while state.into.any():
        move = _next(state)
        if move is not None:
            state.settle(move)
            continue
        move = _spare(state)
        if move is None:
            break
        state.detour(move)
    return Ordered(tuple(state.moves), Change(state.out, state.into))


def replay(flows: Flows, moves: Sequence[ItemMove]) -> Ints:
    """[B, R] the room after the moves.

    Raises:
        ValueError: a move has no item to take, may not go there, or finds no room at its turn.
    """
    room, standing = flows.room.copy(), flows.count.copy()
    for i, move in enumerate(moves):
        taken, given = (b[b != ABSENT] for b in (flows.bins[move.source], flows.bins[move.target]))
        demand = flows.demand[move.kind]
        if not standing[move.kind, move.source] or not flows.allowed[move.kind, move.target]:
            raise ValueError(f"move {i} takes an item that is not there, or goes where it may not")
        if move.source == move.target:
            continue
        after = room.copy()
        after[given] -= demand
        # The item needs its new place while it still holds the old one.
        if (after[given] < 0).any():
            raise ValueError(f"move {i} finds no room")
        after[taken] += demand
        room = after
        standing[move.kind, move.source] -= 1
        standing[move.kind, move.target] += 1
    return room


def name(moves: Sequence[ItemMove], kind: Ints, place: Ints) -> Ints:
    """[len(moves)] which item makes each move, of items with `kind` [N] and `place` [N] (ABSENT: not movable).

    Of alike items at a place the one that came there by an earlier move goes on, else the first.

    Raises:
        ValueError: a move finds no item.
    """
    standing: dict[tuple[int, int], list[int]] = {}
    for item in reversed(np.flatnonzero((kind != ABSENT) & (place != ABSENT)).tolist()):
        standing.setdefault((int(kind[item]), int(place[item])), []).append(item)
    named = np.empty(len(moves), dtype=np.int64)
    for i, move in enumerate(moves):
        here = standing.get((move.kind, move.source))
        if not here:
            raise ValueError(f"move {i} finds no item of class {move.kind} at place {move.source}")
        named[i] = here.pop()
        if move.source == move.target:
            continue
        standing.setdefault((move.kind, move.target), []).append(int(named[i]))
    return named


def _next(state: _State) -> ItemMove | None:
    """The move of the change to make now: one that closes no way for others, opens one, and leaves its site."""
    best: tuple[tuple[bool, bool, bool], ItemMove] | None = None
    blocked = _blocked(state)
    for kind, target in np.argwhere(state.into > 0).tolist():
        if not state.fits(kind, target):
            continue
        clear = state.clear(target)
        for source in np.flatnonzero(state.out[kind]).tolist():
            move = ItemMove(kind, source, target)
            # A bin that waits for this item to leave may be where it should go: it still holds its old place then.
            rank = (clear, bool(blocked[state.need(kind, source)[0]].any()), not _same_site(state.flows, move))
            if rank == (True, True, True):
                return move
            if best is None or rank > best[0]:
                best = rank, move
    return None if best is None else best[1]


def _blocked(state: _State) -> Mask:
    """[B] bins that wait for something to leave."""
    blocked: Mask = np.any(state.room < state.coming, axis=1)
    return blocked


def _same_site(flows: Flows, move: ItemMove) -> bool:
    first, second = int(flows.bins[move.source, 0]), int(flows.bins[move.target, 0])
    return first == second or int(flows.partner[first]) == second


def _spare(state: _State) -> ItemMove | None:
    """A move to a place outside the change that lets a blocked bin go on; None without one, or without moves left."""
    flows = state.flows
    left = flows.moves - int(state.spent.sum()) - int(state.into.sum())
    if left < 1 or not flows.detours:
        return None
    blocked = _blocked(state)
    waiting = np.any((state.coming > 0) | (flows.load(state.out) > 0), axis=1)
    for kind, source in np.argwhere(state.out > 0).tolist():
        if not blocked[state.need(kind, source)[0]].any() or not _within_budgets(state, kind):
            continue
        for target in np.flatnonzero(flows.allowed[kind]).tolist():
            bins, _ = state.need(kind, target)
            if not waiting[bins].any() and state.fits(kind, target) and not flows.frozen[bins].any():
                return ItemMove(kind, source, target)
    return None


def _within_budgets(state: _State, kind: int) -> bool:
    """Whether one more move of the class keeps every budget, with all that is still to leave."""
    budgets = state.flows.budgets
    if budgets is None:
        return True
    leaving = state.spent + state.into.sum(axis=1)
    leaving[kind] += 1
    return bool((budgets.members @ leaving <= budgets.most).all())
