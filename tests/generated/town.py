"""A town as the API writes it: what honest tenants hold, one of every kind that is read and can be named by others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kube.device_objects import claim, claiming, gpu_device, koordinator_device, koordinator_gpu, resource_slice
from kube.wire_objects import Json, container, meta, node, pod

HONEST, FRIEND, EVIL = "prod", "shop", "evil"
LAST = "zoo"
"""Another name of his namespace: of two objects that are alike neither the first nor the last may be taken for both."""
OWN_NODE = "e1"
GPU = "nvidia.com/gpu"
KOORD, QUOTA = "gang.scheduling.koordinator.sh", "quota.scheduling.koordinator.sh"
ALLOCATED = "scheduling.koordinator.sh/device-allocated"

Objects = dict[str, list[Json]]


def reference(api_version: str, kind: str, name: str, namespace: str = HONEST) -> Json:
    uid = meta(name, namespace)["uid"]
    return {"apiVersion": api_version, "kind": kind, "name": name, "uid": uid, "controller": True}


def custom(api_version: str, name: str, spec: Json, namespace: str = HONEST, **metadata: Any) -> Json:
    return {"apiVersion": api_version, "metadata": meta(name, namespace, generation=1, **metadata), "spec": spec}


def made(kind: str, name: str, replicas: int = 2, namespace: str = HONEST, **metadata: Any) -> Json:
    """A controller that has all its pods."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container(requests={"cpu": "1"})]}}
    counts = {"active": replicas} if kind == "Job" else {"replicas": replicas, "readyReplicas": replicas}
    wanted = {"parallelism": replicas} if kind == "Job" else {"replicas": replicas}
    return {
        "metadata": meta(name, namespace, generation=1, **metadata),
        "spec": {**wanted, "selector": {"matchLabels": labels}, "template": template},
        "status": {**counts, "observedGeneration": 1},
    }


