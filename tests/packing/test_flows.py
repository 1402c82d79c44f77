from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.packing.programme import Infeasible, WorkLimits
from descheduler.packing.rearrange import compact
from descheduler.packing.rearrange.flow_problem import FlowChange, FlowProblem, LeaveBudgets, faults, nothing
from descheduler.packing.rearrange.pattern_pool import binding, choose, generate
from descheduler.packing.state import ABSENT
from flow_cases import drawn, flows, most_slots

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 2))
def test_one_programme_finds_the_optimum_of_brute_force(seed: int, resources: int) -> None:
    case = drawn(np.random.default_rng(seed), resources=resources, items=4, tight=False)
    best = most_slots(case)
    solved = compact.solve(case, WorkLimits())
    assert not isinstance(solved, Infeasible)
    assert faults(case, solved.change) == []
    assert solved.slots == best
    assert solved.bound >= best - 1e-6


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 2))
def test_the_bound_of_the_patterns_is_never_below_the_optimum_and_their_plan_keeps_every_rule(
    seed: int, resources: int
) -> None:
    case = drawn(np.random.default_rng(seed), resources=resources, items=4, tight=False)
    best = most_slots(case)
    pool = generate(case)
    assert pool is not None
    assert pool.bound >= best - 1e-6
    chosen = choose(pool, WorkLimits())
    assert not isinstance(chosen, Infeasible)
    assert faults(case, chosen.change) == []
    assert chosen.slots <= best


def test_a_slot_is_gained_by_the_fewest_moves() -> None:
    # 6 free on the first bin and a slot of 8: one item of 2 leaves, not two of 1.
    case = flows([6, 2, 2], [2, 1], [[1, 0, 0], [2, 0, 0]], slot=8, moves=5)
    solved = compact.solve(case, WorkLimits())
    assert not isinstance(solved, Infeasible)
    assert (solved.slots, solved.change.moves) == (1, 1)


def test_items_across_two_bins_count_on_both() -> None:
    room = np.array([[1], [1], [3], [3]])
    bins = np.array([[0, ABSENT], [1, ABSENT], [0, 1], [2, ABSENT], [3, ABSENT], [2, 3]])
    count = np.array([[0, 0, 1, 0, 0, 0]])
    allowed = np.array([[False, False, True, False, False, True]])
    case = FlowProblem(room, bins, np.array([[3]]), count, allowed, np.array([4]), np.full(4, 9), 1)
    solved = compact.solve(case, WorkLimits())
    assert not isinstance(solved, Infeasible)
    assert solved.slots == 2
    assert case.slots(solved.change).tolist() == [1, 1, 0, 0]


def test_a_group_moves_whole_or_not_at_all() -> None:
    # Moving one item of 2 would do, but it is one of a group of three.
    alone = flows([6, 4, 4], [2], [[1, 1, 1]], slot=8, moves=2)
    whole = flows([6, 4, 4], [2], [[1, 1, 1]], slot=8, moves=2, group=[0])
    enough = flows([6, 4, 4], [2], [[1, 1, 1]], slot=8, moves=3, group=[0])
    gained = []
    for case in (alone, whole, enough):
        solved = compact.solve(case, WorkLimits())
        assert not isinstance(solved, Infeasible)
        assert faults(case, solved.change) == []
        gained.append((solved.slots, solved.change.moves))
    assert gained == [(1, 1), (0, 0), (1, 3)]


def test_a_budget_limits_what_leaves() -> None:
    members, none, one = np.array([[True]]), np.array([0]), np.array([1])
    for most, slots in ((none, 0), (one, 1)):
        case = flows([6, 6, 2], [2], [[1, 1, 0]], slot=8, moves=5, budgets=LeaveBudgets(members, most))
        pool = generate(case)
        assert pool is not None
        chosen = choose(pool, WorkLimits())
        assert not isinstance(chosen, Infeasible)
        assert (chosen.slots, pool.ceiling) == (slots, slots)


def test_an_overcommitted_bin_is_left_alone() -> None:
    case = flows([-1, 6, 9], [2], [[2, 1, 0]], slot=8, moves=3)
    solved = compact.solve(case, WorkLimits())
    pool = generate(case)
    assert not isinstance(solved, Infeasible)
    assert pool is not None
    chosen = choose(pool, WorkLimits())
    assert not isinstance(chosen, Infeasible)
    for change in (solved.change, chosen.change):
        assert change.out[0, 0] == change.into[0, 0] == 0
    assert solved.slots == chosen.slots == 1


def test_outside_a_frame_nothing_changes() -> None:
    case = flows([6, 6, 2, 2], [2], [[1, 1, 0, 0]], slot=8, moves=5)
    frame = compact.Frame(np.array([True, False, True, False]), nothing(case))
    solved = compact.solve(case, WorkLimits(), frame=frame)
    assert not isinstance(solved, Infeasible)
    assert solved.change.out.tolist() == [[1, 0, 0, 0]]
    assert solved.change.into.tolist() == [[0, 0, 1, 0]]


def test_only_resources_that_can_run_short_are_looked_at() -> None:
    base = flows([6, 2], [2], [[1, 0]], slot=8, moves=1)

    def with_memory(free: int) -> FlowProblem:
        room = np.column_stack([base.room, np.full(2, free)])
        return FlowProblem(
            room, base.bins, np.array([[2, 4]]), base.count, base.allowed, np.array([8, 0]), base.most, base.moves
        )

    assert binding(with_memory(16)).tolist() == [0]
    assert binding(with_memory(3)).tolist() == [0, 1]


def test_patterns_are_cut_down_to_what_every_resource_has_room_for() -> None:
    base = flows([6, 9], [2], [[1, 0]], slot=8, moves=1)
    room = np.column_stack([base.room, [0, 3]])
    case = FlowProblem(room, base.bins, np.array([[2, 4]]), base.count, base.allowed, np.array([8, 0]), base.most, 1)
    pool = generate(case)
    assert pool is not None
    chosen = choose(pool, WorkLimits())
    assert not isinstance(chosen, Infeasible)
    assert faults(case, chosen.change) == []
    assert chosen.change.moves == 0


def test_amounts_too_fine_for_knapsacks_are_told() -> None:
    assert generate(flows([60_001, 2], [2], [[1, 0]], slot=7, moves=1)) is None


def test_what_is_wrong_with_a_change_is_said_in_words() -> None:
    case = flows([1, 1], [2], [[1, 0]], slot=8, moves=0)
    change = FlowChange(np.array([[1, 0]]), np.array([[0, 1]]))
    assert faults(case, change) == ["more moves than allowed", "a bin is overfull"]


def test_arrays_that_do_not_fit_are_refused() -> None:
    case = flows([1, 1], [2], [[1, 0]], slot=8, moves=0)
    with pytest.raises(ValueError, match="fit one another"):
        FlowProblem(case.room, case.bins, case.demand, case.count[:, :1], case.allowed, case.shape, case.most, 0)
    shared = np.array([[0, 1], [1, 2]])
    room, most = np.ones((3, 1), dtype=np.int64), np.full(3, 9)
    with pytest.raises(ValueError, match="two places of two bins"):
        FlowProblem(room, shared, case.demand, case.count, case.allowed, case.shape, most, 0)
