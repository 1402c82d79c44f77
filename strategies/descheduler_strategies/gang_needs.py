"""What gangs need beyond the amounts of their members: how many start together, and how near to one another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from descheduler.model.pods import Pod
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.packing.state import ABSENT

REQUIRED_TOPOLOGY = "kueue.x-k8s.io/podset-required-topology"
"""Pod annotation: the label key of the level within which all pods of the set must run (Kueue, KEP-2724)."""
_NATIVE = "scheduling.k8s.io"
UNRESOLVED = frozenset({Reason.GANG_UNKNOWN, Reason.GANG_AMBIGUOUS, Reason.GANG_ONE_SIDED})
"""How many members must start together is not known then."""


def required_level(snapshot: ClusterSnapshot, pod: Pod) -> str:
    """The node label within one value of which the pod's gang must run, where its objects say so; else empty.

    Read from Kueue's annotation, and from the core PodGroup's `spec.schedulingConstraints.topology` (KEP-5732).
    """
    if REQUIRED_TOPOLOGY in pod.annotations:
        return pod.annotations[REQUIRED_TOPOLOGY]
    group = snapshot.custom(_NATIVE, "PodGroup", pod.namespace, pod.pod_group) if pod.pod_group else None
    constraints = group.spec.get("schedulingConstraints") if group is not None else None
    levels = constraints.get("topology") if isinstance(constraints, dict) else None
    first = levels[0] if isinstance(levels, (list, tuple)) and levels else None
    key = first.get("key") if isinstance(first, dict) else None
    return key if isinstance(key, str) else ""


def domains(snapshot: ClusterSnapshot, label: str) -> NDArray[np.int32]:
    """[N] ids of the label's values, in the order of nodes; ABSENT for a node without it."""
    ids: dict[str, int] = {}
    values = [node.labels.get(label) for node in snapshot.nodes]
    return np.array([ABSENT if v is None else ids.setdefault(v, len(ids)) for v in values], np.int32)
