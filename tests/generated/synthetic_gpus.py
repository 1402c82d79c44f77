"""Seeded GPU clusters of any size whose free capacity is scattered, with gangs that wait for it, for benchmarks.

Nodes have 8 GPUs and 96 cores, in racks of 16, of two models; work is inference (whole GPUs and halves, in
ReplicaSets, half of them under a budget), training (2, 4 or 8 GPUs a pod, some in gangs) and CPU work beside it. About
three quarters of the GPUs are taken, spread as a scheduler that prefers empty nodes leaves them after weeks of coming
and going. The pods of one scheduler (`gpu-packer`) say which devices they hold, as a sharing scheduler writes it down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descheduler.model.budgets import DisruptionBudget
from descheduler.model.labels import Labels
from descheduler.model.nodes import Node, NodeGpus, Taint
from descheduler.model.objects import CustomObject
from descheduler.model.pods import GpuRequest, Phase, Pod, PodSpec, Toleration
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import OwnerRef, Workload, WorkloadKey
from generated.synthetic import GIB, GPU, NOW, ZONE

RACK = "topology.example/rack"
RACK_NODES = 16
DEVICES = 8
PACKER = "gpu-packer"
GANG = "scheduling.x-k8s.io/pod-group"
KINDS = ((0, 0, 2000, 8), (1, 500, 3000, 12), (1, 1000, 6000, 32), (2, 1000, 12_000, 64), (4, 1000, 24_000, 128))
"""(devices, thousandths of each, millicores, GiB) of the pods that are spread over the nodes."""
SHARES = (0.45, 0.15, 0.28, 0.08, 0.04)


@dataclass(frozen=True, slots=True)
class GpuPlan:
    """What to generate: `taken` the share of the GPUs that is in use, `waiting` how many gangs are pending."""

    nodes: int
    pods: int
    seed: int = 0
    taken: float = 0.72
    waiting: int = 8


def synthetic_gpus(plan: GpuPlan) -> ClusterSnapshot:
    """The cluster; there is no history."""
    rng = np.random.default_rng(plan.seed)
    nodes = [_node(i, "H100" if i < plan.nodes * 0.6 else "A100") for i in range(plan.nodes)]
    made = _Maker(rng)
    pods = made.scattered(plan, nodes)
    pods += made.pending(plan.waiting)
    return ClusterSnapshot.of(
        taken_at=float(NOW),
        nodes=tuple(nodes),
        pods=tuple(pods),
        namespaces={f"team-{i:02d}": Labels() for i in range(20)},
        workloads={w.key: w for w in made.workloads},
        budgets=tuple(made.budgets),
        objects={"scheduling.x-k8s.io/PodGroup": tuple(made.gangs)},
        cluster=f"gpus-{plan.nodes}-{plan.pods}-{plan.seed}",
    )


def _node(i: int, model: str) -> Node:
    name = f"gpu-{i:05d}"
    labels = {
        "kubernetes.io/hostname": name,
        ZONE: f"zone-{i // RACK_NODES % 3}",
        RACK: f"rack-{i // RACK_NODES:04d}",
        "nvidia.com/gpu.product": model,
    }
    amounts = (("cpu", 96_000), ("memory", 768 * GIB), (GPU, DEVICES), ("pods", 110))
    return Node(
        name=name,
        uid=f"uid-{name}",
        labels=Labels(labels),
        allocatable=tuple(sorted(amounts)),
        taints=(Taint(GPU),),
        gpus=NodeGpus(GPU, DEVICES, model),
    )


class _Maker:
    """Makes workloads and their pods; remembers what belongs to them."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.workloads: list[Workload] = []
        self.budgets: list[DisruptionBudget] = []
        self.gangs: list[CustomObject] = []
        self._rng = rng

    def scattered(self, plan: GpuPlan, nodes: list[Node]) -> list[Pod]:
        """Full nodes of 8-GPU training first, then pods of every kind, each on a random node that has room."""
        rng = self._rng
        free = np.full((len(nodes), DEVICES), 1000, np.int64)
        cpu = np.full(len(nodes), 96_000, np.int64)
        target = plan.taken * free.sum()
        out: list[Pod] = []
        full = rng.permutation(len(nodes))[: round(len(nodes) * 0.3)].tolist()
        while full:
            members = [full.pop() for _ in range(min(len(full), int(rng.choice((1, 1, 2, 4)))))]
            out += self._workload(8, 1000, 88_000, 640, [(n, tuple(range(DEVICES))) for n in members], gang=True)
            free[members] = 0
            cpu[members] -= 88_000
        while len(out) < plan.pods:
            kind = int(rng.choice(len(KINDS), p=SHARES))
            devices, milli, cores, memory = KINDS[kind if free.sum() > free.size * 1000 - target else 0]
            seats = self._seats(free, cpu, (devices, milli, cores), min(int(rng.geometric(0.2)), plan.pods - len(out)))
            if not seats:
                break
            out += self._workload(devices, milli, cores, memory, seats, gang=devices > 1)
        return out

    def _seats(
        self, free: np.ndarray[tuple[int, int], np.dtype[np.int64]], cpu: np.ndarray[tuple[int], np.dtype[np.int64]],
        kind: tuple[int, int, int], count: int,
    ) -> list[tuple[int, tuple[int, ...]]]:  # fmt: skip
        devices, milli, cores = kind
        seats: list[tuple[int, tuple[int, ...]]] = []
        for _ in range(count):
            room = cpu >= cores
            if devices:
                room = room & ((free >= milli).sum(axis=1) >= devices)
            able = np.flatnonzero(room)
            if not len(able):
                break
            node = int(self._rng.choice(able))
            held = tuple(np.flatnonzero(free[node] >= milli)[:devices].tolist()) if devices else ()
            free[node, list(held)] -= milli
            cpu[node] -= cores
            seats.append((node, held))
        return seats

    def pending(self, count: int) -> list[Pod]:
        """Gangs of 2 to 16 pods with 8 GPUs each that nobody has placed yet."""
        out: list[Pod] = []
        for _ in range(count):
            size = int(self._rng.choice((2, 2, 4, 8, 16)))
            out += self._workload(8, 1000, 88_000, 640, [(-1, ())] * size, gang=True)
        return out

    def _workload(
        self, devices: int, milli: int, cores: int, memory: int, seats: list[tuple[int, tuple[int, ...]]], gang: bool
    ) -> list[Pod]:
        serial = len(self.workloads)
        namespace, name = f"team-{serial % 20:02d}", f"{'train' if gang else 'serve'}-{serial:05d}"
        kind = "Job" if gang else "ReplicaSet"
        api = "batch/v1" if gang else "apps/v1"
        owner = OwnerRef(api, kind, name, f"uid-{name}", True)
        labels = {"app": name}
        if gang and len(seats) > 1:
            labels[GANG] = name
            spec = {"minMember": len(seats)}
            version = "scheduling.x-k8s.io/v1alpha1"
            self.gangs.append(CustomObject(version, "PodGroup", namespace, name, f"uid-pg-{name}", spec=spec))
        key = WorkloadKey(namespace, kind, name)
        self.workloads.append(
            Workload(kind, api, namespace, name, owner.uid, replicas=len(seats), ready=sum(n >= 0 for n, _ in seats))
        )
        if not gang and self._rng.random() < 0.5:
            self.budgets.append(_budget(key, len(seats)))
        amounts = [("cpu", cores), ("memory", memory * GIB), ("pods", 1)]
        if devices and milli == 1000:
            amounts.append((GPU, devices))
        spec_ = PodSpec(
            requests=tuple(sorted(amounts)),
            gpu=GpuRequest(GPU, devices, milli) if devices else None,
            tolerations=(Toleration(GPU, "Exists"),),
            scheduler_name=PACKER if milli == 500 else "default-scheduler",
            images=(f"registry.example/{name}:1",),
        )
        found = Labels(labels)
        return [_pod(namespace, f"{name}-{i:03d}", spec_, found, owner, n, held) for i, (n, held) in enumerate(seats)]


def _pod(
    namespace: str, name: str, spec: PodSpec, labels: Labels, owner: OwnerRef, node: int, held: tuple[int, ...]
) -> Pod:
    running = node >= 0
    return Pod(
        namespace,
        name,
        f"uid-{name}",
        spec,
        labels,
        owners=(owner,),
        node=f"gpu-{node:05d}" if running else "",
        phase=Phase.RUNNING if running else Phase.PENDING,
        ready=running,
        created=NOW - 5 * 86_400.0 if running else NOW - 1800.0,
        started=NOW - 5 * 86_400.0 if running else 0.0,
        gpu_indices=held if spec.scheduler_name == PACKER else (),
    )


def _budget(key: WorkloadKey, count: int) -> DisruptionBudget:
    allowed = max(1, count // 4)
    selector = LabelSelector.of({"app": key.name})
    return DisruptionBudget(
        key.namespace,
        key.name,
        selector,
        max_unavailable=str(allowed),
        allowed=allowed,
        current_healthy=count,
        desired_healthy=count - allowed,
        expected=count,
    )
