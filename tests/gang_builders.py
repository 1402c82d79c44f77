"""Builders of gangs: objects of optional APIs and pods that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from builders import cluster, node, owner, pod
from descheduler.gangs import resolve
from descheduler.model.labels import Labels
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.units import Unit
from descheduler.model.workloads import OwnerRef


def custom(
    api_version: str,
    kind: str,
    name: str,
    spec: Mapping[str, Json] | None = None,
    namespace: str = "default",
    annotations: Mapping[str, str] | None = None,
    owners: Iterable[OwnerRef] = (),
    status: Mapping[str, Json] | None = None,
) -> CustomObject:
    return CustomObject(
        api_version,
        kind,
        namespace,
        name,
        uid=f"uid-{kind}-{name}",
        annotations=Labels(annotations or {}),
        owners=tuple(owners),
        spec=spec or {},
        status=status or {},
    )


def members(n: int, prefix: str = "w", **each: object) -> list[Pod]:
    """`n` running pods `w-0`, `w-1`, … on node n1, all of one ReplicaSet unless said otherwise."""
    each.setdefault("node", "n1")
    return [pod(f"{prefix}-{i}", **each) for i in range(n)]  # type: ignore[arg-type]


def core_group(name: str, minimum: int, mode: Json = None, namespace: str = "default") -> CustomObject:
    spec: dict[str, Json] = {"schedulingPolicy": {"gang": {"minCount": minimum}}}
    if mode is not None:
        spec["disruptionMode"] = mode
    return custom("scheduling.k8s.io/v1alpha2", "PodGroup", name, spec, namespace)


def group(name: str, minimum: int, namespace: str = "default") -> CustomObject:
    """A PodGroup of scheduler-plugins."""
    return custom("scheduling.x-k8s.io/v1alpha1", "PodGroup", name, {"minMember": minimum}, namespace)


GROUP_LABEL = "scheduling.x-k8s.io/pod-group"


def only_unit(pods: Iterable[Pod], objects: Iterable[CustomObject] = (), **rest: object) -> Unit:
    """The single gang of a cluster of these pods."""
    units = resolve(snap(pods, objects, **rest)).gangs
    assert len(units) == 1, [u.name for u in units]
    return units[0]


def snap(pods: Iterable[Pod], objects: Iterable[CustomObject] = (), **rest: object) -> ClusterSnapshot:
    """A cluster of nodes n1 and n2."""
    return cluster([node("n1"), node("n2")], pods, objects=objects, **rest)  # type: ignore[arg-type]


def job_owner(name: str) -> OwnerRef:
    return owner("Job", name, "batch/v1")
