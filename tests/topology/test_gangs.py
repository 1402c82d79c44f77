"""Gangs on levels: the largest that would fit, and how far one is spread against the fewest domains that hold it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from builders import cluster, node
from descheduler.topology import Levels, TopologyRules, largest_gangs, read_topology, spread

RACK, BLOCK = "topology.example/rack", "topology.example/block"


def levels_of(racks: list[int], blocks: list[int]) -> Levels:
    nodes = [
        node(f"n{i:02}", gpu=8, labels={BLOCK: f"b{b}", RACK: f"b{b}r{r}"})
        for i, (r, b) in enumerate(zip(racks, blocks, strict=True))
    ]
    return read_topology(cluster(nodes), TopologyRules(labels=(BLOCK, RACK))).levels


LEVELS = levels_of([0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1])


def test_the_largest_gang_below_one_domain_of_each_level() -> None:
    assert largest_gangs(LEVELS, np.array([1, 2, 0, 1, 2, 2])).tolist() == [4, 4, 2]


def test_a_gang_in_two_racks_that_one_could_hold() -> None:
    found = spread(LEVELS, np.array([0, 2], np.int32), np.array([1, 1, 1, 1, 0, 0]))
    assert found.used.tolist() == [1, 2, 2]
    assert found.fewest.tolist() == [1, 1, 2]


def test_a_gang_that_no_rack_holds_needs_two() -> None:
    found = spread(LEVELS, np.array([0, 1, 2, 4], np.int32), np.array([1, 1, 1, 0, 1, 0]))
    assert found.used.tolist() == [2, 3, 4]
    assert found.fewest.tolist() == [2, 3, 4]


def test_a_gang_that_fits_nowhere_needs_what_it_uses() -> None:
    found = spread(LEVELS, np.array([0, 2, 4], np.int32), np.zeros(6, np.int64))
    assert found.fewest.tolist() == found.used.tolist() == [2, 3, 3]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=8), st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_never_fewer_than_hold_it_nor_more_than_it_uses(places: list[int], room: list[int]) -> None:
    levels = levels_of([0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 0, 0, 1, 1, 1, 1])
    nodes = np.array(places, np.int32) * 2
    there = np.array(room) + np.bincount(nodes, minlength=8)
    found = spread(levels, nodes, there)
    assert (found.fewest >= 1).all()
    assert (found.fewest <= found.used).all()
    assert (np.diff(found.used) >= 0).all(), "a level below splits, never joins"
