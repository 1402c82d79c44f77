"""Objective `slots`: open whole slots (such as 8 GPUs with 88 cores on one node) by vacating the cheapest nodes.

The slots of a shape that are free are counted, and while fewer than wanted are, nodes are vacated: first those that the
search on arrays chooses together, then the cheapest by what stands on them. All moves of one node are one bundle, all
or nothing, and it counts only if the slots of the cluster really rise, with every pod where the scheduler would put it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import GPU_WEIGHT, MOST_AVOIDED, Accept, RebalanceView, Scenario, relocate
from descheduler.model.arrays import Ints
from descheduler.model.fence import fenced
from descheduler.model.moves import Finding, Observation, Proposal, Tried
from descheduler.model.quantity import amount
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.packing.make_room.demands import Demand, Opened
from descheduler.packing.make_room.slots import open_slots
from descheduler_strategies.directed import found_places
from descheduler_strategies.gpu_defragmentation.args import NAME, GpuDefragmentationArgs
from descheduler_strategies.gpu_defragmentation.focus import fewest_moves, focus, most_openable
from descheduler_strategies.gpus.gpu_packing import (
    GpuPacking,
    allowance_of,
    by_device,
    effort_of,
    gpu_packing,
    gpu_pool,
)

TRIED = 16
"""Nodes looked at, for each slot that may be opened, besides those that the search chose."""


def propose(view: RebalanceView, args: GpuDefragmentationArgs) -> Iterable[Proposal | Observation]:
    """One bundle for each slot that can be opened, the cheapest node first."""
    shape = _Shape(view, args)
    state = view.what_if()
    free = shape.slots(state) if shape.column >= 0 else args.wanted
    subject = Subject(SubjectKind.GPU, args.resource)
    most = args.max_moves - view.moves_granted(NAME, subject)
    slots_left = args.max_slots - len(view.granted_for(NAME, subject))
    if free >= args.wanted or most < 1 or slots_left < 1:
        return
    columns = gpu_packing(view, state, shape.pool)
    demand = shape.demand(columns)
    bound = most_openable(fewest_moves(columns.packing, demand), demand.mask(len(shape.pool)), most)
    near = focus(columns.packing, demand, shape.pool, args.effort)
    if not near[shape.pool].all():
        columns = gpu_packing(view, state, near)
        demand = shape.demand(columns)
    opened = open_slots(columns.packing, demand, allowance_of(view, columns, most), effort=effort_of(args.effort))
    if near[shape.pool].all():
        bound = min(bound, opened.bound - opened.before)
    finding = shape.finding(free, free + bound)
    last = Blocked(Reason.NO_CURE, args.resource, "no node can be vacated within the limits")
    count = moves = 0
    tried: list[Tried] = []
    places = found_places(view, columns.pods, opened.steps)
    for node, leaving in _candidates(view, args, shape, state, columns, opened):
        if free + count >= args.wanted or count >= slots_left:
            break
        attempt = partial(_vacate, view, args, shape, state, node, leaving, places, finding, most - moves)
        result = fenced(attempt, partial(_failed, view, node))
        if isinstance(result, Blocked):
            last = result
            tried.append(Tried(tuple(leaving), result))
            continue
        state.apply(result.moves, {move.pod: move.destinations[0] for move in result.moves})
        count, moves = count + 1, moves + len(result.moves)
        yield result
    if free + count < args.wanted:
        yield Observation(finding, last, tried=tuple(tried))


class _Shape:
    """The slot as columns, and how many of it are free in a state."""

    def __init__(self, view: RebalanceView, args: GpuDefragmentationArgs) -> None:
        columns = view.snapshot.columns
        self.view = view
        self.args = args
        self.column = columns.resource(args.resource)
        self.need = np.zeros(len(columns.resources), np.int64)  # [R]
        if self.column >= 0:
            self.need[self.column] = args.slot.gpus
            self.need[0] = amount("cpu", args.slot.cpu)
            self.need[1] = amount("memory", args.slot.memory)
        self.pool = gpu_pool(view, args.pools)
        able = self.pool & by_device(view) & (columns.allocatable >= self.need).all(axis=1)
        self.nodes = np.flatnonzero(able).astype(np.int32)

    def demand(self, columns: GpuPacking) -> Demand:
        """The slot as a search sees it."""
        able = np.zeros(len(self.view.snapshot.nodes), np.bool_)
        able[self.nodes] = True
        able &= columns.pool
        return Demand(tuple(int(x) for x in self.need[columns.kept]), self.args.slot.gpus, nodes=able)

    def slots(self, state: Scenario, nodes: NDArray[np.int32] | None = None) -> int:
        """Free slots: whole multiples of the shape on each node."""
        return int(self.per_node(state, self.nodes if nodes is None else nodes).sum())

    def per_node(self, state: Scenario, nodes: NDArray[np.int32]) -> Ints:
        """[K] free slots of each node: by amounts, and by devices that nobody holds a part of."""
        asked = np.flatnonzero(self.need > 0)
        counts = (state.free(nodes)[:, asked] // self.need[asked]).min(axis=1)
        whole = state.whole_gpus()[nodes] // self.args.slot.gpus
        least: Ints = np.maximum(np.minimum(counts, whole), 0)
        return least

    def spared(self, state: Scenario, _: int) -> Accept:
        """Accepts nodes on which a pod closes no free slot."""
        return lambda nodes: ~np.isin(nodes, self.nodes) | (self.per_node(state, nodes) == 0)

    def finding(self, free: int, bound: int) -> Finding:
        """Too few slots are free."""
        slot = self.args.slot
        beside = f" with {slot.cpu} cores" if slot.cpu != "0" else ""
        return Finding(
            strategy=NAME,
            subject=Subject(SubjectKind.GPU, self.args.resource),
            measure=f"free slots of {slot.gpus} {self.args.resource}{beside} on one node",
            value=float(free),
            threshold=float(self.args.wanted),
            text=f"{free} of {self.args.wanted} wanted slots of {slot.gpus} GPUs{beside} are free",
            resource=self.args.resource,
            bound=float(bound),
        )


def _candidates(
    view: RebalanceView,
    args: GpuDefragmentationArgs,
    shape: _Shape,
    state: Scenario,
    columns: GpuPacking,
    opened: Opened,
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(node, pods that leave it), cheapest first: what the search chose, and the nodes that hold the least."""
    chosen: dict[int, list[int]] = {}
    for step in opened.steps:
        chosen.setdefault(step.source, []).append(int(columns.pods[step.item]))
    found = [(node, tuple(chosen[node])) for node in opened.nodes if node in chosen]
    known = set(found)
    for node in islice(_cheapest(view, args, shape, state), TRIED * args.max_slots):
        if (other := (node, _enough(view, shape, state, node))) not in known:
            found.append(other)
    yield from sorted(found, key=lambda one: sum(view.cost(pod) for pod in one[1]))  # stable: the search's choice first


