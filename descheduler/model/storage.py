"""The storage objects that tie pods to places: claims, volumes, classes, and what nodes can attach."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.selectors import NodeSelectorTerm


@dataclass(frozen=True, slots=True)
class Claim:
    """A PersistentVolumeClaim; `volume` is empty while unbound."""

    namespace: str
    name: str
    volume: str = ""
    storage_class: str = ""
    access_modes: tuple[str, ...] = ()
    selected_node: str = ""  # annotation volume.kubernetes.io/selected-node
    phase: str = ""  # Pending | Bound | Lost
    deleting: bool = False  # has a deletionTimestamp


@dataclass(frozen=True, slots=True)
class ClaimTemplate:
    """What a generic ephemeral volume (`spec.volumes[].ephemeral`) makes a new claim from, for each new pod."""

    volume: str  # its name in the pod
    storage_class: str | None = None  # None: the cluster's default class
    access_modes: tuple[str, ...] = ()
    storage: int = 0  # bytes

    def claim_of(self, pod: str) -> str:
        """Name of the claim that it makes for a pod (component-helpers storage/ephemeral)."""
        return f"{pod}-{self.volume}"


@dataclass(frozen=True, slots=True)
class Volume:
    """A PersistentVolume; `affinity` None means usable everywhere; `local`: its data lives on one node.

    `csi_driver` is the driver that attaches it, for the built-in cloud disks too, all of which CSI drivers serve by
    now (k8s.io/csi-translation-lib); `handle` is the driver's own name of it. `networked`: a network file system of
    the built-in kinds, which no node attaches.
    """

    name: str
    affinity: tuple[NodeSelectorTerm, ...] | None = None
    storage_class: str = ""
    local: bool = False
    labels: Labels = NO_LABELS
    csi_driver: str = ""
    handle: str = ""
    networked: bool = False
    access_modes: tuple[str, ...] = ()
    phase: str = ""  # Available | Bound | Released | Failed
    deleting: bool = False  # has a deletionTimestamp


@dataclass(frozen=True, slots=True)
class StorageClass:
    """`allowed_topologies` as node selector terms; empty: everywhere. `created` in unix seconds."""

    name: str
    binding_mode: str = "Immediate"  # Immediate | WaitForFirstConsumer
    provisioner: str = ""
    allowed_topologies: tuple[NodeSelectorTerm, ...] = ()
    default: bool = False
    created: float = 0.0


@dataclass(frozen=True, slots=True)
class CsiNode:
    """How many volumes of each driver a node can have attached, sorted by driver; one that is absent has no limit."""

    name: str
    limits: tuple[tuple[str, int], ...] = ()
    problem: str = ""  # why the limits are not known


@dataclass(frozen=True, slots=True)
class CsiDriver:
    """`attaches`: its volumes must be attached to a node before use; those of network file systems need not."""

    name: str
    attaches: bool = True
