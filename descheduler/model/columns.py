"""The columnar view of a snapshot: N nodes, P pods, R resources, S distinct pod specs, W workloads.

Among the specs are those of the pods that will be made in the place of others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from descheduler.model.arrays import Floats, Ints, Ints32, Mask, Positions, added_up
from descheduler.model.bounds import UNOFFERED
from descheduler.model.distinct import Looks, distinct
from descheduler.model.nodes import Node
from descheduler.model.pods import Pod, PodSpec
from descheduler.model.quantity import Amounts
from descheduler.model.remaking import Replacements
from descheduler.model.workloads import WorkloadKey

UNNAMED = "resources that no node offers"
"""The column of all those of which there are too many to have one each (`bounds.UNOFFERED`)."""


@dataclass(frozen=True, eq=False, slots=True)
class Columns:
    """Arrays over nodes and pods, in the order of the snapshot.

    A pod is live when it is bound to a known node and not terminal; only live pods count in `requested`.
    Amounts are in the units of `quantity.amount`.
    """

    resources: tuple[str, ...]  # [R] names; "cpu", "memory", "pods" come first, `UNNAMED` is last where it is needed
    allocatable: Ints  # [N, R]
    requested: Ints  # [N, R] sums over live pods
    node_ready: Mask  # [N] ready and schedulable
    specs: tuple[PodSpec, ...]  # [S]
    spec_requests: Ints  # [S, R]
    pod_spec: Ints32  # [P] position in specs
    pod_remade: Ints32  # [P] the same of what will be made in the pod's place
    pod_node: Positions  # [P] position of the node, -1 when unbound or unknown
    pod_live: Mask  # [P]
    pod_terminal: Mask  # [P] succeeded or failed
    pod_ready: Mask  # [P]
    pod_ending: Mask  # [P] with a deletion timestamp
    pod_started: Floats  # [P] unix seconds, 0 where unknown
    pod_priority: Ints  # [P]
    workloads: tuple[WorkloadKey, ...]  # [W] sorted
    pod_workload: Ints32  # [P] position in workloads
    order: Positions  # live pods grouped by node
    start: Ints  # [N + 1] bounds of each node's group in `order`

    def pods_on(self, node: int) -> Positions:
        """[K] positions of the live pods of a node, ascending."""
        return self.order[self.start[node] : self.start[node + 1]]

    def resource(self, name: str) -> int:
        """Column of a resource, -1 when nobody offers or asks for it."""
        return self.resources.index(name) if name in self.resources else -1

    def requests(self, pods: Positions) -> Ints:
        """[K, R] requests of the given pods."""
        rows: Ints = self.spec_requests[self.pod_spec[pods]]
        return rows


def build_columns(
    nodes: Sequence[Node], pods: Sequence[Pod], looks: Looks, root: Callable[[Pod], WorkloadKey], remade: Replacements
) -> Columns:
    """Build the arrays; `root` names the topmost controller of a pod."""
    specs, pod_spec, pod_remade = _distinct_specs(pods, remade)
    resources, column = _resource_columns(nodes, specs)
    allocatable = _matrix([n.allocatable for n in nodes], column, len(resources))
    spec_requests = _matrix([s.requests for s in specs], column, len(resources))
    node_at = {node.name: i for i, node in enumerate(nodes)}
    pod_node = np.fromiter(map(node_at.get, [p.node for p in pods], repeat(-1)), np.int32, len(pods))
    pod_terminal = looks.terminal
    pod_live = (pod_node >= 0) & ~pod_terminal
    workloads, pod_workload = _workloads(pods, looks, root)
    order, start = _group(pod_node, pod_live, len(nodes))
    requested = added_up(len(nodes), pod_node[order], spec_requests[pod_spec[order]])
    return Columns(
        resources=resources,
        allocatable=allocatable,
        requested=requested,
        node_ready=np.fromiter((n.ready and not n.unschedulable for n in nodes), np.bool_, len(nodes)),
        specs=specs,
        spec_requests=spec_requests,
        pod_spec=pod_spec,
        pod_remade=pod_remade,
        pod_node=pod_node,
        pod_live=pod_live,
        pod_terminal=pod_terminal,
        pod_ready=np.fromiter((p.ready for p in pods), np.bool_, len(pods)),
        pod_ending=np.fromiter((p.deleting is not None for p in pods), np.bool_, len(pods)),
        pod_started=np.fromiter((p.started for p in pods), np.float64, len(pods)),
        pod_priority=np.fromiter((p.priority for p in pods), np.int64, len(pods)),
        workloads=workloads,
        pod_workload=pod_workload,
        order=order,
        start=start,
    )


def _distinct_specs(pods: Sequence[Pod], remade: Replacements) -> tuple[tuple[PodSpec, ...], Ints32, Ints32]:
    # Converters intern specs, so identity finds nearly all duplicates without hashing deep values;
    # equal specs that are distinct objects merely cost a row.
    specs, rows = distinct([*(pod.spec for pod in pods), *(one.spec for one in remade.different.values())])
    pod_remade = rows[: len(pods)].copy()
    pod_remade[list(remade.different)] = rows[len(pods) :]
    return tuple(specs), rows[: len(pods)], pod_remade


def _resource_columns(nodes: Sequence[Node], specs: Sequence[PodSpec]) -> tuple[tuple[str, ...], dict[str, int]]:
    """The names [R], and the column of every name. Rare ones that no node offers share the last."""
    first = ("cpu", "memory", "pods")
    offered = {name for node in nodes for name, _ in node.allocatable}.union(first)
    asked = Counter(name for spec in specs for name, _ in spec.requests if name not in offered)
    ranked = sorted(asked, key=lambda name: (-asked[name], name))
    rest = ranked[UNOFFERED:]
    names = (*first, *sorted(offered.union(ranked[:UNOFFERED]).difference(first)), *([UNNAMED] if rest else ()))
    return names, {name: i for i, name in enumerate(names)} | dict.fromkeys(rest, len(names) - 1)


def _matrix(amounts: Sequence[Amounts], column: dict[str, int], width: int) -> Ints:
    out = np.zeros((len(amounts), width), np.int64)
    for row, pairs in enumerate(amounts):
        for name, value in pairs:
            # A column of many names holds the most of them: any is more than the none that is offered.
            out[row, column[name]] = value if out[row, column[name]] == 0 else max(value, out[row, column[name]])
    return out


def _workloads(
    pods: Sequence[Pod], looks: Looks, root: Callable[[Pod], WorkloadKey]
) -> tuple[tuple[WorkloadKey, ...], Ints32]:
    # Walking the owner chain and hashing keys is done once for each controller, not for each pod.
    rows: dict[WorkloadKey, int] = {}

    def row_of(pod: Pod) -> int:
        return rows.setdefault(root(pod), len(rows))

    of_owner = [-1 if first.controller is None else row_of(first) for first in looks.first_of_owner]
    found = np.array(of_owner, np.int32)[looks.owners.rows]
    for i in np.flatnonzero(found < 0).tolist():  # without a controller each stands for itself
        found[i] = row_of(pods[i])
    distinct = sorted(rows)
    place = np.empty(len(rows), np.int32)
    place[[rows[key] for key in distinct]] = np.arange(len(distinct), dtype=np.int32)
    return tuple(distinct), place[found]


def _group(pod_node: Positions, live: Mask, nodes: int) -> tuple[Positions, Ints]:
    positions = np.flatnonzero(live).astype(np.int32)
    order = positions[np.argsort(pod_node[positions], kind="stable")]
    start = np.zeros(nodes + 1, np.int64)
    np.cumsum(np.bincount(pod_node[order], minlength=nodes), out=start[1:])
    return order, start
