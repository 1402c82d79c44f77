"""The GPU side of a view as a packing: arrays that measures and searches of `descheduler.packing` work on.

Only what the arrays hold is judged there (amounts, devices, labels, taints, volumes); rules between pods are left to
the what-if state, on which everything that a search finds is tried before it is proposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Positions
from descheduler.model.units import DisruptionMode
from descheduler.packing.make_room.demands import Allowance, RoomEffort
from descheduler.packing.state import ABSENT, WHOLE, Packing, Shapes

_Key = tuple[bytes, int, int, bytes]
PLAIN_NODES = 64
"""Nodes without GPUs that searches look at."""


@dataclass(frozen=True, eq=False, slots=True)
class GpuPacking:
    """The packing's nodes are the snapshot's; item i of it is the pod `pods[i]` of the snapshot.

    `pool` [N] nodes with GPUs that the strategy looks at; `kept` the resource columns of the packing's amounts;
    `shape_of` gives the packing's shape of a pod, pending ones included.
    """

    packing: Packing
    pods: Positions
    pool: NDArray[np.bool_]
    kept: Positions
    shape_of: dict[int, int]


def gpu_packing(view: RebalanceView, state: Scenario, pool: NDArray[np.bool_], extra: Iterable[int] = ()) -> GpuPacking:
    """The pods on nodes of `pool` [N] as items; `extra` (pending ones) as shapes only.

    They may move to nodes of the pool, and to the emptiest nodes that have no GPUs.
    """
    here = _pods_on(view, state, pool)
    asked = [*here.tolist(), *extra]
    kept = _plain(view)
    shapes, shape_of = _shapes(view, state, asked, kept, pool | _plain_nodes(view, state))
    devices = np.where(pool[:, None], state.gpu_milli(), ABSENT).astype(np.int32)
    nodes = np.array([state.node_of(p) for p in here.tolist()], np.int32)
    packing = Packing(
        shapes=shapes,
        free=np.ascontiguousarray(state.free()[:, kept]),
        devices=devices,
        shape=np.array([shape_of[p] for p in here.tolist()], np.int32),
        node=nodes,
        held=_held(state, here, nodes, [shape_of[p] for p in here.tolist()], shapes, devices),
        movable=view.movable[here],
        cost=_costs(view, here),
    )
    return GpuPacking(packing, here, pool, kept, shape_of)


def _pods_on(view: RebalanceView, state: Scenario, pool: NDArray[np.bool_]) -> Positions:
    """Pods that stand on a node of the pool in this state, ascending; pending ones that were given a seat too."""
    columns = view.snapshot.columns
    at = np.where(columns.pod_live, columns.pod_node, ABSENT)
    for pod, node in state.moved.items():
        at[pod] = node
    found: Positions = np.flatnonzero((at >= 0) & pool[at]).astype(np.int32)
    return found


def _costs(view: RebalanceView, pods: Positions) -> NDArray[np.float64]:
    """[P] what moving each pod costs, with all that restarts with it; 0 for those that may not move."""
    out = np.where(view.movable[pods], view.costs[pods], 0.0)
    for i in np.flatnonzero(view.movable[pods] & (view.units.unit_index[pods] >= 0)).tolist():
        out[i] = view.cost(int(pods[i]))
    return out


def _plain_nodes(view: RebalanceView, state: Scenario) -> NDArray[np.bool_]:
    """[N] the emptiest nodes without GPUs, for pods that need none."""
    nodes = view.snapshot.nodes
    without = np.flatnonzero(np.fromiter((node.gpus is None for node in nodes), np.bool_, len(nodes)))
    out = np.zeros(len(nodes), np.bool_)
    out[without[np.argsort(-state.free(without)[:, 0], kind="stable")][:PLAIN_NODES]] = True
    return out


def _plain(view: RebalanceView) -> Positions:
    """Columns of resources that are no GPUs counted by device."""
    columns = view.snapshot.columns
    counted = {node.gpus.resource for node in view.snapshot.nodes if node.gpus}
    return np.array([i for i, name in enumerate(columns.resources) if name not in counted], np.int32)


def _shapes(
    view: RebalanceView, state: Scenario, pods: list[int], kept: Positions, places: NDArray[np.bool_]
) -> tuple[Shapes, dict[int, int]]:
    """Distinct demands. Pods of one spec share one, unless a volume ties them to a place."""
    columns = view.snapshot.columns
    ready = view.destinations() & places
    known: dict[tuple[int, int], int] = {}
    rows: dict[_Key, int] = {}
    allowed: list[NDArray[np.bool_]] = []
    shape_of: dict[int, int] = {}
    for pod in pods:
        spec = int(columns.pod_remade[pod])  # what will arrive elsewhere
        near = (spec, pod if view.snapshot.pods[pod].claims else -1)
        row = known.get(near)
        if row is None:
            may = state.possible(pod) & ready
            need = state.gpu_need(pod)
            count, milli = (need.count, need.milli) if need is not None else (0, 0)
            key = (columns.spec_requests[spec, kept].tobytes(), count, min(milli, WHOLE), may.tobytes())
            row = known[near] = rows.setdefault(key, len(rows))
            if row == len(allowed):
                allowed.append(may)
        shape_of[pod] = row
    size = len(rows)
    return Shapes(
        amounts=np.array([np.frombuffer(key[0], np.int64) for key in rows], np.int64).reshape(size, len(kept)),
        count=np.array([key[1] for key in rows], np.int32),
        milli=np.array([key[2] for key in rows], np.int32),
        allowed=np.array(allowed, np.bool_).reshape(size, len(view.snapshot.nodes)),
    ), shape_of


def _held(
    state: Scenario,
    pods: Positions,
    nodes: Positions,
    shape: list[int],
    shapes: Shapes,
    devices: NDArray[np.int32],
) -> NDArray[np.int64]:
    """[P] the devices of each pod as bits. Pods that nobody located share out the devices that nobody else explains."""
    held = np.zeros(len(pods), np.int64)
    explained = np.where(devices == ABSENT, 0, WHOLE - devices)
    lost: list[int] = []
    for i, (pod, node) in enumerate(zip(pods.tolist(), nodes.tolist(), strict=True)):
        if not shapes.count[shape[i]]:
            continue
        found = state.gpus_held(pod)
        if not found:
            lost.append(i)
        for device in found:
            held[i] |= 1 << device
            explained[node, device] -= shapes.milli[shape[i]]
    spare = {node: [int(d) for d in np.flatnonzero(explained[node] >= WHOLE)] for node in set(nodes[lost].tolist())}
    for i in lost:
        mine = spare[int(nodes[i])]
        for _ in range(min(int(shapes.count[shape[i]]), len(mine))):
            held[i] |= 1 << mine.pop(0)
    return held


def gpu_pool(view: RebalanceView, pools: Sequence[str]) -> NDArray[np.bool_]:
    """[N] nodes with GPUs that may be used and belong to one of the pools (all when empty).

    Where it is not known who holds which device nobody makes room, and nobody finds any.
    """
    chosen = np.array([not pools or pool in pools for pool in view.pools], np.bool_)
    nodes = view.snapshot.nodes
    has = np.fromiter((node.gpus is not None and not node.gpus.problem for node in nodes), np.bool_, len(nodes))
    out: NDArray[np.bool_] = chosen[view.pool_of] & view.destinations() & has
    return out


def by_device(view: RebalanceView) -> NDArray[np.bool_]:
    """[N] nodes whose GPUs are held as devices: on others pods take turns on them, or hold parts that nobody tells."""
    nodes = view.snapshot.nodes
    return np.fromiter((n.gpus is not None and not n.gpus.sliced for n in nodes), np.bool_, len(nodes))


def allowance_of(view: RebalanceView, columns: GpuPacking, moves: int) -> Allowance:
    """At most so many moves; gangs that move whole are groups, one that is not all here does not move."""
    group = np.full(len(columns.pods), ABSENT, np.int32)
    place = {pod: i for i, pod in enumerate(columns.pods.tolist())}
    for number, unit in enumerate(view.units.gangs):
        if unit.mode is DisruptionMode.WHOLE:
            for member in unit.members:
                if member in place:
                    group[place[member]] = number
    return Allowance(moves=moves, group=group)


def effort_of(effort: float) -> RoomEffort:
    """The search's budget of work, scaled: a fraction of its own, for a plan is made every few minutes."""
    usual = RoomEffort()
    return replace(
        usual,
        nodes=max(1, round(usual.nodes * effort / 20)),
        exact=round(usual.exact * effort / 8),
        rounds=max(1, round(usual.rounds * effort)),
    )
