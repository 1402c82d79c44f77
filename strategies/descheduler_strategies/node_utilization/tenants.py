"""Who is on each node: those that leave with it in use, those that an empty node may keep, and what leaving costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from descheduler.contract import RebalanceView, Scenario
from descheduler.model.arrays import Floats, Ints, Mask
from descheduler.model.snapshot import ClusterSnapshot

MIRROR = "kubernetes.io/config.mirror"
"""Of the pods that the kubelet runs from files; nobody can move them (k8s.io/api core/v1)."""


@dataclass(frozen=True, slots=True)
class Tenants:
    """Of N nodes: how many pods are `leaving` [N] for it to be empty, and the `cost` [N] of that. `on` names these;
    `arrived` are nodes that somebody came to in this plan."""

    leaving: Ints
    cost: Floats
    on: Callable[[int], tuple[int, ...]]
    arrived: set[int] = field(default_factory=set)


def tenants(view: RebalanceView, state: Scenario, asking: Mask | None) -> Tenants:
    """Everybody but pods of DaemonSets, those of the kubelet, and those that are ending. `asking` [S]: only pods of
    these specs must leave."""
    columns, size = view.snapshot.columns, len(view.snapshot.nodes)
    own = ~view.snapshot.once("node_utilization.bound", partial(_bound_to_nodes, view.snapshot)) & ~columns.pod_ending
    own = own & columns.pod_live
    for pod in state.moved:
        own[pod] = False
    leaving = own if asking is None else own & asking[columns.pod_spec]
    arrived = {node for node in state.moved.values() if node >= 0}

    def on(node: int) -> tuple[int, ...]:
        here = columns.pods_on(node)
        return tuple(here[leaving[here]].tolist())

    nodes = columns.pod_node[leaving]
    cost = np.bincount(nodes, view.costs[leaving], minlength=size).astype(np.float64)
    return Tenants(np.bincount(nodes, minlength=size), cost, on, arrived)


def _bound_to_nodes(snapshot: ClusterSnapshot) -> Mask:
    """[P] pods that come back to every node, or cannot leave theirs."""
    owners, notes = snapshot.looks.owners, snapshot.looks.annotations
    kinds = [pod.controller.kind if pod.controller else "" for pod in snapshot.looks.first_of_owner]
    daemons = np.array([kind in ("DaemonSet", "Node") for kind in kinds], np.bool_)
    mirrors = np.array([MIRROR in one for one in notes.values], np.bool_)
    bound: Mask = daemons[owners.rows] | mirrors[notes.rows]
    return bound
