"""What the cluster itself says of its pods, against which series are held: which there are, where, and their bounds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import numpy as np

from descheduler.model.arrays import Floats, Mask, Positions
from descheduler.model.nodes import Node, node_names
from descheduler.model.pods import Amounts, Phase, amount_of
from descheduler.model.snapshot import ClusterSnapshot
from descheduler_profiling.history.outside_queries import NODE_LABELS

_UNIT = {"cpu": 1000.0, "memory": 1.0}
"""Amounts (quantity.amount) per unit of the signals that are also resources."""
SETTLED = 900.0
"""Seconds that a pod must have run to be missed where it has no series."""


@dataclass(frozen=True, slots=True)
class PodsHere:
    """P pods on N nodes, in the order of the snapshot.

    `node` [P] is -1 where it is not known; `created` [P] in unix seconds. `settled` [P]: it runs on a real node for
    long enough to have series; `of_gpus` [P]: it asks for GPUs. By signal, in its unit, infinite where nobody says:
    `of_node` [N] what the machine has, `of_pod` [P] what the pod is limited to.
    """

    index: Mapping[tuple[str, str], int]
    nodes: tuple[str, ...]
    node: Positions
    created: Floats
    settled: Mask
    of_gpus: Mask
    of_node: Mapping[str, Floats]
    of_pod: Mapping[str, Floats]
    called: Mapping[str, str] = field(default_factory=dict)  # names of nodes by all that they are called by

    def rows(self, pods: Sequence[tuple[str, str]]) -> Positions:
        """[K] positions of pods, -1 for those that do not exist."""
        return np.fromiter(map(self.index.get, pods, repeat(-1)), np.int32, len(pods))

    def largest(self, signal: str) -> float:
        """What the largest machine has: more than any pod, past or present, can have used."""
        found = self.of_node.get(signal)
        return float(found.max()) if found is not None and found.size else np.inf

    def expected(self, *, of_gpus: bool) -> Mask:
        """[P] the pods that a signal should have."""
        wanted: Mask = self.settled & self.of_gpus if of_gpus else self.settled
        return wanted


def pods_here(snapshot: ClusterSnapshot) -> PodsHere:
    """The same of a snapshot."""
    pods, nodes, columns = snapshot.pods, snapshot.nodes, snapshot.columns
    real = np.array([not node.virtual for node in nodes] + [False])
    long_ago = snapshot.taken_at - SETTLED
    running = (0 < p.started <= long_ago and p.phase is Phase.RUNNING and p.deleting is None for p in pods)
    with_gpus = np.array([spec.gpu is not None for spec in columns.specs], np.bool_)
    return PodsHere(
        index=snapshot.pod_index,
        nodes=tuple(node.name for node in nodes),
        node=columns.pod_node,
        created=np.fromiter((p.created for p in pods), np.float64, len(pods)),
        settled=np.fromiter(running, np.bool_, len(pods)) & real[columns.pod_node],
        of_gpus=with_gpus[columns.pod_spec] if len(pods) else np.empty(0, np.bool_),
        of_node={signal: machines(nodes, signal) for signal in _UNIT},
        of_pod={
            signal: _most((spec.bounds for spec in columns.specs), signal)[columns.pod_spec]
            if len(pods)
            else np.empty(0, np.float64)
            for signal in _UNIT
        },
        called=node_names(nodes),
    )


def machines(nodes: Sequence[Node], signal: str) -> Floats:
    """[N] what each machine has, in the unit of the signal; infinite where that is no resource, or nobody says."""
    if signal not in _UNIT:
        return np.full(len(nodes), np.inf)
    return _most((node.capacity or node.allocatable for node in nodes), signal)


def _most(stated: Iterable[Amounts], signal: str) -> Floats:
    """Amounts of the resource in the unit of the signal, infinite where none is stated."""
    found = np.array([amount_of(amounts, signal) for amounts in stated], np.float64)
    return np.where(found > 0, found / _UNIT[signal], np.inf)


def node_of(labels: Mapping[str, str], here: PodsHere | None) -> str:
    """The node that a series is of by any of its labels; empty where that is none of this cluster."""
    told = [_host(labels[label]) for label in NODE_LABELS if labels.get(label)]
    if here is None:
        return told[0] if told else ""
    for name in told:
        if name in here.called:
            return here.called[name]
    exporter = here.index.get((labels.get("namespace", ""), labels.get("pod", "")), -1)
    at = int(here.node[exporter]) if exporter >= 0 else -1
    return here.nodes[at] if at >= 0 else ""


def _host(address: str) -> str:
    """A name or address without its port: `10.0.0.1:9100`, `[fd00::1]:9100`, `node-1`."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
