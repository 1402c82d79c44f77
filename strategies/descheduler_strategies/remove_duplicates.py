"""RemoveDuplicates: pods of one controller crowd on a node while other nodes that could take them have fewer.

Pods are of one kind if they have the same owners and the same images. The nodes that could ever take one of them share
the pods evenly: none needs more than the total divided by the nodes, rounded up. What is more on a node goes, but only
to where fewer are, so that nothing is handed back and forth between equal nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import ClassVar

import numpy as np

from descheduler.contract import Name, NamespaceChoice, RebalanceView, StrategyArgs
from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.model.moves import Move, Observation, Placed, Proposal
from descheduler.model.reasons import Blocked
from descheduler_strategies.selection import in_namespaces
from descheduler_strategies.sorting import first_to_go
from descheduler_strategies.violations import answered, named, places, standing, unit_of, workload_findings

MEASURE = "pods above an even share of their kind on one node"


class RemoveDuplicatesArgs(StrategyArgs):
    """Spread pods of the same owners and images over the nodes that can take them."""

    namespaces: NamespaceChoice = NamespaceChoice()
    """Only pods of these namespaces."""
    exclude_owner_kinds: tuple[Name, ...] = ()
    """Pods with an owner of one of these kinds stay, such as `ReplicaSet`."""


@dataclass(frozen=True, slots=True)
class FewerThan:
    """The promise that fewer than `limit` of the `pods` are on the node before one more comes."""

    pods: tuple[int, ...] = field(repr=False)
    limit: int

    def keeps(self, state: Placed, pod: int, nodes: Positions) -> Mask:
        there = [node for one in self.pods if one != pod and (node := state.node_of(one)) >= 0]
        taken, count = np.unique(np.array(there, np.int32), return_counts=True)
        full = taken[count >= self.limit]
        return ~np.isin(nodes, full)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Pods of one kind: no node needs more than `share` of them. `crowded` are those above it, first to go first."""

    share: int
    crowded: tuple[int, ...]
    promise: FewerThan


class RemoveDuplicates:
    name: ClassVar[str] = "RemoveDuplicates"
    order: ClassVar[int] = 20
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = RemoveDuplicatesArgs

    def propose(self, view: RebalanceView, args: RemoveDuplicatesArgs) -> Iterator[Proposal | Observation]:
        of = {pod: kind for kind in _kinds(view, args) for pod in kind.crowded}
        pods = first_to_go(view, np.array(sorted(of), np.int32))
        columns, nodes = view.snapshot.columns, view.snapshot.nodes

        def say(who: str, mine: Positions) -> str:
            shares = named(str(of[pod].share) for pod in mine.tolist())
            at = named(nodes[node].name for node in columns.pod_node[mine].tolist())
            return f"{who} are more than {shares} of their kind on {at}"

        def cure(pod: int) -> tuple[Move, ...] | Blocked | None:
            found = unit_of(view, pod)
            if found is None or isinstance(found, Blocked):
                return found
            return tuple(replace(one, promise=of[one.pod].promise) if one.pod in of else one for one in found)

        findings = workload_findings(view, pods, self.name, MEASURE, say)
        yield from answered(view, pods.tolist(), lambda pod: findings[int(columns.pod_workload[pod])], cure)


def _kinds(view: RebalanceView, args: RemoveDuplicatesArgs) -> Iterator[_Kind]:
    """Kinds of which a node has more than its share."""
    where, kind = places(view), _kind_of(view, args)
    counted = np.flatnonzero((where >= 0) & (kind >= 0)).astype(np.int32)
    size = len(view.snapshot.nodes)
    cells, count = np.unique(kind[counted].astype(np.int64) * size + where[counted], return_counts=True)
    several = np.unique(cells[count > 1] // size)
    order = counted[np.argsort(kind[counted], kind="stable")]
    start = np.searchsorted(kind[order], [several, several + 1])
    may, targets = standing(view), cache(_Targets(view).of)
    for first, last in start.T.tolist():
        pods = order[first:last]
        able = targets(frozenset(view.snapshot.columns.pod_remade[pods].tolist()))
        share = -(-len(pods) // able) if able > 1 else len(pods)
        crowded = list(_crowded(view, pods, where, may, share))
        if crowded:
            yield _Kind(share, tuple(crowded), FewerThan(tuple(pods.tolist()), share))


def _crowded(view: RebalanceView, pods: Positions, where: Positions, may: Mask, share: int) -> Iterator[int]:
    """Of the pods of one kind, those that are too many on their nodes: who may move before who may not."""
    nodes, count = np.unique(where[pods], return_counts=True)
    for node, more in zip(nodes[count > share].tolist(), (count - share)[count > share].tolist(), strict=True):
        mine = first_to_go(view, pods[(where[pods] == node) & may[pods]])
        yield from mine[np.argsort(~view.movable[mine], kind="stable")][:more].tolist()


def _kind_of(view: RebalanceView, args: RemoveDuplicatesArgs) -> Ints:
    """[P] a number for the owners and images of each pod; -1 for those that are not looked at."""
    snapshot, columns = view.snapshot, view.snapshot.columns
    owners = [
        (pod.namespace, tuple(sorted((one.kind, one.name) for one in pod.owners)))
        if pod.owners and not any(one.kind in args.exclude_owner_kinds for one in pod.owners)
        else None
        for pod in snapshot.looks.first_of_owner
    ]
    images = [tuple(sorted(spec.images)) for spec in columns.specs]
    known: dict[object, int] = {}
    pairs = snapshot.looks.owners.rows.astype(np.int64) * len(images) + columns.pod_spec
    found, rows = np.unique(pairs, return_inverse=True)
    kinds = np.full(len(found), -1, np.int64)
    for at, pair in enumerate(found.tolist()):
        owner = owners[pair // len(images)]
        if owner is not None:
            kinds[at] = known.setdefault((owner, images[pair % len(images)]), len(known))
    out: Ints = np.where(in_namespaces(view, args.namespaces), kinds[rows.reshape(-1)], -1)
    return out


class _Targets:
    """How many nodes could ever take a pod of some specs: by state, labels, taints and their size."""

    def __init__(self, view: RebalanceView) -> None:
        self._view = view
        self._open = view.destinations()
        self._each = cache(self._able)

    def of(self, specs: frozenset[int]) -> int:
        able = np.logical_or.reduce([self._each(spec) for spec in sorted(specs)])
        return int(able.sum())

    def _able(self, spec: int) -> Mask:
        """[N] for one spec; a place that is the only one is nobody's to share."""
        columns = self._view.snapshot.columns
        holds = (columns.allocatable >= columns.spec_requests[spec]).all(axis=1)
        able: Mask = self._open & holds & self._view.start.schedulable(columns.specs[spec])
        return able if able.sum() > 1 else np.zeros_like(able)
