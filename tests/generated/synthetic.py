"""Seeded clusters of any size, with a week of history, for benchmarks and invariants.

A cluster has a general pool (32 cores, 128 GiB, three zones) and a GPU pool (96 cores, 8 GPUs); workloads of a few to
a few dozen replicas with common request shapes, some bound to a zone, spread over zones or kept apart on hosts; a
budget for about half of them; a few gangs. A share of the general nodes (`hot`) holds mostly replicas of workloads
whose daily peak is due within the hour. `case="nofit"` gives the pods of hot nodes a GPU that no other node has free.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from descheduler.model.budgets import DisruptionBudget
from descheduler.model.labels import Labels
from descheduler.model.nodes import Node, NodeGpus, Taint
from descheduler.model.objects import CustomObject
from descheduler.model.pods import GpuRequest, Pod, PodAffinity, PodAffinityTerm, PodSpec, SpreadConstraint, Toleration
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import OwnerRef, Workload, WorkloadKey
from descheduler_profiling.series import History

NOW = 1_793_275_200
STEP = 300
GPU = "nvidia.com/gpu"
GIB = 2**30
ZONE = "topology.kubernetes.io/zone"
SHAPES = ((250, 0.5), (500, 1.0), (1000, 2.0), (2000, 4.0), (4000, 8.0), (9500, 32.0))  # millicores, GiB
SHAPE_SHARES = (0.25, 0.3, 0.25, 0.15, 0.05, 0.0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to generate. `hot`: share of the general nodes that will be hot; `replicas`: of a workload, in the mean."""

    nodes: int
    pods: int
    seed: int = 0
    hot: float = 0.02
    gpu_share: float = 0.1
    case: str = "mixed"
    replicas: float = 15.0


@dataclass(slots=True)
class _Workload:
    key: WorkloadKey
    spec: PodSpec
    labels: Labels
    owner: OwnerRef
    hot: bool
    count: int = 0


def synthetic(plan: Plan) -> tuple[ClusterSnapshot, dict[str, History]]:
    """The cluster and its histories of cpu (cores) and memory (bytes)."""
    rng = np.random.default_rng(plan.seed)
    nodes = _nodes(plan)
    hot = _hot_nodes(plan, nodes, rng)
    placed = _place(plan, nodes, hot, rng)
    pods = _pods(placed, nodes)
    workloads = list({id(w): w for w, _ in placed}.values())
    gangs, pods = _gangs(plan, workloads, pods, rng)
    snapshot = ClusterSnapshot.of(
        taken_at=float(NOW),
        nodes=tuple(nodes),
        pods=tuple(pods),
        namespaces={
            ns: Labels({"kubernetes.io/metadata.name": ns}) for ns in sorted({w.key.namespace for w in workloads})
        },
        workloads={
            w.key: Workload(
                w.key.kind, "apps/v1", w.key.namespace, w.key.name, w.owner.uid, replicas=w.count, ready=w.count
            )
            for w in workloads
        },
        budgets=tuple(_budgets(workloads, rng)),
        objects={"scheduling.x-k8s.io/PodGroup": tuple(gangs)},
        cluster=f"synthetic-{plan.nodes}-{plan.pods}-{plan.seed}",
    )
    return snapshot, _histories(workloads, rng)


def _nodes(plan: Plan) -> list[Node]:
    out = []
    gpus = round(plan.nodes * plan.gpu_share)
    for i in range(plan.nodes):
        gpu = i >= plan.nodes - gpus
        name = f"{'gpu' if gpu else 'node'}-{i:05d}"
        labels = Labels({"kubernetes.io/hostname": name, ZONE: f"zone-{i % 3}", "pool": "gpu" if gpu else "general"})
        cpu, memory = (96_000, 768 * GIB) if gpu else (32_000, 128 * GIB)
        amounts = [("cpu", cpu), ("memory", memory), ("pods", 110)] + ([(GPU, 8)] if gpu else [])
        out.append(
            Node(
                name,
                f"uid-{name}",
                labels,
                allocatable=tuple(sorted(amounts)),
                taints=(Taint(GPU),) if gpu else (),
                gpus=NodeGpus(GPU, 8, "H100") if gpu else None,
            )
        )
    return out


def _hot_nodes(plan: Plan, nodes: list[Node], rng: np.random.Generator) -> NDArray[np.bool_]:
    """[N] which nodes will be hot: general ones, or in the no-fit case GPU nodes (all other GPU nodes are full)."""
    kind = np.array([(n.gpus is not None) == (plan.case == "nofit") for n in nodes])
    eligible = np.flatnonzero(kind)
    out = np.zeros(len(nodes), np.bool_)
    out[rng.choice(eligible, max(1, round(plan.hot * len(nodes))), replace=False)] = True
    return out


