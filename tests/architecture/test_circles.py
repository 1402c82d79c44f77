"""No module imports itself by way of others: what a file needs can be read without reading what needs it."""

from __future__ import annotations

from collections.abc import Mapping, Set
from graphlib import CycleError, TopologicalSorter

import pytest

from architecture.source import imports


def circle(graph: Mapping[str, Set[str]]) -> tuple[str, ...]:
    """One circle of the graph, its first module last again; empty when there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as e:
        return tuple(e.args[1])
    return ()


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert not circle(imports())


def test_a_circle_is_found_wherever_it_is() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": {"b"}}
    assert set(circle(graph)) == {"b", "c", "d"}
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("descheduler.cli.main", "descheduler.cli.commands.plan"),
        ("descheduler.scheduler", "descheduler.scheduler.what_if"),
    ],
)
def test_what_is_known_to_be_imported_is_seen(importer: str, imported: str) -> None:
    assert imported in imports()[importer]
