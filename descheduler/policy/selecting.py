"""Selectors as users write them, and pools of nodes."""

from __future__ import annotations

from pydantic import Field

from descheduler.contract.selecting import Expression as Expression
from descheduler.contract.selecting import Name as Name
from descheduler.contract.selecting import Selector as Selector
from descheduler.policy.section import Section


class NodePool(Section):
    """A named group of nodes."""

    name: Name
    """How strategies and reports call it."""
    node_selector: dict[Name, str] = Field(min_length=1)
    """Labels that its nodes have, all of them."""
