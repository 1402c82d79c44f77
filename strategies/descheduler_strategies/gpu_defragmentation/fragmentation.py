"""Objective `fragmentation`: lower FGD's measure, the idle GPUs that a pod drawn from the workload could not use.

Where the scheduler chooses the node, the search walks along what it would do: the pod that promises most if it lands
best is tried first, and moves if, where it would really land, the measure of the cluster falls by enough. A pod that
promises less than another one keeps is never tried. Where landings are directed, `coordinated` searches instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import GPU_WEIGHT, MOST_AVOIDED, AcceptIn, RebalanceView, Relocation, Scenario, relocate
from descheduler.model.arrays import Floats
from descheduler.model.moves import Finding, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.fragmentation.measure import idle
from descheduler.packing.state import WHOLE
from descheduler_strategies.gpu_defragmentation import coordinated
from descheduler_strategies.gpu_defragmentation.args import NAME, GpuDefragmentationArgs
from descheduler_strategies.gpu_defragmentation.target import target
from descheduler_strategies.gpus.gpu_packing import GpuPacking, by_device, gpu_packing, gpu_pool
from descheduler_strategies.gpus.waiting import pending_with_gpus

SUBJECT = Subject(SubjectKind.GPU, "fragmentation")
TRIED = 60
"""Units tried for one move at effort 1: landings are what the search spends its time on."""


def propose(view: RebalanceView, args: GpuDefragmentationArgs) -> Iterable[Proposal | Observation]:
    """One proposal a unit, each lowering the measure where its pods would really land."""
    pool = gpu_pool(view, args.pools) & by_device(view)
    most = args.max_moves - view.moves_granted(NAME, SUBJECT)
    state = view.what_if()
    waits = [] if args.workload else pending_with_gpus(view)
    columns = gpu_packing(view, state, pool, waits)
    workload = target(view, columns, args.workload, waits)
    if workload is None or not pool.any():
        return
    index = FragmentationIndex(columns.packing, workload, packed=True, unit=WHOLE)
    finding = _finding(index, float(args.min_gain))
    if view.landing.chosen:
        if most > 0:
            yield from coordinated.propose(view, args, columns, state, workload, finding, most)
        return
    descent = _Descent(view, args, columns, state, index)
    moves = 0
    while moves < most:
        found = descent.step(most - moves)
        if isinstance(found, Blocked):
            if not moves:
                yield Observation(finding, found)
            return
        bundle, gain = found
        moves += len(bundle.moves)
        yield Proposal(
            finding=finding,
            moves=bundle.moves,
            benefit=-gain,
            worth=gain * GPU_WEIGHT * args.slot_worth.total_seconds(),
            note=f"makes {gain:.2f} idle GPUs useful to the workload",
            avoid=bundle.avoid,
        )


def _finding(index: FragmentationIndex, threshold: float) -> Finding:
    value, idle_gpus = float(index.value.sum()), idle(index.packing) / WHOLE
    return Finding(
        strategy=NAME,
        subject=SUBJECT,
        measure="idle GPUs that a pod of the workload could not use, on average over the workload (F)",
        value=value,
        threshold=min(value, threshold),
        text=f"{value:.1f} of {idle_gpus:.1f} idle GPUs are of no use to the workload, on average",
    )


class _Descent:
    """The state reached so far, and who is still worth trying."""

    def __init__(
        self,
        view: RebalanceView,
        args: GpuDefragmentationArgs,
        columns: GpuPacking,
        state: Scenario,
        index: FragmentationIndex,
    ) -> None:
        packing = index.packing
        self._index = index
        self._stays = ~packing.movable | (packing.shapes.count[packing.shape] == 0)
        self._view = view
        self._args = args
        self._state = state
        self._pods = columns.pods
        self._place = {pod: i for i, pod in enumerate(columns.pods.tolist())}
        self._tries = max(1, round(TRIED * args.effort))

    def step(self, left: int) -> tuple[Relocation, float] | Blocked:
        """The next unit to move, moved in the state, and what it gains; or why nothing is worth moving."""
        refused = Blocked(Reason.NO_CURE, str(SUBJECT), f"no move makes {self._args.min_gain:g} GPUs useful")
        best, most = None, self._args.min_gain
        for item, promise in self._promising():
            if promise <= most:
                break
            if len(self._view.moving(int(self._pods[item]))) > left:
                continue
            tried = self._try(item)
            if isinstance(tried, Blocked):
                refused = tried
                self._stays[item] = True
            elif tried[1] > most:
                best, most = tried, tried[1]
        if best is None:
            return refused
        bundle, gain = best
        landed = {move.pod: move.destinations[0] for move in bundle.moves}
        self._state.apply(bundle.moves, landed)
        self._index.land({self._place[pod]: node for pod, node in landed.items()})
        self._stays[[self._place[pod] for pod in landed]] = True
        return bundle, gain

    def _promising(self) -> Iterator[tuple[int, float]]:
        """Items by what they gain if they land best; of those that are alike on one node only the first."""
        index, packing = self._index, self._index.packing
        promise = np.where(self._stays, -np.inf, -index.leave - index.enter.min(axis=1)[packing.shape])
        order = np.argsort(-promise, kind="stable")[: 8 * self._tries]
        seen: set[tuple[int, int]] = set()
        for item in order.tolist():
            alike = (int(packing.shape[item]), int(packing.node[item]))
            if alike in seen:
                continue
            seen.add(alike)
            yield item, float(promise[item])
            if len(seen) >= self._tries:
                return

    def _try(self, item: int) -> tuple[Relocation, float] | Blocked:
        """Where the unit would land, and what that gains. Pods that are no items are not counted (they hold no GPU)."""
        least = self._args.min_gain if len(self._view.moving(int(self._pods[item]))) == 1 else None
        bundle = relocate(
            self._view,
            self._state,
            (int(self._pods[item]),),
            self._accept(item, least),
            max_risk=self._args.max_risk,
            bad=Reason.NO_GAIN,
            more_avoided=MOST_AVOIDED,
        )
        if isinstance(bundle, Blocked):
            return bundle
        strangers = [pod for pod in bundle.landed if pod not in self._place]
        if strangers:
            key = self._view.snapshot.pods[strangers[0]].key
            return Blocked(Reason.GANG_MEMBER_BLOCKED, f"pod/{key}", "is outside the pools that this looks at")
        return bundle, self._index.gain({self._place[pod]: node for pod, node in bundle.landed.items()})

    def _accept(self, item: int, least: float | None) -> AcceptIn:
        """Accepts nodes on which the pod gains at least so much; anywhere for a unit of several, judged as a whole."""

        def good(nodes: NDArray[np.int32]) -> NDArray[np.bool_]:
            if least is None:
                return np.ones(len(nodes), np.bool_)
            index = self._index
            gains: Floats = -index.leave[item] - index.enter[index.packing.shape[item], nodes]
            return gains >= least

        return lambda _state, _pod: good
