"""GpuDefragmentation: open whole GPU slots (such as 8 GPUs with 88 cores on one node) by vacating the cheapest nodes.

Free GPUs that are scattered over nodes are of no use to a job that needs eight of them together. The strategy counts
the slots of a shape that are free, and, while fewer than wanted are, looks for the node whose vacating costs least:
all moves of one node are one bundle, all or nothing. A bundle counts only if the slots of the cluster really rise,
with every pod where the scheduler would put it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from descheduler.contract import GPU_WEIGHT, Accept, RebalanceView, Scenario, StrategyArgs, land
from descheduler.contract.types import Duration, Fraction
from descheduler.model.moves import Finding, Move, Observation, Proposal
from descheduler.model.quantity import amount
from descheduler.model.reasons import Blocked, Reason

Ints = NDArray[np.int64]


class GpuSlot(StrategyArgs):
    """The shape of a slot."""

    gpus: int = Field(default=8, ge=1)
    """GPUs that must be free together on one node."""
    cpu: str = "0"
    """CPU that must be free beside them."""
    memory: str = "0"
    """Memory that must be free beside them."""


class GpuDefragmentationArgs(StrategyArgs):
    """Open whole GPU slots of a given shape."""

    resource: str = "nvidia.com/gpu"
    """The extended resource that counts GPUs."""
    slot: GpuSlot = GpuSlot()
    """The shape of a slot."""
    wanted: int = Field(default=1, ge=0)
    """Open slots until so many are free."""
    pools: list[str] = Field(default_factory=list)
    """Only nodes of these pools; all when empty."""
    max_moves_per_slot: int = Field(default=6, ge=1, le=64)
    """A node that needs more pods moved than this is not vacated."""
    max_slots: int = Field(default=4, ge=1, le=64)
    """Open at most so many slots in one plan."""
    slot_worth: Duration = timedelta(hours=1)
    """How long an opened slot is expected to serve a job: its worth is the GPUs of the slot over this time."""
    max_risk: Fraction = 0.2
    """Accepted probability that a pod lands where it undoes the slot."""


class GpuDefragmentation:
    """See the module."""

    name: ClassVar[str] = "GpuDefragmentation"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = GpuDefragmentationArgs

    def propose(self, view: RebalanceView, args: GpuDefragmentationArgs) -> Iterable[Proposal | Observation]:
        """One bundle for each slot that can be opened, the cheapest node first."""
        shape = _Shape(view, args)
        if shape.column < 0:
            return
        state = view.what_if()
        free = shape.slots(state)
        if free >= args.wanted:
            return
        finding = shape.finding(free)
        opened, last = 0, Blocked(Reason.NO_CURE, args.resource, "no node can be vacated within the limits")
        for node in _cheapest(view, args, shape, state):
            if free + opened >= args.wanted or opened >= args.max_slots:
                break
            result = _vacate(view, args, shape, state, node, finding)
            if isinstance(result, Blocked):
                last = result
                continue
            opened += 1
            yield result
        if free + opened < args.wanted:
            yield Observation(finding, last)


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
        chosen = np.array([not args.pools or pool in args.pools for pool in view.pools], np.bool_)
        self.nodes = np.flatnonzero(
            chosen[view.pool_of] & view.destinations() & (columns.allocatable >= self.need).all(axis=1)
        ).astype(np.int32)

    def slots(self, state: Scenario, nodes: NDArray[np.int32] | None = None) -> int:
        """Free slots: whole multiples of the shape on each node."""
        return int(self.per_node(state, self.nodes if nodes is None else nodes).sum())

    def per_node(self, state: Scenario, nodes: NDArray[np.int32]) -> Ints:
        """[K] free slots of each node."""
        asked = np.flatnonzero(self.need > 0)
        counts = state.state.free(nodes)[:, asked] // self.need[asked]
        least: Ints = np.maximum(counts.min(axis=1), 0)
        return least

    def spared(self, state: Scenario) -> Accept:
        """Accepts nodes on which a pod closes no free slot."""
        return lambda nodes: ~np.isin(nodes, self.nodes) | (self.per_node(state, nodes) == 0)

    def finding(self, free: int) -> Finding:
        """Too few slots are free."""
        slot = self.args.slot
        beside = f" with {slot.cpu} cores" if slot.cpu != "0" else ""
        return Finding(
            strategy=GpuDefragmentation.name,
            subject=f"gpu/{self.args.resource}",
            measure=f"free slots of {slot.gpus} {self.args.resource}{beside} on one node",
            value=float(free),
            threshold=float(self.args.wanted),
            text=f"{free} of {self.args.wanted} wanted slots of {slot.gpus} GPUs{beside} are free",
            resource=self.args.resource,
        )


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
    free = int(state.state.free(np.array([node], np.int32))[0, shape.column])
    lacking = int(shape.need[shape.column]) - free
    return int(np.searchsorted(np.cumsum(-np.sort(-held)), lacking)) + 1 if lacking > 0 else 0


def _vacate(
    view: RebalanceView, args: GpuDefragmentationArgs, shape: _Shape, state: Scenario, node: int, finding: Finding
) -> Proposal | Blocked:
    """Move pods away until the node holds a slot, each where the scheduler would put it; applied to `state`."""
    attempt = state.fork()
    before = shape.slots(state)
    moves: list[Move] = []
    landed: dict[int, int] = {}
    for pod in _leavers(view, shape, state, node):
        if shape.slots(attempt, np.array([node], np.int32)):
            break
        members = [p for p in view.moving(pod) if p not in landed]
        if len(moves) + len(members) > args.max_moves_per_slot:
            return Blocked(Reason.NO_CURE, f"node/{view.snapshot.nodes[node].name}", "needs more moves than allowed")
        sources = {p: attempt.node_of(p) for p in members}
        for p in members:
            attempt.remove(p)
        for p in members:
            landing = land(view.snapshot, attempt, p, node, shape.spared(attempt), args.max_risk, Reason.CLOSES_SLOT)
            if isinstance(landing, Blocked):
                return landing
            attempt.place(p, landing.nodes[0])
            landed[p] = landing.nodes[0]
            moves.append(Move(p, sources[p], landing.nodes[:1]))
    after = shape.slots(attempt)
    if after <= before:
        return Blocked(Reason.NO_CURE, f"node/{view.snapshot.nodes[node].name}", "the pods would fill another slot")
    state.apply(moves, landed)
    return Proposal(
        finding=finding,
        moves=tuple(moves),
        benefit=float(after - before),
        worth=(after - before) * args.slot.gpus * GPU_WEIGHT * args.slot_worth.total_seconds(),
        note=f"vacates {view.snapshot.nodes[node].name}: {before} → {after} free slots of {args.slot.gpus} GPUs",
    )


def _leavers(view: RebalanceView, shape: _Shape, state: Scenario, node: int) -> list[int]:
    """Movable pods on the node that hold what the slot lacks: GPU pods, largest first, then CPU pods."""
    columns = view.snapshot.columns
    pods = columns.pods_on(node)
    pods = pods[view.movable[pods]]
    here = [p for p in pods.tolist() if state.node_of(p) == node]
    asks = {p: columns.spec_requests[columns.pod_spec[p]] for p in here}
    here.sort(key=lambda p: (-int(asks[p][shape.column]), -int(asks[p][0]), p))
    return here
