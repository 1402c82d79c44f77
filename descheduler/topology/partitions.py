"""Whole partitions left on a node: what a partly used node is still worth to jobs that want linked devices.

Koordinator scores placements by the partitions that they leave whole, one of 8 devices worth 10000, of 4 100, of 2 1,
each times its allocation score (koordinator pkg/scheduler/plugins/deviceshare, selectPartitionByBinPack).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from descheduler.model.arrays import Ints

WEIGHTS = {8: 10_000, 4: 100, 2: 1}


@dataclass(frozen=True, slots=True)
class Partition:
    """A set of devices that may be given out together; `score` as Koordinator's `allocationScore`."""

    devices: int  # bits
    count: int
    score: int = 1


def aligned(size: int) -> tuple[Partition, ...]:
    """The halves, quarters, … of a node: Koordinator's table for Hopper boards, for any number of devices."""
    return tuple(
        Partition(((1 << count) - 1) << start, count)
        for count in WEIGHTS
        for start in range(0, size - count + 1, count)
    )


def potential(partitions: Sequence[Partition], free: Ints) -> Ints:
    """[K] the value of the partitions that are whole within each of K sets of free devices."""
    out = np.zeros(len(free), np.int64)
    for partition in partitions:
        weight = WEIGHTS.get(partition.count, 0) * max(1, partition.score)
        out += weight * ((free & partition.devices) == partition.devices)
    return out


def fragmentation(partitions: Sequence[Partition], free: Ints, size: int) -> Ints:
    """[K] partition value that K nodes of `size` devices have lost: of the empty node, less what is left."""
    whole = int(potential(partitions, np.array([(1 << size) - 1], np.int64))[0])
    return whole - potential(partitions, free)
