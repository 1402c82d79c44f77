"""Workloads of random clusters: one drawn spec each, with a few of the constraints that Kubernetes knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from descheduler.model.labels import Labels
from descheduler.model.pods import (
    Amounts,
    GpuRequest,
    HostPort,
    NodeAffinity,
    PodAffinity,
    PodAffinityTerm,
    PodClaim,
    PodSpec,
    SpreadConstraint,
    Toleration,
)
from descheduler.model.selectors import LabelSelector, NodeSelectorTerm, Operator, Requirement
from descheduler.model.workloads import FailureAction, OwnerRef, Workload, WorkloadKey

GPU, NIC = "nvidia.com/gpu", "example.com/nic"
ZONE, HOST, RACK = "topology.kubernetes.io/zone", "kubernetes.io/hostname", "rack"
MIB, GIB = 2**20, 2**30
NAMESPACES = ("shop", "batch", "kube-system")
OPT_OUT = "descheduler.alpha.kubernetes.io/evict"
CRITICAL = 2_000_000_000


@dataclass
class Drawn:
    """A workload in the making: what its pods share. `owner` None: bare pods."""

    namespace: str
    name: str
    kind: str
    spec: PodSpec
    replicas: int
    owner: OwnerRef | None
    labels: dict[str, str]
    annotations: dict[str, str] = field(default_factory=dict)
    priority: int = 0
    pod_group: str = ""
    above: OwnerRef | None = None  # of the owner
    per_pod: dict[int, dict[str, str]] = field(default_factory=dict)  # labels of single replicas
    claims: bool = False  # every replica has a volume of its own

    @property
    def selector(self) -> LabelSelector:
        return LabelSelector.of({"app": self.name})


def ref(api_version: str, kind: str, name: str) -> OwnerRef:
    """A controller's reference; uids follow from names."""
    return OwnerRef(api_version, kind, name, f"uid-{kind}-{name}", controller=True)


def amounts(cpu: int, memory: int, **more: int) -> Amounts:
    """Requests in millicores and bytes; `gpu` and `nic` stand for extended resources."""
    named = {"cpu": cpu, "memory": memory, "pods": 1, GPU: more.get("gpu", 0), NIC: more.get("nic", 0)}
    return tuple(sorted((k, v) for k, v in named.items() if v))


def draw_workload(rng: Random, name: str, parts: frozenset[str], gpu: bool) -> Drawn:
    """One workload; `parts` names the constraints that this cluster knows at all."""
    kind = rng.choices(("Deployment", "ReplicaSet", "StatefulSet", "Job", "DaemonSet", "Pod"), (40, 15, 15, 15, 7, 8))[
        0
    ]
    namespace = rng.choices(NAMESPACES, (6, 4, 1))[0]
    labels = {"app": name, "tier": rng.choice(("front", "back"))}
    drawn = Drawn(
        namespace,
        name,
        kind,
        _spec(rng, name, parts, gpu, kind),
        1 if kind == "Pod" else rng.randint(1, 7),
        None if kind == "Pod" else _owner(kind, name),
        labels,
        priority=rng.choices((0, 1000, CRITICAL, -5), (85, 8, 3, 4))[0],
        claims="volumes" in parts and rng.random() < 0.3,
    )
    if rng.random() < 0.05:
        drawn.annotations[OPT_OUT] = "false"
    elif rng.random() < 0.03:
        drawn.annotations["kubernetes.io/config.mirror"] = "x"
    return drawn


def _owner(kind: str, name: str) -> OwnerRef:
    if kind == "Deployment":
        return ref("apps/v1", "ReplicaSet", f"{name}-rs")
    return ref("batch/v1" if kind == "Job" else "apps/v1", kind, name)


