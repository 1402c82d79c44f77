"""The GPU map of a plan: free capacity by pool and model, and who holds which device of the nodes that matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Indices, Mask
from descheduler.model.devices import WHOLE, not_steerable
from descheduler.model.nodes import NodeGpus
from descheduler.model.plan_gpus import GpuCapacity, GpuCapacityRow, GpuGangRow, GpuHold, GpuMap, GpuNodeRow
from descheduler.planning.planner import Outcome
from descheduler.topology.gang_spread import largest_gangs

LISTED = 64  # nodes that are listed though more may change: what a page shows and a reader looks at
SLOTS = (1, 2, 4, 8)
"""Sets of whole GPUs on one node that are counted: what jobs ask for, up to the size of common machines."""


@dataclass(frozen=True, eq=False, slots=True)
class _Free:
    """What is free of each node's devices: `whole` [N] devices, `partial` [N] thousandths of devices in use, and
    `closed` [N]: the node takes no GPU pod now."""

    whole: NDArray[np.int64]
    partial: NDArray[np.int64]
    closed: Mask

    @staticmethod
    def of(view: RebalanceView, state: Scenario) -> _Free:
        milli = state.gpu_milli(promised=True)
        amounts = state.free(promised=True)[:, :2]
        partial = np.where((milli > 0) & (milli < WHOLE), milli, 0).sum(axis=1, dtype=np.int64)
        return _Free(
            np.maximum(state.whole_gpus(promised=True), 0),
            partial + _units_left(view, state),
            ~view.destinations() | (amounts < _least(view, state)).any(axis=1),
        )


def _units_left(view: RebalanceView, state: Scenario) -> NDArray[np.int64]:
    """[N] thousandths of devices that free units come to, where units are no devices: parts, or turns on one."""
    columns, out = view.snapshot.columns, np.zeros(len(view.snapshot.nodes), np.int64)
    for i, node in enumerate(view.snapshot.nodes):
        if node.gpus is not None and node.gpus.sliced:
            column = columns.resource(node.gpus.resource)
            left = int(state.free(np.array([i], np.int32), promised=True)[0, column]) if column >= 0 else 0
            out[i] = max(0, round(left * WHOLE * node.gpus.unit))
    return out


def gpu_map(outcome: Outcome) -> GpuMap | None:
    """The map of an outcome; None when no node has GPUs."""
    view = outcome.view
    nodes = view.snapshot.nodes
    count = np.fromiter((n.gpus.physical if n.gpus else 0 for n in nodes), np.int64, len(nodes))
    having = np.flatnonzero(count > 0)
    if not having.size:
        return None
    before, after = _Free.of(view, view.start), _Free.of(view, outcome.final)
    seated = _seated(outcome)
    changed = _changed(outcome)
    changed[list(seated)] = True
    listed = _listed(having, count, changed, before)
    rows = tuple(
        _row(outcome, i, nodes[i].gpus, before, after, seated.get(i, []), changed=bool(changed[i]))
        for i in listed.tolist()
    )
    return GpuMap(
        capacity=tuple(_capacity(view, having, count, before, after)),
        nodes=tuple(row for row in rows if row is not None),
        left_out=len(having) - len(listed),
        unsteerable=len(not_steerable((nodes[i].name, nodes[i].gpus) for i in having.tolist())),
        gangs=tuple(_gangs(view, min(int(count.max()), SLOTS[-1]), before, after)),
    )


def _seated(outcome: Outcome) -> dict[int, list[int]]:
    """The pending pods for whom room is made, by node."""
    out: dict[int, list[int]] = {}
    for seat in sorted({(s.node, s.pod) for accepted in outcome.accepted for s in accepted.proposal.seats}):
        out.setdefault(seat[0], []).append(seat[1])
    return out


def _gangs(view: RebalanceView, gpus: int, before: _Free, after: _Free) -> Iterable[GpuGangRow]:
    """The largest gang of pods with so many whole devices that fits in one domain of each network level."""
    levels = view.topology.levels
    rooms = [np.where(free.closed, 0, free.whole) // gpus for free in (before, after)]
    for name, *most in zip(levels.names, *(largest_gangs(levels, room).tolist() for room in rooms), strict=True):
        yield GpuGangRow(name, gpus, *most)


def _least(view: RebalanceView, state: Scenario) -> NDArray[np.int64]:
    """[2] the least CPU and the least memory that any GPU pod of the cluster asks for."""
    columns = view.snapshot.columns
    asking = np.array([need is not None for need in state.gpu_needs()], np.bool_)
    if not asking.any():
        return np.zeros(2, np.int64)
    least: NDArray[np.int64] = columns.spec_requests[asking, :2].min(axis=0)
    return least


def _changed(outcome: Outcome) -> Mask:
    """[N] nodes that a pod with GPUs leaves or comes to."""
    columns, final = outcome.view.snapshot.columns, outcome.final
    out = np.zeros(len(outcome.view.snapshot.nodes), np.bool_)
    for pod, to in final.moved.items():
        source = int(columns.pod_node[pod])
        if to != source and final.gpu_need(pod) is not None:
            out[[node for node in (source, to) if node >= 0]] = True
    return out


def _listed(having: Indices, count: NDArray[np.int64], changed: Mask, free: _Free) -> Indices:
    """All nodes that change, and of the others those with most that is free beside what is held; ascending."""
    left = free.whole[having] * WHOLE + free.partial[having]
    scattered = np.where(free.whole[having] < count[having], left, 0)
    order = having[np.lexsort((having, -scattered, ~changed[having]))]
    return np.sort(order[: max(LISTED, int(changed[having].sum()))])


def _row(
    outcome: Outcome,
    node: int,
    gpus: NodeGpus | None,
    before: _Free,
    after: _Free,
    seated: Sequence[int],
    *,
    changed: bool,
) -> GpuNodeRow | None:
    if gpus is None:
        return None
    view = outcome.view
    indices = tuple(d.index for d in gpus.devices)
    return GpuNodeRow(
        name=view.snapshot.nodes[node].name,
        pool=view.pools[view.pool_of[node]],
        model=gpus.model,
        resource=gpus.resource,
        devices=max(gpus.physical, len(indices)),
        free_before=int(before.whole[node]),
        free_after=int(after.whole[node]),
        before=_holds(view, view.start, node),
        after=_holds(view, outcome.final, node, seated) if changed else None,
        indices=() if indices == tuple(range(len(indices))) else indices,
        unhealthy=tuple(d.index for d in gpus.devices if not d.healthy),
        source=gpus.source.value,
        steerable=gpus.steerable,
        problem=gpus.problem,
        units=gpus.units if gpus.sliced else 1,
    )


def _holds(view: RebalanceView, state: Scenario, node: int, seated: Sequence[int] = ()) -> tuple[GpuHold, ...]:
    """Who holds devices of the node in this state, or will: by device, then by name; devices unknown last."""
    columns = view.snapshot.columns
    there = [p for p in columns.pods_on(node).tolist() if state.node_of(p) == node]
    there += [p for p, to in state.moved.items() if to == node and columns.pod_node[p] != node]
    there += seated
    holds = [hold for pod in there for hold in _of_pod(view, state, node, pod)]
    gpus = view.snapshot.nodes[node].gpus
    for share in gpus.reserved if gpus else ():
        at = (share.index,) if share.index >= 0 else ()
        holds.append(GpuHold("", "reserved", 1, min(share.milli, WHOLE), at, gpus.source.value if gpus else ""))
    return tuple(sorted(holds, key=lambda h: (not h.devices, h.devices, h.pod)))


def _of_pod(view: RebalanceView, state: Scenario, node: int, pod: int) -> Iterable[GpuHold]:
    """What one pod holds: one row, or one for each size of part where it holds several."""
    need, devices = state.gpu_need(pod), state.gpus_held(pod)
    if need is None and not devices:
        return
    columns, one = view.snapshot.columns, view.snapshot.pods[pod]
    gpus = view.snapshot.nodes[node].gpus
    workload = str(columns.workloads[columns.pod_workload[pod]])
    if not devices:
        if need is not None:
            unit = gpus.unit if gpus is not None else 1.0
            yield GpuHold(one.key, workload, need.count, max(1, int(min(need.part(node), WHOLE) * unit)))
        return
    located = columns.pod_node[pod] == node and set(devices) <= set(one.gpu_indices)
    source = one.gpu_source.value if located and one.gpu_source is not None else ""
    shares = {share.index: share.milli for share in one.gpu_shares} if located else {}
    part = need.part(node) if need is not None else WHOLE
    by: dict[int, list[int]] = {}
    for device in devices:
        by.setdefault(min(shares.get(device, part), WHOLE), []).append(device)
    for milli, found in by.items():
        yield GpuHold(one.key, workload, len(found), milli, tuple(found), source)


def _capacity(
    view: RebalanceView, having: Indices, count: NDArray[np.int64], before: _Free, after: _Free
) -> Iterable[GpuCapacityRow]:
    """One row for each pool and model, in the order of the pools, then by model."""
    groups: dict[tuple[int, str], list[int]] = {}
    for node in having.tolist():
        gpus = view.snapshot.nodes[node].gpus
        groups.setdefault((int(view.pool_of[node]), gpus.model if gpus else ""), []).append(node)
    for (pool, model), members in sorted(groups.items()):
        at = np.array(members, np.intp)
        devices = int(count[at].sum())
        yield GpuCapacityRow(
            view.pools[pool], model, len(at), devices, _sums(count, before, at), _sums(count, after, at)
        )


def _sums(count: NDArray[np.int64], free: _Free, at: Indices) -> GpuCapacity:
    whole, closed = free.whole[at], free.closed[at]
    usable = np.where(closed, 0, whole)
    stranded = (whole + free.partial[at] / WHOLE)[closed].sum()
    return GpuCapacity(
        whole=float(whole.sum()),
        partial=round(float(free.partial[at].sum()) / WHOLE, 3),
        stranded=round(float(stranded), 3),
        slots={str(size): int((usable // size).sum()) for size in SLOTS},
        open_nodes=int((~closed & (whole == count[at])).sum()),
    )
