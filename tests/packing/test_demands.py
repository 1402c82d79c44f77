"""Requests, and what a state has room for."""

from __future__ import annotations

import numpy as np
import pytest

from descheduler.packing.make_room.demands import Allowance, Demand, Request, movable, slots
from descheduler.packing.state import ABSENT, WHOLE, Packing, Shapes


def machines(devices: list[list[int]], cpu: list[int]) -> Packing:
    return Packing(
        shapes=Shapes(
            np.array([[1]], np.int64),
            np.array([1], np.int32),
            np.array([WHOLE], np.int32),
            np.ones((1, len(cpu)), np.bool_),
        ),
        free=np.array(cpu, np.int64)[:, None],
        devices=np.array(devices, np.int32),
        shape=np.zeros(3, np.int32),
        node=np.array([0, 0, 1], np.int32),
        held=np.zeros(3, np.int64),
        movable=np.array([True, True, False]),
        cost=np.ones(3),
    )


def test_slots_are_limited_by_devices_and_by_cpu() -> None:
    state = machines([[WHOLE] * 4, [WHOLE, WHOLE, 500, ABSENT], [WHOLE] * 4], [40, 40, 9])
    assert slots(state, Demand((10,), 2)).tolist() == [2, 1, 0]


def test_shares_fit_beside_each_other_on_one_device() -> None:
    state = machines([[WHOLE, 900], [400, 100]], [100, 100])
    assert slots(state, Demand((1,), 1, 400)).tolist() == [4, 1]


def test_a_member_takes_no_device_twice() -> None:
    state = machines([[WHOLE, 500], [WHOLE, WHOLE]], [100, 100])
    assert slots(state, Demand((1,), 2, 500)).tolist() == [1, 2]


def test_an_overcommitted_node_has_no_slot() -> None:
    assert slots(machines([[WHOLE], [WHOLE]], [-1, 5]), Demand((0,), 1)).tolist() == [0, 1]


def test_only_the_nodes_of_the_mask_count() -> None:
    state = machines([[WHOLE], [WHOLE]], [5, 5])
    assert slots(state, Demand((1,), 1, nodes=np.array([False, True]))).tolist() == [0, 1]


def test_a_gang_with_one_pod_that_may_not_move_stays_whole() -> None:
    state = machines([[WHOLE], [WHOLE]], [5, 5])
    assert movable(state, Allowance(3)).tolist() == [True, True, False]
    tied = Allowance(3, np.array([ABSENT, 0, 0], np.int32))
    assert movable(state, tied).tolist() == [True, False, False]


@pytest.mark.parametrize("wrong", [((-1,), 1, WHOLE), ((1,), 1, 0), ((1,), 1, WHOLE + 1), ((0,), 0, WHOLE)])
def test_demands_that_mean_nothing_are_refused(wrong: tuple[tuple[int, ...], int, int]) -> None:
    with pytest.raises(ValueError, match="demand"):
        Demand(*wrong)


def test_requests_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="not a request"):
        Request(Demand((1,)), members=0)
