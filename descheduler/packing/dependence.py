"""Which steps of a plan need one another, so that the others can be made without them."""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.packing.state import WHOLE, Packing, Step, bits


def independent(packing: Packing, steps: Sequence[Step]) -> list[list[int]]:
    """Positions of the steps in groups, each ascending, in the order of their first: none needs a place that another
    frees. Every item makes one step at most, from where it stands in the packing.

    A step needs all that left its target before it when it finds no room beside them, or would share another device,
    or when one that came before it needed them: what that one left over counts as freed by them too. Those that come to
    share devices of one node need one another, for each takes the fullest that it finds.
    """
    crowded = packing.copy()  # with all who came, and without those only who were needed to leave
    state = packing.copy()
    leader = list(range(len(steps)))
    left: dict[int, list[int]] = {}
    needed: dict[int, list[int]] = {}
    sharing: dict[int, int] = {}
    for at, step in enumerate(steps):
        shape, target = int(packing.shape[step.item]), step.target
        shares = bool(0 < packing.shapes.milli[shape] < WHOLE)
        held = state.choose(shape, target)
        beside = bool(crowded.fits(shape)[target]) and (not shares or crowded.choose(shape, target) == held)
        if left.get(target) and not beside:
            gone = left.pop(target)
            needed.setdefault(target, []).extend(gone)
            for other in gone:
                _free(crowded, packing, steps[other])
        for other in needed.get(target, ()):
            leader[_first(leader, at)] = _first(leader, other)
        if shares:
            leader[_first(leader, at)] = _first(leader, sharing.setdefault(target, at))
        crowded.free[target] -= packing.shapes.amounts[shape]
        crowded.devices[target, bits(crowded.choose(shape, target))] -= packing.shapes.milli[shape]
        state.give(step.item)
        state.take(step.item, target, held)
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
