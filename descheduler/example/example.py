"""The embedded example: 40 nodes with a week of history, in which there is something to do and something to refuse.

One general node will be hot within the hour, because half the replicas of a service with a daily peak landed on it
after a zone outage. The GPU nodes hold scattered single-GPU pods, so that no job can have eight together; two notebooks
among them keep a GPU each for which nobody has had work since yesterday. One pod on the hot node is held by its
PodDisruptionBudget, another belongs to a gang that moving it would tear, a third node only has a short spike ahead.
Everything is drawn from one seed; the same seed is the same cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np

from descheduler.example import makers as make
from descheduler.example.makers import Object
from descheduler.example.shapes import Shape, series
from descheduler.kube.devices.resources import NVIDIA
from descheduler.model.nodes import ZONE
from descheduler.model.objects import Json
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.history.serial import coarse
from descheduler_profiling.series import History

NOW = 1_793_275_200  # 2026-10-29T12:00:00Z
STEP = 300
WEEK = 7 * 86400
SEED = 7
GENERAL, GPU_NODES = 28, 12
ZONES = ("eu-a", "eu-b", "eu-c")
PACKER = "gpu-packer"  # a second scheduler profile that scores MostAllocated, as GPU pools are better run


@dataclass
class Example:
    """API objects by plural kind, and the usage history by signal."""

    objects: dict[str, list[Object]]
    histories: dict[str, History]
    taken_at: float = float(NOW)
    name: str = "example"


@dataclass
class _Cluster:
    rng: np.random.Generator
    objects: dict[str, list[Object]] = field(default_factory=dict)
    cpu: dict[WorkloadKey, Shape] = field(default_factory=dict)
    memory: dict[WorkloadKey, Shape] = field(default_factory=dict)
    gpu: dict[WorkloadKey, Shape] = field(default_factory=dict)
    replicas: dict[WorkloadKey, int] = field(default_factory=dict)
    free: dict[str, list[int]] = field(default_factory=dict)  # GPUs of each node that nobody holds, the next one first

    def add(self, kind: str, item: Object) -> Object:
        self.objects.setdefault(kind, []).append(item)
        return item

    def hold(self, item: Object, node: str, gpus: int) -> Object:
        """The pod is given the next free GPUs of its node, as its status then says."""
        given, self.free[node] = self.free[node][:gpus], self.free[node][gpus:]
        return make.holding(item, sorted(given))

    def use(self, key: WorkloadKey, replicas: int, cpu: Shape, memory: float, gpu: Shape | None = None) -> None:
        self.cpu[key] = cpu
        self.memory[key] = Shape(base=memory * 2**30, daily=0.02 * memory * 2**30, noise=0.01)
        if gpu is not None:
            self.gpu[key] = gpu
        self.replicas[key] = replicas


@dataclass(frozen=True)
class _Service:
    """One Deployment: requests of a replica, its shape of use, and the nodes of its replicas (positions, cyclic)."""

    namespace: str
    name: str
    cpu: str
    memory_gi: float
    shape: Shape
    nodes: tuple[int, ...]
    budget: int | None = None  # disruptions allowed; None: no budget


def example(seed: int = SEED) -> Example:
    """The example cluster."""
    cluster = _Cluster(np.random.default_rng(seed))
    cluster.objects["namespaces"] = make.namespaces(("shop", "search", "data", "batch", "ml", "kube-system"))
    _nodes(cluster)
    _daemons(cluster)
    for service in _services():
        _deployment(cluster, service)
    _stateful(cluster)
    _gangs(cluster)
    _inference(cluster)
    _notebooks(cluster)
    return Example(cluster.objects, _histories(cluster))


def _nodes(cluster: _Cluster) -> None:
    for i in range(GENERAL):
        labels = {"pool": "general", ZONE: ZONES[i % 3]}
        cluster.add("nodes", make.node(f"general-{i:02d}", labels, "16", "64Gi"))
    for i in range(GPU_NODES):
        labels = {"pool": "gpu", ZONE: ZONES[i % 3], "nvidia.com/gpu.product": "H100-SXM"}
        taint: Json = [{"key": NVIDIA, "value": "present", "effect": "NoSchedule"}]
        cluster.add("nodes", make.node(f"gpu-{i:02d}", labels, "96", "768Gi", 8, taints=taint))
        cluster.free[f"gpu-{i:02d}"] = [(3 * k + i) % 8 for k in range(8)]  # as they come and go, holes remain


def _name(kind: str, position: int) -> str:
    return f"{kind}-{position:02d}"


def _daemons(cluster: _Cluster) -> None:
    everywhere: list[Json] = [{"operator": "Exists"}]
    names = [_name("general", i) for i in range(GENERAL)] + [_name("gpu", i) for i in range(GPU_NODES)]
    for daemon, cpu, memory in (("node-agent", "100m", 0.2), ("log-shipper", "200m", 0.4)):
        owner = cluster.add("daemonsets", make.controller("DaemonSet", "kube-system", daemon, len(names), NOW - 9e6))
        for i, node in enumerate(names):
            item = make.pod(
                "kube-system",
                f"{daemon}-{i:05d}",
                owner,
                node,
                {"app": daemon},
                cpu,
                f"{int(memory * 1024)}Mi",
                NOW - 9e5,
                tolerations=everywhere,
            )
            cluster.add("pods", item)
        key = WorkloadKey("kube-system", "DaemonSet", daemon)
        cluster.use(key, len(names), Shape(base=0.06, daily=0.02, noise=0.1), memory * 0.7)


def _services() -> list[_Service]:
    """Checkout is the culprit: six of its twelve replicas share one node, and its daily peak begins in half an hour."""
    peak = Shape(base=0.35, daily=1.9, peak_hour=13.6, width_hours=1.4, noise=0.05)
    spike = Shape(base=0.5, daily=0.05, noise=0.04, spike_at=NOW + 25 * 60, spike_minutes=25, spike=13.0)
    out = [
        _Service("shop", "checkout", "1", 1.5, peak, (7, 7, 7, 7, 7, 7, 1, 4, 10, 13, 16, 22), budget=3),
        _Service(
            "shop", "cart", "1", 1.0, Shape(base=1.1, daily=0.5, peak_hour=13.0, noise=0.06), (7, 3, 12), budget=0
        ),
        _Service("data", "compactor", "2", 4.0, spike, (19,)),
    ]
    quiet = (
        ("shop", "frontend", "500m", 0.5, 0.30, 14),
        ("shop", "catalog", "1", 1.0, 0.55, 9),
        ("shop", "pricing", "500m", 0.7, 0.25, 8),
        ("shop", "payments", "1", 1.0, 0.40, 6),
        ("shop", "stock", "500m", 0.5, 0.20, 8),
        ("search", "query", "2", 3.0, 0.95, 10),
        ("search", "suggest", "500m", 1.0, 0.28, 8),
        ("search", "ranker", "2", 2.0, 0.85, 7),
        ("search", "ingest", "1", 2.0, 0.50, 6),
        ("data", "etl-api", "500m", 1.0, 0.20, 5),
        ("data", "reports", "1", 2.0, 0.35, 6),
        ("data", "events", "1", 1.0, 0.45, 9),
        ("batch", "scheduler-ui", "250m", 0.3, 0.08, 4),
        ("batch", "workers", "1", 1.5, 0.60, 12),
        ("ml", "features", "1", 2.0, 0.42, 8),
        ("ml", "registry", "250m", 0.5, 0.09, 3),
    )
    for i, (namespace, name, cpu, memory, use, replicas) in enumerate(quiet):
        shape = Shape(base=use * 0.7, daily=use * 0.5, peak_hour=float((9 + 3 * i) % 24), noise=0.08)
        # Cyclic over the nodes, skipping the hot one, so that it is hot for one reason only.
        spread = [n for n in range(GENERAL) if n != 7]
        nodes = tuple(spread[(i * 5 + k * 3) % len(spread)] for k in range(replicas))
        out.append(
            _Service(namespace, name, cpu, memory, shape, nodes, budget=max(1, replicas // 4) if i % 2 else None)
        )
    return out


def _deployment(cluster: _Cluster, service: _Service) -> None:
    count = len(service.nodes)
    born = NOW - 20 * 86400.0
    top = cluster.add("deployments", make.controller("Deployment", service.namespace, service.name, count, born))
    hashed = f"{service.name}-7d9f{len(service.name):x}c"
    middle = make.controller("ReplicaSet", service.namespace, hashed, count, born, top)
    cluster.add("replicasets", middle)
    for i, position in enumerate(service.nodes):
        labels = {"app": service.name, "pod-template-hash": hashed.rpartition("-")[2]}
        item = make.pod(
            service.namespace,
            f"{hashed}-{i:05d}",
            middle,
            _name("general", position),
            labels,
            service.cpu,
            f"{int(service.memory_gi * 1024)}Mi",
            NOW - 86400.0 * (2 + i),
        )
        cluster.add("pods", item)
    if service.budget is not None:
        allowed = {"maxUnavailable": service.budget}
        cluster.add(
            "poddisruptionbudgets",
            make.budget(service.namespace, service.name, service.name, count, service.budget, **allowed),
        )
    key = WorkloadKey(service.namespace, "Deployment", service.name)
    cluster.use(key, count, service.shape, service.memory_gi * 0.7)


def _stateful(cluster: _Cluster) -> None:
    cluster.add(
        "storageclasses",
        {"metadata": make.meta("fast"), "provisioner": "csi.example", "volumeBindingMode": "WaitForFirstConsumer"},
    )
    for namespace, name, cpu, memory, use, nodes in (
        ("data", "postgres", "2", 8.0, 1.1, (0, 4, 8)),
        ("data", "kafka", "2", 6.0, 0.9, (2, 9, 14, 21, 25)),
        ("shop", "sessions", "1", 4.0, 0.5, (5, 11, 18)),
    ):
        owner = cluster.add("statefulsets", make.controller("StatefulSet", namespace, name, len(nodes), NOW - 3e6))
        for i, position in enumerate(nodes):
            claim, zone = f"data-{name}-{i}", ZONES[position % 3]
            volume: Json = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
            item = make.pod(
                namespace,
                f"{name}-{i}",
                owner,
                _name("general", position),
                {"app": name},
                cpu,
                f"{int(memory * 1024)}Mi",
                NOW - 2e6,
                volumes=volume,
            )
            cluster.add("pods", item)
            _volume(cluster, namespace, claim, zone)
        cluster.add("poddisruptionbudgets", make.budget(namespace, name, name, len(nodes), 1, maxUnavailable=1))
        key = WorkloadKey(namespace, "StatefulSet", name)
        cluster.use(key, len(nodes), Shape(base=use, daily=use * 0.3, peak_hour=20.0, noise=0.05), memory * 0.8)


def _volume(cluster: _Cluster, namespace: str, claim: str, zone: str) -> None:
    name = f"pv-{namespace}-{claim}"
    term: Json = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": [zone]}]}
    cluster.add(
        "persistentvolumes",
        {
            "metadata": make.meta(name),
            "spec": {
                "storageClassName": "fast",
                "csi": {"driver": "csi.example"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
            },
        },
    )
    cluster.add(
        "persistentvolumeclaims",
        {
            "metadata": make.meta(claim, namespace),
            "spec": {"volumeName": name, "storageClassName": "fast", "accessModes": ["ReadWriteOnce"]},
            "status": {"phase": "Bound"},
        },
    )


def _gangs(cluster: _Cluster) -> None:
    """A solver with no member to spare, one of them on the hot node; and a training job of 32 GPUs."""
    _gang(cluster, "batch", "solver", 4, ("general", (7, 15, 20, 26)), "2", 3.0, 0, whole=False)
    _gang(cluster, "ml", "pretrain", 4, ("gpu", (0, 1, 2, 3)), "80", 600.0, 8, whole=True)


def _gang(
    cluster: _Cluster,
    namespace: str,
    name: str,
    size: int,
    place: tuple[str, tuple[int, ...]],
    cpu: str,
    memory: float,
    gpus: int,
    whole: bool,
) -> None:
    kind, nodes = place
    owner = cluster.add("jobs", make.controller("Job", namespace, name, size, NOW - 4e5, backoffLimit=6))
    mode = "PodGroup" if whole else "Pod"
    cluster.add(
        "scheduling.k8s.io/PodGroup",
        {
            "apiVersion": "scheduling.k8s.io/v1alpha2",
            "kind": "PodGroup",
            "metadata": make.meta(name, namespace),
            "spec": {"schedulingPolicy": {"gang": {"minCount": size}}, "disruptionMode": mode},
        },
    )
    for i, position in enumerate(nodes):
        item = make.pod(
            namespace,
            f"{name}-{i}-x{i}k{size}",
            owner,
            _name(kind, position),
            {"app": name, "job-name": name},
            cpu,
            f"{int(memory * 1024)}Mi",
            NOW - 4e5,
            gpus,
            schedulingGroup={"podGroupName": name},
            restartPolicy="Never",
            tolerations=[{"key": NVIDIA, "operator": "Exists"}],
        )
        cluster.add("pods", cluster.hold(item, _name(kind, position), gpus) if gpus else item)
    use = float(cpu) * 0.45
    load = Shape(base=0.82, daily=0.0, noise=0.05) if gpus else None
    cluster.use(WorkloadKey(namespace, "Job", name), size, Shape(base=use, daily=0.0, noise=0.03), memory * 0.6, load)


def _inference(cluster: _Cluster) -> None:
    """Single-GPU replicas, scattered: each of the eight other GPU nodes holds some, none is empty or full."""
    scattered = {
        "chat": (4, 4, 8, 8, 5, 6, 7, 9, 10, 11),
        "embed": (5, 6, 7, 9, 10, 11, 6, 9),
        "vision": (6, 7, 9, 11, 7, 11),
    }
    for name, nodes in scattered.items():
        born = NOW - 6 * 86400.0
        top = cluster.add("deployments", make.controller("Deployment", "ml", name, len(nodes), born))
        hashed = f"{name}-5b8c{len(name):x}f"
        middle = cluster.add("replicasets", make.controller("ReplicaSet", "ml", hashed, len(nodes), born, top))
        for i, position in enumerate(nodes):
            labels = {"app": name, "pod-template-hash": hashed.rpartition("-")[2]}
            item = make.pod(
                "ml",
                f"{hashed}-{i:05d}",
                middle,
                _name("gpu", position),
                labels,
                "6",
                "48Gi",
                born + i * 7200,
                1,
                tolerations=[{"key": NVIDIA, "operator": "Exists"}],
                schedulerName=PACKER,
            )
            cluster.add("pods", cluster.hold(item, _name("gpu", position), 1))
        cluster.add("poddisruptionbudgets", make.budget("ml", name, name, len(nodes), 2, maxUnavailable=2))
        use = Shape(base=0.35, daily=0.3, peak_hour=15.0, noise=0.1)
        cluster.use(
            WorkloadKey("ml", "Deployment", name), len(nodes), Shape(base=2.2, daily=1.0, peak_hour=15.0), 30.0, use
        )


def _notebooks(cluster: _Cluster) -> None:
    """Two notebooks, each with a GPU, whose owners went home: bare of budgets, and of work since yesterday evening."""
    for name, position in (("notebook-ada", 6), ("notebook-lin", 11)):
        born = NOW - 3 * 86400.0
        owner = cluster.add("statefulsets", make.controller("StatefulSet", "ml", name, 1, born))
        item = make.pod(
            "ml",
            f"{name}-0",
            owner,
            _name("gpu", position),
            {"app": name},
            "4",
            "32Gi",
            born,
            1,
            tolerations=[{"key": NVIDIA, "operator": "Exists"}],
            schedulerName=PACKER,
        )
        cluster.add("pods", cluster.hold(item, _name("gpu", position), 1))
        key = WorkloadKey("ml", "StatefulSet", name)
        at_work = Shape(base=0.002, noise=0.2, spike=0.6, spike_at=NOW - 21 * 3600.0, spike_minutes=150)
        cluster.use(key, 1, Shape(base=0.05, noise=0.1), 9.0, at_work)


def _histories(cluster: _Cluster) -> dict[str, History]:
    start = NOW - WEEK + STEP
    times = np.arange(start, NOW + 1, STEP)
    out: dict[str, History] = {}
    for signal, unit, shapes in (
        ("cpu", "cores", cluster.cpu),
        ("memory", "bytes", cluster.memory),
        ("gpu", "fraction", cluster.gpu),
    ):
        keys = tuple(sorted(shapes))
        values = np.stack([series(shapes[key], times, cluster.rng) for key in keys])
        if signal == "gpu":
            values = np.minimum(values, 1.0)
        out[signal] = History(
            signal=signal,
            unit=unit,
            keys=keys,
            start=start,
            step=STEP,
            values=coarse(values.astype(np.float32)),  # as a recording keeps them
            replicas=np.array([cluster.replicas[key] for key in keys], np.float32),
        )
    return out


def example_policy() -> str:
    """The policy that goes with the example, as text."""
    return files("descheduler.example").joinpath("policy.yaml").read_text("utf-8")
