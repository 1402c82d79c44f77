from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.packing.programme import Infeasible, WorkLimits
from descheduler.packing.rearrange import compact
from descheduler.packing.rearrange.flows import Change, fit, nothing
from descheduler.packing.rearrange.neighbourhood import Found, improve
from descheduler.packing.rearrange.ordering import ItemMove, name, order, replay
from descheduler.packing.rearrange.rearrangement import Effort, rearrange
from flow_cases import drawn, flows, most_slots_step_by_step

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 2))
def test_a_plan_can_be_carried_out_and_its_bound_holds(seed: int, resources: int) -> None:
    case = drawn(np.random.default_rng(seed), resources=resources, items=6, tight=True, grouped=False)
    found = rearrange(case)
    after = replay(case, found.moves)
    assert len(found.moves) <= case.moves
    assert found.slots == fit(after, case.shape, case.most).sum() >= case.slots(nothing(case)).sum()
    assert found.bound >= found.slots - 1e-6


@pytest.mark.parametrize("resources", [1, 2])
def test_plans_gain_what_a_search_step_by_step_gains(resources: int) -> None:
    # Rare cases (about 1 in 3000) need more reshuffling on the way than is looked for; none of these seeds does.
    for seed in range(40):
        case = drawn(np.random.default_rng(seed), resources=resources, items=6, tight=True, grouped=False)
        assert rearrange(case).slots == most_slots_step_by_step(case)


@settings(max_examples=60, deadline=None)
@given(seeds)
def test_groups_and_budgets_are_kept_by_the_moves(seed: int) -> None:
    case = drawn(np.random.default_rng(seed), resources=1, items=8, tight=True)
    moves = rearrange(case).moves
    replay(case, moves)
    spent = np.bincount([move.kind for move in moves], minlength=len(case.demand))
    if case.budgets is not None:
        assert (case.budgets.members @ spent <= case.budgets.most).all()
    if case.group is not None:
        members = case.group == 0
        leaving = sum(spent[members].tolist())
        assert leaving in (0, case.count[members].sum())


def test_what_must_leave_first_leaves_first() -> None:
    # The 3 can go to the second bin only once the 4 has left it for the third.
    case = flows([0, 0, 4], [3, 4], [[1, 0, 0], [0, 1, 0]], slot=3, moves=2)
    ordered = order(case, Change(np.array([[1, 0, 0], [0, 1, 0]]), np.array([[0, 1, 0], [0, 0, 1]])))
    assert ordered.whole
    assert ordered.moves == (ItemMove(1, 1, 2), ItemMove(0, 0, 1))


swapped = Change(np.array([[1, 0, 0], [0, 2, 0]]), np.array([[0, 1, 0], [2, 0, 0]]))


def test_a_circle_goes_round_a_spare_place_while_moves_are_left() -> None:
    # A swap of one 4 against two 2 with no room on either bin; the third bin can hold one of them for a while.
    case = flows([0, 0, 4], [4, 2], [[1, 0, 0], [0, 2, 0]], slot=9, moves=4)
    ordered = order(case, swapped)
    assert ordered.whole
    assert len(ordered.moves) == 4
    assert replay(case, ordered.moves).ravel().tolist() == [0, 0, 4]
    assert sum(2 in (move.source, move.target) for move in ordered.moves) == 2


def test_no_item_goes_twice_where_it_may_not() -> None:
    case = replace(flows([0, 0, 4], [4, 2], [[1, 0, 0], [0, 2, 0]], slot=9, moves=4), detours=False)
    assert not order(case, swapped).moves


def test_nothing_that_can_move_is_nothing_to_gain() -> None:
    found = rearrange(flows([4, 9], [4], [[0, 0]], slot=4, moves=2))
    assert (found.moves, found.slots, found.bound) == ((), 3, 3)


def test_a_circle_without_a_move_to_spare_is_told() -> None:
    case = flows([0, 0, 4], [4, 2], [[1, 0, 0], [0, 2, 0]], slot=9, moves=3)
    ordered = order(case, swapped)
    assert not ordered.whole
    assert ordered.moves == ()
    assert ordered.left.moves == 3


def test_a_plan_whose_moves_wait_in_a_circle_gives_way_to_one_that_can_be_done() -> None:
    # Best on paper: 3 and 2 change places, which frees a slot of 3 beside the 2. Nothing has room to begin with.
    case = flows([1, 0], [3, 2], [[0, 1], [1, 0]], slot=2, moves=2)
    on_paper = compact.solve(case, WorkLimits())
    assert not isinstance(on_paper, Infeasible)
    found = rearrange(case)
    replay(case, found.moves)
    assert found.slots == most_slots_step_by_step(case) <= on_paper.slots


def test_a_member_that_restarts_in_place_takes_no_room() -> None:
    case = flows([6, 2, 0], [2], [[1, 0, 1]], slot=8, moves=2, group=[0])
    found = rearrange(case)
    assert found.slots == 1
    assert set(found.moves) == {ItemMove(0, 2, 2), ItemMove(0, 0, 1)}
    assert replay(case, found.moves).ravel().tolist() == [8, 0, 0]


def test_an_item_that_waits_on_a_spare_place_is_the_one_that_goes_on() -> None:
    kind, place = np.array([0, 0, 1]), np.array([0, 2, 1])
    moves = [ItemMove(0, 0, 2), ItemMove(1, 1, 0), ItemMove(0, 2, 1)]
    assert name(moves, kind, place).tolist() == [0, 2, 0]
    with pytest.raises(ValueError, match="no item of class 1"):
        name([ItemMove(1, 0, 2)], kind, place)


def test_replay_refuses_a_move_without_room_or_item() -> None:
    case = flows([0, 1], [2], [[1, 0]], slot=8, moves=1)
    with pytest.raises(ValueError, match="no room"):
        replay(case, [ItemMove(0, 0, 1)])
    with pytest.raises(ValueError, match="not there"):
        replay(case, [ItemMove(0, 1, 0)])


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_the_same_flows_give_the_same_moves(seed: int) -> None:
    case = drawn(np.random.default_rng(seed), resources=2, items=8, tight=True)
    first, second = rearrange(case), rearrange(case)
    assert (first.moves, first.slots, first.bound) == (second.moves, second.slots, second.bound)
    assert first.repeatable


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_neighbourhoods_only_ever_gain_and_stay_executable(seed: int) -> None:
    case = drawn(np.random.default_rng(seed), resources=2, items=8, tight=True, grouped=False)
    still = Change(np.zeros_like(case.count), np.zeros_like(case.count))
    start = Found(still, (), int(case.slots(still).sum()))
    found = improve(case, start, ceiling=99, rounds=6, limits=Effort().limits, bins=4)
    after = replay(case, found.moves)
    assert found.slots == fit(after, case.shape, case.most).sum() >= start.slots
    assert len(found.moves) <= case.moves
