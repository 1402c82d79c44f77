"""The links of each node: what its devices report, else what the table says of their model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Floats, Ints, Ints32, Mask
from descheduler.model.devices import Device, NodeGpus
from descheduler.model.nodes import Node
from descheduler.topology.links import ACROSS_SOCKETS, LinkRow, row_for
from descheduler.topology.partitions import Partition, aligned
from descheduler.topology.rings import MAX_DEVICES, Rings, counted, set_of

HONOR = "Honor"
_GB = 1e9


@dataclass(frozen=True, eq=False, slots=True)
class Board:
    """Devices that are linked alike on all its nodes. `strict`: only the partitions' sets are ever given out."""

    model: str
    rings: Rings
    partitions: tuple[Partition, ...]
    strict: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class NodeLinks:
    """Boards, and which one each of N nodes has.

    `board_of` [N] is -1 for a node without GPUs, or one of whose links nothing is known. `usable` [N] are the devices,
    as bits, that can be given out whole.
    """

    boards: tuple[Board, ...]
    board_of: Ints32
    usable: Ints

    def board(self, node: int) -> Board | None:
        at = int(self.board_of[node])
        return self.boards[at] if at >= 0 else None


def node_links(nodes: Sequence[Node], rows: Sequence[LinkRow]) -> NodeLinks:
    """Links of the nodes; `rows` are searched in order."""
    known: dict[_Key, int] = {}
    boards: list[Board] = []
    board_of = np.full(len(nodes), -1, np.int32)
    usable = np.zeros(len(nodes), np.int64)
    for at, node in enumerate(nodes):
        gpus = node.gpus
        if gpus is None or gpus.units > 1 or gpus.problem:
            continue  # several pods may share a device, or nobody knows who holds what: sets mean nothing
        if not 1 <= _size(gpus) <= MAX_DEVICES:
            continue
        key = _key_of(gpus)
        usable[at] = key.usable
        found = known.get(key)
        if found is None:
            board = _board(key, gpus, rows)
            found = known[key] = len(boards) if board is not None else -1
            if board is not None:
                boards.append(board)
        board_of[at] = found
    return NodeLinks(tuple(boards), board_of, usable)


@dataclass(frozen=True, slots=True)
class _Key:
    """What tells boards apart. `size` is one more than the highest device; `seats` where cards say they sit."""

    model: str
    size: int
    usable: int
    seats: tuple[tuple[int, int, str], ...]
    partitions: tuple[tuple[int, int, int], ...]
    policy: str


def _size(gpus: NodeGpus) -> int:
    """One more than the highest device."""
    return max((d.index for d in gpus.devices), default=gpus.count - 1) + 1


def _key_of(gpus: NodeGpus) -> _Key:
    devices = gpus.devices
    whole = tuple(d.index for d in devices if d.healthy and not d.mig) if devices else tuple(range(gpus.count))
    return _Key(
        model=gpus.model or next((d.model for d in devices if d.model), ""),
        size=_size(gpus),
        usable=set_of(whole),
        seats=tuple((d.index, d.numa, d.pcie_root) for d in devices),
        partitions=tuple((set_of(p.indices), p.bandwidth, p.score) for p in gpus.partitions),
        policy=gpus.partition_policy,
    )


def _board(key: _Key, gpus: NodeGpus, rows: Sequence[LinkRow]) -> Board | None:
    row = row_for(key.model, key.size, rows)
    reported = {devices: bandwidth / _GB for devices, bandwidth, _ in key.partitions if bandwidth}
    if row is None and not reported:
        return None
    row = row if row is not None else LinkRow(key.model)
    matrix = row.links(key.size)
    if row.cards:
        matrix = np.minimum(matrix, _seated(matrix, gpus.devices))
    if reported:  # devices outside of a set that was joined have only the bus between them
        matrix = np.full_like(matrix, row.pcie)
    strict = bool(key.partitions) and key.policy == HONOR
    given = _given(key) if strict else None
    score = {devices: score for devices, _, score in key.partitions}
    partitions = tuple(Partition(devices, devices.bit_count(), score[devices]) for devices in score)
    return Board(key.model, Rings(matrix, reported, given), partitions or aligned(key.size), strict)


def _seated(matrix: Floats, devices: Sequence[Device]) -> Floats:
    """[D, D] what PCIe leaves between two cards: less across sockets, where both say on which they sit."""
    out = matrix.copy()
    numa = {d.index: d.numa for d in devices if d.numa >= 0}
    for a, left in numa.items():
        for b, right in numa.items():
            if left != right:
                out[a, b] *= ACROSS_SOCKETS
    return out


def _given(key: _Key) -> Mask:
    """[2^D] sets that a scheduler which honours the partitions gives out: theirs, of the sizes that they have."""
    sizes = {devices.bit_count() for devices, _, _ in key.partitions}
    given = ~np.isin(counted(np.arange(1 << key.size)), list(sizes))
    given[[devices for devices, _, _ in key.partitions if devices < len(given)]] = True
    return given
