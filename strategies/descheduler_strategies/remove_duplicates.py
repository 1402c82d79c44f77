"""RemoveDuplicates: pods of one controller crowd on a node while other nodes that could take them have fewer.

Pods are of one kind if they have the same owners and the same images. The nodes that could ever take one of them share
the pods evenly: none needs more than the total divided by the nodes, rounded up. What is more on a node goes, but only
to where fewer are, so that nothing is handed back and forth between equal nodes.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import ClassVar

import numpy as np

from descheduler.contract import NamespaceChoice, RebalanceView, StrategyArgs
from descheduler.contract.naming import OwnerKind
from descheduler.model.arrays import Ints, Mask, Positions
from descheduler.model.moves import Move, Observation, Placed, Proposal
from descheduler_strategies.promises import AllOf, NoLessWanted
from descheduler_strategies.selection import in_namespaces
from descheduler_strategies.sorting import first_to_go
from descheduler_strategies.violations import answered, findings, named, nodes_of, places, standing

MEASURE = "pods above an even share of their kind on one node"


class RemoveDuplicatesArgs(StrategyArgs):
    """Spread pods of the same owners and images over the nodes that can take them."""

    namespaces: NamespaceChoice = NamespaceChoice()
    """Only pods of these namespaces."""
    exclude_owner_kinds: tuple[OwnerKind, ...] = ()
    """Pods with an owner of one of these kinds stay, such as `ReplicaSet`."""


@dataclass(frozen=True, slots=True)
class FewerThan:
    """The promise that fewer than `limit` of the `pods` are on the node before one more comes."""

    pods: tuple[int, ...] = field(repr=False)
    limit: int

    def keeps(self, state: Placed, pod: int, nodes: Positions) -> Mask:
        """[K] for the nodes."""
        there = [node for one in self.pods if one != pod and (node := state.node_of(one)) >= 0]
        taken, count = np.unique(np.array(there, np.int32), return_counts=True)
        full = taken[count >= self.limit]
        return ~np.isin(nodes, full)


class RemoveDuplicates:
    name: ClassVar[str] = "RemoveDuplicates"
    order: ClassVar[int] = 20
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = RemoveDuplicatesArgs

    def propose(self, view: RebalanceView, args: RemoveDuplicatesArgs) -> Iterator[Proposal | Observation]:
        kinds = _Kinds(view, args)
        pods = kinds.crowded()

        def say(who: str, mine: Positions) -> str:
            shares = named(map(str, np.unique(kinds.share[kinds.of[mine]]).tolist()))
            return f"{nodes_of(view, mine)} should have {shares} of a kind at most, and has {who} more"

        yield from answered(view, self.name, pods, findings(view, pods, self.name, MEASURE, say), kinds.cure)


class _Kinds:
    """The pods by kind: `of` [P] is the kind of each, -1 where it has none, `share` [Q] how many of each of the Q kinds
    a node needs to take at most."""

    def __init__(self, view: RebalanceView, args: RemoveDuplicatesArgs) -> None:
        self._view = view
        self._where = places(view)
        self.of = _kind_of(view, args)
        counted = np.flatnonzero((self._where >= 0) & (self.of >= 0)).astype(np.int32)
        self._members = counted[np.argsort(self.of[counted], kind="stable")]
        self._start = np.searchsorted(self.of[self._members], np.arange(int(self.of.max(initial=-1)) + 2))
        self.share = np.diff(self._start)
        self._cell = np.where(self._where >= 0, self.of * len(view.snapshot.nodes) + self._where, -1)
        self._promises = cache(self._promise)
        self._wanted = NoLessWanted(view)
        self._divide()

    def crowded(self) -> Positions:
        """Pods above the share of their kind on their nodes, first to go first; who may move before who may not."""
        cells, row, count = np.unique(self._cell[self._members], return_inverse=True, return_counts=True)
        more = (count - self.share[cells // len(self._view.snapshot.nodes)])[row.reshape(-1)]
        crowd = self._members[(more > 0) & standing(self._view)[self._members]]
        excess = np.zeros(len(self.of), np.int64)
        excess[self._members] = more
        pods = first_to_go(self._view, crowd)
        turn = np.lexsort((np.arange(len(pods)), ~self._view.movable[pods], self._cell[pods]))
        of = self._cell[pods[turn]]
        before = np.arange(len(pods)) - np.searchsorted(of, of)
        goes = np.zeros(len(pods), np.bool_)
        goes[turn] = before < excess[pods[turn]]
        return pods[goes]

    def cure(self, moves: tuple[Move, ...]) -> tuple[Move, ...]:
        """Who goes comes to a node that has room in its share."""
        of = [int(self.of[move.pod]) for move in moves]
        return tuple(
            replace(move, promise=AllOf((self._promises(kind), self._wanted.of(move.pod)))) if kind >= 0 else move
            for move, kind in zip(moves, of, strict=True)
        )

    def _promise(self, kind: int) -> FewerThan:
        pods = self._members[self._start[kind] : self._start[kind + 1]]
        return FewerThan(tuple(pods.tolist()), int(self.share[kind]))

    def _divide(self) -> None:
        """The share of each kind of which a node has several: of the nodes that could take one of its pods."""
        columns = self._view.snapshot.columns
        size, specs = len(self._view.snapshot.nodes), len(columns.specs)
        cells, count = np.unique(self._cell[self._members], return_counts=True)
        several = np.unique(cells[count > 1] // size)
        mine = self._members[np.isin(self.of[self._members], several)]
        kinds, spec = np.divmod(np.unique(self.of[mine] * specs + columns.pod_remade[mine]), specs)
        targets = cache(_Targets(self._view).of)
        bounds = np.searchsorted(kinds, [several, several + 1]).T.tolist()
        for kind, (first, last) in zip(several.tolist(), bounds, strict=True):
            able = targets(tuple(spec[first:last].tolist()))
            if able > 1:
                self.share[kind] = -(-int(self.share[kind]) // able)


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
        self._alike: dict[Hashable, Mask] = {}

    def of(self, specs: tuple[int, ...]) -> int:
        able = np.logical_or.reduce([self._able(spec) for spec in specs])
        return int(able.sum())

    def _able(self, spec: int) -> Mask:
        """[N] for one spec, of those alike asked once; a place that is the only one is nobody's to share."""
        one, asked = self._view.snapshot.columns.specs[spec], self._view.snapshot.columns.spec_requests[spec]
        key = (one.tolerations, one.node_selector, one.node_affinity.required, asked.tobytes())
        found = self._alike.get(key)
        if found is None:
            holds = (self._view.snapshot.columns.allocatable >= asked).all(axis=1)
            able = self._open & holds & self._view.start.schedulable(one)
            found = self._alike[key] = able if able.sum() > 1 else np.zeros_like(able)
        return found
