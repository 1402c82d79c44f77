"""Gangs of random clusters, as the systems that know gangs write them: labels, annotations, owners and objects."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from descheduler.model.labels import Labels
from descheduler.model.objects import CustomObject, Json
from generated.workloads import Drawn, ref

Objects = list[CustomObject]


def make_gang(rng: Random, drawn: Drawn, others: list[Drawn]) -> Objects:
    """Turn a workload into a gang of some dialect; its objects, unless one is missing. `others` are earlier gangs."""
    made = rng.choice(_DIALECTS)(rng, drawn, _minimum(rng, drawn))
    if others and rng.random() < 0.15:
        _link(drawn, rng.choice(others))
    return [] if rng.random() < 0.07 else made


def _minimum(rng: Random, drawn: Drawn) -> int:
    return rng.choice((1, max(1, drawn.replicas - 1), drawn.replicas, drawn.replicas, max(1, drawn.replicas // 2)))


def _object(version: str, kind: str, drawn: Drawn, spec: dict[str, Json], **marks: str) -> CustomObject:
    return CustomObject(
        version, kind, drawn.namespace, drawn.name, f"uid-{kind}-{drawn.name}", annotations=Labels(marks), spec=spec
    )


def _kubernetes(rng: Random, drawn: Drawn, minimum: int) -> Objects:
    drawn.pod_group = drawn.name
    spec: dict[str, Json] = {"schedulingPolicy": {"gang": {"minCount": minimum}}}
    if rng.random() < 0.15:
        spec = {"schedulingPolicy": {"basic": {}}}
    mode: list[Json] = [None, "Pod", "PodGroup", {"single": {}}, {"all": {}}, "Pod", "Sideways"]
    chosen = rng.choices(mode, (3, 3, 2, 3, 2, 1, 1))[0]
    if chosen is not None:
        spec["disruptionMode"] = chosen
    return [_object("scheduling.k8s.io/v1alpha2", "PodGroup", drawn, spec)]


def _scheduler_plugins(_: Random, drawn: Drawn, minimum: int) -> Objects:
    drawn.labels["scheduling.x-k8s.io/pod-group"] = drawn.name
    return [_object("scheduling.x-k8s.io/v1alpha1", "PodGroup", drawn, {"minMember": minimum})]


def _koordinator(rng: Random, drawn: Drawn, minimum: int) -> Objects:
    drawn.labels["pod-group.scheduling.sigs.k8s.io"] = drawn.name
    policy = rng.choice(("", "once-satisfied", "only-waiting", "waiting-and-running", "unheard-of"))
    marks = {"gang.scheduling.koordinator.sh/match-policy": policy} if policy else {}
    return [_object("scheduling.sigs.k8s.io/v1alpha1", "PodGroup", drawn, {"minMember": minimum}, **marks)]


def _koordinator_marks(rng: Random, drawn: Drawn, minimum: int) -> Objects:
    drawn.annotations["gang.scheduling.koordinator.sh/name"] = drawn.name
    if rng.random() < 0.9:
        drawn.annotations["gang.scheduling.koordinator.sh/min-available"] = str(minimum)
    if rng.random() < 0.3:
        drawn.annotations["gang.scheduling.koordinator.sh/match-policy"] = "only-waiting"
    return []


def _volcano(rng: Random, drawn: Drawn, minimum: int) -> Objects:
    drawn.annotations["scheduling.k8s.io/group-name"] = drawn.name
    if rng.random() < 0.3:
        drawn.annotations["volcano.sh/jdb-min-available"] = rng.choice(("1", "2", "50%"))
    spec: dict[str, Json] = {"minMember": minimum}
    if rng.random() < 0.15:
        spec["minTaskMember"] = {"worker": 1}
    return [_object("scheduling.volcano.sh/v1beta1", "PodGroup", drawn, spec)]


def _kai(_: Random, drawn: Drawn, minimum: int) -> Objects:
    drawn.annotations["pod-group-name"] = drawn.name
    return [_object("scheduling.run.ai/v2alpha2", "PodGroup", drawn, {"minMember": minimum})]


def _kueue(rng: Random, drawn: Drawn, _: int) -> Objects:
    drawn.labels["kueue.x-k8s.io/pod-group-name"] = drawn.name
    drawn.annotations["kueue.x-k8s.io/pod-group-total-count"] = str(drawn.replicas)
    if rng.random() < 0.2:
        drawn.annotations["kueue.x-k8s.io/retriable-in-group"] = "false"
    return [_object("kueue.x-k8s.io/v1beta1", "Workload", drawn, {"podSets": [{"count": drawn.replicas}]})]


def _jobset(rng: Random, drawn: Drawn, _: int) -> Objects:
    drawn.labels["jobset.sigs.k8s.io/jobset-name"] = drawn.name
    drawn.owner = ref("batch/v1", "Job", f"{drawn.name}-w-0")
    drawn.above = ref("jobset.x-k8s.io/v1alpha2", "JobSet", drawn.name)
    job: Json = {"name": "w", "replicas": 1, "template": {"spec": {"parallelism": drawn.replicas}}}
    spec: dict[str, Json] = {"replicatedJobs": [job]}
    if rng.random() < 0.5:
        spec["failurePolicy"] = {"maxRestarts": rng.choice((0, 1, 3))}
    return [_object("jobset.x-k8s.io/v1alpha2", "JobSet", drawn, spec)]


def _leader_worker_set(rng: Random, drawn: Drawn, _: int) -> Objects:
    drawn.labels["leaderworkerset.sigs.k8s.io/name"] = drawn.name
    size = rng.choice((drawn.replicas, max(1, drawn.replicas // 2)))
    for i in range(drawn.replicas):
        drawn.per_pod[i] = {"leaderworkerset.sigs.k8s.io/group-index": str(i // size)}
    template: dict[str, Json] = {"size": size}
    if rng.random() < 0.4:
        template["restartPolicy"] = rng.choice(("None", "RecreateGroupOnPodRestart"))
    return [_object("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", drawn, {"leaderWorkerTemplate": template})]


def _training(rng: Random, drawn: Drawn, minimum: int) -> Objects:
    drawn.labels["training.kubeflow.org/job-name"] = drawn.name
    drawn.owner = ref("kubeflow.org/v1", "PyTorchJob", drawn.name)
    replica: Json = {"replicas": drawn.replicas, "restartPolicy": rng.choice(("OnFailure", "OnFailure", "Never"))}
    spec: dict[str, Json] = {"pytorchReplicaSpecs": {"Worker": replica}}
    if rng.random() < 0.3:
        spec["elasticPolicy"] = {"minReplicas": minimum}
    return [_object("kubeflow.org/v1", "PyTorchJob", drawn, spec)]


def _ray(_: Random, drawn: Drawn, minimum: int) -> Objects:
    drawn.labels["ray.io/cluster"] = drawn.name
    drawn.labels["ray.io/group"] = "workers"
    drawn.labels["ray.io/node-type"] = "worker"
    drawn.owner = ref("ray.io/v1", "RayCluster", drawn.name)
    drawn.per_pod[0] = {"ray.io/node-type": "head"}
    group: Json = {"groupName": "workers", "minReplicas": max(0, minimum - 1), "numOfHosts": 1}
    return [_object("ray.io/v1", "RayCluster", drawn, {"workerGroupSpecs": [group]})]


def _spark(_: Random, drawn: Drawn, __: int) -> Objects:
    drawn.labels["spark-app-selector"] = drawn.name
    drawn.labels["spark-role"] = "executor"
    drawn.per_pod[0] = {"spark-role": "driver"}
    return []


_DIALECTS: tuple[Callable[[Random, Drawn, int], Objects], ...] = (
    _kubernetes,
    _kubernetes,
    _scheduler_plugins,
    _koordinator,
    _koordinator_marks,
    _volcano,
    _kai,
    _kueue,
    _jobset,
    _leader_worker_set,
    _training,
    _ray,
    _spark,
)


def _link(drawn: Drawn, other: Drawn) -> None:
    """Bundle two gangs as Koordinator does, whatever other dialects they also speak."""
    names = json.dumps([f"{d.namespace}/{d.name}" for d in (other, drawn)])
    for one in (drawn, other):
        one.annotations["gang.scheduling.koordinator.sh/name"] = one.name
        one.annotations.setdefault("gang.scheduling.koordinator.sh/min-available", "1")
        one.annotations["gang.scheduling.koordinator.sh/groups"] = names
