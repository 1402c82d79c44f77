"""Objective `fragmentation` where landings are directed: moves that may pay only together, each to the node it names.

A search on arrays lowers the measure with all moves that are left. Those that need one another's places, or that do not
pay alone, are one proposal, all or nothing, whose stages follow one another; the others go on their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.contract import GPU_WEIGHT, RebalanceView, Scenario
from descheduler.model.moves import Finding, Move, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.packing.dependence import independent
from descheduler.packing.fragmentation.bound import fragmentation_bound
from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.fragmentation.search import EFFORT, lower_fragmentation
from descheduler.packing.state import WHOLE, Packing, Step
from descheduler.packing.workload import Workload
from descheduler_strategies.gpu_defragmentation.args import GpuDefragmentationArgs
from descheduler_strategies.gpus.columns import GpuColumns, gpu_columns
from descheduler_strategies.singles import carried_out, single_movers

ATTEMPTS = 3
"""Searches, each without the pods that rules between pods kept off the place that the one before found for them."""


def propose(
    view: RebalanceView,
    args: GpuDefragmentationArgs,
    columns: GpuColumns,
    state: Scenario,
    workload: Workload,
    finding: Finding,
    most: int,
) -> Iterator[Proposal | Observation]:
    """One proposal for each bundle of at most so many moves in all that holds on the what-if state."""
    refused = Blocked(Reason.NO_CURE, finding.subject, f"no moves make {args.min_gain:g} GPUs useful for each")
    stay: set[int] = set()
    left = most
    for attempt in range(ATTEMPTS):
        packing = _singles(view, columns, stay)
        steps = lower_fragmentation(packing, workload, left, round(EFFORT * args.effort), packed=True).steps
        if not attempt:
            finding = replace(finding, bound=_bound(columns, workload, most, steps))
        failed: set[int] = set()
        index = FragmentationIndex(packing, workload, packed=True, unit=WHOLE)
        for bundle in bundles(index, steps, float(args.min_gain)):
            moves = tuple(
                Move(int(columns.pods[step.item]), step.source, (step.target,), only=True) for step in bundle.steps
            )
            if bundle.nodes & failed:
                continue
            reached = carried_out(view, state, moves)
            if isinstance(reached, Scenario):
                state, left = reached, left - len(moves)
                stay.update(move.pod for move in moves)
                yield _proposal(args, finding, moves, bundle.gain)
            else:
                pod, refused = reached
                stay.add(pod)
                failed |= bundle.nodes
        if not failed or left < 1:
            break
        columns = gpu_columns(view, state, columns.pool)
    if left == most:
        yield Observation(finding, refused)


def _singles(view: RebalanceView, columns: GpuColumns, stay: set[int]) -> Packing:
    """The packing, in which those alone may move who need nobody with them and are not to `stay`; all moves cost 1."""
    able = single_movers(view, columns.pods) & ~np.isin(columns.pods, list(stay))
    return replace(columns.packing, movable=able, cost=np.ones(len(able)))


def _bound(columns: GpuColumns, workload: Workload, most: int, steps: Sequence[Step]) -> float | None:
    """F (in GPUs) below which no plan of so many moves ends, those of gangs included; None when nothing is proven."""
    packing = replace(columns.packing, cost=np.ones(len(columns.pods)))
    bound = fragmentation_bound(packing, workload, most, steps)
    return None if bound is None else bound / WHOLE


def _proposal(args: GpuDefragmentationArgs, finding: Finding, moves: tuple[Move, ...], gain: float) -> Proposal:
    return Proposal(
        finding=finding,
        moves=moves,
        benefit=-gain,
        worth=gain * GPU_WEIGHT * args.slot_worth.total_seconds(),
        note=f"makes {gain:.2f} idle GPUs useful to the workload",
        staged=True,
    )


@dataclass(frozen=True, slots=True)
class Bundle:
    """Steps that are made together or not at all, in order, and by how much F (in GPUs) falls with them."""

    steps: tuple[Step, ...]
    gain: float

    @property
    def nodes(self) -> set[int]:
        """The nodes that the steps change."""
        return {node for step in self.steps for node in (step.source, step.target)}


def bundles(index: FragmentationIndex, steps: Sequence[Step], least: float) -> list[Bundle]:
    """The steps in bundles that gain at least `least` for every step, each after those before it in the list.

    Steps that gain too little wait for others on the same nodes, with which they may pay; those that never do are left
    out. `index` is changed: it has made all the steps.
    """
    paying: list[Bundle] = []
    waiting: list[Bundle] = []
    for group in independent(index.packing, steps):
        before = float(index.value.sum())
        for at in group:
            index.land({steps[at].item: steps[at].target})
        bundle = Bundle(tuple(steps[at] for at in group), before - float(index.value.sum()))
        met = [other for other in waiting if other.nodes & bundle.nodes]
        waiting = [other for other in waiting if other not in met]
        together = [*met, bundle]
        bundle = Bundle(
            tuple(sorted((step for one in together for step in one.steps), key=steps.index)),
            sum(one.gain for one in together),
        )
        (paying if bundle.gain >= least * len(bundle.steps) else waiting).append(bundle)
    return paying
