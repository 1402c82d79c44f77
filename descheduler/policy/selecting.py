"""Selectors as users write them, and pools of nodes."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from descheduler.model.selectors import LabelSelector, Operator, Requirement
from descheduler.policy.section import Section

Name = Annotated[str, Field(min_length=1, max_length=253)]


class Expression(Section):
    """One requirement on a label."""

    key: Name
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared."""
    values: tuple[str, ...] = ()
    """What it is compared with: needed by In and NotIn, and by no other."""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if (self.operator in ("In", "NotIn")) != bool(self.values):
            raise ValueError(f"{self.operator} {'needs values' if not self.values else 'takes no values'}")
        return self


class Selector(Section):
    """Labels that must match: all of them, as in a Kubernetes label selector."""

    match_labels: dict[Name, str] = Field(default_factory=dict)
    """Labels with their exact values."""
    match_expressions: tuple[Expression, ...] = ()
    """Requirements beyond equality."""

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        # An empty selector means everything in one place and nothing in another; whoever writes one is guessing.
        if not self.match_labels and not self.match_expressions:
            raise ValueError("an empty selector is ambiguous: leave it out, or say what to match")
        return self

    def selector(self) -> LabelSelector:
        """The same as the model has it."""
        exact = LabelSelector.of(self.match_labels).requirements
        return LabelSelector(
            exact + tuple(Requirement(e.key, Operator(e.operator), e.values) for e in self.match_expressions)
        )


class NodePool(Section):
    """A named group of nodes."""

    name: Name
    """How strategies and reports call it."""
    node_selector: dict[Name, str] = Field(min_length=1)
    """Labels that its nodes have, all of them."""
