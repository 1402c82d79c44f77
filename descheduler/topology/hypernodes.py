"""Volcano's HyperNodes: domains as objects, with nodes and other HyperNodes as their members.

Tier by tier, the smaller the closer (volcano.sh/apis topology/v1alpha1 HyperNodeSpec). Members are named exactly, by
regular expression, or (nodes only) by labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from descheduler.model.bounds import INT32, LEVELS
from descheduler.model.fence import Fence, Unreadable
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject, Json
from descheduler.model.selectors import Operator, Requirement
from descheduler.topology.levels import Column
from descheduler.topology.patterns import pattern_of


@dataclass(frozen=True, slots=True)
class HyperLevels:
    """Names and columns of the tiers, top to bottom."""

    names: tuple[str, ...]
    columns: tuple[Column, ...]
    problems: tuple[str, ...]


def hyper_levels(found: Sequence[CustomObject], nodes: Sequence[Node]) -> HyperLevels:
    """What the HyperNodes say of the nodes. A node that two of one tier claim is on no domain of that tier."""
    tree = _Tree(found, nodes)
    tiers = sorted({tier for tier, _ in tree.domains}, reverse=True)
    if len(tiers) > LEVELS:
        tree.problems.append(f"topology: the HyperNodes have {len(tiers)} tiers; only the lowest {LEVELS} are used")
        tiers = tiers[-LEVELS:]
    columns: list[list[str | None]] = []
    for tier in tiers:
        column: list[str | None] = [None] * len(nodes)
        for name, members in sorted((n, m) for (t, n), m in tree.domains.items() if t == tier):
            for node in members:
                if column[node] is not None and column[node] != name:
                    tree.twice.setdefault((tier, node), f"{column[node]} and {name}")
                column[node] = name
        for at in [node for t, node in tree.twice if t == tier]:
            column[at] = None
        columns.append(column)
    _filled(columns)
    problems = [
        f"topology: {nodes[n].name} is in HyperNodes {names} of one tier" for (_, n), names in tree.twice.items()
    ]
    return HyperLevels(tuple(tree.named(t) for t in tiers), tuple(columns), (*tree.problems, *problems))


def _filled(columns: list[list[str | None]]) -> None:
    """Where a tier is skipped, what hangs from the tier above stands for it: the tree need not be equally deep."""
    for upper, lower in zip(reversed(columns[:-1]), reversed(columns[1:]), strict=True):
        for node, name in enumerate(lower):
            if upper[node] is None and name is not None:
                upper[node] = name


class _Tree:
    """Nodes of each HyperNode, by (tier, name)."""

    def __init__(self, found: Sequence[CustomObject], nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._objects = {o.name: o for o in found}
        self._index = {node.name: i for i, node in enumerate(nodes)}
        self._names: dict[int, str] = {}
        self._known: dict[str, frozenset[int]] = {}
        self._fence = Fence()
        self.problems = self._fence.problems
        self.twice: dict[tuple[int, int], str] = {}
        self.domains: dict[tuple[int, str], frozenset[int]] = {}
        for name in sorted(self._objects):
            self._fence.around(f"topology: HyperNode {name}", partial(self._add, name), lambda _why: None)

    def _add(self, name: str) -> None:
        """Put one HyperNode in its place. Raises Unreadable."""
        found = self._objects[name]
        tier = found.spec.get("tier")
        members = self._members(name, ())
        if isinstance(tier, int) and members:
            if not 0 <= tier <= INT32:
                raise Unreadable("", "its tier is beyond 32 bits")
            self.domains[tier, name] = members
            label = found.spec.get("tierName")
            if isinstance(label, str) and label:
                self._names.setdefault(tier, label)

    def named(self, tier: int) -> str:
        return self._names.get(tier, f"tier-{tier}")

    def _members(self, name: str, path: tuple[str, ...]) -> frozenset[int]:
        if name in path:
            self.problems.append(f"topology: HyperNode {name} is a member of itself")
            return frozenset()
        if len(path) >= LEVELS:
            raise Unreadable("", f"it is above more than {LEVELS} others, one below the other")
        known = self._known.get(name)
        if known is not None:
            return known
        out: set[int] = set()
        members = self._objects[name].spec.get("members")
        for member in members if isinstance(members, list) else []:
            if not isinstance(member, dict) or not isinstance(selector := member.get("selector"), dict):
                continue
            out |= self._fence.around(
                f"topology: HyperNode {name}",
                partial(self._selected, str(member.get("type")), selector, (*path, name)),
                lambda _why: set[int](),
            )
        self._known[name] = frozenset(out)
        return self._known[name]

    def _selected(self, kind: str, selector: Mapping[str, Json], path: tuple[str, ...]) -> set[int]:
        exact = selector.get("exactMatch")
        named = str(exact.get("name")) if isinstance(exact, dict) else None
        if kind == "HyperNode":
            if named is not None:
                names = [named] if named in self._objects else []
            else:
                names = [n for n in self._objects if _chosen(n, {}, selector)]
            return {node for n in names for node in self._members(n, path)}
        if named is not None:
            return {self._index[named]} if named in self._index else set()
        return {i for i, node in enumerate(self._nodes) if _chosen(node.name, node.labels, selector)}


def _chosen(name: str, labels: Mapping[str, str], selector: Mapping[str, Json]) -> bool:
    pattern, marked = selector.get("regexMatch"), selector.get("labelMatch")
    if isinstance(pattern, dict):
        return pattern_of(str(pattern.get("pattern"))).search(name) is not None
    return isinstance(marked, dict) and _matches(marked, labels)


def _matches(selector: Mapping[str, Json], labels: Mapping[str, str]) -> bool:
    """A label selector; one that is empty, or that cannot be read, selects nothing."""
    exact, expressions = selector.get("matchLabels"), selector.get("matchExpressions")
    wanted = [Requirement(k, Operator.IN, (str(v),)) for k, v in (exact if isinstance(exact, dict) else {}).items()]
    for one in expressions if isinstance(expressions, list) else []:
        if not isinstance(one, dict) or one.get("operator") not in ("In", "NotIn", "Exists", "DoesNotExist"):
            return False
        values = one.get("values")
        texts = tuple(str(v) for v in values) if isinstance(values, list) else ()
        wanted.append(Requirement(str(one.get("key")), Operator(str(one["operator"])), texts))
    return bool(wanted) and all(requirement.matches(labels) for requirement in wanted)
