"""Who belongs together, and how many of them must stay: read off pods and objects, plainly, dialect by dialect."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from descheduler.model.pods import Phase, Pod
from descheduler.model.snapshot import ClusterSnapshot

KOORD = "gang.scheduling.koordinator.sh"
CRD = "pod-group.scheduling.sigs.k8s.io"


@dataclass
class Gang:
    """One gang in one dialect. `stuck`: nothing of it may move. Lower `rank`: its word on the minimum goes first."""

    name: str
    rank: int
    members: list[int]
    minimum: int = 0
    whole: bool = False
    per_pod: bool = False
    stuck: str = ""
    fails: bool = False
    links: tuple[str, ...] = ()


def read_gangs(snapshot: ClusterSnapshot) -> list[Gang]:
    """Every gang that a pod which has not finished names."""
    members: dict[tuple[Callable[..., None], int, str, str], list[int]] = {}
    for i, pod in enumerate(snapshot.pods):
        if not pod.terminal:
            for reader, rank, name in _named(snapshot, pod):
                members.setdefault((reader, rank, pod.namespace, name), []).append(i)
    gangs: list[Gang] = []
    for (reader, rank, namespace, name), found in members.items():
        gang = Gang(f"{reader.__name__.strip('_')}:{namespace}/{name}", rank, found)
        reader(snapshot, gang, [snapshot.pods[i] for i in found], namespace, name)
        gangs.append(gang)
    links = {gang.name: gang.links for gang in gangs}
    for gang in gangs:
        gang.stuck = gang.stuck or next(
            (f"{n} does not name it" for n in gang.links if gang.name not in links.get(n, ())), ""
        )
    return gangs


def closures(gangs: list[Gang]) -> list[list[Gang]]:
    """Gangs that share a pod or are linked, together."""
    left, out = list(gangs), []
    while left:
        group = [left.pop(0)]
        grown = True
        while grown:
            grown = False
            for other in list(left):
                if any(_bound(a, other) for a in group):
                    group.append(other)
                    left.remove(other)
                    grown = True
        out.append(group)
    return out


def _bound(a: Gang, b: Gang) -> bool:
    return bool(set(a.members) & set(b.members)) or (a.name in b.links and b.name in a.links)


def alive(pod: Pod) -> bool:
    """Whether the pod counts towards its gang's minimum now."""
    return pod.phase is Phase.RUNNING and bool(pod.node) and pod.deleting is None


def _named(snapshot: ClusterSnapshot, pod: Pod) -> Iterator[tuple[Callable[..., None], int, str]]:
    labels, notes = pod.labels, pod.annotations
    if pod.pod_group and not _is_basic(snapshot, pod):
        yield _kubernetes, 0, pod.pod_group
    if "scheduling.x-k8s.io/pod-group" in labels:
        yield _scheduler_plugins, 1, labels["scheduling.x-k8s.io/pod-group"]
    for name in dict.fromkeys((labels.get(CRD), labels.get(f"{CRD}/name"), notes.get(f"{KOORD}/name"))):
        if name:
            yield _koordinator, 1, name
    if "scheduling.k8s.io/group-name" in notes:
        yield _volcano, 1, notes["scheduling.k8s.io/group-name"]
    if "pod-group-name" in notes:
        yield _kai, 1, notes["pod-group-name"]
    if "kueue.x-k8s.io/pod-group-name" in labels:
        yield _kueue, 2, labels["kueue.x-k8s.io/pod-group-name"]
    if "jobset.sigs.k8s.io/jobset-name" in labels:
        yield _jobset, 3, labels["jobset.sigs.k8s.io/jobset-name"]
    if "leaderworkerset.sigs.k8s.io/name" in labels:
        index = labels.get("leaderworkerset.sigs.k8s.io/group-index", "?")
        yield _lws, 3, f"{labels['leaderworkerset.sigs.k8s.io/name']}-{index}"
    if "training.kubeflow.org/job-name" in labels:
        yield _training, 3, labels["training.kubeflow.org/job-name"]
    if "ray.io/cluster" in labels:
        yield _ray, 3, labels["ray.io/cluster"]
    if "spark-app-selector" in labels:
        yield _spark, 3, labels["spark-app-selector"]


def _spec(snapshot: ClusterSnapshot, gang: Gang, api: tuple[str, str], namespace: str, name: str) -> dict[str, Any]:
    for found in snapshot.objects.get("/".join(api), ()):
        if (found.namespace, found.name) == (namespace, name):
            return dict(found.spec)
    gang.stuck = f"no {api[1]} {namespace}/{name}"
    return {}


