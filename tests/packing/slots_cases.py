"""Small random packings with pending requests, and the best that any sequence of moves reaches, by trying them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from descheduler.packing.make_room.demands import Allowance, Demand, Request, movable
from descheduler.packing.state import ABSENT, WHOLE, Packing, Shapes, Step, bits

Group = NDArray[np.int32]


def random_packing(rng: np.random.Generator, *, most: int = 6) -> Packing:
    """2 to 4 nodes of 1, 2 or 4 devices; CPU-only pods, shares, whole and double ones."""
    nodes, devices = int(rng.integers(2, 5)), int(rng.choice([1, 2, 4]))
    shapes = Shapes(
        amounts=rng.integers(1, 5, (4, 1)).astype(np.int64),
        count=np.array([0, 1, 1, min(2, devices)], np.int32),
        milli=np.array([0, int(rng.choice([300, 400, 500, 700])), WHOLE, WHOLE], np.int32),
        allowed=rng.random((4, nodes)) < 0.9,
    )
    size = int(rng.integers(2, most + 1))
    packing = Packing(
        shapes=shapes,
        free=np.full((nodes, 1), int(rng.integers(4, 10)), np.int64),
        devices=np.full((nodes, devices), WHOLE, np.int32),
        shape=rng.integers(0, 4, size).astype(np.int32),
        node=np.full(size, ABSENT, np.int32),
        held=np.zeros(size, np.int64),
        movable=rng.random(size) < 0.9,
        cost=np.ones(size),
    )
    for item in range(size):
        able = np.flatnonzero(packing.fits(int(packing.shape[item])))
        if len(able):
            node = int(rng.choice(able))
            packing.take(item, node, packing.choose(int(packing.shape[item]), node))
    return packing


def random_requests(rng: np.random.Generator, packing: Packing) -> list[Request]:
    """1 to 3 requests of 1 or 2 members, some within a pair of nodes."""
    domain = np.arange(len(packing.free), dtype=np.int32) // 2
    return [
        Request(
            Demand(
                (int(rng.integers(1, 6)),),
                int(rng.integers(0, packing.devices.shape[1] + 1)),
                int(rng.choice([WHOLE, WHOLE, 500])),
            ),
            members=int(rng.integers(1, 3)),
            worth=float(rng.integers(1, 3)),
            domain=domain if rng.random() < 0.5 else None,
        )
        for _ in range(int(rng.integers(1, 4)))
    ]


def pair(rng: np.random.Generator, packing: Packing) -> Group:
    """Two of the pods are one gang."""
    group = np.full(len(packing.shape), ABSENT, np.int32)
    group[rng.choice(len(group), 2, replace=False)] = 0
    return group


def best(
    packing: Packing, value: Callable[[Packing], float], moves: int, group: Group | None = None
) -> tuple[float, int]:
    """The best value after at most so many moves, each pod once, and the fewest moves that reach it."""
    able = movable(packing, Allowance(moves, group))
    found = (value(packing), 0)
    seen: set[tuple[bytes, bytes]] = set()
    waiting = [(packing, frozenset[int]())]
    while waiting:
        state, moved = waiting.pop()
        key = (state.node.tobytes(), state.held.tobytes())
        if key in seen:
            continue
        seen.add(key)
        if not _torn(moved, group):
            found = max(found, (value(state), -len(moved)))
        if len(moved) < moves:
            waiting += [
                (after, moved | {item})
                for item in np.flatnonzero(able).tolist()
                if item not in moved
                for after in _moved(state, item)
            ]
    return found[0], -found[1]


def _torn(moved: frozenset[int], group: Group | None) -> bool:
    return group is not None and len({item in moved for item in np.flatnonzero(group == 0).tolist()}) > 1


def _moved(state: Packing, item: int) -> Iterator[Packing]:
    shape, source = int(state.shape[item]), int(state.node[item])
    count, milli = int(state.shapes.count[shape]), int(state.shapes.milli[shape])
    for node in np.flatnonzero(state.fits(shape)).tolist():
        if node == source:
            continue
        able = np.flatnonzero(state.devices[node] >= milli).tolist() if count else []
        alike: set[tuple[int, ...]] = set()
        for chosen in combinations(able, count):
            left = tuple(int(state.devices[node, d]) for d in chosen)
            if left not in alike:
                alike.add(left)
                after = state.copy()
                after.move(Step(item, source, node, sum(1 << d for d in chosen)))
                yield after


def worth(requests: Sequence[Request]) -> Callable[[Packing], float]:
    """What the requests that fit a state together are worth at most."""

    def value(state: Packing) -> float:
        return _serve(state.free, state.devices, requests)

    return value


def _serve(free: NDArray[np.int64], devices: NDArray[np.int32], requests: Sequence[Request]) -> float:
    if not requests:
        return 0.0
    first, rest = requests[0], requests[1:]
    found = _serve(free, devices, rest)
    domains = [None] if first.domain is None else sorted(set(first.domain.tolist()))
    for domain in domains:
        nodes = [n for n in range(len(free)) if first.domain is None or first.domain[n] == domain]
        for after in _seated(free, devices, first, nodes, first.members):
            found = max(found, first.worth + _serve(*after, rest))
    return found


def _seated(
    free: NDArray[np.int64], devices: NDArray[np.int32], request: Request, nodes: Sequence[int], left: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
    if not left:
        yield free, devices
        return
    demand = request.demand
    for at, node in enumerate(nodes):
        if not demand.mask(len(free))[node] or (free[node] < demand.amounts).any():
            continue
        able = np.flatnonzero(devices[node] >= demand.milli).tolist()
        for chosen in combinations(able, demand.gpus):
            less, taken = free.copy(), devices.copy()
            less[node] -= np.asarray(demand.amounts)
            taken[node, list(chosen)] -= demand.milli
            yield from _seated(less, taken, request, nodes[at:], left - 1)
            if demand.milli == WHOLE:
                break


def seats_hold(
    state: Packing, requests: Sequence[Request], admitted: Sequence[tuple[int, tuple[int, ...], tuple[int, ...]]]
) -> None:
    """Assert that all members stand on `state` together, each request whole and in one domain."""
    free, devices = state.free.copy(), state.devices.copy()
    for request, nodes, held in admitted:
        demand, domain = requests[request].demand, requests[request].domain
        assert len(nodes) == len(held) == requests[request].members
        assert domain is None or len({int(domain[n]) for n in nodes}) == 1
        for node, some in zip(nodes, held, strict=True):
            assert len(bits(some)) == demand.gpus
            assert demand.mask(len(free))[node]
            free[node] -= np.asarray(demand.amounts)
            devices[node, bits(some)] -= demand.milli
    touched = sorted({n for _, nodes, _ in admitted for n in nodes})
    assert (free[touched] >= 0).all()
    assert (devices[touched] >= ABSENT).all()