class Town:
    """Fills `objects` by kind key; each workload has its pods on n1 and n2, two unless said otherwise."""

    def __init__(self) -> None:
        self.objects: Objects = {}

    def add(self, kind: str, *found: Json) -> None:
        self.objects.setdefault(kind, []).extend(found)

    def pods(
        self,
        of: Json,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        namespace: str = HONEST,
        asks: Mapping[str, str] | None = None,
        **spec: Any,
    ) -> None:
        for i in range(2):
            marks: Json = {"ownerReferences": [of], "labels": {"app": of["name"], **(labels or {})}}
            if annotations:
                marks["annotations"] = dict(annotations)
            asked = container(requests={"cpu": "1", **(asks or {})}, limits=dict(asks or {}))
            name = f"{of['name']}-{i}"
            self.add("pods", pod(name, asked, namespace=namespace, node=f"n{i + 1}", metadata=marks, **spec))

    def gang(
        self, name: str, labels: Mapping[str, str] | None = None, notes: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """Pods of a ReplicaSet that say they are a gang."""
        namespace = more.get("namespace", HONEST)
        self.add("replicasets", made("ReplicaSet", name, namespace=namespace))
        self.pods(reference("apps/v1", "ReplicaSet", name, namespace), labels, notes, **more)


def town() -> Objects:
    """What is there without the other tenant."""
    found = Town()
    spaces = (HONEST, FRIEND, EVIL, LAST, "koordinator-system")
    found.add("namespaces", *({"metadata": meta(name)} for name in spaces))
    found.add("nodes", *(node(f"n{i}", cpu="64", memory="256Gi", **{"nvidia.com__gpu": "4"}) for i in range(1, 5)))
    found.add("nodes", node(OWN_NODE, spec={"taints": [{"key": "own", "value": "evil", "effect": "NoSchedule"}]}))
    _workloads(found)
    _gangs(found)
    _batch(found)
    _quotas(found)
    _devices(found)
    _storage(found)
    return found.objects


def _workloads(found: Town) -> None:
    above = reference("apps/v1", "Deployment", "web")
    found.add("deployments", made("Deployment", "web"))
    found.add("replicasets", made("ReplicaSet", "web-1", ownerReferences=[above]))
    found.pods(reference("apps/v1", "ReplicaSet", "web-1"))
    selector = {"selector": {"matchLabels": {"app": "web-1"}}}
    allowed = {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2}
    status = {**allowed, "observedGeneration": 1}
    found.add("poddisruptionbudgets", {**custom("", "web", {**selector, "maxUnavailable": 1}), "status": status})
    kruise = {"unavailableAllowed": 1, "currentAvailable": 2, "desiredAvailable": 1, "totalReplicas": 2}
    budget = custom("policy.kruise.io/v1alpha1", "web", {**selector, "maxUnavailable": 1})
    found.add("policy.kruise.io/PodUnavailableBudget", {**budget, "status": {**kruise, "observedGeneration": 1}})


def _gangs(found: Town) -> None:
    bundle = json.dumps([f"{HONEST}/both", f"{FRIEND}/both"])
    notes = {f"{KOORD}/name": "both", f"{KOORD}/min-available": "2", f"{KOORD}/groups": bundle}
    found.gang("both", notes=notes)
    found.gang("both", notes=notes, namespace=FRIEND)
    found.gang("noted", notes={f"{KOORD}/name": "noted", f"{KOORD}/min-available": "2"})
    group = {"minMember": 2}
    found.gang("koord", {"pod-group.scheduling.sigs.k8s.io": "koord"})
    found.add("scheduling.sigs.k8s.io/PodGroup", custom("scheduling.sigs.k8s.io/v1alpha1", "koord", group))
    found.gang("plug", {"scheduling.x-k8s.io/pod-group": "plug"})
    found.add("scheduling.x-k8s.io/PodGroup", custom("scheduling.x-k8s.io/v1alpha1", "plug", group))
    found.gang("volc", notes={"scheduling.k8s.io/group-name": "volc"})
    found.add("scheduling.volcano.sh/PodGroup", custom("scheduling.volcano.sh/v1beta1", "volc", group))
    found.gang("kai", notes={"pod-group-name": "kai"})
    found.add("scheduling.run.ai/PodGroup", custom("scheduling.run.ai/v2alpha2", "kai", group))
    core = {"schedulingPolicy": {"gang": {"minCount": 2}}, "disruptionMode": "PodGroup"}
    found.gang("core", schedulingGroup={"podGroupName": "core"})
    found.add("scheduling.k8s.io/PodGroup", custom("scheduling.k8s.io/v1alpha2", "core", core))


def _batch(found: Town) -> None:
    found.add("jobs", made("Job", "sums"))
    found.pods(reference("batch/v1", "Job", "sums"), restartPolicy="OnFailure")
    of_sums = [reference("batch/v1", "Job", "sums")]
    sets = {"podSets": [{"name": "main", "count": 2}]}
    found.add("kueue.x-k8s.io/Workload", custom("kueue.x-k8s.io/v1beta2", "job-sums", sets, ownerReferences=of_sums))
    above = [reference("jobset.x-k8s.io/v1alpha2", "JobSet", "train")]
    jobs = [{"name": "w", "replicas": 1, "template": {"spec": {"parallelism": 2}}}]
    spec = {"replicatedJobs": jobs, "failurePolicy": {"maxRestarts": 3}}
    found.add("jobset.x-k8s.io/JobSet", custom("jobset.x-k8s.io/v1alpha2", "train", spec))
    found.add("jobs", made("Job", "train-w-0", ownerReferences=above))
    found.pods(reference("batch/v1", "Job", "train-w-0"), {"jobset.sigs.k8s.io/jobset-name": "train"})
    lws = {"leaderWorkerTemplate": {"size": 2}}
    index = {"leaderworkerset.sigs.k8s.io/name": "serve", "leaderworkerset.sigs.k8s.io/group-index": "0"}
    found.gang("serve", index)
    found.add("leaderworkerset.x-k8s.io/LeaderWorkerSet", custom("leaderworkerset.x-k8s.io/v1", "serve", lws))
    workers = [{"groupName": "g", "minReplicas": 1, "numOfHosts": 1}]
    found.gang("ray", {"ray.io/cluster": "ray", "ray.io/group": "g", "ray.io/node-type": "worker"})
    found.add("ray.io/RayCluster", custom("ray.io/v1", "ray", {"workerGroupSpecs": workers}))
    torch = {"pytorchReplicaSpecs": {"Worker": {"replicas": 2, "restartPolicy": "OnFailure"}}}
    found.add("kubeflow.org/PyTorchJob", custom("kubeflow.org/v1", "torch", torch))
    named = {"training.kubeflow.org/job-name": "torch"}
    found.pods(reference("kubeflow.org/v1", "PyTorchJob", "torch"), named, restartPolicy="OnFailure")
    trained = [reference("trainer.kubeflow.org/v1alpha1", "TrainJob", "tune")]
    found.add("trainer.kubeflow.org/TrainJob", custom("trainer.kubeflow.org/v1alpha1", "tune", {}))
    jobset = custom("jobset.x-k8s.io/v1alpha2", "tune", spec, ownerReferences=trained)
    found.add("jobset.x-k8s.io/JobSet", jobset)
    owned = [reference("jobset.x-k8s.io/v1alpha2", "JobSet", "tune")]
    found.add("jobs", made("Job", "tune-w-0", ownerReferences=owned))
    found.pods(reference("batch/v1", "Job", "tune-w-0"), {"jobset.sigs.k8s.io/jobset-name": "tune"})
    tasks = {"minAvailable": 2, "tasks": [{"name": "t", "replicas": 2}]}
    found.add("batch.volcano.sh/Job", custom("batch.volcano.sh/v1alpha1", "vjob", tasks))
    found.pods(reference("batch.volcano.sh/v1alpha1", "Job", "vjob"), {"volcano.sh/job-name": "vjob"})
    found.gang("spark", {"spark-app-selector": "spark", "spark-role": "executor"})


def _quotas(found: Town) -> None:
    room = {"min": {"cpu": "900", "memory": "900Gi", GPU: "99"}, "max": {"cpu": "900", "memory": "900Gi", GPU: "99"}}
    own = "scheduling.sigs.k8s.io/v1alpha1"
    found.add("scheduling.sigs.k8s.io/ElasticQuota", custom(own, HONEST, room))
    found.add("scheduling.sigs.k8s.io/ElasticQuota", custom(own, "team", room, "koordinator-system"))
    found.gang("counted", {f"{QUOTA}/name": "team"})
    found.add("scheduling.x-k8s.io/ElasticQuota", custom("scheduling.x-k8s.io/v1alpha1", "q", room))
    largest = {"limits": [{"type": "PersistentVolumeClaim", "max": {"storage": "1Ti"}}]}
    found.add("limitranges", {"metadata": meta("l", HONEST), "spec": largest})
    found.add("serviceaccounts", *({"metadata": meta("default", space)} for space in (HONEST, FRIEND, EVIL, LAST)))
    hard = {"pods": "100", "requests.cpu": "900"}
    status = {"hard": hard, "used": {"pods": "40", "requests.cpu": "40"}}
    found.add("resourcequotas", {"metadata": meta("q", HONEST), "spec": {"hard": hard}, "status": status})


def _devices(found: Town) -> None:
    given = json.dumps({"gpu": [{"minor": 0, "resources": {"koordinator.sh/gpu-core": "100"}}]})
    found.gang("gpus", notes={ALLOCATED: given}, asks={GPU: "1"})
    _shared_gpu(found)
    for name in ("n1", "n2", "n4"):
        gpus = (koordinator_gpu(minor) for minor in range(4))
        found.add("scheduling.koordinator.sh/Device", koordinator_device(*gpus, node=name))
    found.add("resource.k8s.io/ResourceSlice", resource_slice(*map(gpu_device, range(4)), node="n3"))
    held = claim("held", "gpu-0", holders=["dra"], pool="n3")
    held["metadata"]["namespace"] = HONEST
    found.add("resource.k8s.io/ResourceClaim", held)
    found.add("replicasets", made("ReplicaSet", "dra", 1))
    owner = {"ownerReferences": [reference("apps/v1", "ReplicaSet", "dra")]}
    found.add("pods", pod("dra", namespace=HONEST, node="n3", metadata=owner, **claiming("held")))


def _shared_gpu(found: Town) -> None:
    """Two pods on parts of one GPU of n4, and the placeholder that holds it."""
    group = {"runai-gpu-group": "g1"}
    found.add("replicasets", made("ReplicaSet", "part"))
    marks = {"ownerReferences": [reference("apps/v1", "ReplicaSet", "part")], "labels": {"app": "part", **group}}
    marks["annotations"] = {"gpu-fraction": "0.25"}
    parts = (
        pod(f"part-{i}", container(requests={"cpu": "1"}), namespace=HONEST, node="n4", metadata=marks) for i in "01"
    )
    hold = {"labels": group, "annotations": {"run.ai/reserve_for_gpu_index": "GPU-2"}}
    whole = container(requests={GPU: "1"}, limits={GPU: "1"})
    found.add("pods", *parts, pod("hold", whole, namespace="kai-resource-reservation", node="n4", metadata=hold))


def _storage(found: Town) -> None:
    found.add("storageclasses", {"metadata": meta("fast"), "provisioner": "disk.csi.example.com"})
    disk = {"driver": "disk.csi.example.com", "volumeHandle": "v1"}
    bound = {"claimRef": {"namespace": HONEST, "name": "data"}, "accessModes": ["ReadWriteOnce"]}
    volume = {"csi": disk, "storageClassName": "fast", **bound}
    found.add("persistentvolumes", {"metadata": meta("v1"), "spec": volume, "status": {"phase": "Bound"}})
    wanted = {"volumeName": "v1", "storageClassName": "fast", "accessModes": ["ReadWriteOnce"]}
    found.add(
        "persistentvolumeclaims", {"metadata": meta("data", HONEST), "spec": wanted, "status": {"phase": "Bound"}}
    )
    found.add("statefulsets", made("StatefulSet", "db", 1))
    mounted = {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}
    owner = {"ownerReferences": [reference("apps/v1", "StatefulSet", "db")], "labels": {"app": "db"}}
    found.add("pods", pod("db-0", namespace=HONEST, metadata=owner, **mounted))
