"""Objective `fragmentation` where landings are directed: moves that may pay only together, each to the node it names.

A search on arrays lowers the measure with all moves that are left. Those that need one another's places, or that do not
pay alone, are one proposal, all or nothing, whose stages follow one another; the others go on their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from descheduler.contract import GPU_WEIGHT, RebalanceView, Scenario
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Finding, Observation, Proposal, Tried
from descheduler.model.reasons import Blocked, Reason
from descheduler.packing.fragmentation.bound import fragmentation_bound
from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.fragmentation.search import EFFORT, lower_fragmentation
from descheduler.packing.state import WHOLE, Step
from descheduler.packing.target_workload import TargetWorkload
from descheduler_strategies.directed import ATTEMPTS, Bundle, bundles, carry_out, single_movers
from descheduler_strategies.gpu_defragmentation.args import GpuDefragmentationArgs
from descheduler_strategies.gpus.gpu_packing import GpuPacking, gpu_packing

INSTEAD = 1024
"""Further nodes that are named for a pod at most."""


def propose(
    view: RebalanceView,
    args: GpuDefragmentationArgs,
    columns: GpuPacking,
    state: Scenario,
    workload: TargetWorkload,
    finding: Finding,
    most: int,
) -> Iterator[Proposal | Observation]:
    """One proposal for each bundle of at most so many moves in all that holds on the what-if state."""
    refused = Blocked(Reason.NO_CURE, str(finding.subject), f"no moves make {args.min_gain:g} GPUs useful for each")
    stay: set[int] = set()
    left, failed = most, dict[int, Blocked]()
    for attempt in range(ATTEMPTS):
        able = single_movers(view, columns.pods, stay)
        packing = replace(columns.packing, movable=able, cost=np.ones(len(able)))
        steps = lower_fragmentation(packing, workload, left, round(EFFORT * args.effort), packed=True).steps
        if not attempt:
            finding = replace(finding, bound=_bound(columns, workload, most, steps))
        index = FragmentationIndex(packing, workload, packed=True, unit=WHOLE)
        found = bundles(packing, steps, partial(_fall, index), float(args.min_gain))
        if view.landing is LandingMode.DIRECTED:
            found = _wider(index, found, float(args.min_gain))
        carried = carry_out(view, state, columns.pods, found, float(args.max_risk))
        for bundle, moves in carried.done:
            left -= len(moves)
            stay.update(move.pod for move in moves)
            yield Proposal(
                finding=finding,
                moves=moves,
                benefit=-bundle.gain,
                worth=bundle.gain * GPU_WEIGHT * args.slot_worth.total_seconds(),
                note=f"makes {bundle.gain:.2f} idle GPUs useful to the workload",
                staged=True,
            )
        if not carried.failed or left < 1:
            break
        stay.update(carried.failed)
        failed |= carried.failed
        state, refused = carried.state, next(iter(carried.failed.values()))
        columns = gpu_packing(view, state, columns.pool)
    if left == most:
        yield Observation(finding, refused, tried=tuple(Tried((pod,), why) for pod, why in failed.items()))


def _fall(index: FragmentationIndex, steps: Sequence[Step]) -> float:
    """By how much F falls when the steps are made, one after the other."""
    before = float(index.value.sum())
    for step in steps:
        index.land({step.item: step.target})
    return before - float(index.value.sum())


def _wider(index: FragmentationIndex, found: Sequence[Bundle], least: float) -> list[Bundle]:
    """The bundles, all of them made in `index`, with further nodes for their steps.

    The scheduler of a large cluster may not look at the node that is best. What others lose is at most half of what the
    bundle gains, and leaves it what it must gain.
    """
    touched = sorted({node for bundle in found for node in bundle.nodes})
    out: list[Bundle] = []
    for bundle in found:
        count = len(bundle.steps)
        bearable = min(bundle.gain / 2, bundle.gain - least * count) / count
        instead: list[dict[int, float]] = []
        for step in bundle.steps:
            lost = index.enter[index.packing.shape[step.item]] + index.leave[step.item]
            lost[touched] = np.inf
            best = np.argsort(lost, kind="stable")[:INSTEAD]
            instead.append({node: float(lost[node]) for node in best.tolist() if lost[node] <= bearable})
        out.append(replace(bundle, instead=tuple(instead)))
    return out


def _bound(columns: GpuPacking, workload: TargetWorkload, most: int, steps: Sequence[Step]) -> float | None:
    """F (in GPUs) below which no plan of so many moves ends, those of gangs included; None when nothing is proven."""
    packing = replace(columns.packing, cost=np.ones(len(columns.pods)))
    bound = fragmentation_bound(packing, workload, most, steps)
    return None if bound is None else bound / WHOLE
