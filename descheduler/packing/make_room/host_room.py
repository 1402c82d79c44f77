"""Where moved pods could go, added up over alike nodes: the relaxed half of the programme of `node_choice`.

Nodes of one group have as many devices and take the same shapes. Demands of many devices, for which few nodes have
room, are seated node by node.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from descheduler.model.arrays import Mask
from descheduler.packing.make_room.demands import Allowance, Demand, slots
from descheduler.packing.make_room.vacate import Option, Vacating
from descheduler.packing.state import ABSENT, Packing

GROUPS = 40
"""More kinds of nodes than these are told apart by their number of devices alone."""
SCARCE = 4
"""A shape is seated node by node when there is room for fewer than so many times the pods, as large, that may move."""


@dataclass(frozen=True, eq=False, slots=True)
class HostRoom:
    """`strict`: only chosen options move pods, nodes opened take none. Otherwise lenient: whatever could be done.

    `group` [N]; `moving` shapes that may move; `able` [P]; `hosting` options for moved pods of scarce shapes, of kinds
    that stand in `hosted` (above those of the requests; one for each shape in the strict form, one for as many devices
    in the lenient one), `kind_of` shape -> kind. `margin` [G] whole devices of each
    group that turned out to be of no use, with which a later round does not reckon.
    """

    strict: bool
    able: Mask
    group: NDArray[np.int64]
    moving: NDArray[np.int64]
    hosting: tuple[Option, ...]
    hosted: dict[int, Demand]
    kind_of: dict[int, int]
    margin: NDArray[np.float64]


def rooms(
    packing: Packing, vacating: Vacating, allowance: Allowance, options: Sequence[Option], kinds: int
) -> tuple[HostRoom, HostRoom]:
    """The strict and the lenient room."""
    victims = sorted({i for o in options for i in o.items})
    taken = np.unique(packing.shape[victims]).astype(np.int64)
    every = np.unique(packing.shape[np.flatnonzero(vacating.able)]).astype(np.int64)
    group = _groups(packing, every)
    room = {s: slots(packing, _demand(packing, [s], np.min)) for s in taken.tolist() if packing.shapes.count[s] > 1}
    most = Counter(int(packing.shape[i]) for i in victims)
    return (
        _strict(packing, vacating, group, taken, _scarce(packing, room, most, 1 << 30), room, kinds),
        _lenient(packing, vacating, group, every, _scarce(packing, room, most, allowance.moves), kinds),
    )


def _strict(
    packing: Packing,
    vacating: Vacating,
    group: NDArray[np.int64],
    taken: NDArray[np.int64],
    scarce: list[int],
    room: dict[int, NDArray[np.int64]],
    kinds: int,
) -> HostRoom:
    """A kind for each scarce shape, hosted where there is room as things are."""
    kind_of = {s: kinds + i for i, s in enumerate(scarce)}
    hosted = {kind_of[s]: _demand(packing, [s], np.max) for s in scarce}
    ready = [
        Option(n, kind_of[s], int(room[s][n]), (), 0.0, 0) for s in scarce for n in np.flatnonzero(room[s]).tolist()
    ]
    margin = np.zeros(int(group.max(initial=0)) + 1)
    return HostRoom(True, vacating.able, group, taken, tuple(ready), hosted, kind_of, margin)


def _lenient(
    packing: Packing,
    vacating: Vacating,
    group: NDArray[np.int64],
    every: NDArray[np.int64],
    scarce: list[int],
    kinds: int,
) -> HostRoom:
    """A kind for scarce shapes of as many devices, of the least amounts, hosted wherever room could be made."""
    counts = sorted({int(packing.shapes.count[s]) for s in scarce})
    kind_of = {s: kinds + counts.index(int(packing.shapes.count[s])) for s in scarce}
    hosted = {
        k: _demand(packing, [s for s in scarce if kind_of[s] == k], np.min) for k in sorted(set(kind_of.values()))
    }
    devices = (packing.devices != ABSENT).sum(axis=1)
    possible = [o for k, d in hosted.items() for o in _hosts(vacating, k, d, devices)]
    margin = np.zeros(int(group.max(initial=0)) + 1)
    return HostRoom(False, vacating.able, group, every, tuple(possible), hosted, kind_of, margin)


def _scarce(packing: Packing, room: dict[int, NDArray[np.int64]], most: Counter[int], moves: int) -> list[int]:
    """Shapes of several devices for which there is little room beside what else, as large, may have to move."""
    count = packing.shapes.count
    return [
        s
        for s, now in room.items()
        if int(now.sum()) < SCARCE * min(moves, sum(n for t, n in most.items() if count[t] >= count[s]))
    ]


def _demand(packing: Packing, alike: list[int], pick: Callable[..., NDArray[np.int64]]) -> Demand:
    """One demand for shapes of as many devices: of the least (or the largest) amounts, on the nodes of any of them."""
    shapes = packing.shapes
    amounts = tuple(int(a) for a in pick(shapes.amounts[alike], axis=0))
    milli = int(pick(shapes.milli[alike].astype(np.int64), axis=0))
    return Demand(amounts, int(shapes.count[alike[0]]), milli, np.asarray(shapes.allowed[alike].any(axis=0)))


def _hosts(vacating: Vacating, kind: int, demand: Demand, devices: NDArray[np.int64]) -> Iterable[Option]:
    """Every number of members on every node, at the least that it can cost."""
    for node in np.flatnonzero(demand.mask(len(devices)) & (devices >= demand.gpus)).tolist():
        for units in range(1, int(devices[node]) // demand.gpus + 1):
            found = vacating.option(node, kind, demand, units)
            if found is None:
                break
            yield found


def _groups(packing: Packing, shapes: NDArray[np.int64]) -> NDArray[np.int64]:
    count = (packing.devices != ABSENT).sum(axis=1)
    signature = np.concatenate([count[None, :], packing.shapes.allowed[shapes]]).T
    _, group = np.unique(signature, axis=0, return_inverse=True)
    if group.max(initial=0) >= GROUPS:
        _, group = np.unique(count, return_inverse=True)
    return group.reshape(-1).astype(np.int64)
