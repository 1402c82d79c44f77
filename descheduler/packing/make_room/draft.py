"""A choice of nodes made real: every moved pod gets a node and devices, or what needed it is given up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.packing.make_room.demands import Allowance
from descheduler.packing.make_room.place import Places
from descheduler.packing.make_room.step_order import ordered
from descheduler.packing.make_room.vacate import Option
from descheduler.packing.state import ABSENT, WHOLE, Packing, Step


@dataclass(frozen=True, eq=False, slots=True)
class Assignment:
    """Requests that stand or fall together, since they share nodes.

    `requests` positions; `seats` the node of each member of each; `options` the nodes opened (or free anyhow) for them.
    """

    requests: tuple[int, ...]
    seats: tuple[tuple[int, ...], ...]
    options: tuple[Option, ...]
    worth: float

    @property
    def items(self) -> set[int]:
        return {i for o in self.options for i in o.items}


@dataclass(frozen=True, eq=False, slots=True)
class Draft:
    """What can be done: `assignments`, in `steps` that can be done in order."""

    assignments: tuple[Assignment, ...] = ()
    steps: tuple[Step, ...] = ()
    places: Places | None = None

    @property
    def worth(self) -> float:
        return sum(g.worth for g in self.assignments)

    @property
    def key(self) -> tuple[float, int]:
        """The larger, the better: worth, then few moves."""
        return round(self.worth, 9), -len(self.steps)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A draft, and the items of the first try that found no place (what a next choice has to reckon with)."""

    draft: Draft
    lost: tuple[int, ...]


class Realiser:
    """Turns choices into drafts on one packing."""

    def __init__(self, packing: Packing, allowance: Allowance, kind_of: dict[int, int]) -> None:
        """`kind_of` shape -> kind of the options that host pods of the shape."""
        self.packing = packing
        self.allowance = allowance
        self.kind_of = kind_of

    def attempt(self, assignments: Sequence[Assignment], hosts: Sequence[Option]) -> Attempt:
        """All assignments if they find places, else without those that stand in the way of most."""
        left = list(assignments)
        first: tuple[int, ...] | None = None
        while True:
            made, lost = self.lay(left, hosts if left else ())  # for nobody nothing has to move
            if first is None:
                first = tuple(lost)
            if made is not None:
                return Attempt(made, first)
            left.remove(self._worst(left, lost))

    def lay(self, assignments: Sequence[Assignment], hosts: Sequence[Option]) -> tuple[Draft | None, list[int]]:
        """Places for everything that the assignments move; items that find none."""
        made, lost, used = self._lay(assignments, hosts)
        if made is not None and len(used) < len(hosts):
            again, lost, _ = self._lay(assignments, used)
            made = again or made
        return made, lost if made is None else []

    def add(self, draft: Draft, assignment: Assignment) -> Draft | None:
        """One assignment more, with what stood already kept as it is where it can be."""
        moving = {s.item for s in draft.steps}
        items = assignment.items - moving
        if draft.places is None or not self._allowed(moving | items):
            return None
        places = draft.places.copy()
        displaced = places.close(o.node for o in assignment.options)
        if places.place([*displaced, *items]):
            return None
        order = ordered(self.packing, places.steps())
        return None if order is None else Draft((*draft.assignments, assignment), order, places)

    def _lay(
        self, assignments: Sequence[Assignment], hosts: Sequence[Option]
    ) -> tuple[Draft | None, list[int], list[Option]]:
        items = {i for g in assignments for i in g.items} | {i for h in hosts for i in h.items}
        if not self._allowed(items):
            return None, [], []
        places = Places(self.packing, self._typical(items))
        places.close([*(o.node for g in assignments for o in g.options), *(h.node for h in hosts)])
        other = places.copy()
        lost = places.place(items)
        if lost and len(alternative := other.place(items, shares_first=True)) < len(lost):
            places, lost = other, alternative
        seated, lost, used = self._host(lost, hosts)
        if lost:
            return None, lost, used
        order = ordered(self.packing, [*places.steps(), *seated])
        if order is None:
            return None, [s.item for s in seated], used
        # a draft that hosts is not added to: what its hosts took in cannot be told apart from what was placed
        return Draft(tuple(assignments), order, None if seated else places), [], used

    def _host(self, lost: list[int], hosts: Sequence[Option]) -> tuple[list[Step], list[int], list[Option]]:
        """Seats, on nodes vacated for them, of items that found no place elsewhere."""
        packing = self.packing
        steps: list[Step] = []
        rest = list(lost)
        used: list[Option] = []
        for host in hosts:
            state = packing.copy()
            for item in host.items:
                state.give(item)
            seated: list[Step] = []
            for item in [i for i in rest if int(packing.shape[i]) in self.kind_of]:
                shape = int(packing.shape[item])
                if len(seated) < host.units and state.fits(shape)[host.node] and packing.node[item] != host.node:
                    if item not in host.items:
                        state.give(item)
                    step = Step(item, int(packing.node[item]), host.node, state.choose(shape, host.node))
                    state.take(item, host.node, step.held)
                    seated.append(step)
            if seated:
                used.append(host)
                steps += seated
                rest = [i for i in rest if all(i != s.item for s in seated)]
        return steps, rest, used

    def _typical(self, items: Iterable[int]) -> list[int]:
        """[R] what goes with one whole device among the items: the median."""
        shapes, shape = self.packing.shapes, self.packing.shape[sorted(items)]
        shape = shape[(shapes.milli[shape] == WHOLE) & (shapes.count[shape] > 0)]
        if not len(shape):
            return [0] * shapes.amounts.shape[1]
        each = shapes.amounts[shape] / shapes.count[shape][:, None]
        return [int(a) for a in np.median(each, axis=0)]

    def _allowed(self, items: set[int]) -> bool:
        """Whether so many may move, of every budget too."""
        if len(items) > self.allowance.moves:
            return False
        if self.allowance.budget is None:
            return True
        used = Counter(int(self.allowance.budget[i]) for i in items)
        return all(n <= self.allowance.allowed[b] for b, n in used.items() if b != ABSENT)

    def _worst(self, assignments: Sequence[Assignment], lost: Sequence[int]) -> Assignment:
        """The assignment that moves most of what finds no place, then the one that moves most for its worth."""
        gone = set(lost)
        return max(assignments, key=lambda g: (len(g.items & gone), len(g.items) / g.worth))
