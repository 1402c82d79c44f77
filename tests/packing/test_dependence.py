"""Steps fall into groups that can be made without one another."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from descheduler.packing.dependence import independent
from descheduler.packing.state import Packing, Step, replay
from packed import packing_of

WHOLE_GPU = (1, 1, 1, 1000)


def test_who_takes_the_place_of_another_goes_with_him() -> None:
    packing = packing_of([4, 4, 4], [[], [], []], [(4, 0, 0, 0)], [(0, 0, 0), (0, 2, 0)])
    assert independent(packing, [Step(0, 0, 1), Step(1, 2, 0)]) == [[0, 1]]


def test_who_has_room_anyway_goes_alone() -> None:
    packing = packing_of([8, 4, 4], [[], [], []], [(4, 0, 0, 0)], [(0, 0, 0), (0, 2, 0)])
    assert independent(packing, [Step(0, 0, 1), Step(1, 2, 0)]) == [[0], [1]]


def test_a_device_that_is_freed_counts_like_any_other_room() -> None:
    items = [(0, 0, 0b1), (0, 2, 0b1)]
    packing = packing_of([9, 9, 9], [[1000], [1000], [1000]], [WHOLE_GPU], items)
    assert independent(packing, [Step(0, 0, 1, 1), Step(1, 2, 0, 1)]) == [[0, 1]]
    roomy = packing_of([9, 9, 9], [[1000, 1000], [1000, -1], [1000, -1]], [WHOLE_GPU], items)
    assert independent(roomy, [Step(0, 0, 1, 1), Step(1, 2, 0, 2)]) == [[0], [1]]


def test_what_one_left_over_of_a_freed_place_binds_who_takes_it() -> None:
    """The first that came to node 0 needed it empty; the second lives off what the first did not use."""
    demands = [(4, 0, 0, 0), (3, 0, 0, 0), (1, 0, 0, 0)]
    packing = packing_of([4, 4, 3, 1], [[], [], [], []], demands, [(0, 0, 0), (1, 2, 0), (2, 3, 0)])
    assert independent(packing, [Step(0, 0, 1), Step(1, 2, 0), Step(2, 3, 0)]) == [[0, 1, 2]]


def test_those_who_share_devices_of_a_node_keep_their_order() -> None:
    """Each takes the fullest device that it finds, so the second finds another when the first has not come."""
    demands = [(1, 1, 1, 400), (1, 1, 1, 500)]
    packing = packing_of([9, 9, 9], [[1000, 1000], [1000, -1], [1000, -1]], demands, [(0, 1, 1), (1, 2, 1)])
    assert independent(packing, [Step(0, 1, 0, 1), Step(1, 2, 0, 1)]) == [[0, 1]]
    whole = packing_of([9, 9, 9], [[1000, 1000], [1000, -1], [1000, -1]], [WHOLE_GPU], [(0, 1, 1), (0, 2, 1)])
    assert independent(whole, [Step(0, 1, 0, 1), Step(1, 2, 0, 2)]) == [[0], [1]]


@st.composite
def plans(draw: st.DrawFn) -> tuple[Packing, list[Step]]:
    """Items of 1 to 4 units on four nodes, and steps that find room one after the other."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    at = [draw(st.integers(0, 3)) for _ in sizes]
    cpu = [sum(s for s, n in zip(sizes, at, strict=True) if n == node) + draw(st.integers(0, 3)) for node in range(4)]
    items = [(size - 1, node, 0) for size, node in zip(sizes, at, strict=True)]
    packing = packing_of(cpu, [[]] * 4, [(size, 0, 0, 0) for size in range(1, 5)], items)
    state, steps = packing.copy(), list[Step]()
    for item in draw(st.permutations(range(len(sizes)))):
        step = Step(item, at[item], draw(st.integers(0, 3)))
        if step.source != step.target and state.room(step):
            state.move(step)
            steps.append(step)
    return packing, steps


@given(plans())
def test_groups_can_be_made_in_any_order_and_without_one_another(plan: tuple[Packing, list[Step]]) -> None:
    packing, steps = plan
    groups = independent(packing, steps)
    assert sorted(at for group in groups for at in group) == list(range(len(steps)))
    for some in permutations(groups, min(2, len(groups))):
        replay(packing, [steps[at] for group in some for at in group])
    replay(packing, [steps[at] for group in reversed(groups) for at in group])
