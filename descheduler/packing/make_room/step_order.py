"""An order in which moves can be done one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.packing.state import Packing, Step

TRIES = 20_000
"""Partial orders looked at before an order is given up."""


def ordered(packing: Packing, steps: Sequence[Step]) -> tuple[Step, ...] | None:
    """The steps in an order in which each finds room at its turn; None when none was found.

    First whatever has room goes, again and again; when that comes to a halt, a search over what went before what.
    """
    state = packing.copy()
    waiting = list(steps)
    done: list[Step] = []
    while waiting:
        rest: list[Step] = []
        for step in waiting:
            if state.room(step):
                state.move(step)
                done.append(step)
            else:
                rest.append(step)
        if len(rest) == len(waiting):
            return _search(packing, steps)
        waiting = rest
    return tuple(done)


def _search(packing: Packing, steps: Sequence[Step]) -> tuple[Step, ...] | None:
    """Depth first over sets of steps done; a set that led nowhere is not tried again. For few steps only."""
    if len(steps) > 60:
        return None
    dead: set[int] = set()
    path: list[int] = []
    tries = 0

    def walk(state: Packing, did: int) -> bool:
        nonlocal tries
        if did == (1 << len(steps)) - 1:
            return True
        if did in dead or tries >= TRIES:
            return False
        for i, step in enumerate(steps):
            if did >> i & 1 or not state.room(step):
                continue
            tries += 1
            after = state.copy()
            after.move(step)
            path.append(i)
            if walk(after, did | 1 << i):
                return True
            path.pop()
        dead.add(did)
        return False

    return tuple(steps[i] for i in path) if walk(packing.copy(), 0) else None