def controllers(rng: Random, drawn: Drawn, ready: int) -> Iterable[Workload]:
    """The built-in controllers above a workload's pods; none for custom owners."""
    if drawn.owner is None or drawn.owner.api_version not in ("apps/v1", "batch/v1"):
        return
    owner = drawn.owner
    above = (drawn.above,) if drawn.above is not None else ()
    if owner.kind == "ReplicaSet" and owner.name.endswith("-rs"):
        above = (ref("apps/v1", "Deployment", drawn.name),)
        yield _controller(rng, drawn, above[0], (), ready)
    yield _controller(rng, drawn, owner, above, ready)


def _controller(rng: Random, drawn: Drawn, of: OwnerRef, above: tuple[OwnerRef, ...], ready: int) -> Workload:
    job = of.kind == "Job"
    return Workload(
        of.kind,
        of.api_version,
        drawn.namespace,
        of.name,
        of.uid,
        owners=above,
        replicas=drawn.replicas,
        ready=ready,
        selector=drawn.selector,
        backoff_limit=rng.choice((0, 1, 2, 6, None)) if job else None,
        failed=rng.choice((0, 0, 1, 2)) if job else 0,
        on_eviction=_on_eviction(rng) if job else FailureAction.COUNT,
    )


def _on_eviction(rng: Random) -> FailureAction:
    drawn = rng.random()
    if drawn < 0.3:
        return FailureAction.IGNORE
    if drawn < 0.9:
        return FailureAction.COUNT
    return FailureAction.FAIL_INDEX if drawn < 0.95 else FailureAction.FAIL_JOB


def _spec(rng: Random, name: str, parts: frozenset[str], gpu: bool, kind: str) -> PodSpec:
    def often(part: str, share: float = 0.4) -> bool:
        return part in parts and rng.random() < share

    request, devices = _size(rng, gpu)
    me = LabelSelector.of({"app": name})
    return PodSpec(
        requests=request,
        node_selector=Labels({"disk": rng.choice(("ssd", "hdd"))} if often("selector") else {}),
        node_affinity=_node_affinity(rng) if often("node affinity") else NodeAffinity(),
        affinity=_affinity(rng, me) if often("affinity", 0.3) else PodAffinity(),
        anti_affinity=_affinity(rng, me) if often("anti-affinity") else PodAffinity(),
        tolerations=tuple(_toleration(rng) for _ in range(rng.choice((0, 0, 1, 2)))) if "taints" in parts else (),
        spread=tuple(_spread(rng, me) for _ in range(rng.choice((1, 1, 2)))) if often("spread") else (),
        host_ports=(HostPort(rng.choice((80, 443)), rng.choice(("TCP", "TCP", "UDP"))),) if often("ports", 0.3) else (),
        gpu=devices,
        local_storage=rng.random() < 0.04,
        resource_claims=(PodClaim("claim", template="one"),) if rng.random() < 0.01 else (),
        restart_policy="Never" if kind == "Job" else "Always",
        images=(f"registry.example/{name}:1",),
    )


def _size(rng: Random, gpu: bool) -> tuple[Amounts, GpuRequest | None]:
    cpu = rng.choice((0, 50, 100, 250, 500, 1000, 2000, 3900))
    memory = rng.choice((0, 64 * MIB, 256 * MIB, GIB, 2 * GIB, 6 * GIB))
    nic = int(rng.random() < 0.05)
    if not gpu or rng.random() < 0.45:
        return amounts(cpu, memory, nic=nic), None
    models = rng.choice(((), (), (), ("A100",), ("H100", "A100")))
    if rng.random() < 0.3:  # a part of one device: no extended resource stands for it
        return amounts(cpu, memory, nic=nic), GpuRequest(GPU, 1, rng.choice((250, 500, 600)), models)
    count = rng.choice((1, 1, 1, 2, 4))
    return amounts(cpu, memory, gpu=count, nic=nic), GpuRequest(GPU, count, 1000, models)


