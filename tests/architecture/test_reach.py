"""Nobody reaches into another: strategies and planning ask for what they need by name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from architecture.source import modules, tree

ROOMS = ("descheduler.contract", "descheduler.planning", "descheduler_strategies")
OWN = ("self", "cls", "twin")
"""Whose underscores a method may touch: its own, and those of the copy that it makes of itself."""


def reaching(module: ast.Module) -> Iterator[str]:
    """Attributes with an underscore of anybody else, and chains into the state that a scenario is made of."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Attribute):
            continue
        inner = node.value
        if node.attr.startswith("_") and not node.attr.startswith("__"):
            if not (isinstance(inner, ast.Name) and inner.id in OWN):
                yield ast.unparse(node)
        elif (isinstance(inner, ast.Attribute) and inner.attr == node.attr == "state") or node.attr == "placement":
            yield ast.unparse(node)


@pytest.mark.parametrize("room", ROOMS)
def test_what_belongs_to_another_is_asked_for_by_name(room: str) -> None:
    found = {name: list(reaching(tree(path))) for name, path in modules().items() if name.startswith(room)}
    assert {name: places for name, places in found.items() if places} == {}


def test_what_reaches_is_seen() -> None:
    text = "a = view.start._loads\nb = self.state.state\nc = state.placement.gpus\nd = self._own\ne = self.state.free"
    assert list(reaching(ast.parse(text))) == ["view.start._loads", "self.state.state", "state.placement"]