def _cheapest(view: RebalanceView, args: GpuDefragmentationArgs, shape: _Shape, state: Scenario) -> Iterator[int]:
    """Nodes without a free slot, by the cost of the GPU pods on them; only those that could be vacated at all."""
    columns = view.snapshot.columns
    closed = shape.nodes[shape.per_node(state, shape.nodes) == 0]
    priced: list[tuple[float, int]] = []
    for node in closed.tolist():
        pods = columns.pods_on(node)
        on = pods[columns.spec_requests[columns.pod_spec[pods], shape.column] > 0]
        leaving = on[view.movable[on]]
        stays = columns.requests(on[~view.movable[on]]).sum(axis=0)
        if not leaving.size or (columns.allocatable[node] - stays < shape.need).any():
            continue
        if _fewest(columns.requests(leaving)[:, shape.column], shape, state, node) > args.max_moves_per_slot:
            continue
        priced.append((sum(view.cost(p) for p in leaving.tolist()), node))
    for _, node in sorted(priced):
        yield node


def _fewest(held: Ints, shape: _Shape, state: Scenario, node: int) -> int:
    """How many of the pods that hold so many GPUs each must leave at least before the slot's GPUs are free."""
    free = int(state.free(np.array([node], np.int32))[0, shape.column])
    lacking = int(shape.need[shape.column]) - free
    return int(np.searchsorted(np.cumsum(-np.sort(-held)), lacking)) + 1 if lacking > 0 else 0


def _enough(view: RebalanceView, shape: _Shape, state: Scenario, node: int) -> tuple[int, ...]:
    """Movable pods of the node, GPU pods first, largest first, until the slot is free of them."""
    columns = view.snapshot.columns
    pods = columns.pods_on(node)
    here = [p for p in pods[view.movable[pods]].tolist() if state.node_of(p) == node]
    asks = {p: columns.spec_requests[columns.pod_spec[p]] for p in here}
    here.sort(key=lambda p: (-int(asks[p][shape.column]), -int(asks[p][0]), p))
    attempt, out = state.fork(), []
    at = np.array([node], np.int32)
    for pod in here:
        if shape.slots(attempt, at):
            break
        attempt.remove(pod)
        out.append(pod)
    return tuple(out)


def _failed(view: RebalanceView, node: int, why: str) -> Blocked:
    """A node that cannot be judged is left alone; the others are not."""
    return Blocked(Reason.STRATEGY_FAILED, f"node/{view.snapshot.nodes[node].name}", why)


def _vacate(
    view: RebalanceView,
    args: GpuDefragmentationArgs,
    shape: _Shape,
    state: Scenario,
    node: int,
    leaving: Sequence[int],
    places: Mapping[int, Sequence[int]],
    finding: Finding,
    left: int,
) -> Proposal | Blocked:
    """The bundle that opens a slot on the node, if every pod lands well and the slots of the cluster rise."""
    name = view.snapshot.nodes[node].name
    together = {member for pod in leaving for member in view.moving(pod)}
    if len(together) > min(args.max_moves_per_slot, left) or not leaving:
        return Blocked(Reason.NO_CURE, f"node/{name}", "needs more moves than allowed")
    bundle = relocate(
        view,
        state,
        leaving,
        shape.spared,
        max_risk=args.max_risk,
        bad=Reason.CLOSES_SLOT,
        wished=places,
        avoid=(node,),
        more_avoided=MOST_AVOIDED,
    )
    if isinstance(bundle, Blocked):
        return bundle
    before, after = shape.slots(state), shape.slots(bundle.state)
    if after <= before:
        return Blocked(Reason.NO_CURE, f"node/{name}", "the pods would fill another slot")
    return Proposal(
        finding=finding,
        moves=bundle.moves,
        benefit=float(after - before),
        worth=(after - before) * args.slot.gpus * GPU_WEIGHT * args.slot_worth.total_seconds(),
        note=f"vacates {name}: {before} → {after} free slots of {args.slot.gpus} GPUs",
        avoid=bundle.avoid,
        staged=True,
    )
