"""A cluster as people make it: nodes of two sizes, a few hundred workloads, requests that only resemble their use.

Pods arrive in random order and the default scheduler's scores place them, so requests are even over the nodes; what
they really use is not, and some nodes become hot though all requests fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from _common import TESTS  # noqa: F401  (puts the tests' folder on the path, as all benchmarks do)
from numpy.typing import NDArray

from descheduler.model.budgets import DisruptionBudget
from descheduler.model.labels import Labels
from descheduler.model.nodes import HOSTNAME, ZONE, Node
from descheduler.model.pods import Phase, Pod, PodSpec, Toleration
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import Ordinals, OwnerRef, Workload, WorkloadKey
from descheduler.scheduler import prepare

GIB = 2**30
NODES = 60
SIZES = ((15_600, 60 * GIB), (31_200, 122 * GIB))  # allocatable of 16 and 32 cores, millicores and bytes
SHARES = (0.75, 0.25)
WRITTEN = np.array([50, 100, 150, 200, 250, 300, 400, 500, 750, 1000, 1500, 2000, 2500, 3000, 4000, 6000])
"""Millicores that people write."""
DAEMONS = (("node-log", 150, 0.06), ("node-net", 200, 0.10), ("node-metrics", 100, 0.04))  # request, cores used
SYSTEM = "kube-system"
AGO = 8 * 86_400.0


@dataclass(frozen=True, slots=True)
class App:
    """One workload: `cores` and `memory` (bytes) are what a replica requests. `budget`: empty, or pods that may be
    missing ("1", "25%")."""

    name: str
    kind: str
    replicas: int
    cores: float
    memory: int
    grace: int
    budget: str


def apps(rng: np.random.Generator, busy: NDArray[np.float32], cores: float) -> tuple[list[App], float]:
    """Workloads whose replicas use `busy` [W] at busy times, on any scale; over-requested more often than under.

    Also the factor from that scale to cores with which all requests come to so many `cores`.
    """
    count = len(busy)
    replicas = rng.choice(np.arange(1, 13), count, p=np.array([16, 22, 20, 10, 8, 7, 4, 4, 3, 2, 2, 2]) / 100)
    wanted = busy * np.exp(rng.normal(0.25, 0.45, count))
    factor = cores / float((wanted * replicas).sum())
    for _ in range(5):  # what is written is rounded, so the factor is found by trying
        asked = _written(wanted * factor)
        factor *= cores / float((asked * replicas).sum())
    asked = _written(wanted * factor)
    memory = np.ceil(asked * rng.choice([1.0, 2.0, 4.0], count, p=[0.4, 0.4, 0.2]) * 4) / 4 * GIB
    stateful, guarded = rng.random(count) < 0.06, rng.random(count) < 0.4
    made = [
        App(
            name=f"app-{i:04d}",
            kind="StatefulSet" if stateful[i] else "Deployment",
            replicas=int(replicas[i]),
            cores=float(asked[i]),
            memory=int(memory[i]),
            grace=int(rng.choice([5, 10, 30, 30, 30])),
            budget=str(rng.choice(["1", "25%"])) if guarded[i] and replicas[i] > 1 else "",
        )
        for i in range(count)
    ]
    return made, factor


def _written(cores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest that people write, in cores."""
    away = np.abs(np.log(np.maximum(cores, 0.02))[:, None] - np.log(WRITTEN / 1000))
    return np.asarray(WRITTEN[away.argmin(axis=1)] / 1000, np.float64)


def nodes(rng: np.random.Generator, count: int = NODES) -> tuple[Node, ...]:
    """Nodes of two sizes over three zones."""
    out = []
    for i in range(count):
        cpu, memory = SIZES[int(rng.choice(2, p=SHARES))]
        name = f"node-{i:04d}"
        labels = Labels({HOSTNAME: name, ZONE: f"zone-{i % 3}"})
        amounts = (("cpu", cpu), ("memory", memory), ("pods", 110))
        out.append(Node(name, f"uid-{name}", labels, allocatable=amounts, created=1.0))
    return tuple(out)


