"""A synthetic cluster with something for each strategy of kubernetes-sigs/descheduler to find.

What the generator leaves behind anyway are crowded replicas, uneven zones and pods that should be alone; added are
nodes that were tainted or lost a label after pods had come, pods that restart, that are old, and that have failed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from descheduler.model.labels import NO_LABELS
from descheduler.model.nodes import Node, Taint
from descheduler.model.pod_status import ContainerState, PodStatus
from descheduler.model.pods import NodeAffinity, Phase, Pod, PodAffinity, PodSpec
from descheduler.model.selectors import NodeSelectorTerm, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot

DAY = 86_400.0
TAINTED, ON_SSD, RESTARTING, OLD, FAILED = 0.005, 0.01, 0.0005, 0.0005, 0.0005
"""Shares of nodes, of workloads (`ON_SSD`) and of pods."""
_DISK = Requirement("disk", Operator.IN, ("ssd",))
_RESTARTED = PodStatus(containers=(ContainerState(restarts=120, waiting="CrashLoopBackOff"),))
_EVICTED = PodStatus(reason="Evicted")


def troubled(snapshot: ClusterSnapshot, seed: int) -> ClusterSnapshot:
    """The cluster with these troubles; the same arguments make the same."""
    rng = np.random.default_rng([seed, 1])
    nodes = tuple(_node(node, *rng.random(2)) for node in snapshot.nodes)
    specs = {id(spec): spec for spec in snapshot.columns.specs}
    wanting = {key: _on_ssd(spec) for key, spec in specs.items() if rng.random() < ON_SSD}
    draws = rng.random(len(snapshot.pods))
    pods = tuple(_pod(pod, draw, wanting) for pod, draw in zip(snapshot.pods, draws.tolist(), strict=True))
    return _changed(snapshot, nodes, pods, "troubled")


def settled(snapshot: ClusterSnapshot) -> ClusterSnapshot:
    """The cluster without what the generator leaves behind: no rule of where pods are is broken, for there is none."""
    free = {id(spec): _anywhere(spec) for spec in snapshot.columns.specs}
    pods = tuple(replace(pod, spec=free[id(pod.spec)]) for pod in snapshot.pods)
    return _changed(snapshot, snapshot.nodes, pods, "settled")


def _changed(snapshot: ClusterSnapshot, nodes: tuple[Node, ...], pods: tuple[Pod, ...], how: str) -> ClusterSnapshot:
    return ClusterSnapshot.of(
        taken_at=snapshot.taken_at,
        nodes=nodes,
        pods=pods,
        namespaces=snapshot.namespaces,
        workloads=snapshot.workloads,
        budgets=snapshot.budgets,
        objects=snapshot.objects,
        cluster=f"{snapshot.cluster}-{how}",
    )


def _anywhere(spec: PodSpec) -> PodSpec:
    return replace(spec, node_selector=NO_LABELS, anti_affinity=PodAffinity(), spread=())


def _node(node: Node, tainted: float, disk: float) -> Node:
    labels = node.labels.with_({"disk": "ssd"}) if disk < 0.5 else node.labels
    taints = (*node.taints, Taint("maintenance", "soon")) if tainted < TAINTED else node.taints
    return replace(node, labels=labels, taints=taints)


def _on_ssd(spec: PodSpec) -> PodSpec:
    return replace(spec, node_affinity=NodeAffinity(required=(NodeSelectorTerm((_DISK,)),)))


def _pod(pod: Pod, draw: float, wanting: dict[int, PodSpec]) -> Pod:
    spec = wanting.get(id(pod.spec))
    if spec is not None:
        pod = replace(pod, spec=spec)
    if draw < RESTARTING:
        return replace(pod, status=_RESTARTED)
    if draw < RESTARTING + OLD:
        return replace(pod, created=pod.created - 40 * DAY, started=pod.started - 40 * DAY)
    if draw < RESTARTING + OLD + FAILED:
        return replace(pod, phase=Phase.FAILED, status=_EVICTED, ready=False)
    return pod
