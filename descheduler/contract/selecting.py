"""Selectors as users write them: pods by their labels, and by their namespaces."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from descheduler.contract.arguments import Written
from descheduler.contract.naming import Free, NamespacePattern, PodLabel
from descheduler.model.selectors import LabelSelector, Operator, Requirement

Name = Annotated[str, Field(min_length=1, max_length=253)]


class Expression(Written):
    """One requirement on a label."""

    key: PodLabel
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared."""
    values: tuple[Free, ...] = ()
    """What it is compared with: needed by In and NotIn, and by no other."""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if (self.operator in ("In", "NotIn")) != bool(self.values):
            raise ValueError(f"{self.operator} {'needs values' if not self.values else 'takes no values'}")
        return self


class LabelChoice(Written):
    """Labels that must match: all of them, as in a Kubernetes label selector; an empty one matches everything."""

    match_labels: dict[PodLabel, Free] = Field(default_factory=dict)
    """Labels with their exact values."""
    match_expressions: tuple[Expression, ...] = ()
    """Requirements beyond equality."""

    def selector(self) -> LabelSelector:
        """The same as the model has it."""
        exact = LabelSelector.of(self.match_labels).requirements
        return LabelSelector(
            exact + tuple(Requirement(e.key, Operator(e.operator), e.values) for e in self.match_expressions)
        )


class Selector(LabelChoice):
    """Labels that must match: all of them, as in a Kubernetes label selector."""

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        # An empty selector means everything in one place and nothing in another; whoever writes one is guessing.
        if not self.match_labels and not self.match_expressions:
            raise ValueError("an empty selector is ambiguous: leave it out, or say what to match")
        return self


class NamespaceChoice(Written):
    """Namespaces by name, where `*` stands for any text: only some, or all but some."""

    include: tuple[NamespacePattern, ...] = ()
    """Only these; all when empty."""
    exclude: tuple[NamespacePattern, ...] = ()
    """All but these."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.include and self.exclude:
            raise ValueError("give one of include and exclude")
        return self

    def holds(self, namespace: str) -> bool:
        """Whether the namespace is one of those chosen."""
        if self.include:
            return _any_matches(self.include, namespace)
        return not _any_matches(self.exclude, namespace)


def _any_matches(patterns: tuple[str, ...], namespace: str) -> bool:
    return any(fnmatchcase(namespace, pattern) for pattern in patterns)