def _place(
    plan: Plan, nodes: list[Node], hot: NDArray[np.bool_], rng: np.random.Generator
) -> list[tuple[_Workload, int]]:
    """Pods by (workload, node): nodes are filled to a share of cpu, in random order, hot ones from hot workloads."""
    cpu = np.array([dict(n.allocatable)["cpu"] for n in nodes])
    gpu_node = np.array([n.gpus is not None for n in nodes])
    fill = np.where(hot, 0.8, rng.uniform(0.35, 0.75, len(nodes)))
    weights = np.maximum(rng.normal(1.0, 0.1, len(nodes)), 0.1)
    left = np.diff(np.round(np.cumsum(weights) / weights.sum() * plan.pods), prepend=0).astype(int)
    room = cpu * fill
    free_gpus = np.where(gpu_node, 8, 0)
    out: list[tuple[_Workload, int]] = []
    open_ones: dict[tuple[bool, bool, bool], tuple[_Workload, int]] = {}
    serial = carried = 0
    for node in rng.permutation(len(nodes)).tolist():
        budget, count, carried = room[node], int(left[node]) + carried, 0
        nofit = plan.case == "nofit" and bool(gpu_node[node])
        if nofit:  # eight pods with a GPU each, and nothing else
            carried, count = count - 8, 8
        wanted = 8 if nofit else (int(rng.integers(1, 6)) if gpu_node[node] else 0)
        for k in range(count):
            gpu = k < wanted and free_gpus[node] > 0
            kind = (bool(hot[node]), bool(gpu), bool(gpu_node[node]))
            current = open_ones.get(kind)
            if current is None or current[1] == 0:
                mean = budget / max(1, count - k) if nofit or not gpu else 4000.0
                current = (
                    _workload(serial, kind, mean, nodes[node], rng),
                    int(rng.geometric(1 / (plan.replicas - 1))) + 1,
                )
                serial += 1
            workload, remaining = current
            if dict(workload.spec.requests)["cpu"] > budget + 0.15 * cpu[node]:
                carried = count - k
                break
            open_ones[kind] = (workload, remaining - 1)
            free_gpus[node] -= int(gpu)
            budget -= dict(workload.spec.requests)["cpu"]
            workload.count += 1
            out.append((workload, node))
    return out


def _workload(
    serial: int, kind: tuple[bool, bool, bool], mean: float, node: Node, rng: np.random.Generator
) -> _Workload:
    hot, gpu, _ = kind
    size = int(np.argmin([abs(c - mean) for c, _ in SHAPES])) if hot else int(rng.choice(len(SHAPES), p=SHAPE_SHARES))
    cpu, memory = SHAPES[size]
    if not hot and not gpu and cpu > mean * 2:
        cpu, memory = SHAPES[max(0, size - 2)]
    namespace, name = f"team-{serial % 50:02d}", f"app-{serial:05d}"
    labels = Labels({"app": name, "tier": f"t{serial % 5}"})
    selector = LabelSelector.of({"app": name})
    draw = rng.random()
    amounts = [("cpu", cpu), ("memory", int(memory * GIB)), ("pods", 1)] + ([(GPU, 1)] if gpu else [])
    spec = PodSpec(
        requests=tuple(sorted(amounts)),
        gpu=GpuRequest(GPU, 1) if gpu else None,
        tolerations=(Toleration(GPU, "Exists"),) if node.gpus else (),
        node_selector=Labels({ZONE: node.labels[ZONE]}) if draw < 0.05 else Labels(),
        spread=(SpreadConstraint(2, ZONE, "DoNotSchedule", selector),) if 0.05 < draw < 0.10 and not hot else (),
        anti_affinity=PodAffinity((PodAffinityTerm("kubernetes.io/hostname", selector),))
        if 0.10 < draw < 0.12
        else PodAffinity(),
        images=(f"registry.example/{name}:1",),
    )
    owner = OwnerRef("apps/v1", "ReplicaSet", name, f"uid-{name}", True)
    return _Workload(WorkloadKey(namespace, "ReplicaSet", name), spec, labels, owner, hot)


