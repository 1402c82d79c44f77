"""The pods of a pool as flows: bins are nodes, classes are pods that ask for the same and may go to the same nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.contract import RebalanceView
from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.model.pods import PodSpec
from descheduler.model.virtual_machines import MIGRATED
from descheduler.packing.rearrange.flow_problem import FlowProblem, fit
from descheduler.packing.rearrange.ordering import ItemMove, name
from descheduler.packing.rearrange.patterns import FINEST
from descheduler.packing.state import ABSENT, Packing, Step

NODES = 384
"""Nodes that the search looks at, with an effort of 1: half of them short of little, half with most to give."""


@dataclass(frozen=True, eq=False, slots=True)
class AlikePods:
    """The flows, and what their numbers stand for: `nodes` [B] of the snapshot; `kind` and `place` [P] of each item of
    the packing (ABSENT: it does not move). `exact`: they are the whole pool, and nothing was rounded."""

    flows: FlowProblem
    nodes: Positions
    kind: Ints
    place: Ints
    exact: bool

    def steps(self, moves: Sequence[ItemMove]) -> list[Step]:
        """The moves with the items that make them, in the same order."""
        items = name(moves, self.kind, self.place).tolist()
        return [
            Step(item, int(self.nodes[move.source]), int(self.nodes[move.target]))
            for item, move in zip(items, moves, strict=True)
        ]


def simple(view: RebalanceView, pods: Positions) -> Mask:
    """[K] pods whose place is a matter of amounts and labels alone, wherever they are: of no gang, made again as they
    are, and without rules between pods, host ports, volumes, GPUs or other devices."""
    columns, needs = view.snapshot.columns, view.start.gpu_needs()
    plain = np.array([n is None and _plain(s) for s, n in zip(columns.specs, needs, strict=True)], np.bool_)
    labels = view.snapshot.looks.labels
    migrated = np.array([MIGRATED in found for found in labels.values], np.bool_)[labels.rows[pods]]
    held = (view.snapshot.pods[p] for p in pods.tolist())
    bound = np.fromiter((bool(one.claims or one.device_claims) for one in held), np.bool_, len(pods))
    same = (columns.pod_remade[pods] == columns.pod_spec[pods]) | migrated  # but for what the migration asked for
    out: Mask = plain[columns.pod_remade[pods]] & same & ~bound & (view.units.unit_index[pods] < 0)
    return out


def _plain(spec: PodSpec) -> bool:
    between_pods = (spec.affinity.required, spec.anti_affinity.required, spec.spread, spec.host_ports)
    return not any((*between_pods, spec.resource_claims, spec.ephemeral))


def alike_pods(packing: Packing, pool: Mask, slot: Ints, capacity: Ints, moves: int, effort: float) -> AlikePods:
    """The movable items of the packing, for slots [R] on nodes of the pool [N] with a `capacity` [N, R].

    CPU, the first resource, is counted in units that make the bins coarse enough to search: what a pod asks for is
    rounded up, what is free down.
    """
    nodes = _near(packing, np.flatnonzero(pool), slot, round(NODES * effort))
    place = np.full(len(pool), ABSENT, np.int64)
    place[nodes] = np.arange(len(nodes))
    at = np.where(packing.movable & (packing.node != ABSENT), place[packing.node], ABSENT)
    shapes, kind = np.unique(packing.shape[at != ABSENT], return_inverse=True)
    kinds = np.full(len(at), ABSENT, np.int64)
    kinds[at != ABSENT] = kind.reshape(-1)
    count = np.zeros((len(shapes), len(nodes)), np.int64)
    np.add.at(count, (kind.reshape(-1), at[at != ABSENT]), 1)
    asked = np.flatnonzero((packing.shapes.amounts[shapes] > 0).any(axis=0) | (slot > 0))
    demand, room = packing.shapes.amounts[shapes][:, asked], packing.free[nodes][:, asked].copy()
    shape = slot[asked].copy()
    unit = _unit(int((room[:, 0] + count.T @ demand[:, 0]).max(initial=0)), demand[:, 0], int(shape[0]))
    demand[:, 0], room[:, 0], shape[0] = -(-demand[:, 0] // unit), room[:, 0] // unit, shape[0] // unit
    flows = FlowProblem(
        room=room,
        bins=np.column_stack([np.arange(len(nodes)), np.full(len(nodes), ABSENT)]),
        demand=demand,
        count=count,
        allowed=packing.shapes.allowed[shapes][:, nodes],
        shape=shape,
        most=fit(capacity[nodes], slot, np.full(len(nodes), np.iinfo(np.int64).max)),
        moves=moves,
        detours=False,
    )
    exact = unit == 1 and len(nodes) == int(pool.sum())
    return AlikePods(flows, nodes.astype(np.int32), kinds, at, exact)


def _near(packing: Packing, nodes: Ints, slot: Ints, most: int) -> Ints:
    """The nodes that are short of least for one more slot, and those that have most beyond whole slots."""
    if len(nodes) <= most:
        return nodes
    asked = slot > 0
    over = packing.free[nodes][:, asked] % slot[asked] / slot[asked]
    chosen = np.zeros(len(nodes), np.bool_)
    chosen[np.argsort(-over.min(axis=1), kind="stable")[: most // 2]] = True
    short = ((1.0 - over) % 1.0).max(axis=1)
    chosen[np.argsort(np.where(chosen, np.inf, short), kind="stable")[: most - most // 2]] = True
    return nodes[chosen]


def _unit(widest: int, demand: Ints, slot: int) -> int:
    """The finest unit, a divisor of the slot, in which the widest bin has few enough."""
    if widest // max(1, int(np.gcd.reduce(np.append(demand, slot)))) <= FINEST:
        return 1
    return next(unit for unit in range(1, slot + 1) if slot % unit == 0 and (widest // unit <= FINEST or unit == slot))
