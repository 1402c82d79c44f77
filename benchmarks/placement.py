"""How long the scheduler's predicates take: preparing a snapshot, and one pod against all nodes.

The cluster is synthetic and seeded: zones, taints, node selectors, host ports, a tenth of the pods with inter-pod
terms, another tenth with topology spread, and some per-pod labels as StatefulSets have.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from _common import parser, peak_mib, show

from descheduler.model.labels import Labels
from descheduler.model.nodes import Node, NodeGpus, Taint
from descheduler.model.pods import (
    GpuRequest,
    HostPort,
    Pod,
    PodAffinity,
    PodAffinityTerm,
    PodSpec,
    SpreadConstraint,
    Toleration,
)
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import OwnerRef, Workload
from descheduler.scheduler import WhatIf, prepare

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
GPU = "nvidia.com/gpu"
GIB = 1 << 30
REPLICAS = 20


def main() -> None:
    """Build the cluster, prepare it, ask."""
    options = _options()
    snapshot = synthetic(options.nodes, options.pods, options.seed)
    began = time.perf_counter()
    _ = snapshot.columns
    columns = time.perf_counter() - began
    gc.collect()
    began = time.perf_counter()
    ready = prepare(snapshot)
    prepared = time.perf_counter() - began
    state = ready.what_if()
    rng = np.random.default_rng(options.seed)
    pods = rng.choice(len(snapshot.pods), min(options.ask, len(snapshot.pods)), replace=False)
    first = _per_pod(state.fits, pods)
    again = _per_pod(state.fits, pods)
    likely = _per_pod(state.likely, pods)
    moved, after = _moving(state.fork(), pods, options.nodes, rng)
    show(
        f"Placement, {options.nodes} nodes, {options.pods} pods",
        {
            "prepare_seconds": prepared,
            "columns_seconds": columns,
            "ms_per_pod_all_nodes": first,
            "ms_per_pod_again": again,
            "ms_per_pod_likely": likely,
            "ms_per_move": moved,
            "us_per_fork": _fork(after),
            "fit_share": float(np.mean([state.fits(pod).mean() for pod in pods.tolist()])),
            "nofit_ms": _no_fit(options.seed),
            "peak_mib": peak_mib(),
        },
        as_json=options.json,
        note="ms_per_pod_all_nodes includes working out the rules of each pod's class the first time",
    )


def _options() -> argparse.Namespace:
    arguments = parser(__doc__ or "")
    arguments.add_argument("--nodes", type=int, default=5000)
    arguments.add_argument("--pods", type=int, default=150_000)
    arguments.add_argument("--ask", type=int, default=3000, help="how many pods to ask for")
    arguments.add_argument("--seed", type=int, default=1)
    options: argparse.Namespace = arguments.parse_args()
    return options


def _per_pod(ask: Callable[[int], object], pods: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    began = time.perf_counter()
    for pod in pods.tolist():
        ask(pod)
    return 1e3 * (time.perf_counter() - began) / len(pods)


def _moving(
    state: WhatIf, pods: np.ndarray[tuple[int], np.dtype[np.int64]], nodes: int, rng: np.random.Generator
) -> tuple[float, WhatIf]:
    """Milliseconds of one trial (fork, take a pod away, ask, put it on a node, keep the fork); the last state."""
    began = time.perf_counter()
    for pod in pods[:500].tolist():
        trial = state.fork()
        trial.remove(pod)
        able = np.flatnonzero(trial.fits(pod))
        trial.place(pod, int(able[rng.integers(len(able))]) if len(able) else int(rng.integers(nodes)))
        state = trial
    return 1e3 * (time.perf_counter() - began) / min(500, len(pods)), state


def _fork(state: WhatIf) -> float:
    began = time.perf_counter()
    for _ in range(200):
        state.fork()
    return 1e6 * (time.perf_counter() - began) / 200


def _no_fit(seed: int) -> float:
    """Milliseconds to learn that no GPU pod of the hot nodes fits anywhere: 1,000 nodes, 30,000 pods."""
    rng = Random(seed)
    nodes = [_node(rng, i, gpu=i < 200) for i in range(1000)]
    spec = PodSpec(requests=_requests(500, GIB, 8), gpu=GpuRequest(GPU, 8))
    plain = PodSpec(requests=_requests(500, GIB))
    pods = [
        Pod(
            "default",
            f"p-{i}",
            f"u-{i}",
            spec if i < 200 else plain,
            Labels(app=f"a-{i // 20}"),
            node=nodes[i % 1000].name,
        )
        for i in range(30_000)
    ]
    snapshot = ClusterSnapshot.of(taken_at=0.0, nodes=tuple(nodes), pods=tuple(pods))
    state = prepare(snapshot).what_if()
    hot = np.array([i for i, pod in enumerate(snapshot.pods) if pod.spec is spec])
    began = time.perf_counter()
    able = np.stack([state.fits(pod) for pod in hot.tolist()])
    able[np.arange(len(hot)), [state.node_of(p) for p in hot.tolist()]] = False
    if able.any():
        sys.exit("a GPU pod fits where none should")
    return 1e3 * (time.perf_counter() - began)


def synthetic(nodes: int, pods: int, seed: int) -> ClusterSnapshot:
    """A cluster of the given size, the same for the same seed."""
    rng = Random(seed)
    made = [_node(rng, i, gpu=i % 10 == 0) for i in range(nodes)]
    free = [list(_amounts(n)) for n in made]
    placed: list[Pod] = []
    workloads: dict[object, Workload] = {}
    for w in range(-(-pods // REPLICAS)):
        namespace, app = f"ns-{w % 200}", f"app-{w}"
        spec = _spec(rng, app)
        labels = Labels({"app": app, "tier": rng.choice(("front", "back")), "pod-template-hash": f"h{w}"})
        workload = Workload("ReplicaSet", "apps/v1", namespace, app, f"u-{app}", selector=LabelSelector.of(labels))
        workloads[workload.key] = workload
        owners = (OwnerRef("apps/v1", "ReplicaSet", app, workload.uid, controller=True),)
        own = rng.random() < 0.05  # like a StatefulSet, every pod with a label of its own
        for r in range(min(REPLICAS, pods - len(placed))):
            mine = labels.with_({"apps.kubernetes.io/pod-index": str(r)}) if own else labels
            node = made[_home(rng, free, spec)].name
            placed.append(Pod(namespace, f"{app}-{r}", f"u-{app}-{r}", spec, mine, owners=owners, node=node))
    namespaces = {f"ns-{i}": Labels({"kubernetes.io/metadata.name": f"ns-{i}"}) for i in range(200)}
    return ClusterSnapshot.of(
        taken_at=0.0, nodes=tuple(made), pods=tuple(placed), namespaces=namespaces, workloads=workloads
    )


def _node(rng: Random, i: int, *, gpu: bool) -> Node:
    name = f"node-{i:05d}"
    labels = Labels({HOST: name, ZONE: f"zone-{i % 3}", "pool": "gpu" if gpu else rng.choice(("a", "b", "c"))})
    allocatable = {"cpu": 32_000, "memory": 128 * GIB, "pods": 110, **({GPU: 8} if gpu else {})}
    taints = (Taint(GPU, "", "NoSchedule"),) if gpu else (Taint("spot"),) if rng.random() < 0.1 else ()
    gpus = NodeGpus(GPU, 8) if gpu else None
    return Node(name, f"u-{name}", labels, allocatable=tuple(sorted(allocatable.items())), taints=taints, gpus=gpus)


def _amounts(node: Node) -> tuple[int, int]:
    amounts = dict(node.allocatable)
    return amounts["cpu"], amounts["memory"]


def _spec(rng: Random, app: str) -> PodSpec:
    kind = rng.random()
    me = LabelSelector.of({"app": app})
    return PodSpec(
        requests=_requests(rng.choice((100, 250, 500, 1000, 2000)), rng.choice((1, 2, 4)) * GIB),
        node_selector=Labels(pool=rng.choice("abc")) if rng.random() < 0.2 else Labels(),
        anti_affinity=PodAffinity(required=(PodAffinityTerm(HOST, me),)) if kind < 0.05 else PodAffinity(),
        affinity=PodAffinity(required=(PodAffinityTerm(ZONE, me),)) if 0.05 <= kind < 0.1 else PodAffinity(),
        spread=(SpreadConstraint(1, ZONE, "DoNotSchedule", me),) if 0.1 <= kind < 0.2 else (),
        tolerations=(Toleration("spot", "Exists"),) if rng.random() < 0.3 else (),
        host_ports=(HostPort(8000 + rng.randrange(20)),) if kind > 0.99 else (),
    )


def _requests(cpu: int, memory: int, gpu: int = 0) -> tuple[tuple[str, int], ...]:
    amounts = {"cpu": cpu, "memory": memory, "pods": 1, **({GPU: gpu} if gpu else {})}
    return tuple(sorted(amounts.items()))


def _home(rng: Random, free: list[list[int]], spec: PodSpec) -> int:
    """A node with room if one is found soon."""
    need = dict(spec.requests)
    for _ in range(30):
        at = rng.randrange(len(free))
        if free[at][0] >= need["cpu"] and free[at][1] >= need["memory"]:
            break
    free[at][0] -= need["cpu"]
    free[at][1] -= need["memory"]
    return at


if __name__ == "__main__":
    main()
