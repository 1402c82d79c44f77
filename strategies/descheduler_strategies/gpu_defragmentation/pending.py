"""Objective `pending`: make room, with few and cheap moves, for pods and gangs that wait for GPUs.

Those that have room already are left to the scheduler, and what they will take is set aside. For the others a search
on arrays finds the cheapest moves that let them in, gangs all or none and within one domain where they ask for it; each
gets a proposal of its own, which holds only if every replacement lands where the scheduler would put it and every
member of the gang then has a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import GPU_WEIGHT, MOST_AVOIDED, AcceptIn, RebalanceView, Scenario, relocate
from descheduler.model.fence import fenced
from descheduler.model.moves import Finding, Observation, Proposal, Seat
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.packing.make_room.admission import admit
from descheduler.packing.make_room.demands import Admitted, Request
from descheduler.packing.state import Step
from descheduler_strategies.directed import found_places
from descheduler_strategies.gpu_defragmentation.args import NAME, GpuDefragmentationArgs
from descheduler_strategies.gpu_defragmentation.focus import focus
from descheduler_strategies.gpus.gpu_packing import GpuPacking, allowance_of, effort_of, gpu_packing, gpu_pool
from descheduler_strategies.gpus.waiting import Waiting, demand_of, seat, waiting

SUBJECT = Subject(SubjectKind.GPU, "pending")
ATTEMPTS = 3
OUTWEIGHS = 8.0
MOST_LEVELS = 4
"""Priorities above so many levels are not told apart by the search."""


def propose(view: RebalanceView, args: GpuDefragmentationArgs) -> Iterable[Proposal | Observation]:
    """One proposal for each gang or pod that can be let in, the most urgent first.

    Those for whom it fails, because a pod would not land well, are tried again without the pods that failed.
    """
    pool = gpu_pool(view, args.pools)
    state = view.what_if()
    most = args.max_moves - view.moves_granted(NAME, SUBJECT)
    left = [one for one in waiting(view, args.pending) if not _has_room(state, one, pool)]
    if not left or most < 1:
        return
    finding: Finding | None = None
    refused = Blocked(Reason.NO_CURE, f"gpu/{args.resource}", f"no {args.max_moves} moves make room for more of them")
    for _ in range(ATTEMPTS):
        columns, whole = _columns(view, state, pool, left, args.effort)
        allowance = allowance_of(view, columns, most)
        found = admit(columns.packing, _requests(left, columns), allowance, effort_of(args.effort))
        finding = finding or _finding(left, found.bound if whole else None)
        failed: list[int] = []
        for entry in _entries(view, left, columns, found):
            attempt = partial(_let_in, view, args, state, pool, entry, finding)
            result = fenced(attempt, partial(_failed, entry))
            if isinstance(result, Blocked):
                refused = result
                failed += entry.leaving
            elif len(result.moves) <= most:
                most -= len(result.moves)
                left = [one for one in left if one not in entry.who]
                _settle(state, result)
                yield result
        if not left or not failed or most < 1:
            break
        view = replace(view, movable=_without(view.movable, failed))
    if left and finding is not None:
        yield Observation(finding, refused)


def _settle(state: Scenario, proposal: Proposal) -> None:
    """The state with the proposal done, and those for whom it is in their places."""
    state.apply(proposal.moves, {move.pod: move.destinations[0] for move in proposal.moves})
    for taken in proposal.seats:
        state.place(taken.pod, taken.node)


def _without(movable: NDArray[np.bool_], pods: Sequence[int]) -> NDArray[np.bool_]:
    out = movable.copy()
    out[list(pods)] = False
    return out


@dataclass(frozen=True, slots=True)
class _Entry:
    """Those who are let in together because they share a node; `places` of each one's members; who has to leave, and
    where for, where that can be said."""

    who: tuple[Waiting, ...]
    places: tuple[tuple[int, ...], ...]
    leaving: tuple[int, ...]
    wished: Mapping[int, Sequence[int]]
    kept: tuple[int, ...]  # nodes on which anybody, of this entry or another, gets a place


def _has_room(state: Scenario, one: Waiting, pool: NDArray[np.bool_]) -> bool:
    """Whether it fits as things are; its room is then set aside in `state`."""
    for places in _starts(state, one, pool):
        attempt = state.fork()
        seats = seat(attempt, one, places, pool)
        if not isinstance(seats, int):
            for taken in seats:
                state.place(taken.pod, taken.node)
            return True
    return False


def _starts(state: Scenario, one: Waiting, pool: NDArray[np.bool_]) -> Iterable[tuple[int, ...]]:
    """A node to begin with for each domain that has one; nothing to begin with when any node will do."""
    if one.domain is None:
        return [()]
    fits = np.flatnonzero(state.fits(one.pods[0]) & pool & (one.domain >= 0))
    _, first = np.unique(one.domain[fits], return_index=True)
    return [(int(fits[i]),) for i in sorted(first.tolist())]


def _requests(left: Sequence[Waiting], columns: GpuPacking) -> list[Request]:
    """Worth is counted in GPUs; one of a higher priority outweighs several of the next lower one."""
    levels = sorted({one.priority for one in left})
    out: list[Request] = []
    for one in left:
        demand, members = demand_of(one, columns.packing.shapes, columns.shape_of, columns.pool)
        weight = OUTWEIGHS ** min(levels.index(one.priority), MOST_LEVELS)
        out.append(Request(demand, members, worth=one.gpus * weight, domain=one.domain))
    return out


def _columns(
    view: RebalanceView, state: Scenario, pool: NDArray[np.bool_], left: Sequence[Waiting], effort: float
) -> tuple[GpuPacking, bool]:
    """What the search works on, and whether that is the whole pool."""
    pods = [pod for one in left for pod in one.pods]
    columns = gpu_packing(view, state, pool, pods)
    near = np.zeros(len(pool), np.bool_)
    for one in left:
        demand, members = demand_of(one, columns.packing.shapes, columns.shape_of, pool)
        near |= focus(columns.packing, demand, pool, effort * max(1.0, members / 32))
    if near[pool].all():
        return columns, True
    return gpu_packing(view, state, near, pods), False


def _finding(left: Sequence[Waiting], bound: float | None) -> Finding:
    gpus = sum(one.gpus for one in left)
    return Finding(
        strategy=NAME,
        subject=SUBJECT,
        measure="GPUs of pending pods and gangs that have room",
        value=0.0,
        threshold=gpus,
        text=f"{len(left)} pending pods or gangs ask for {gpus:g} GPUs and have no room,"
        f" {left[0].text} the most urgent",
        bound=bound if len({one.priority for one in left}) == 1 else None,  # else it counts weights, not GPUs
    )


def _entries(view: RebalanceView, left: Sequence[Waiting], columns: GpuPacking, found: Admitted) -> list[_Entry]:
    """The answer in parts that do not touch: requests that share a node are one, with the pods that leave for them."""
    groups: list[tuple[list[int], set[int]]] = []
    for i, places in enumerate(found.places):
        nodes = set(places)
        touching = [g for g in groups if g[1] & nodes]
        for group in touching:
            groups.remove(group)
            nodes |= group[1]
        groups.append((sorted([i, *(j for g in touching for j in g[0])]), nodes))
    return sorted((_entry(view, left, columns, found, *group) for group in groups), key=lambda e: left.index(e.who[0]))


def _entry(
    view: RebalanceView,
    left: Sequence[Waiting],
    columns: GpuPacking,
    found: Admitted,
    who: list[int],
    nodes: set[int],
) -> _Entry:
    wanted = set(nodes)
    chosen: list[Step] = []
    for step in reversed(found.steps):  # those that only make room for another leave before it, so they come later here
        if step.source in wanted:
            chosen.append(step)
            wanted.add(step.target)
    return _Entry(
        who=tuple(left[found.admitted[i]] for i in who),
        places=tuple(found.places[i] for i in who),
        leaving=tuple(int(columns.pods[step.item]) for step in reversed(chosen)),
        wished=found_places(view, columns.pods, chosen),
        kept=tuple(sorted({node for places in found.places for node in places})),
    )


def _let_in(
    view: RebalanceView,
    args: GpuDefragmentationArgs,
    state: Scenario,
    pool: NDArray[np.bool_],
    entry: _Entry,
    finding: Finding,
) -> Proposal | Blocked:
    """The proposal for those of one entry, if all holds on the what-if state."""
    avoid = tuple(sorted({node for places in entry.places for node in places}))
    if not entry.leaving:
        return Blocked(Reason.NO_CURE, f"gang/{entry.who[0].name}", "has room by its amounts, but rules keep it out")
    bundle = relocate(
        view,
        state,
        entry.leaving,
        _spared(entry.kept),
        max_risk=args.max_risk,
        bad=Reason.CLOSES_SLOT,
        wished=entry.wished,
        avoid=avoid,
        more_avoided=MOST_AVOIDED,
    )
    if isinstance(bundle, Blocked):
        return bundle
    seats: list[Seat] = []
    for one, places in zip(entry.who, entry.places, strict=True):
        taken = seat(bundle.state, one, places, pool)
        if isinstance(taken, int):
            key = view.snapshot.pods[taken].key
            return Blocked(Reason.NO_CURE, f"pod/{key}", bundle.state.explain(taken))
        seats += taken
    gpus = sum(one.gpus for one in entry.who)
    on = ", ".join(sorted({view.snapshot.nodes[s.node].name for s in seats})[:4])
    return Proposal(
        finding=finding,
        moves=bundle.moves,
        benefit=gpus,
        worth=gpus * GPU_WEIGHT * args.slot_worth.total_seconds(),
        note=f"makes room for {', '.join(one.text for one in entry.who)} ({gpus:g} GPUs) on {on}",
        seats=tuple(seats),
        avoid=bundle.avoid,
        staged=True,
    )


def _failed(entry: _Entry, why: str) -> Blocked:
    """Those whose room cannot be worked out wait on; the others do not."""
    return Blocked(Reason.STRATEGY_FAILED, f"gang/{entry.who[0].name}", why)


def _spared(nodes: Sequence[int]) -> AcceptIn:
    """Accepts nodes that nobody waits for."""
    kept = np.array(nodes, np.int32)
    return lambda _state, _pod: lambda at: ~np.isin(at, kept)
