"""Small random clusters with every kind of constraint, each from one seed: what plans are held against in bulk.

The state drawn is one that can exist: no node holds more than it has of any resource, device or host port, and node
selectors and taints are respected. Rules that only bind while a pod is being scheduled (affinity between pods, spread)
may be broken by it, as in clusters that have lived for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from descheduler.model.labels import Labels
from descheduler.model.nodes import Node, NodeGpus, Taint
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Phase, Pod, PodSpec, Toleration
from descheduler.model.selectors import NodeSelectorTerm, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot, Freshness
from descheduler.model.storage import Claim, StorageClass, Volume
from descheduler.model.workloads import WorkloadKey
from descheduler_profiling.profiles import SignalProfiles
from generated.budgets import make_budgets
from generated.gangs import make_gang
from generated.quotas import make_quotas
from generated.templates import with_templates
from generated.usage import NOW, UsagePool
from generated.workloads import (
    GIB,
    GPU,
    HOST,
    NAMESPACES,
    NIC,
    RACK,
    ZONE,
    Drawn,
    controllers,
    draw_workload,
)

PARTS = (
    "selector", "node affinity", "affinity", "anti-affinity", "spread", "taints", "ports", "volumes", "gangs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RandomCluster:
    """A cluster and what a plan needs beside it; `in_flight` are positions of pods that are on their way out."""

    snapshot: ClusterSnapshot
    profiles: Mapping[str, SignalProfiles]
    now: float
    in_flight: tuple[int, ...]
    moved_last_hour: int


def random_cluster(seed: int, pool: UsagePool, nodes: int = 12, pods: int = 60) -> RandomCluster:
    """The cluster of a seed, of 2 to `nodes` nodes and up to about `pods` pods."""
    rng = Random(seed)
    parts = frozenset(p for p in PARTS if rng.random() < 0.45)
    world = _World(
        rng, Random(seed ^ 0x90074), [_Room.of(_node(rng, i, parts)) for i in range(rng.randint(2, max(2, nodes)))]
    )
    gangs: list[Drawn] = []
    drawn: list[Drawn] = []
    wanted = rng.randint(min(5, pods), max(5, min(pods, 9 * len(world.rooms))))
    while sum(d.replicas for d in drawn) < wanted and len(drawn) < 30:
        one = draw_workload(rng, f"w{len(drawn)}", parts, any(r.devices for r in world.rooms))
        if "gangs" in parts and one.kind in ("Deployment", "Job", "Pod") and rng.random() < 0.4:
            one.replicas = max(one.replicas, 2)
            world.objects += make_gang(rng, one, gangs)
            gangs.append(one)
        drawn.append(one)
    hot = set(rng.sample(range(len(world.rooms)), rng.choice((0, 1, 1, 2))))
    for one in drawn:
        world.run(one, hot)
    snapshot = world.snapshot(drawn)
    if seed % 4 == 3:  # by a generator of its own, so that the others stay as they are
        snapshot = with_templates(Random(seed), snapshot)
    profiles = _profiles(rng, snapshot, pool, {world.rooms[i].node.name for i in hot})
    # What was evicted a moment ago may not be seen as terminating yet.
    share = (0.5, rng.choice((0.0, 0.05)))
    leaving = tuple(i for i, p in enumerate(snapshot.pods) if rng.random() < share[p.deleting is None] and p.node)
    return RandomCluster(snapshot, profiles, float(NOW), leaving, rng.choice((0, 0, 0, 3, 40)))


@dataclass
class _Room:
    """A node and what is free on it. `devices`: thousandths free of each GPU."""

    node: Node
    free: dict[str, int]
    devices: list[int]
    ports: set[tuple[int, str]] = field(default_factory=set)
    apps: set[str] = field(default_factory=set)

    @staticmethod
    def of(node: Node) -> _Room:
        return _Room(node, dict(node.allocatable), [1000] * (node.gpus.count if node.gpus else 0))

    def admits(self, spec: PodSpec, claims: Iterable[Volume]) -> bool:
        """Whether the kubelet could run such a pod here, and the scheduler could have chosen the node."""
        labels = self.node.labels
        if any(self.free.get(name, 0) < amount for name, amount in spec.requests):
            return False
        if any((p.port, p.protocol) in self.ports for p in spec.host_ports):
            return False
        if any(labels.get(k) != v for k, v in spec.node_selector.items()):
            return False
        required = spec.node_affinity.required
        if required is not None and not any(t.matches(labels, self.node.name) for t in required):
            return False
        if any(v.affinity is not None and not any(t.matches(labels, "") for t in v.affinity) for v in claims):
            return False
        hard = [t for t in self.node.taints if t.effect != "PreferNoSchedule"]
        return all(any(_tolerates(x, t) for x in spec.tolerations) for t in hard) and self._has_devices(spec)

    def _has_devices(self, spec: PodSpec) -> bool:
        if spec.gpu is None:
            return True
        if spec.gpu.models and (self.node.gpus is None or self.node.gpus.model not in spec.gpu.models):
            return False
        return len(self._able(spec)) >= spec.gpu.count

    def _able(self, spec: PodSpec) -> list[int]:
        need = spec.gpu.milli if spec.gpu else 0
        return sorted((i for i, left in enumerate(self.devices) if left >= need), key=lambda i: (self.devices[i], i))

    def take(self, spec: PodSpec) -> tuple[int, ...]:
        """Hold a pod; the devices that it gets."""
        for name, amount in spec.requests:
            self.free[name] -= amount
        self.ports.update((p.port, p.protocol) for p in spec.host_ports)
        if spec.gpu is None:
            return ()
        held = tuple(sorted(self._able(spec)[: spec.gpu.count]))
        for device in held:
            self.devices[device] -= spec.gpu.milli
        if spec.gpu.milli < 1000:
            # A device that is shared is no whole one any more, for those who count the extended resource.
            whole = sum(left == 1000 for left in self.devices)
            self.free[GPU] = min(self.free.get(GPU, 0), whole)
        return held


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    return (
        toleration.effect in ("", taint.effect)
        and toleration.key in ("", taint.key)
        and (toleration.operator == "Exists" or toleration.value == taint.value)
    )


def _node(rng: Random, i: int, parts: frozenset[str]) -> Node:
    name = f"n{i:02d}"
    labels = {HOST: name, "disk": rng.choice(("ssd", "hdd")), "size": str(rng.randint(1, 5))}
    if rng.random() < 0.92:
        labels[ZONE] = rng.choice("abc")
    if rng.random() < 0.8:
        labels[RACK] = rng.choice("rs")
    gpus = rng.choice((0, 0, 2, 4, 8))
    offered = {
        "cpu": rng.choice((4000, 8000, 8000, 16000)),
        "memory": rng.choice((8, 16, 32)) * GIB,
        "pods": rng.choice((5, 9, 110, 110, 110)),
        GPU: gpus,
        NIC: rng.choice((0, 0, 1, 2)),
    }
    taints = [Taint("dedicated", rng.choice("xy"), rng.choice(("NoSchedule", "NoExecute", "PreferNoSchedule")))]
    return Node(
        name=name,
        uid=f"uid-{name}",
        labels=Labels(labels),
        allocatable=tuple(sorted((k, v) for k, v in offered.items() if v)),
        taints=tuple(taints) if "taints" in parts and rng.random() < 0.35 else (),
        unschedulable=rng.random() < 0.05,
        ready=rng.random() > 0.04,
        gpus=NodeGpus(GPU, gpus, rng.choice(("A100", "H100"))) if gpus else None,
        virtual=rng.random() < 0.02,
    )


@dataclass
class _World:
    """The cluster in the making."""

    rng: Random
    quotas: Random  # of their own, so that clusters without them stay as they were
    rooms: list[_Room]
    pods: list[Pod] = field(default_factory=list)
    objects: list[CustomObject] = field(default_factory=list)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    volumes: dict[str, Volume] = field(default_factory=dict)

    def run(self, drawn: Drawn, hot: set[int]) -> None:
        """Start the replicas of a workload where there is room, rather on nodes that are to be hot."""
        apart = any(t.topology_key == HOST for t in drawn.spec.anti_affinity.required)
        order = list(range(len(self.rooms)))
        shared = Labels({**drawn.labels})
        owners = (drawn.owner,) if drawn.owner is not None else ()
        for i in range(drawn.replicas):
            self.rng.shuffle(order)
            if hot and self.rng.random() < 0.5:
                order.sort(key=lambda n: n not in hot)
            claim = self._claim(drawn, i) if drawn.claims else ""
            volumes = [self.volumes[self.claims[drawn.namespace, claim].volume]] if claim else []
            room = next((self.rooms[n] for n in order if self._admits(n, drawn, volumes, apart)), None)
            if room is None and self.rng.random() < 0.8:  # only some wait for a place
                continue
            labels = shared if i not in drawn.per_pod else shared.with_(drawn.per_pod[i])
            self.pods.append(self._pod(drawn, i, labels, owners, room, claim))

    def _admits(self, at: int, drawn: Drawn, volumes: list[Volume], apart: bool) -> bool:
        room = self.rooms[at]
        return not (apart and drawn.name in room.apps) and room.admits(drawn.spec, volumes)

    def _pod(
        self, drawn: Drawn, i: int, labels: Labels, owners: tuple[object, ...], room: _Room | None, claim: str
    ) -> Pod:
        rng = self.rng
        fate = rng.random()
        phase = Phase.RUNNING
        if drawn.kind == "Job" and fate < 0.08:
            phase = rng.choice((Phase.SUCCEEDED, Phase.FAILED))
        elif room is None or fate > 0.98:  # bound or not, not started yet
            phase = Phase.PENDING
        running = phase is Phase.RUNNING
        held: tuple[int, ...] = ()
        if room is not None and phase in (Phase.RUNNING, Phase.PENDING):
            held = room.take(drawn.spec)
            room.apps.add(drawn.name)
        located = drawn.spec.gpu is not None and (drawn.spec.gpu.milli < 1000 or rng.random() < 0.3)
        return Pod(
            namespace=drawn.namespace,
            name=f"{drawn.name}-{i}",
            uid=f"uid-{drawn.name}-{i}",
            spec=drawn.spec,
            labels=labels,
            annotations=Labels(drawn.annotations),
            owners=owners,  # type: ignore[arg-type]  # OwnerRefs, or none
            node=room.node.name if room is not None else "",
            phase=phase,
            ready=running and room is not None and rng.random() > 0.06,
            created=NOW - 86400.0,
            started=NOW - 86000.0 if running else 0.0,
            deleting=float(NOW - 10) if running and rng.random() < 0.02 else None,
            priority=drawn.priority,
            claims=(claim,) if claim else (),
            pod_group=drawn.pod_group,
            gpu_indices=held if located else (),
            problem="unreadable" if rng.random() < 0.004 else "",
        )

    def _claim(self, drawn: Drawn, i: int) -> str:
        rng = self.rng
        name, volume = f"data-{drawn.name}-{i}", f"pv-{drawn.name}-{i}"
        zone = Requirement(ZONE, Operator.IN, tuple(rng.sample("abc", rng.choice((1, 1, 2)))))
        modes = rng.choice((("ReadWriteOnce",), ("ReadWriteOncePod",), ("ReadWriteMany",)))
        self.claims[drawn.namespace, name] = Claim(drawn.namespace, name, volume, "fast", modes)
        self.volumes[volume] = Volume(
            volume,
            (NodeSelectorTerm((zone,)),) if rng.random() < 0.7 else None,
            "fast",
            labels=Labels({ZONE: rng.choice("abc")}) if rng.random() < 0.15 else Labels(),
        )
        return name

    def snapshot(self, drawn: list[Drawn]) -> ClusterSnapshot:
        """All of it as one picture."""
        rng = self.rng
        ready = {d.name: 0 for d in drawn}
        for pod in self.pods:
            ready[pod.name.rpartition("-")[0]] += pod.ready
        workloads = {w.key: w for d in drawn for w in controllers(rng, d, ready[d.name])}
        kinds: dict[str, tuple[CustomObject, ...]] = {}
        for found in (*self.objects, *make_quotas(self.quotas, self.pods)):
            name = f"{found.group}/{found.kind}"
            kinds[name] = (*kinds.get(name, ()), found)
        # Drawn apart, so that everything else is as it would be without.
        late = Random(len(self.pods) * 1000 + len(self.claims))
        names = [r.node.name for r in self.rooms]
        pods = [p if p.node or late.random() < 0.6 else replace(p, nominated=late.choice(names)) for p in self.pods]
        claims = {key: replace(claim, deleting=late.random() < 0.1) for key, claim in self.claims.items()}
        stale = {"pods": Freshness("pods", NOW - 3600.0)} if rng.random() < 0.01 else {}
        return ClusterSnapshot.of(
            taken_at=float(NOW),
            nodes=tuple(r.node for r in self.rooms),
            pods=tuple(pods),
            namespaces={n: Labels({"kubernetes.io/metadata.name": n, "team": "ab"[n == "batch"]}) for n in NAMESPACES},
            workloads=workloads,
            budgets=tuple(make_budgets(rng, drawn, self.pods)),
            claims=claims,
            volumes=self.volumes,
            storage_classes={"fast": StorageClass("fast", provisioner="csi.example")},
            objects=kinds,
            freshness=stale,
        )


def _profiles(rng: Random, snapshot: ClusterSnapshot, pool: UsagePool, hot: set[str]) -> dict[str, SignalProfiles]:
    """Usage around the requests, raised on the pods of hot nodes until these really are; some workloads unmeasured."""
    columns = snapshot.columns
    levels: dict[str, dict[WorkloadKey, float]] = {"cpu": {}, "memory": {}}
    keys = [columns.workloads[w] for w in columns.pod_workload.tolist()]
    for key, pod in zip(keys, snapshot.pods, strict=True):
        if key not in levels["cpu"]:
            requests = dict(pod.spec.requests)
            share = rng.uniform(0.1, 0.8)
            levels["cpu"][key] = share * max(requests.get("cpu", 0), 100) / 1000
            levels["memory"][key] = share * max(requests.get("memory", 0), GIB / 8)
    single: dict[str, dict[tuple[str, str], float]] = {}
    for column, signal in enumerate(("cpu", "memory")):
        unit = 1000.0 if signal == "cpu" else 1.0
        heat = {n: rng.uniform(0.7, 1.15) if signal == "cpu" or rng.random() < 0.3 else 0.5 for n in sorted(hot)}
        sums = dict.fromkeys(hot, 1e-9)
        for key, pod in zip(keys, snapshot.pods, strict=True):
            if pod.node in sums and not pod.terminal:
                sums[pod.node] += levels[signal][key]
        single[signal] = {
            (pod.namespace, pod.name): levels[signal][key]
            * heat[pod.node] * float(columns.allocatable[snapshot.node_index[pod.node], column]) / unit / sums[pod.node]
            for key, pod in zip(keys, snapshot.pods, strict=True)
            if pod.node in hot and not pod.terminal
        }  # fmt: skip
        for key in sorted(levels[signal]):
            if rng.random() < 0.03:
                del levels[signal][key]
    profiles = pool.lend(rng, levels, single)
    fault = rng.random()
    if fault < 0.01:
        del profiles["memory"]
    elif fault < 0.02:
        profiles["cpu"] = replace(profiles["cpu"], complete=False, problems=("two chunks are missing",))
    elif fault < 0.03:
        profiles["cpu"] = replace(profiles["cpu"], origin=NOW - 7200)
    return profiles
