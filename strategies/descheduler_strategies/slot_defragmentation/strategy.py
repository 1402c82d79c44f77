"""SlotDefragmentation: free CPU and memory that is scattered over nodes is made whole, by coordinated moves.

Three nodes with six free cores each are of no use to a pod, or a virtual machine, that needs sixteen on one. Pods that
are alike are counted, not named: a search says how many of each kind leave which node for which, so that most slots of
a shape come free with so many moves. That works only where moved pods go to the node that is named; where the scheduler
decides, it would fill what was just opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from descheduler.contract import RebalanceView, Scenario, StrategyArgs
from descheduler.model.arrays import Ints, Mask
from descheduler.model.moves import Finding, Move, Observation, Proposal, Tried
from descheduler.model.quantity import amount
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.packing.rearrange.flow_problem import fit
from descheduler.packing.rearrange.rearrangement import RearrangeEffort, rearrange
from descheduler.packing.state import Packing, Step
from descheduler_strategies.directed import ATTEMPTS, bundles, carry_out, single_movers
from descheduler_strategies.gpus.gpu_packing import gpu_packing
from descheduler_strategies.slot_defragmentation.alike import alike_pods, simple
from descheduler_strategies.slot_defragmentation.args import NAME, SlotDefragmentationArgs

SUBJECT = Subject(SubjectKind.SLOTS, "cpu")


class SlotDefragmentation:
    """See the module."""

    name: ClassVar[str] = NAME
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = SlotDefragmentationArgs

    def propose(self, view: RebalanceView, args: SlotDefragmentationArgs) -> Iterable[Proposal | Observation]:
        """One proposal for each bundle of moves that opens slots, the best for its moves first."""
        pool = np.array([not args.pools or name in args.pools for name in view.pools], np.bool_)[view.pool_of]
        pool &= view.destinations()
        slot = np.zeros(len(view.snapshot.columns.resources), np.int64)
        slot[:2] = amount("cpu", args.slot.cpu), amount("memory", args.slot.memory)
        state = view.what_if()
        free = int(_slots(state.free()[pool], slot).sum())
        most = args.max_moves - view.moves_granted(NAME, SUBJECT)
        if free >= args.wanted or most < 1 or not pool.any():
            return
        finding = _finding(args, free)
        if not view.landing.chosen:
            text = "landings are not directed: the scheduler would fill what is opened"
            yield Observation(finding, Blocked(Reason.NO_CURE, str(SUBJECT), text))
            return
        yield from _search(view, args, state, pool, slot, finding, most)


def _finding(args: SlotDefragmentationArgs, free: int) -> Finding:
    beside = f" with {args.slot.memory} of memory" if args.slot.memory != "0" else ""
    return Finding(
        strategy=NAME,
        subject=SUBJECT,
        measure=f"free slots of {args.slot.cpu} cores{beside} on one node",
        value=float(free),
        threshold=float(args.wanted),
        text=f"{free} of {args.wanted} wanted slots of {args.slot.cpu} cores{beside} are free",
        resource="cpu",
    )


def _search(
    view: RebalanceView,
    args: SlotDefragmentationArgs,
    state: Scenario,
    pool: Mask,
    slot: Ints,
    finding: Finding,
    most: int,
) -> Iterator[Proposal | Observation]:
    refused = Blocked(Reason.NO_CURE, str(SUBJECT), f"no {most} moves of pods that are alike open a slot")
    effort = RearrangeEffort(rounds=max(1, round(100 * args.effort)), nodes=max(1, round(500 * args.effort)))
    stay: set[int] = set()
    failed: dict[int, Blocked] = {}
    left, lacking = most, args.wanted - int(finding.value)
    for _ in range(ATTEMPTS):
        columns = gpu_packing(view, state, pool)
        asked = slot[columns.kept]
        shapes = replace(columns.packing.shapes, allowed=columns.packing.shapes.allowed & pool)
        able = single_movers(view, columns.pods, stay) & simple(view, columns.pods)
        packing = replace(columns.packing, shapes=shapes, movable=able)
        capacity = view.snapshot.columns.allocatable[:, columns.kept]
        alike = alike_pods(packing, pool, asked, capacity, left, args.effort)
        best = rearrange(alike.flows, effort)
        if left == most and alike.exact and (able == view.movable[columns.pods]).all():
            finding = replace(finding, bound=best.bound)
        steps, count = alike.steps(best.moves), _FreeSlots(packing, asked)
        found = sorted(bundles(packing, steps, count.make, 1e-9), key=lambda one: -one.gain / len(one.steps))
        carried = carry_out(view, state, columns.pods, found)
        for bundle, moves in carried.done:
            if lacking <= 0:
                return
            left, lacking = left - len(moves), lacking - int(bundle.gain)
            stay.update(move.pod for move in moves)
            yield _proposal(args, finding, moves, bundle.gain)
        if lacking <= 0 or left < 1 or not carried.failed:
            break
        stay.update(carried.failed)
        failed |= carried.failed
        state, refused = carried.state, next(iter(carried.failed.values()))
    if lacking > 0:
        yield Observation(finding, refused, tried=tuple(Tried((pod,), why) for pod, why in failed.items()))


def _slots(free: Ints, slot: Ints) -> Ints:
    """[X] how many slots [R] are free in each of X states [X, R]; none in one that is overcommitted."""
    return fit(free, slot, np.full(len(free), np.iinfo(np.int64).max))


class _FreeSlots:
    """The free slots of a packing while its items move."""

    def __init__(self, packing: Packing, slot: Ints) -> None:
        self._state = packing.copy()
        self._slot = slot

    def make(self, steps: Sequence[Step]) -> float:
        """Make the steps; how many slots more are free then."""
        nodes = np.array(sorted({node for step in steps for node in (step.source, step.target)}))
        before = _slots(self._state.free[nodes], self._slot).sum()
        for step in steps:
            self._state.move(step)
        return float(_slots(self._state.free[nodes], self._slot).sum() - before)


def _proposal(args: SlotDefragmentationArgs, finding: Finding, moves: tuple[Move, ...], gain: float) -> Proposal:
    cores = amount("cpu", args.slot.cpu) / 1000
    return Proposal(
        finding=finding,
        moves=moves,
        benefit=gain,
        worth=gain * cores * args.slot_worth.total_seconds(),
        note=f"opens {gain:g} slots of {args.slot.cpu} cores",
        staged=True,
    )
