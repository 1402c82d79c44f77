"""Opening slots and admitting requests: never over capacity, nothing torn, within the moves, as good as trying all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descheduler.packing.make_room.admission import admit
from descheduler.packing.make_room.demands import Admitted, Allowance, Demand, Request, RoomEffort, slots
from descheduler.packing.make_room.slots import open_slots
from descheduler.packing.state import ABSENT, WHOLE, Packing, Shapes, replay
from packing import slots_cases as cases

BY_CHOICE = RoomEffort(exact=0)
"""As large packings are solved."""
seeds = st.integers(0, 10_000)


def demand_of(rng: np.random.Generator, packing: Packing) -> Demand:
    gpus = int(rng.integers(0, packing.devices.shape[1] + 1))
    return Demand((int(rng.integers(1, 7)),), gpus, int(rng.choice([WHOLE, WHOLE, 500])))


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_small_packings_reach_the_optimum_with_the_fewest_moves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    packing = cases.random_packing(rng)
    demand, moves = demand_of(rng, packing), int(rng.integers(0, 4))
    most, fewest = cases.best(packing, lambda state: float(slots(state, demand).sum()), moves)
    found = open_slots(packing, demand, moves)
    assert (found.after, found.bound, len(found.steps)) == (most, most, fewest)
    assert found.optimal
    assert slots(replay(packing, found.steps), demand).sum() == found.after


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_large_packings_bound_is_never_below_the_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    packing = cases.random_packing(rng)
    demand, moves = demand_of(rng, packing), int(rng.integers(0, 4))
    most, _ = cases.best(packing, lambda state: float(slots(state, demand).sum()), moves)
    found = open_slots(packing, demand, moves, effort=BY_CHOICE)
    assert found.before <= found.after <= most <= found.bound
    assert len(found.steps) <= moves
    assert slots(replay(packing, found.steps), demand).sum() == found.after


@given(seeds, st.booleans(), st.booleans())
@settings(max_examples=80, deadline=None)
def test_admission_is_whole_executable_and_bounded(seed: int, exact: bool, gang: bool) -> None:
    rng = np.random.default_rng(seed)
    packing = cases.random_packing(rng, most=5)
    requests, moves = cases.random_requests(rng, packing), int(rng.integers(0, 4))
    group = cases.pair(rng, packing) if gang else None
    most, fewest = cases.best(packing, cases.worth(requests), moves, group)
    found = admit(packing, requests, Allowance(moves, group), None if exact else BY_CHOICE)
    assert len(found.steps) <= moves
    assert len({s.item for s in found.steps}) == len(found.steps)
    if group is not None:
        assert len({item in {s.item for s in found.steps} for item in np.flatnonzero(group == 0).tolist()}) == 1
    seated = list(zip(found.admitted, found.places, found.held, strict=True))
    cases.seats_hold(replay(packing, found.steps), requests, seated)
    assert found.worth == sum(requests[r].worth for r in found.admitted)
    assert found.worth <= most <= found.bound + 1e-9
    if exact:
        assert (found.worth, len(found.steps)) == (most, fewest)


def fleet(pods: list[int], *, cpu: int = 96) -> Packing:
    """Nodes of 4 devices with so many pods of one device and 10 CPU each, side by side."""
    size = sum(pods)
    packing = Packing(
        shapes=Shapes(
            np.array([[10]], np.int64),
            np.array([1], np.int32),
            np.array([WHOLE], np.int32),
            np.ones((1, len(pods)), np.bool_),
        ),
        free=np.full((len(pods), 1), cpu, np.int64),
        devices=np.full((len(pods), 4), WHOLE, np.int32),
        shape=np.zeros(size, np.int32),
        node=np.full(size, ABSENT, np.int32),
        held=np.zeros(size, np.int64),
        movable=np.ones(size, np.bool_),
        cost=np.ones(size),
    )
    item = 0
    for node, count in enumerate(pods):
        for device in range(count):
            packing.take(item, node, 1 << device)
            item += 1
    return packing


@given(seeds)
@settings(max_examples=25, deadline=None)
def test_gangs_of_many_racks_are_never_torn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    state = fleet(rng.integers(0, 5, 24).tolist())
    racks = (np.arange(24) // 6).astype(np.int32)
    group = (rng.permutation(len(state.shape)) // 3).astype(np.int32)
    group[rng.random(len(group)) < 0.7] = ABSENT
    requests = [Request(Demand((50,), 4), int(rng.integers(1, 5)), domain=racks) for _ in range(5)]
    moves = int(rng.integers(0, 25))
    found = admit(state, requests, Allowance(moves, group), BY_CHOICE)
    moved = np.zeros(len(group), np.bool_)
    moved[[s.item for s in found.steps]] = True
    assert len(found.steps) == moved.sum() <= moves
    assert all(len(set(moved[group == g].tolist())) == 1 for g in set(group.tolist()) - {ABSENT})
    seated = list(zip(found.admitted, found.places, found.held, strict=True))
    cases.seats_hold(replay(state, found.steps), requests, seated)
    assert found.worth == len(found.admitted) <= found.bound + 1e-9


@pytest.mark.parametrize("effort", [RoomEffort(), BY_CHOICE], ids=["exact", "by choice"])
def test_the_node_with_fewest_pods_is_vacated(effort: RoomEffort) -> None:
    found = open_slots(fleet([3, 1, 2, 3]), Demand((50,), 4), 2, effort=effort)
    assert (found.before, found.after, found.bound, found.nodes) == (0, 1, 1, (1,))
    assert [s.source for s in found.steps] == [1]


@pytest.mark.parametrize("effort", [RoomEffort(), BY_CHOICE], ids=["exact", "by choice"])
def test_no_pod_moves_where_nothing_is_gained(effort: RoomEffort) -> None:
    found = open_slots(fleet([3, 3, 3]), Demand((50,), 4), 2, effort=effort)
    assert (found.steps, found.after, found.bound) == ((), 0, 0)


@pytest.mark.parametrize("effort", [RoomEffort(), BY_CHOICE], ids=["exact", "by choice"])
def test_a_gang_gets_one_rack_or_nothing(effort: RoomEffort) -> None:
    racks = np.array([0, 0, 0, 1, 1, 1], np.int32)
    request = Request(Demand((50,), 4), members=2, domain=racks)
    state = fleet([1, 3, 3, 1, 2, 3])
    found = admit(state, [request], 3, effort)
    assert (found.admitted, found.places) == ((0,), ((3, 4),))
    assert admit(state, [request], 2, effort).admitted == ()
    anywhere = admit(state, [Request(request.demand, 2)], 2, effort)
    assert anywhere.places == ((0, 3),)


@pytest.mark.parametrize("effort", [RoomEffort(), BY_CHOICE], ids=["exact", "by choice"])
def test_a_moved_gang_moves_whole_and_counts_whole(effort: RoomEffort) -> None:
    state = fleet([1, 2, 2, 2])
    group = np.full(7, ABSENT, np.int32)
    group[[0, 1]] = 0  # the pod of node 0 and one of node 1
    request = Request(Demand((50,), 4))
    assert admit(state, [request], Allowance(1, group), effort).admitted == ()
    found = admit(state, [request], Allowance(2, group), effort)
    assert found.admitted == (0,)
    assert len({s.item in (0, 1) for s in found.steps}) == 1


@pytest.mark.parametrize("effort", [RoomEffort(), BY_CHOICE], ids=["exact", "by choice"])
def test_a_disruption_budget_is_kept(effort: RoomEffort) -> None:
    state = fleet([2, 2, 3, 3])
    budget = np.zeros(10, np.int32)
    demand = Demand((50,), 4)
    assert admit(state, [Request(demand)], Allowance(2, budget=budget, allowed=(1,)), effort).admitted == ()
    assert admit(state, [Request(demand)], Allowance(2, budget=budget, allowed=(2,)), effort).admitted == (0,)


def test_what_cannot_move_keeps_its_node_shut() -> None:
    state = fleet([1, 2, 2])
    state.movable[0] = False
    found = open_slots(state, Demand((50,), 4), 3)
    assert (found.after, len(found.steps), 0 in found.nodes) == (1, 2, False)


def test_the_same_question_gets_the_same_answer() -> None:
    rng = np.random.default_rng(7)
    state = fleet(rng.integers(0, 4, 24).tolist())
    demand = Demand((50,), 4)
    first, again = (open_slots(state, demand, 12, effort=BY_CHOICE) for _ in range(2))
    assert first == again
    requests = [Request(demand, members=2, domain=(np.arange(24) // 4).astype(np.int32)) for _ in range(6)]
    one, two = (admit(state, requests, 10, BY_CHOICE) for _ in range(2))
    assert one == two
    assert one.admitted


def test_nothing_asked_for_is_nothing_done() -> None:
    assert admit(fleet([1, 1]), [], 5) == Admitted()


@pytest.mark.parametrize("effort", [RoomEffort(), BY_CHOICE], ids=["exact", "by choice"])
def test_requests_of_many_shapes_share_a_node(effort: RoomEffort) -> None:
    requests = [Request(Demand((cpu,), 1)) for cpu in (5, 6, 7, 8)]
    found = admit(fleet([0, 4]), requests, 0, effort)
    assert (found.admitted, found.places) == ((0, 1, 2, 3), ((0,),) * 4)
    assert sorted(held for (held,) in found.held) == [1, 2, 4, 8]
