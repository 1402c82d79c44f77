"""Small flows, drawn or written by hand, and the best of them by trying everything."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from descheduler.packing.rearrange.flow_problem import FlowProblem, LeaveBudgets, faults, fit, nothing
from descheduler.packing.rearrange.ordering import ItemMove
from descheduler.packing.state import ABSENT


def flows(
    room: Sequence[int],
    demand: Sequence[int],
    count: Sequence[Sequence[int]],
    *,
    slot: int,
    moves: int,
    budgets: LeaveBudgets | None = None,
    group: Sequence[int] | None = None,
) -> FlowProblem:
    """One resource, every place one bin, and everything may go everywhere."""
    bins = np.column_stack([np.arange(len(room)), np.full(len(room), ABSENT)])
    counted = np.array(count, dtype=np.int64)
    return FlowProblem(
        np.array(room, dtype=np.int64)[:, None],
        bins,
        np.array(demand, dtype=np.int64)[:, None],
        counted,
        np.ones(counted.shape, dtype=np.bool_),
        np.array([slot], dtype=np.int64),
        np.full(len(room), 9, dtype=np.int64),
        moves,
        budgets,
        None if group is None else np.array(group, dtype=np.int64),
    )


def drawn(rng: Generator, *, resources: int, items: int, tight: bool, grouped: bool = True) -> FlowProblem:
    """Two to four sites of one or two bins, up to `items` items of one to four classes; at times budgets and groups."""
    paired = rng.random(int(rng.integers(2, 5))) < 0.5
    places: list[list[int]] = []
    bins = 0
    for pair in paired.tolist():
        places.append([bins, ABSENT])
        if pair:
            places += [[bins + 1, ABSENT], [bins, bins + 1]]
        bins += 1 + pair
    at = np.array(places, dtype=np.int64)
    classes = int(rng.integers(1, 5))
    demand = rng.integers(1, 5, (classes, resources))
    across = rng.random(classes) < 0.3
    allowed = across[:, None] == (at[:, 1] != ABSENT)
    allowed &= rng.random(allowed.shape) < 0.9
    room = rng.integers(4, 8, (bins, resources))
    count = np.zeros(allowed.shape, dtype=np.int64)
    for _ in range(12 if tight else items):
        kind = int(rng.integers(classes))
        able = np.flatnonzero(allowed[kind])
        if not len(able) or count.sum() >= items:
            continue
        place = int(able[rng.integers(len(able))])
        used = at[place][at[place] != ABSENT]
        if (room[used] >= demand[kind]).all():
            room[used] -= demand[kind]
            count[kind, place] += 1
    shape = np.concatenate([rng.integers(2, 6, 1), rng.integers(0, 4, resources - 1)])
    members, most = rng.random((1, classes)) < 0.7, rng.integers(0, 3, 1)
    group = np.where(rng.random(classes) < 0.5, 0, ABSENT)
    return FlowProblem(
        room,
        at,
        demand,
        count,
        allowed,
        shape,
        rng.integers(1, 4, bins),
        int(rng.integers(1, 6)),
        LeaveBudgets(members, most) if rng.random() < 0.4 else None,
        group if grouped and rng.random() < 0.4 else None,
    )


def most_slots(case: FlowProblem) -> int:
    """The most slots after any change that keeps the rules, whatever the order of its moves."""
    group = np.full(len(case.demand), ABSENT) if case.group is None else case.group
    items = [(c, p) for c, p in np.argwhere(case.count).tolist() for _ in range(int(case.count[c, p]))]
    ways = [
        [ABSENT, *(q for q in np.flatnonzero(case.allowed[c]).tolist() if q != p or group[c] != ABSENT)]
        for c, p in items
    ]
    best = 0
    for targets in itertools.product(*ways):
        change = nothing(case)
        for (c, p), q in zip(items, targets, strict=True):
            if q != ABSENT:
                change.out[c, p] += 1
                change.into[c, q] += 1
        change = case.settled(change)
        if not faults(case, change):
            best = max(best, int(case.slots(change).sum()))
    return best


def most_slots_step_by_step(case: FlowProblem) -> int:
    """The most slots that single moves can reach, each with room at its turn (no groups)."""
    capacity = case.room + case.load(case.count)
    none = (0,) * len(case.demand)
    start = (case.count.tobytes(), none)
    seen, front, best = {start}, [start], 0
    while front:
        reached = []
        for state, spent in front:
            standing = np.frombuffer(state, dtype=np.int64).reshape(case.count.shape)
            room = capacity - case.load(standing)
            best = max(best, int(fit(room, case.shape, case.most).sum()))
            for move in _possible(case, standing, room, spent):
                after = standing.copy()
                after[move.kind, move.source] -= 1
                after[move.kind, move.target] += 1
                paid = tuple(n + (c == move.kind) for c, n in enumerate(spent))
                if (found := (after.tobytes(), paid)) not in seen:
                    seen.add(found)
                    reached.append(found)
        front = reached
    return best


def _possible(case: FlowProblem, standing: np.ndarray, room: np.ndarray, spent: tuple[int, ...]) -> list[ItemMove]:
    if sum(spent) >= case.moves:
        return []
    made = []
    for kind, source in np.argwhere(standing).tolist():
        paid = np.array(spent)
        paid[kind] += 1
        if case.budgets is not None and (case.budgets.members @ paid > case.budgets.most).any():
            continue
        for target in np.flatnonzero(case.allowed[kind]).tolist():
            bins = case.bins[target][case.bins[target] != ABSENT]
            if target != source and (room[bins] >= case.demand[kind]).all():
                made.append(ItemMove(kind, source, target))
    return made
