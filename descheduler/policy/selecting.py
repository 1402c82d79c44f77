"""Selectors as users write them, and pools of nodes."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from descheduler.contract.arguments import Written
from descheduler.contract.naming import Free, NodeLabel
from descheduler.contract.selecting import Expression as Expression
from descheduler.contract.selecting import Name as Name
from descheduler.contract.selecting import Selector as Selector
from descheduler.model.selectors import LabelSelector, Operator, Requirement
from descheduler.policy.section import Section


class NodePool(Section):
    """A named group of nodes."""

    name: Name
    """How strategies and reports call it."""
    node_selector: dict[NodeLabel, Free] = Field(min_length=1)
    """Labels that its nodes have, all of them."""


class NodeExpression(Written):
    """One requirement on a node's label."""

    key: NodeLabel
    """The label."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How the label is compared; Gt and Lt as whole numbers."""
    values: tuple[Free, ...] = ()
    """What it is compared with: needed by In and NotIn, one by Gt and Lt, and by no other."""

    @model_validator(mode="after")
    def _values_fit(self) -> Self:
        if fault := self.requirement().fault:
            raise ValueError(fault)
        return self

    def requirement(self) -> Requirement:
        """The same as the model has it."""
        return Requirement(self.key, Operator(self.operator), self.values)


class NodeSelector(Section):
    """Labels that nodes must have, all of them."""

    match_labels: dict[NodeLabel, Free] = Field(default_factory=dict)
    """Labels with their exact values."""
    match_expressions: tuple[NodeExpression, ...] = ()
    """Requirements beyond equality."""

    @model_validator(mode="after")
    def _selects_something(self) -> Self:
        if not self.match_labels and not self.match_expressions:
            raise ValueError("an empty selector is ambiguous: leave it out, or say what to match")
        return self

    def selector(self) -> LabelSelector:
        """The same as the model has it."""
        exact = LabelSelector.of(self.match_labels).requirements
        return LabelSelector(exact + tuple(one.requirement() for one in self.match_expressions))
