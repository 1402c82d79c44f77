"""Bandwidth of sets of devices: the published figures of the DGX-1V, and the rings of any matrix by brute force."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.model.arrays import Floats
from descheduler.topology import Rings, set_of
from descheduler.topology.links import TABLE, row_for


@pytest.fixture(scope="module")
def mesh() -> Rings:
    row = row_for("Tesla-V100-SXM2-32GB", 8, TABLE)
    assert row is not None
    return Rings(row.links(8))


@pytest.mark.parametrize(
    ("count", "best", "mean", "worst"),
    [(2, 50, 28.3, 16), (3, 25, 17.3, 16), (4, 25, 17.0, 16), (6, 25, 25, 25), (8, 50, 50, 50)],
)
def test_sets_of_the_hybrid_cube_mesh(mesh: Rings, count: int, best: float, mean: float, worst: float) -> None:
    of_size = mesh.bandwidth[mesh.count == count]
    assert mesh.best(count) == best == of_size.max()
    assert of_size.mean() == pytest.approx(mean, abs=0.05)
    assert of_size.min() == worst == mesh.worst_in(count)[255]


def test_best_pair_of_the_mesh_is_three_times_the_worst(mesh: Rings) -> None:
    assert mesh.best(2) / mesh.worst_in(2)[255] == pytest.approx(3.125)
    assert mesh.score(set_of((0, 3))) == 1.0
    assert mesh.score(set_of((0, 6))) == pytest.approx(0.32)


def test_most_sets_of_four_are_bound_by_the_bus(mesh: Rings) -> None:
    four = mesh.bandwidth[mesh.count == 4]
    assert (len(four), int((four == 16).sum())) == (70, 62)


def test_single_devices_need_no_link(mesh: Rings) -> None:
    assert mesh.score(set_of((5,))) == 1.0
    assert mesh.score(0) == 1.0


def test_what_is_left_decides_what_can_be_given(mesh: Rings) -> None:
    left = set_of((0, 3, 6))
    assert mesh.best_in(2)[left] == 50
    assert mesh.worst_in(2)[left] == 16
    assert mesh.best_in(4)[left] == 0, "no four devices are left"
    assert np.isinf(mesh.worst_in(4)[left])


def test_only_sets_that_are_given_out_count(mesh: Rings) -> None:
    given_out = np.zeros(256, np.bool_)
    given_out[[set_of((0, 3)), set_of((1, 2))]] = True
    strict = Rings(np.where(np.eye(8) > 0, 0.0, 16.0), {set_of((0, 3)): 50.0}, given_out)
    assert strict.worst_in(2)[set_of((0, 3, 6))] == 50
    assert np.isinf(strict.worst_in(2)[set_of((0, 6))])


@pytest.mark.parametrize("shape", [(2, 3), (0, 0), (17, 17)])
def test_refuses_what_is_no_link_matrix(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="link matrix"):
        Rings(np.zeros(shape))


@st.composite
def matrices(draw: st.DrawFn) -> Floats:
    size = draw(st.integers(2, 5))
    out = np.zeros((size, size))
    for a, b in combinations(range(size), 2):
        out[a, b] = out[b, a] = draw(st.sampled_from([4.0, 16.0, 25.0, 50.0]))
    return out


@given(matrices())
def test_every_set_has_the_widest_ring_that_any_order_gives(matrix: Floats) -> None:
    rings = Rings(matrix)
    for count in range(2, len(matrix) + 1):
        for devices in combinations(range(len(matrix)), count):
            orders = permutations(devices[1:])
            widest = max(
                min(matrix[a, b] for a, b in zip((devices[0], *rest), (*rest, devices[0]), strict=True))
                for rest in orders
            )
            assert rings.bandwidth[set_of(devices)] == widest


@given(matrices(), st.integers(0, 31))
def test_best_and_worst_within_a_set_are_those_of_its_subsets(matrix: Floats, free: int) -> None:
    rings = Rings(matrix)
    free &= (1 << len(matrix)) - 1
    for count in range(1, len(matrix) + 1):
        inside = [s for s in range(1 << len(matrix)) if s & free == s and s.bit_count() == count]
        if inside:
            assert rings.best_in(count)[free] == max(rings.bandwidth[s] for s in inside)
            assert rings.worst_in(count)[free] == min(rings.bandwidth[s] for s in inside)
        else:
            assert rings.best_in(count)[free] == 0
            assert np.isinf(rings.worst_in(count)[free])
