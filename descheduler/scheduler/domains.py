"""Node labels as columns: for one label key, which nodes share a value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Ints32, Mask
from descheduler.model.nodes import Node
from descheduler.model.selectors import NodeSelectorTerm, Operator, Requirement


@dataclass(frozen=True, eq=False, slots=True)
class Topology:
    """One label key over N nodes. Nodes without the label are in domain D, one past the last.

    Arrays indexed by domain therefore have D + 1 entries, the last for "has no such label".
    """

    key: str
    domain: Ints32  # [N] values 0..D
    values: tuple[str, ...]  # [D]
    present: Mask  # [N] the node has the label

    @property
    def size(self) -> int:
        return len(self.values)


class NodeLabels:
    """The labels of N nodes, indexed by key when first asked."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._topologies: dict[str, Topology] = {}
        self._requirements: dict[Requirement, Mask] = {}
        self.names = {node.name: i for i, node in enumerate(nodes)}
        self.each = Topology(
            "", np.arange(len(nodes), dtype=np.int32), tuple(n.name for n in nodes), np.ones(len(nodes), np.bool_)
        )

    def topology(self, key: str) -> Topology:
        """The domains of one label key."""
        found = self._topologies.get(key)
        if found is None:
            found = self._topologies[key] = self._index(key)
        return found

    def all_of(self, keys: Iterable[str]) -> Mask:
        """[N] nodes that have every one of the labels."""
        mask = np.ones(len(self._nodes), np.bool_)
        for key in keys:
            mask &= self.topology(key).present
        return mask

    def term(self, term: NodeSelectorTerm, *, with_fields: bool = True) -> Mask:
        """[N] nodes that one node selector term selects; without `with_fields` its fields are not looked at."""
        if term.fault or not (term.expressions or term.fields):
            return np.zeros(len(self._nodes), np.bool_)
        mask = np.ones(len(self._nodes), np.bool_)
        for requirement in term.expressions:
            mask = mask & self.requirement(requirement)
        for requirement in term.fields if with_fields else ():
            mask = mask & self._named(requirement)
        return mask

    def any_term(self, terms: Iterable[NodeSelectorTerm], *, with_fields: bool = True) -> Mask:
        """[N] nodes that at least one of the terms selects."""
        mask = np.zeros(len(self._nodes), np.bool_)
        for term in terms:
            mask = mask | self.term(term, with_fields=with_fields)
        return mask

    def requirement(self, requirement: Requirement) -> Mask:
        """[N] nodes whose labels meet the requirement (evaluated once per distinct value)."""
        found = self._requirements.get(requirement)
        if found is None:
            topology = self.topology(requirement.key)
            meets = _by_value(topology, lambda v: requirement.matches({} if v is None else {requirement.key: v}))
            found = self._requirements[requirement] = meets[topology.domain]
        return found

    def equal(self, key: str, value: str) -> Mask:
        """[N] nodes with exactly this label."""
        return self.requirement(Requirement(key, Operator.IN, (value,)))

    def _named(self, requirement: Requirement) -> Mask:
        # metadata.name is the only field of nodes, and the API server lets only In and NotIn with one value through.
        named = np.zeros(len(self._nodes), np.bool_)
        if requirement.key != "metadata.name" or requirement.operator not in (Operator.IN, Operator.NOT_IN):
            return named
        for name in requirement.values:
            if name in self.names:
                named[self.names[name]] = True
        return named if requirement.operator is Operator.IN else ~named

    def _index(self, key: str) -> Topology:
        codes: dict[str, int] = {}
        domain = np.full(len(self._nodes), -1, np.int32)
        for i, node in enumerate(self._nodes):
            value = node.labels.get(key)
            if value is not None:
                domain[i] = codes.setdefault(value, len(codes))
        present = domain >= 0
        domain[~present] = len(codes)
        return Topology(key, domain, tuple(codes), present)


def _by_value(topology: Topology, test: Callable[[str | None], bool]) -> Mask:
    """[D + 1] the test on every value, and on None."""
    return np.fromiter((test(v) for v in (*topology.values, None)), np.bool_, topology.size + 1)
