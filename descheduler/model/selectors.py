"""Label and node selectors, as apimachinery `labels.Requirement` and component-helpers `nodeaffinity` define them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from descheduler.model.bounds import integer_of
from descheduler.model.fence import shortened

_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")  # of a label, where it is not empty


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
        have, want = integer_of(value), integer_of(self.values[0])
        if have is None or want is None:
            return False
        return have > want if self.operator is Operator.GT else have < want

    @property
    def fault(self) -> str:
        """Why a scheduler cannot read it, though the API server takes it in preferences; empty when it can
        (apimachinery pkg/labels/selector.go NewRequirement; keys are the API server's to check)."""
        match self.operator:
            case Operator.IN | Operator.NOT_IN if not self.values:
                return f"{self.operator} without a value"
            case Operator.EXISTS | Operator.DOES_NOT_EXIST if self.values:
                return f"{self.operator} with a value"
            case Operator.GT | Operator.LT if len(self.values) != 1 or integer_of(self.values[0]) is None:
                return f"{self.operator} without a number of 64 bits"
        bad = next((value for value in self.values if value and not _VALUE.fullmatch(value)), None)
        return "" if bad is None else f"{shortened(bad)!r} is no value of a label"


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

    A term with neither matches no node, nor does one that cannot be read (component-helpers
    scheduling/corev1/nodeaffinity).
    """

    expressions: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    @property
    def fault(self) -> str:
        """Why a scheduler cannot read the term; empty when it can."""
        if any(r.operator not in (Operator.IN, Operator.NOT_IN) or len(r.values) != 1 for r in self.fields):
            return "matchFields with more than In or NotIn and one value"
        return next((fault for r in self.expressions if (fault := r.fault)), "")

    def matches(self, labels: Mapping[str, str], name: str) -> bool:
        if self.fault or not (self.expressions or self.fields):
            return False
        return all(r.matches(labels) for r in self.expressions) and all(
            r.matches({"metadata.name": name}) for r in self.fields
        )
