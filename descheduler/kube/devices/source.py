"""A source of devices: where it may look, and how it reports what nodes have and what pods hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from descheduler.kube.convert.wire import PodStatusWire
from descheduler.model.devices import Device, GpuPartition, GpuShare, GpuSource, GpuStatement, MigSlice
from descheduler.model.nodes import Node
from descheduler.model.pods import Pod


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a source may look at. `objects` by the key of their kind, one that is not served absent; `asking`: positions
    of the pods that ask for GPUs or say that they hold some."""

    nodes: Sequence[Node]
    pods: Sequence[Pod]
    objects: Mapping[str, Iterable[object]]
    asking: Sequence[int]


@dataclass(frozen=True, slots=True)
class NodeReport:
    """The GPUs of one node as one source lists them; with a `problem` they are not all known.

    `driver`: the resource under which the node offers them where no device plug-in counts them. `splits`: how many pods
    are let onto each device, 0 when this source does not say.
    """

    source: GpuSource
    devices: tuple[Device, ...] = ()
    slices: tuple[MigSlice, ...] = ()
    partitions: tuple[GpuPartition, ...] = ()
    partition_policy: str = ""
    driver: str = ""
    splits: int = 0
    problem: str = ""


@dataclass(slots=True)
class Report:
    """What one source reports of a cluster: of nodes by name, of pods by position.

    `statements`: what a pod holds. `overruled`: pods whose own objects are not to be heard beside this source.
    `counts`: whole devices of which driver a pod was given though it asks for none as a resource (what several pods
    share is counted once). `wanted`: the same of pods without a node, of what they wait for. `reserved`: what of a node
    no pod here holds.
    """

    nodes: dict[str, NodeReport] = field(default_factory=dict)
    statements: dict[int, GpuStatement] = field(default_factory=dict)
    overruled: frozenset[int] = frozenset()
    counts: dict[int, dict[str, int]] = field(default_factory=dict)
    wanted: dict[int, dict[str, int]] = field(default_factory=dict)
    reserved: dict[str, list[GpuShare]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DeviceSource:
    """How one source is read; what it does not need is left out.

    `of_status` and `of_annotations` read a pod's own object, the second only where one of the `annotations` is there;
    `of_cluster` reads everything else, when all is read.
    """

    annotations: frozenset[str] = frozenset()
    of_status: Callable[[PodStatusWire], GpuStatement | None] | None = None
    of_annotations: Callable[[Mapping[str, str]], Iterable[GpuStatement | None]] | None = None
    of_cluster: Callable[[Cluster], Report] | None = None