def _is_basic(snapshot: ClusterSnapshot, pod: Pod) -> bool:
    spec = _spec(snapshot, Gang("", 0, []), ("scheduling.k8s.io", "PodGroup"), pod.namespace, pod.pod_group)
    return "basic" in spec.get("schedulingPolicy", {}) and spec.get("disruptionMode") in (None, "Pod", {"single": {}})


def _kubernetes(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    spec = _spec(snapshot, gang, ("scheduling.k8s.io", "PodGroup"), namespace, name)
    mode = spec.get("disruptionMode")
    gang.minimum = spec.get("schedulingPolicy", {}).get("gang", {}).get("minCount", 0)
    gang.whole = mode in ("PodGroup", {"all": {}})
    gang.per_pod = mode in ("Pod", {"single": {}})
    if mode is not None and not gang.whole and not gang.per_pod:
        gang.stuck = "unknown disruption mode"


def _scheduler_plugins(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    gang.minimum = _spec(snapshot, gang, ("scheduling.x-k8s.io", "PodGroup"), namespace, name).get("minMember", 0)


def _koordinator(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    marks = dict(pods[0].annotations)
    if any(CRD in p.labels for p in pods):
        gang.minimum = _spec(snapshot, gang, ("scheduling.sigs.k8s.io", "PodGroup"), namespace, name).get(
            "minMember", 0
        )
        found = [o for o in snapshot.objects.get("scheduling.sigs.k8s.io/PodGroup", ()) if o.name == name]
        marks = dict(found[0].annotations) if found else {}
    else:
        written = {p.annotations.get(f"{KOORD}/min-available") for p in pods}
        text = written.pop() if len(written) == 1 else None
        gang.stuck = "" if text else "no minimum"
        gang.minimum = int(text or 0)
    policy = marks.get(f"{KOORD}/match-policy", "once-satisfied")
    if policy not in ("once-satisfied", "only-waiting", "waiting-and-running"):
        gang.stuck = "unknown match policy"
    gang.whole = policy == "only-waiting"
    gang.links = tuple(f"koordinator:{n}" for n in json.loads(marks.get(f"{KOORD}/groups", "[]")))


def _volcano(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    spec = _spec(snapshot, gang, ("scheduling.volcano.sh", "PodGroup"), namespace, name)
    gang.minimum = spec.get("minMember", 0)
    for pod in pods:
        text = pod.annotations.get("volcano.sh/jdb-min-available", "0")
        wanted = math.ceil(int(text[:-1]) * len(pods) / 100) if text.endswith("%") else int(text)
        gang.minimum = max(gang.minimum, wanted)
    gang.whole = "minTaskMember" in spec and gang.minimum > 1


def _kai(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    gang.minimum = _spec(snapshot, gang, ("scheduling.run.ai", "PodGroup"), namespace, name).get("minMember", 0)


def _kueue(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    _spec(snapshot, gang, ("kueue.x-k8s.io", "Workload"), namespace, name)
    gang.minimum = int(pods[0].annotations["kueue.x-k8s.io/pod-group-total-count"])
    gang.fails = any(p.annotations.get("kueue.x-k8s.io/retriable-in-group") == "false" for p in pods)


def _jobset(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    spec = _spec(snapshot, gang, ("jobset.x-k8s.io", "JobSet"), namespace, name)
    gang.minimum = sum(j["replicas"] * j["template"]["spec"]["parallelism"] for j in spec.get("replicatedJobs", []))


def _lws(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    found = _spec(snapshot, gang, ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"), namespace, name.rpartition("-")[0])
    template = found.get("leaderWorkerTemplate", {})
    gang.minimum = template.get("size", 1)
    gang.whole = template.get("restartPolicy") != "None"


def _training(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    spec = _spec(snapshot, gang, ("kubeflow.org", "PyTorchJob"), namespace, name)
    worker = spec.get("pytorchReplicaSpecs", {}).get("Worker", {})
    gang.fails = worker.get("restartPolicy") == "Never"
    elastic = spec.get("elasticPolicy", {}).get("minReplicas")
    gang.minimum = elastic or worker.get("replicas", 0)
    gang.whole = elastic is None
    gang.per_pod = elastic is not None


def _ray(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    spec = _spec(snapshot, gang, ("ray.io", "RayCluster"), namespace, name)
    gang.minimum = 1 + sum(g["minReplicas"] for g in spec.get("workerGroupSpecs", []))
    gang.per_pod = True


def _spark(snapshot: ClusterSnapshot, gang: Gang, pods: list[Pod], namespace: str, name: str) -> None:
    gang.minimum = 1
    gang.per_pod = True