def cluster(rng: np.random.Generator, apps: Sequence[App], nodes: Sequence[Node], now: float) -> ClusterSnapshot:
    """All of it at a time, where the scheduler has put it; replicas that find no room are not there."""
    workloads: dict[WorkloadKey, Workload] = {}
    budgets: list[DisruptionBudget] = []
    arriving: list[list[Pod]] = []
    for at in rng.permutation(len(apps)).tolist():
        app = apps[at]
        namespace = f"team-{at % 20:02d}"
        made, pods = _workload(app, namespace, now)
        workloads.update({one.key: one for one in made})
        arriving.append(pods)
        if app.budget:
            budgets.append(_budget(app, namespace))
    daemons = [_daemon(name, request, nodes, now) for name, request, _ in DAEMONS]
    workloads.update({one.key: one for one, _ in daemons})
    pods = [*(pod for _, of_it in daemons for pod in of_it), *(pod for of_it in arriving for pod in of_it)]
    namespaces = {ns: Labels({"kubernetes.io/metadata.name": ns}) for ns in sorted({pod.namespace for pod in pods})}
    order = {pod.uid: number for number, pod in enumerate(pods)}
    snapshot = ClusterSnapshot.of(
        taken_at=now,
        nodes=tuple(nodes),
        pods=tuple(pods),
        namespaces=namespaces,
        workloads=workloads,
        budgets=tuple(budgets),
        cluster="people's",
    )
    return _scheduled(rng, snapshot, order)


def _workload(app: App, namespace: str, now: float) -> tuple[list[Workload], list[Pod]]:
    labels, selector = Labels({"app": app.name}), LabelSelector.of({"app": app.name})
    top = Workload(
        app.kind,
        "apps/v1",
        namespace,
        app.name,
        f"uid-{app.name}",
        replicas=app.replicas,
        ready=app.replicas,
        selector=selector,
        present=app.replicas,
        ordinals=Ordinals() if app.kind == "StatefulSet" else None,
    )
    made, maker = [top], OwnerRef("apps/v1", app.kind, app.name, top.uid, True)
    if app.kind == "Deployment":
        name = f"{app.name}-7d9c"
        under = replace(top, kind="ReplicaSet", name=name, uid=f"uid-{name}", owners=(maker,))
        made, maker = [top, under], OwnerRef("apps/v1", "ReplicaSet", name, under.uid, True)
    spec = PodSpec(
        requests=(("cpu", round(app.cores * 1000)), ("memory", app.memory), ("pods", 1)),
        grace_seconds=app.grace,
        images=(f"registry.example/{app.name}:1",),
    )
    names = [f"{maker.name}-{i}" if app.kind == "StatefulSet" else f"{maker.name}-{i:05d}" for i in range(app.replicas)]
    return made, [_pod(namespace, name, spec, labels, maker, now) for name in names]


def _daemon(name: str, request: int, nodes: Sequence[Node], now: float) -> tuple[Workload, list[Pod]]:
    labels = Labels({"app": name})
    made = Workload(
        "DaemonSet",
        "apps/v1",
        SYSTEM,
        name,
        f"uid-{name}",
        replicas=len(nodes),
        ready=len(nodes),
        selector=LabelSelector.of({"app": name}),
    )
    spec = PodSpec(
        requests=(("cpu", request), ("memory", GIB // 4), ("pods", 1)), tolerations=(Toleration("", "Exists"),)
    )
    owner = OwnerRef("apps/v1", "DaemonSet", name, made.uid, True)
    pods = [_pod(SYSTEM, f"{name}-{i:05d}", spec, labels, owner, now) for i in range(len(nodes))]
    return made, [replace(pod, node=node.name) for pod, node in zip(pods, nodes, strict=True)]


def _pod(namespace: str, name: str, spec: PodSpec, labels: Labels, owner: OwnerRef, now: float) -> Pod:
    since = now - AGO
    return Pod(namespace, name, f"uid-{name}", spec, labels, owners=(owner,), created=since, started=since)


def _budget(app: App, namespace: str) -> DisruptionBudget:
    missing = -(-app.replicas // 4) if app.budget.endswith("%") else int(app.budget)
    return DisruptionBudget(
        namespace,
        app.name,
        LabelSelector.of({"app": app.name}),
        max_unavailable=app.budget,
        allowed=missing,
        current_healthy=app.replicas,
        desired_healthy=app.replicas - missing,
        expected=app.replicas,
    )


def _scheduled(rng: np.random.Generator, snapshot: ClusterSnapshot, order: dict[str, int]) -> ClusterSnapshot:
    state = prepare(snapshot).what_if()
    where: dict[int, int] = {}
    for at in sorted(range(len(snapshot.pods)), key=lambda i: order[snapshot.pods[i].uid]):
        if snapshot.pods[at].node:
            continue
        likely = state.likely(at)
        if not likely:
            continue
        shares = np.array([share for _, share in likely])
        where[at] = likely[int(rng.choice(len(likely), p=shares / shares.sum()))][0]
        state.place(at, where[at])
    pods = tuple(
        replace(pod, node=snapshot.nodes[where[at]].name, phase=Phase.RUNNING) if at in where else pod
        for at, pod in enumerate(snapshot.pods)
        if pod.node or at in where
    )
    return replace(snapshot, pods=pods)
