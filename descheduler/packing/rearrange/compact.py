"""The flows as one integer programme: any number of resources, budgets and groups.

    max  sum y[b] - eps · sum out          slots gained, and of equal plans the one with fewest moves
         sum_p out[c,p] = sum_p into[c,p]                          for every class
         load(into)[b,r] - load(out)[b,r] + shape[r] y[b] <= room[b,r]
         sum out <= moves,  budgets,  sum_{c in G} out[c] = |G| e[G]

Its relaxation is weak (a thousandth of a move gains a thousandth of a slot), so it suits small instances and the small
parts of large ones that a neighbourhood search frees; `patterns` serves the large ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Ints, Mask
from descheduler.packing.programme import Infeasible, Programme, Solution, WorkLimits
from descheduler.packing.rearrange.flow_problem import FlowChange, FlowProblem, fit, limited
from descheduler.packing.state import ABSENT


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """What stays as it is: outside the places of `open` [P] the change equals `around`."""

    open: Mask
    around: FlowChange


@dataclass(frozen=True, eq=False, slots=True)
class CompactSolution:
    """A change, and how many slots no change can exceed (inside the frame that was given)."""

    change: FlowChange
    slots: int
    bound: float
    solution: Solution


def solve(
    flows: FlowProblem,
    limits: WorkLimits,
    *,
    frame: Frame | None = None,
    barred: Mask | None = None,
    ceiling: float = np.inf,
) -> CompactSolution | Infeasible:
    """The best change within the limits.

    `barred` [C, P] what a place does not take; `ceiling` a proven bound on the slots in all, which ends the search as
    soon as it is reached.
    """
    leaving, entering, least_out, least_in = _ranges(flows, frame, barred)
    most = _most(flows)
    programme = Programme(maximise=True)
    epsilon = 0.01 / max(1, flows.moves)
    out_class, out_place = np.nonzero(leaving)
    in_class, in_place = np.nonzero(entering)
    out = programme.add(
        len(out_class), lower=least_out[out_class, out_place], upper=leaving[out_class, out_place], cost=-epsilon
    )
    into = programme.add(len(in_class), lower=least_in[in_class, in_place], upper=entering[in_class, in_place])
    gained = programme.add(len(most), upper=most, cost=1.0)
    _balance(programme, flows, (out_class, out), (in_class, into))
    _capacity(programme, flows, (out_class, out_place, out), (in_class, in_place, into), gained)
    if np.isfinite(ceiling):
        programme.constrain(1, 0, gained, upper=ceiling)
    found = programme.solve(limits)
    if isinstance(found, Infeasible):
        return found
    change = FlowChange(np.zeros_like(flows.count), np.zeros_like(flows.count))
    change.out[out_class, out_place] = found.values[out].astype(np.int64)
    change.into[in_class, in_place] = found.values[into].astype(np.int64)
    change = flows.settled(change)
    return CompactSolution(change, int(flows.slots(change).sum()), found.bound + epsilon * flows.moves, found)


def _most(flows: FlowProblem) -> Ints:
    """[B] slots that could ever be: everything movable gone."""
    most = fit(flows.room + flows.load(flows.count), flows.shape, flows.most)
    return np.where(flows.frozen, 0, most)


def _ranges(flows: FlowProblem, frame: Frame | None, barred: Mask | None) -> tuple[Ints, Ints, Ints, Ints]:
    """[C, P] the most and the least that may leave and enter each place."""
    first, second = flows.bins.T
    ever = flows.room + flows.load(flows.count)
    ever = np.where(flows.frozen[:, None], ABSENT, ever)
    room = np.where((second == ABSENT)[:, None], ever[first], np.minimum(ever[first], ever[second]))
    asked = np.maximum(flows.demand, 1)
    entering = np.full(flows.count.shape, flows.moves, dtype=np.int64)
    for r in range(room.shape[1]):
        fits = room[None, :, r] // asked[:, None, r]
        entering = np.where(flows.demand[:, None, r] > 0, np.minimum(entering, fits), entering)
    changing = (room >= 0).all(axis=1)
    total = flows.count.sum(axis=1, keepdims=True)
    entering = np.where(flows.allowed & changing, np.clip(entering, 0, total), 0)
    leaving = np.where(changing, flows.count, 0)
    if barred is not None:
        entering = np.where(barred, 0, entering)
    if frame is None:
        return leaving, entering, np.zeros_like(leaving), np.zeros_like(entering)
    around = frame.around
    return (
        np.where(frame.open, leaving, around.out),
        np.where(frame.open, entering, around.into),
        np.where(frame.open, 0, around.out),
        np.where(frame.open, 0, around.into),
    )


def _balance(programme: Programme, flows: FlowProblem, out: tuple[Ints, Ints], into: tuple[Ints, Ints]) -> None:
    """As many enter as leave; the limits on what leaves; the groups."""
    (out_class, out_column), (in_class, in_column) = out, into
    programme.constrain(
        len(flows.demand),
        np.concatenate([out_class, in_class]),
        np.concatenate([out_column, in_column]),
        np.concatenate([np.ones(len(out_column)), -np.ones(len(in_column))]),
        lower=0,
        upper=0,
    )
    rows = limited(flows)
    row, entry = np.nonzero(rows.weight[:, out_class])
    programme.constrain(len(rows.most), row, out_column[entry], rows.weight[row, out_class[entry]], upper=rows.most)
    chosen = programme.add(len(rows.size), upper=1)
    row, entry = np.nonzero(rows.member[:, out_class])
    programme.constrain(
        len(rows.size),
        np.concatenate([row, np.arange(len(rows.size))]),
        np.concatenate([out_column[entry], chosen]),
        np.concatenate([np.ones(len(row)), -rows.size]),
        lower=0,
        upper=0,
    )


def _capacity(
    programme: Programme,
    flows: FlowProblem,
    out: tuple[Ints, Ints, Ints],
    into: tuple[Ints, Ints, Ints],
    gained: Ints,
) -> None:
    """One row for every bin and resource that could ever run short."""
    bins, resources = flows.room.shape
    row, column, value = [], [], []
    for (classes, places, columns), sign in ((out, -1), (into, 1)):
        for side in (0, 1):
            at = flows.bins[places, side]
            entry, r = np.nonzero((at != ABSENT)[:, None] & (flows.demand[classes] > 0))
            row.append(at[entry] * resources + r)
            column.append(columns[entry])
            value.append(sign * flows.demand[classes[entry], r])
    b, r = (part.ravel() for part in np.meshgrid(np.arange(bins), np.flatnonzero(flows.shape), indexing="ij"))
    row.append(b * resources + r)
    column.append(gained[b])
    value.append(flows.shape[r])
    # An overcommitted bin is left alone: its columns are fixed at 0, so its rows may as well be satisfied.
    programme.constrain(
        bins * resources,
        np.concatenate(row),
        np.concatenate(column),
        np.concatenate(value),
        upper=np.maximum(flows.room, 0).ravel(),
    )
