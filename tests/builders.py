"""Small builders, so that a test says only what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from descheduler.model.budgets import DisruptionBudget
from descheduler.model.labels import Labels
from descheduler.model.nodes import Node, NodeGpus, Taint
from descheduler.model.objects import CustomObject
from descheduler.model.pods import Amounts, GpuRequest, Phase, Pod, PodSpec
from descheduler.model.quantity import amount
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import OwnerRef, Workload, WorkloadKey

NOW = 1_760_000_000.0
GPU = "nvidia.com/gpu"


def amounts(**quantities: str | int) -> Amounts:
    """`amounts(cpu="500m", memory="1Gi", gpu=2)`; `gpu` stands for nvidia.com/gpu."""
    named = {GPU if k == "gpu" else k.replace("__", "/"): str(v) for k, v in quantities.items() if v not in ("", 0)}
    return tuple(sorted((name, amount(name, text)) for name, text in named.items()))


def node(
    name: str,
    cpu: str = "32",
    memory: str = "128Gi",
    pods: int = 110,
    gpu: int = 0,
    labels: Mapping[str, str] | None = None,
    taints: Iterable[Taint] = (),
    ready: bool = True,
    unschedulable: bool = False,
    zone: str = "",
    model: str = "",
    **more: str | int,
) -> Node:
    all_labels = {"kubernetes.io/hostname": name, **(labels or {})}
    if zone:
        all_labels["topology.kubernetes.io/zone"] = zone
    return Node(
        name=name,
        uid=f"uid-{name}",
        labels=Labels(all_labels),
        allocatable=amounts(cpu=cpu, memory=memory, pods=pods, gpu=gpu, **more),
        taints=tuple(taints),
        ready=ready,
        unschedulable=unschedulable,
        gpus=NodeGpus(GPU, gpu, model) if gpu else None,
    )


def spec(cpu: str = "100m", memory: str = "128Mi", gpu: int = 0, **rest: object) -> PodSpec:
    requests = amounts(cpu=cpu, memory=memory, gpu=gpu, pods=1)
    return PodSpec(requests=requests, gpu=GpuRequest(GPU, gpu) if gpu else None, **rest)  # type: ignore[arg-type]


def owner(kind: str, name: str, api_version: str = "apps/v1") -> OwnerRef:
    return OwnerRef(api_version, kind, name, f"uid-{kind}-{name}", controller=True)


def ordinal(name: str) -> tuple[OwnerRef, ...]:
    """The StatefulSet of `a-0`: its replacement is made when it is gone, that of a ReplicaSet while it still ends."""
    return (owner("StatefulSet", name.rpartition("-")[0]),)


def pod(
    name: str,
    cpu: str = "100m",
    memory: str = "128Mi",
    node: str = "",
    namespace: str = "default",
    gpu: int = 0,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    owners: Iterable[OwnerRef] | None = None,
    of: PodSpec | None = None,
    phase: Phase | None = None,
    ready: bool = True,
    priority: int = 0,
    created: float = NOW - 86_400,
    **rest: object,
) -> Pod:
    """A running pod of a ReplicaSet named after it (`web-1` belongs to ReplicaSet `web`), unless said otherwise.

    Pass `owners=()` for a bare pod and `of=` a shared PodSpec for more than resources.
    """
    if owners is None:
        owners = (owner("ReplicaSet", name.rpartition("-")[0] or name),)
    return Pod(
        namespace=namespace,
        name=name,
        uid=f"uid-{namespace}-{name}",
        spec=of or spec(cpu, memory, gpu),
        labels=Labels(labels or {}),
        annotations=Labels(annotations or {}),
        owners=tuple(owners),
        node=node,
        phase=phase or (Phase.RUNNING if node else Phase.PENDING),
        ready=ready and bool(node),
        priority=priority,
        created=created,
        started=created,
        **rest,  # type: ignore[arg-type]
    )


def budget(
    name: str, labels: Mapping[str, str], allowed: int = 1, namespace: str = "default", **rest: object
) -> DisruptionBudget:
    return DisruptionBudget(namespace, name, LabelSelector.of(labels), allowed=allowed, **rest)  # type: ignore[arg-type]


def workload(
    kind: str, name: str, replicas: int = 1, namespace: str = "default", api_version: str = "apps/v1", **rest: object
) -> Workload:
    return Workload(kind, api_version, namespace, name, f"uid-{kind}-{name}", replicas=replicas, ready=replicas, **rest)  # type: ignore[arg-type]


def cluster(
    nodes: Iterable[Node] = (),
    pods: Iterable[Pod] = (),
    budgets: Iterable[DisruptionBudget] = (),
    workloads: Iterable[Workload] = (),
    objects: Iterable[CustomObject] = (),
    namespaces: Mapping[str, Mapping[str, str]] | None = None,
    taken_at: float = NOW,
    **rest: object,
) -> ClusterSnapshot:
    pods = tuple(pods)
    named = {p.namespace: Labels({"kubernetes.io/metadata.name": p.namespace}) for p in pods}
    named.update({k: Labels({"kubernetes.io/metadata.name": k, **v}) for k, v in (namespaces or {}).items()})
    kinds: dict[str, tuple[CustomObject, ...]] = {}
    for found in objects:
        kinds[f"{found.group}/{found.kind}"] = (*kinds.get(f"{found.group}/{found.kind}", ()), found)
    return ClusterSnapshot.of(
        taken_at=taken_at,
        nodes=tuple(nodes),
        pods=pods,
        namespaces=named,
        budgets=tuple(budgets),
        workloads={w.key: w for w in workloads},
        objects=kinds,
        **rest,
    )


def key(kind: str, name: str, namespace: str = "default") -> WorkloadKey:
    return WorkloadKey(namespace, kind, name)
