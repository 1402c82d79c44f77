"""Bandwidth of every set of devices of one node: the widest ring that can be laid through it.

A collective operation runs as fast as the slowest link of the ring that it is laid on (NCCL's bus bandwidth, nccl-tests
doc/PERFORMANCE.md). Sets are bits: bit d stands for device d. With D devices there are 2^D sets; what is asked of them
is worked out once for all, by arrays.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from descheduler.model.arrays import Floats, Ints, Mask

MAX_DEVICES = 16
"""Beyond this, sets can no longer be listed; no node with more has links that differ."""


class Rings:
    """Sets of D devices whose links are `matrix` [D, D] (GB/s, symmetric).

    `reported` are bandwidths (GB/s) of sets of which something else is known than the matrix; `given` [2^D] marks the
    sets that may be given out at all (None: every one).
    """

    def __init__(self, matrix: Floats, reported: Mapping[int, float] | None = None, given: Mask | None = None) -> None:
        size = len(matrix)
        if matrix.shape != (size, size) or not 1 <= size <= MAX_DEVICES or not np.array_equal(matrix, matrix.T):
            raise ValueError(f"a link matrix is square, symmetric, of 1 to {MAX_DEVICES} devices, not {matrix.shape}")
        self.size = size
        self.count: Ints = counted(np.arange(1 << size))  # [2^D]
        self.bandwidth = _bandwidth(matrix)  # [2^D] GB/s; infinite for fewer than two devices
        for devices, value in (reported or {}).items():
            self.bandwidth[devices] = value
        self.given = given if given is not None else np.ones(1 << size, np.bool_)
        self._best: list[float] = []
        self._worst_in: dict[int, Floats] = {}
        self._best_in: dict[int, Floats] = {}

    def best(self, count: int) -> float:
        """The widest set of so many devices on an empty node; 0 when there is none."""
        return float(self.best_in(count)[-1]) if 1 <= count <= self.size else 0.0

    def score(self, devices: int) -> float:
        """Bandwidth of one set as a fraction of the best of its size; 1 for fewer than two devices."""
        count = int(self.count[devices])
        best = self.best(count)
        return min(1.0, float(self.bandwidth[devices]) / best) if count > 1 and best > 0 else 1.0

    def best_in(self, count: int) -> Floats:
        """[2^D] the widest set of `count` devices within each set, 0 where there is none."""
        found = self._best_in.get(count)
        if found is None:
            of_size = (self.count == count) & self.given
            found = self._best_in[count] = _over_subsets(np.where(of_size, self.bandwidth, 0.0), self.size, np.maximum)
        return found

    def worst_in(self, count: int) -> Floats:
        """[2^D] the narrowest set of `count` devices within each set, infinite where there is none."""
        found = self._worst_in.get(count)
        if found is None:
            of_size = (self.count == count) & self.given
            sized = np.where(of_size, self.bandwidth, np.inf)
            found = self._worst_in[count] = _over_subsets(sized, self.size, np.minimum)
        return found


def counted(sets: Ints) -> Ints:
    """[K] how many devices each of the sets [K] has."""
    out = np.zeros(len(sets), np.int64)
    left = sets.astype(np.int64)
    while left.any():
        out += left & 1
        left = left >> 1
    return out


def set_of(devices: tuple[int, ...]) -> int:
    """The bits of some devices."""
    return sum({1 << d for d in devices})


def _over_subsets(values: Floats, size: int, keep: np.ufunc) -> Floats:
    """[2^D] the least or greatest value among all subsets of each set."""
    out = values.copy()
    sets = np.arange(len(out))
    for d in range(size):
        having = sets[(sets >> d & 1) == 1]
        out[having] = keep(out[having], out[having ^ (1 << d)])
    return out


def _bandwidth(matrix: Floats) -> Floats:
    """[2^D] the greatest b such that the links of at least b hold a ring through all devices of the set.

    For two devices the ring is their link, there and back.
    """
    size = len(matrix)
    out = np.zeros(1 << size)
    out[0] = np.inf
    out[1 << np.arange(size)] = np.inf
    between = matrix[~np.eye(size, dtype=bool)]
    count = counted(np.arange(1 << size))
    several = count > 1
    for value in np.unique(between).tolist():
        links = matrix >= value
        np.fill_diagonal(links, False)
        ringed = several if links.sum() == size * (size - 1) else several & _ringed(links, count)
        out[ringed] = value
    return out


def _ringed(links: Mask, count: Ints) -> Mask:
    """[2^D] sets through which a closed path over `links` [D, D] visits every device once.

    Paths begin at the lowest device of their set; `ends` are the devices on which one can end (Held and Karp, 1962),
    grown by one device for all sets of a size together.
    """
    size = len(links)
    near = links @ (1 << np.arange(size))  # [D] neighbours as bits
    sets = np.arange(1 << size)
    ends = np.zeros(1 << size, np.int64)
    ends[1 << np.arange(size)] = 1 << np.arange(size)
    lowest = np.zeros(1 << size, np.int64)
    for d in reversed(range(size)):
        lowest[(sets >> d & 1) == 1] = d
    for length in range(1, size):
        grown = sets[(count == length) & (ends != 0)]
        for d in range(size):
            able = grown[((grown >> d & 1) == 0) & (lowest[grown] < d) & ((ends[grown] & near[d]) != 0)]
            ends[able | (1 << d)] |= 1 << d
    closed: Mask = (ends & near[lowest]) != 0
    return closed & (count > 1)
