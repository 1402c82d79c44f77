"""Nodes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from descheduler.model.devices import NodeGpus as NodeGpus
from descheduler.model.labels import NO_LABELS, Labels
from descheduler.model.pods import Amounts

HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
"""Well-known labels of nodes (k8s.io/api core/v1 well_known_labels.go)."""


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str = ""
    effect: str = "NoSchedule"  # NoSchedule | PreferNoSchedule | NoExecute


VACATING = Taint("rebalance.descheduler.dev/vacating", "", "PreferNoSchedule")
"""Ours, on nodes that pods are being moved away from, while they are (policy `acting.landing: steered`)."""


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    uid: str = ""
    labels: Labels = NO_LABELS
    annotations: Labels = NO_LABELS
    allocatable: Amounts = ()
    capacity: Amounts = ()  # CPU and memory of the machine, what is kept back for the system included
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    ready: bool = True
    created: float = 0.0
    addresses: tuple[str, ...] = ()  # of its status, of any type
    gpus: NodeGpus | None = None
    virtual: bool = False  # a virtual kubelet: neither source nor destination
    leaving: str = ""  # what tells that it is about to go, so that it is no destination; empty: nothing does
    drained: bool = False  # it is going now: whoever removes it moves its pods, so it is no source either


def node_names(nodes: Iterable[Node]) -> Mapping[str, str]:
    """What series may call a node: its name, its hostname, an address of it, and either of the first two without the
    domain; what several nodes are called by is not there."""
    out: dict[str, str] = {}
    others: dict[str, set[str]] = defaultdict(set)
    for node in nodes:
        for name in (node.labels.get(HOSTNAME, ""), node.name):
            if name:
                out[name] = node.name
                others[name.partition(".")[0]].add(node.name)
        for address in node.addresses:
            others[address].add(node.name)
    return {name: next(iter(found)) for name, found in others.items() if len(found) == 1} | out
