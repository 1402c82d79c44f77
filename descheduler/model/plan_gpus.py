"""The GPU part of a plan document: what is free in which shape, and which pod holds what of which device.

Small whatever the size of the cluster: capacity is summed by pool and model, and only nodes that change and the most
fragmented ones are listed. It says how sure it is: a pod whose devices nobody told has none in `devices`, and on a node
that is not `steerable` the kubelet chooses among devices, whatever a plan would like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GpuHold:
    """A pod ("namespace/name") of a workload that holds `milli` thousandths of each of `count` devices.

    `devices` are their indices, empty when nobody knows which; `source` says who told them ("koordinator", "status",
    …), empty when they are unknown or only assumed (parts of devices, filled as a scheduler that packs would).
    """

    pod: str
    workload: str
    count: int
    milli: int = 1000
    devices: tuple[int, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class GpuNodeRow:
    """A node and who holds its devices before and after the plan; `after` is None where nothing changes.

    It has `devices` devices, of which `indices` are the indices (empty: 0, 1, …) and `unhealthy` those that cannot be
    given out. `source` tells who described them ("dra", "koordinator", …, "counts" when only their number is known).
    `free_before` and `free_after` are wholly free devices. Each device is `units` of the resource: parts that it is cut
    into, or turns that pods take on it; with more than one, none is wholly anybody's, and nobody tells which a pod is
    on. With a `problem` it is not known who holds what.
    """

    name: str
    pool: str
    model: str
    resource: str
    devices: int
    free_before: int
    free_after: int
    before: tuple[GpuHold, ...]
    after: tuple[GpuHold, ...] | None = None
    indices: tuple[int, ...] = ()
    unhealthy: tuple[int, ...] = ()
    source: str = "counts"
    steerable: bool = False
    problem: str = ""
    units: int = 1


@dataclass(frozen=True, slots=True)
class GpuCapacity:
    """What of some nodes' devices is free, in devices.

    `whole`: devices that nothing holds; `partial`: what is left of devices in use, or of such as are shared or cut into
    parts; `stranded`: how much of both is on
    nodes that take no GPU pod now (not ready, cordoned, or without the CPU and memory of the least demanding GPU pod).
    `slots`: how many sets of so many ("1", "2", "4", "8") whole free devices there are, each set on one node that
    takes pods; `open_nodes`: nodes whose devices are all free.
    """

    whole: float
    partial: float
    stranded: float
    slots: Mapping[str, int]
    open_nodes: int = 0


@dataclass(frozen=True, slots=True)
class GpuCapacityRow:
    """The devices of one model in one pool."""

    pool: str
    model: str
    nodes: int
    devices: int
    before: GpuCapacity
    after: GpuCapacity


@dataclass(frozen=True, slots=True)
class GpuGangRow:
    """How many pods with `gpus` whole devices each the largest gang in one domain of a network level could have."""

    level: str
    gpus: int
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class GpuMap:
    """`nodes` in the order of the snapshot; `left_out` nodes with GPUs are not listed, none of which changes.

    `unsteerable` counts the nodes with several devices on which nobody but the kubelet chooses among them.
    """

    capacity: tuple[GpuCapacityRow, ...]
    nodes: tuple[GpuNodeRow, ...]
    left_out: int = 0
    unsteerable: int = 0
    gangs: tuple[GpuGangRow, ...] = ()