def _node_affinity(rng: Random) -> NodeAffinity:
    def requirement() -> Requirement:
        operator = rng.choice(list(Operator))
        if operator in (Operator.GT, Operator.LT):
            return Requirement("size", operator, (str(rng.randint(1, 5)),))
        key, values = rng.choice((("disk", ("ssd", "hdd")), (RACK, ("r", "s")), (ZONE, ("a", "b", "c"))))
        if operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
            return Requirement(key, operator)
        return Requirement(key, operator, tuple(rng.sample(values, rng.randint(1, len(values)))))

    def term() -> NodeSelectorTerm:
        fields: tuple[Requirement, ...] = ()
        if rng.random() < 0.2:
            fields = (Requirement("metadata.name", Operator.NOT_IN, (f"n{rng.randint(0, 11):02d}",)),)
        return NodeSelectorTerm((requirement(),), fields)

    required = tuple(term() for _ in range(rng.randint(1, 2))) if rng.random() < 0.8 else None
    preferred = tuple((rng.randint(1, 100), term()) for _ in range(rng.randint(0, 2)))
    return NodeAffinity(required, preferred)


def _selector(rng: Random, me: LabelSelector) -> LabelSelector | None:
    kind = rng.random()
    if kind < 0.6:
        return me
    if kind < 0.64:
        return None
    if kind < 0.68:
        return LabelSelector()
    if kind < 0.85:
        return LabelSelector.of({"tier": rng.choice(("front", "back"))})
    operator = rng.choice((Operator.IN, Operator.NOT_IN))
    return LabelSelector((Requirement("app", operator, (f"w{rng.randint(0, 9)}", f"w{rng.randint(0, 9)}")),))


def _affinity(rng: Random, me: LabelSelector) -> PodAffinity:
    def term() -> PodAffinityTerm:
        return PodAffinityTerm(
            topology_key=rng.choice((ZONE, HOST, HOST, RACK)),
            selector=_selector(rng, me),
            namespaces=rng.choice(((), (), (), ("batch",), ("shop", "batch"))),
            namespace_selector=rng.choice((None, None, None, LabelSelector(), LabelSelector.of({"team": "b"}))),
            match_label_keys=rng.choice(((), (), (), ("tier",))),
            mismatch_label_keys=rng.choice(((), (), (), (), ("tier",))),
        )

    return PodAffinity(
        required=tuple(term() for _ in range(rng.choice((0, 1, 1, 1, 2)))),
        preferred=tuple((rng.randint(1, 100), term()) for _ in range(rng.choice((0, 0, 0, 1)))),
    )


def _spread(rng: Random, me: LabelSelector) -> SpreadConstraint:
    return SpreadConstraint(
        max_skew=rng.choice((1, 1, 2, 3)),
        topology_key=rng.choice((ZONE, ZONE, HOST, RACK)),
        when_unsatisfiable=rng.choice(("DoNotSchedule", "DoNotSchedule", "ScheduleAnyway")),
        selector=_selector(rng, me),
        min_domains=rng.choice((None, None, None, 2, 3)),
        node_affinity_policy=rng.choice(("Honor", "Honor", "Ignore")),
        node_taints_policy=rng.choice(("Ignore", "Ignore", "Honor")),
        match_label_keys=rng.choice(((), (), ("tier",))),
    )


def _toleration(rng: Random) -> Toleration:
    if rng.random() < 0.2:
        return Toleration("", "Exists", "", rng.choice(("", "NoSchedule")))
    operator = rng.choice(("Equal", "Exists"))
    return Toleration(
        key=rng.choice(("dedicated", "dedicated", "node.kubernetes.io/unschedulable")),
        operator=operator,
        value=rng.choice(("x", "y", "")) if operator == "Equal" else "",
        effect=rng.choice(("", "NoSchedule", "NoExecute")),
    )


def key_of(drawn: Drawn) -> WorkloadKey:
    """Under which a workload's history is kept, for those without custom controllers."""
    kind = drawn.kind if drawn.owner is None or drawn.kind == "Deployment" else drawn.owner.kind
    return WorkloadKey(drawn.namespace, kind, drawn.name)
