"""Who must have left before whom arrives: where landings are directed, a place may be one that an earlier move frees.

Where the scheduler decides, waves keep the order of what was accepted, because nobody knows who takes which place.
Where the executor names the node, the places are known, and a move waits for those alone whose place it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from descheduler.contract import Scenario


class Turns:
    """Who left which node at which turn (positions of stages, or of actions), as far as the plan goes."""

    def __init__(self) -> None:
        self._left: dict[int, list[tuple[int, int]]] = {}
        self._needed: dict[int, set[int]] = {}

    def fork(self) -> Turns:
        """An independent copy."""
        twin = Turns()
        twin._left = {node: list(left) for node, left in self._left.items()}
        twin._needed = {node: set(turns) for node, turns in self._needed.items()}
        return twin

    def needs(self, state: Scenario, pod: int, node: int) -> frozenset[int]:
        """The turns whose leaving gives the pod its place on the node, or the device that it shares there; `state`
        holds all turns so far, and the pod.

        Once somebody needed the place of those who left, what that one did not use counts as theirs too. Rules between
        pods are looked at as far as they concern the node.
        """
        left, needed = self._left.get(node, []), self._needed.setdefault(node, set())
        if any(turn not in needed for _, turn in left):
            before = state.fork()
            before.remove(pod)
            for other, turn in left:
                if turn not in needed:
                    before.remove(other)
                    before.place(other, node)
            beside = bool(before.fits(pod, np.array([node], np.int32))[0])
            if beside:
                before.place(pod, node)
                beside = before.gpus_held(pod) == state.gpus_held(pod)
            if not beside:
                needed.update(turn for _, turn in left)
        return frozenset(needed)

    def leave(self, turn: int, pods: Iterable[tuple[int, int]]) -> None:
        """The pods, each with the node that it stood on, left at this turn."""
        for pod, node in pods:
            self._left.setdefault(node, []).append((pod, turn))


def in_turn(state: Scenario, units: Sequence[Sequence[tuple[int, int, int]]]) -> list[list[int]]:
    """Positions of the units in stages: a unit that needs a place of its own stage's opens the next.

    A unit is (pod, source, target or -1) of pods that move at once; `state` is left as it was.
    """
    reached, turns = state.fork(), Turns()
    stages: list[list[int]] = []
    for at, unit in enumerate(units):
        for pod, _, _ in unit:
            reached.remove(pod)
        for pod, _, target in unit:
            if target >= 0:
                reached.place(pod, target)
        waits = {turn for pod, _, target in unit for turn in turns.needs(reached, pod, target)}
        if not stages or len(stages) - 1 in waits:
            stages.append([])
        stages[-1].append(at)
        turns.leave(len(stages) - 1, ((pod, source) for pod, source, _ in unit))
    return stages
