"""What is told apart by identity: in order of first appearance, whatever the objects are equal to."""

from __future__ import annotations

import numpy as np

from descheduler.model.distinct import apart, distinct


def test_objects_are_numbered_as_they_first_appear() -> None:
    a, b, like_a = ["x"], ["y"], ["x"]
    found = distinct([b, a, b, like_a, a])
    assert [id(value) for value in found.values] == [id(b), id(a), id(like_a)]
    assert found.rows.tolist() == [0, 1, 0, 2, 1]
    assert found.first.tolist() == [0, 1, 3]


def test_of_nothing_there_is_nothing() -> None:
    found = distinct([])
    assert (found.values, found.rows.tolist(), found.first.tolist()) == ([], [], [])


def test_one_object_in_two_namespaces_is_two() -> None:
    a, b = ["x"], ["y"]
    found = apart(distinct([a, b, a, a]), np.array([0, 0, 1, 0], np.int32))
    assert found.values == [a, b, a]
    assert found.rows.tolist() == [0, 1, 2, 0]
    assert found.first.tolist() == [0, 1, 2]