def _pods(placed: list[tuple[_Workload, int]], nodes: list[Node]) -> list[Pod]:
    seen: dict[int, int] = {}
    out = []
    for workload, node in placed:
        i = seen[id(workload)] = seen.get(id(workload), -1) + 1
        name = f"{workload.key.name}-{i:05d}"
        out.append(
            Pod(
                workload.key.namespace,
                name,
                f"uid-{name}",
                workload.spec,
                workload.labels,
                owners=(workload.owner,),
                node=nodes[node].name,
                created=NOW - 5 * 86400.0,
                started=NOW - 5 * 86400.0,
            )
        )
    return out


def _gangs(
    plan: Plan, workloads: list[_Workload], pods: list[Pod], rng: np.random.Generator
) -> tuple[list[CustomObject], list[Pod]]:
    """One workload in fifty is a gang of all its pods (scheduler-plugins PodGroup)."""
    chosen = {w.key.name: w for w in workloads if w.count > 1 and rng.random() < 0.02}
    gangs = [
        CustomObject(
            "scheduling.x-k8s.io/v1alpha1",
            "PodGroup",
            w.key.namespace,
            name,
            f"uid-pg-{name}",
            spec={"minMember": w.count},
        )
        for name, w in chosen.items()
    ]
    labelled = {name: w.labels.with_({"scheduling.x-k8s.io/pod-group": name}) for name, w in chosen.items()}
    return gangs, [replace(p, labels=labelled[p.labels["app"]]) if p.labels["app"] in labelled else p for p in pods]


def _budgets(workloads: list[_Workload], rng: np.random.Generator) -> list[DisruptionBudget]:
    out = []
    for w in workloads:
        if rng.random() < 0.5:
            allowed = int(rng.choice((0, 1, 1, 1, max(1, w.count // 4))))
            selector = LabelSelector.of({"app": w.key.name})
            out.append(
                DisruptionBudget(
                    w.key.namespace,
                    w.key.name,
                    selector,
                    max_unavailable=str(allowed),
                    allowed=allowed,
                    current_healthy=w.count,
                    desired_healthy=w.count - allowed,
                    expected=w.count,
                )
            )
    return out


def _histories(workloads: list[_Workload], rng: np.random.Generator) -> dict[str, History]:
    """A week at five minutes: hot workloads peak above their requests in half an hour, daily; others at any hour."""
    ordered = sorted(workloads, key=lambda w: w.key)
    times = np.arange(NOW - 7 * 86400 + STEP, NOW + 1, STEP)
    due = ((NOW + 1800) % 86400) / 3600.0
    hot = np.array([w.hot for w in ordered])
    amounts = [dict(w.spec.requests) for w in ordered]
    cores = np.array([a["cpu"] / 1000.0 for a in amounts], np.float32)
    peak = np.where(hot, due, rng.uniform(0, 24, len(ordered))).astype(np.float32)
    base = cores * np.where(hot, 0.55, rng.uniform(0.1, 0.35, len(ordered))).astype(np.float32)
    bump = cores * np.where(hot, 0.4, rng.uniform(0.0, 0.2, len(ordered))).astype(np.float32)
    memory = np.array([a["memory"] for a in amounts], np.float32)
    cpu, used = np.empty((2, len(ordered), len(times)), np.float32)
    for at in range(0, len(ordered), 512):  # in blocks, so that no second matrix of the whole size is needed
        rows = slice(at, at + 512)
        cpu[rows] = _daily(times, peak[rows], base[rows], bump[rows])
        cpu[rows] *= np.float32(1) + np.float32(0.06) * rng.standard_normal(cpu[rows].shape, dtype=np.float32)
        noise = np.float32(0.02) * rng.standard_normal(cpu[rows].shape, dtype=np.float32)
        used[rows] = memory[rows, None] * (np.float32(0.5) + noise)
    keys = tuple(w.key for w in ordered)
    replicas = np.array([w.count for w in ordered], np.float32)
    return {
        "cpu": History("cpu", "cores", keys, int(times[0]), STEP, cpu, replicas),
        "memory": History("memory", "bytes", keys, int(times[0]), STEP, used, replicas),
    }


def _daily(
    times: NDArray[np.int64], peak: NDArray[np.float32], base: NDArray[np.float32], bump: NDArray[np.float32]
) -> NDArray[np.float32]:
    """[K, T] a daily bump around the hour `peak` on a level `base`, each [K]."""
    hour = ((times % 86400) / 3600.0).astype(np.float32)
    away = np.abs(hour[None, :] - peak[:, None])
    away = np.minimum(away, np.float32(24) - away)
    out: NDArray[np.float32] = base[:, None] + bump[:, None] * np.exp(-0.5 * np.square(away / np.float32(1.5)))
    return out
