"""Which steps of a plan need one another, so that the others can be made without them."""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.packing.state import Packing, Step, bits


def independent(packing: Packing, steps: Sequence[Step]) -> list[list[int]]:
    """Positions of the steps in groups, each ascending, in the order of their first: none needs a place that another
    frees. Every item makes one step at most, from where it stands in the packing.

    A step needs all that left its target before it when it finds no room beside them, or when another that came before
    it found none: what that one left over counts as freed by them too.
    """
    crowded = packing.copy()  # with all who came, and without those only whose place somebody needed
    leader = list(range(len(steps)))
    left: dict[int, list[int]] = {}
    needed: dict[int, list[int]] = {}
    for at, step in enumerate(steps):
        shape = int(packing.shape[step.item])
        if left.get(step.target) and not crowded.fits(shape)[step.target]:
            gone = left.pop(step.target)
            needed.setdefault(step.target, []).extend(gone)
            for other in gone:
                _free(crowded, packing, steps[other])
        for other in needed.get(step.target, ()):
            leader[_first(leader, at)] = _first(leader, other)
        crowded.free[step.target] -= packing.shapes.amounts[shape]
        crowded.devices[step.target, bits(crowded.choose(shape, step.target))] -= packing.shapes.milli[shape]
        left.setdefault(step.source, []).append(at)
    groups: dict[int, list[int]] = {}
    for at in range(len(steps)):
        groups.setdefault(_first(leader, at), []).append(at)
    return list(groups.values())


def _free(crowded: Packing, before: Packing, step: Step) -> None:
    shape = int(before.shape[step.item])
    crowded.free[step.source] += before.shapes.amounts[shape]
    crowded.devices[step.source, bits(int(before.held[step.item]))] += before.shapes.milli[shape]


def _first(leader: list[int], at: int) -> int:
    while leader[at] != at:
        at = leader[at]
    return at
