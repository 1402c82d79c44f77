"""Selectors match as the API server and the scheduler match."""

from __future__ import annotations

import pytest

from descheduler.model.labels import Labels
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm, Operator, Requirement


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        (Operator.IN, ("a", "b"), {"k": "a"}, True),
        (Operator.IN, ("a", "b"), {"k": "c"}, False),
        (Operator.IN, ("a",), {}, False),
        (Operator.NOT_IN, ("a",), {"k": "b"}, True),
        (Operator.NOT_IN, ("a",), {}, True),  # a missing label is not in any set
        (Operator.NOT_IN, ("a",), {"k": "a"}, False),
        (Operator.EXISTS, (), {"k": ""}, True),
        (Operator.EXISTS, (), {}, False),
        (Operator.DOES_NOT_EXIST, (), {}, True),
        (Operator.DOES_NOT_EXIST, (), {"k": "x"}, False),
        (Operator.GT, ("5",), {"k": "6"}, True),
        (Operator.GT, ("5",), {"k": "5"}, False),
        (Operator.LT, ("5",), {"k": "-1"}, True),
        (Operator.LT, ("5",), {"k": "many"}, False),  # not a number: matches nothing
        (Operator.GT, ("5",), {"k": "1_000"}, False),
        (Operator.GT, ("x",), {"k": "6"}, False),
        (Operator.GT, (), {"k": "6"}, False),
    ],
)
def test_requirements(operator: Operator, values: tuple[str, ...], labels: dict[str, str], expected: bool) -> None:
    assert Requirement("k", operator, values).matches(labels) is expected


def test_an_empty_label_selector_matches_everything() -> None:
    assert LabelSelector().matches({})
    assert LabelSelector().matches({"a": "b"})


def test_an_empty_node_selector_term_matches_no_node() -> None:
    assert not NodeSelectorTerm().matches({}, "n1")


def test_fields_and_expressions_must_both_hold() -> None:
    term = NodeSelectorTerm(
        (Requirement("zone", Operator.IN, ("a",)),), (Requirement("metadata.name", Operator.IN, ("n1",)),)
    )
    assert term.matches({"zone": "a"}, "n1")
    assert not term.matches({"zone": "a"}, "n2")
    assert not term.matches({"zone": "b"}, "n1")


def test_labels_cannot_be_changed() -> None:
    labels = Labels({"a": "b"})
    with pytest.raises(TypeError):
        labels["a"] = "c"
    with pytest.raises(TypeError):
        labels.update(x="y")
    assert labels == {"a": "b"}


def test_equal_labels_hash_alike_and_lay_over() -> None:
    labels = Labels({"a": "b", "c": "d"})
    assert hash(labels) == hash(Labels({"c": "d", "a": "b"}))
    assert labels.with_({"a": "x"}) == {"a": "x", "c": "d"}
