"""Label and node selectors, as apimachinery `labels.Requirement` and component-helpers `nodeaffinity` define them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_INTEGER = re.compile(r"[+-]?[0-9]+", re.ASCII)  # what strconv.ParseInt reads; int() would also take "1_000"


class Operator(StrEnum):
    """Operators of label selectors (first four) and of node selectors (all)."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    GT = "Gt"
    LT = "Lt"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One `matchExpressions` entry."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()
    _among: Collection[str] = field(init=False, repr=False, compare=False)  # the same, for a quick look at many

    def __post_init__(self) -> None:
        object.__setattr__(self, "_among", frozenset(self.values) if len(self.values) > 8 else self.values)

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value is not None and value in self._among
            case Operator.NOT_IN:
                return value is None or value not in self._among
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case Operator.GT | Operator.LT:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        # Both sides must be integers, or the requirement matches nothing (apimachinery labels/selector.go).
        if value is None or len(self.values) != 1:
            return False
        if not _INTEGER.fullmatch(value) or not _INTEGER.fullmatch(self.values[0]):
            return False
        have, want = int(value), int(self.values[0])
        return have > want if self.operator is Operator.GT else have < want


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """A `metav1.LabelSelector`: every requirement must hold; no requirement at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    @staticmethod
    def of(labels: Mapping[str, str]) -> LabelSelector:
        """The selector `matchLabels: labels`."""
        return LabelSelector(tuple(Requirement(k, Operator.IN, (v,)) for k, v in sorted(labels.items())))

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(r.matches(labels) for r in self.requirements)


@dataclass(frozen=True, slots=True)
class NodeSelectorTerm:
    """Requirements over node labels (`expressions`) and over `metadata.name` (`fields`), all of which must hold.

    A term with neither matches no node (component-helpers scheduling/corev1/nodeaffinity).
    """

    expressions: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str], name: str) -> bool:
        if not self.expressions and not self.fields:
            return False
        return all(r.matches(labels) for r in self.expressions) and all(
            r.matches({"metadata.name": name}) for r in self.fields
        )
