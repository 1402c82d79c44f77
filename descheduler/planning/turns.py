"""Who must be gone before whom arrives: a pod that is evicted holds its room until it has ended.

Its replacement is made at once, so within one wave old pods and new ones stand side by side, for as long as the old
ones take to stop. Who finds no room beside them would wait, or land somewhere else than planned: it goes in a later
wave. Only what moves at once by its nature, as a whole gang does, waits for its own members.

What counts is every node on which a pod is expected and good: where the executor holds a place that is one, where the
scheduler decides there may be several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from descheduler.contract import Scenario


@dataclass(frozen=True, slots=True)
class Arrival:
    """A pod that moves: `nodes` are those where it may come up, the expected one first; none: nobody knows."""

    pod: int
    source: int
    nodes: tuple[int, ...]


Unit = Sequence[Arrival]
"""Pods that move at once, by their nature."""


class Crowd:
    """A state in which pods that move are at both ends: terminating on their old nodes, and on the new ones already."""

    def __init__(self, state: Scenario) -> None:
        self._state = state.fork()
        self._terminating: dict[int, int] = {}  # pod -> the node that it leaves

    def fork(self) -> Self:
        twin = type(self)(self._state)
        twin._terminating = dict(self._terminating)
        return twin

    def evict(self, unit: Unit) -> None:
        """Its pods terminate from now on."""
        for one in unit:
            self._state.remove(one.pod)
            self._state.linger(one.pod, one.source)
            self._terminating[one.pod] = one.source

    def arrive(self, unit: Unit) -> None:
        """The replacements of a unit that was evicted take the places where they are expected."""
        for one in unit:
            if one.nodes:
                self._state.place(one.pod, one.nodes[0])

    def lacking(self, unit: Unit, clear: Scenario) -> tuple[int, ...]:
        """Nodes on which one of the unit finds no room beside those who are there, though its own unit has ended, or
        not the device that it shares in `clear`, the state in which all have ended."""
        state = self._state.fork()
        for one in unit:
            if one.pod in self._terminating:
                state.end(one.pod, self._terminating[one.pod])
            state.remove(one.pod)
        found: dict[int, None] = {}
        for one in unit:
            if not one.nodes:
                continue
            nodes = np.array(one.nodes, np.int32)
            room = state.fits(one.pod, nodes)
            found.update(dict.fromkeys(nodes[~room].tolist()))
            state.place(one.pod, one.nodes[0])
            if state.gpus_held(one.pod) != clear.gpus_held(one.pod):
                found[one.nodes[0]] = None
        return tuple(found)


class Turns:
    """Who left which node at which turn (positions of accepted actions), as far as the plan goes."""

    def __init__(self, crowd: Crowd, left: Mapping[int, frozenset[int]] | None = None) -> None:
        self._crowd = crowd
        self._left = dict(left or {})  # node -> turns
        self._shared = False  # with a copy, until one of the two goes on

    def fork(self) -> Turns:
        """An independent copy."""
        self._shared = True
        twin = Turns(self._crowd)
        twin._left, twin._shared = self._left, True
        return twin

    def needs(self, unit: Unit, clear: Scenario) -> frozenset[int]:
        """The turns whose leaving gives the pods, which move at once, their places; `clear` has it all done.

        Those are the turns that left the nodes in question. Where nobody left these, a rule that reaches farther than
        a node (anti-affinity in a zone) counts somebody who left another one, whoever it is.
        """
        if not self._left:
            return frozenset()
        lacking = self._crowd.lacking(unit, clear)
        turns = {turn for node in lacking for turn in self._left.get(node, ())}
        if lacking and not turns:
            turns.update(*self._left.values())
        return frozenset(turns)

    def leave(self, turn: int, unit: Unit) -> None:
        """The pods leave at this turn, for the places where they are expected."""
        if self._shared:
            self._crowd, self._left, self._shared = self._crowd.fork(), dict(self._left), False
        self._crowd.evict(unit)
        self._crowd.arrive(unit)
        for one in unit:
            self._left[one.source] = self._left.get(one.source, frozenset()) | {turn}


def in_turn(state: Scenario, units: Sequence[Unit], clear: Scenario) -> list[list[int]]:
    """Positions of the units in stages: in each those that find their places while all of it still terminates.

    Units that wait for one another in a circle are left out. `clear` is `state` with all of it done; both are left as
    they were.
    """
    done, waiting = state.fork(), list(range(len(units)))
    stages: list[list[int]] = []
    while waiting:
        crowd = Crowd(done)
        for at in waiting:
            crowd.evict(units[at])
        now: list[int] = []
        for at in waiting:
            if not crowd.lacking(units[at], clear):
                crowd.arrive(units[at])
                now.append(at)
        if not now:
            break
        carry_out(done, [one for at in now for one in units[at]])
        stages.append(now)
        waiting = [at for at in waiting if at not in now]
    return stages


def carry_out(state: Scenario, arrivals: Sequence[Arrival]) -> None:
    """All leave, and end, and each takes the place where it is expected."""
    for one in arrivals:
        state.remove(one.pod)
    for one in arrivals:
        if one.nodes:
            state.place(one.pod, one.nodes[0])
