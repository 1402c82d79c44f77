"""A valid object of every kind that is read, in the shape in which clusters hold them. Mutation begins here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from descheduler.kube.convert.kinds import KINDS

Json = dict[str, Any]

CREATED = "2026-10-20T08:00:00Z"
TENANTS = tuple(f"tenant-{i}" for i in range(4))
NODES = tuple(f"strange-{i:02d}" for i in range(12))
NAMES = tuple(f"thing-{i}" for i in range(40))
CLUSTER_WIDE = frozenset(
    {"Node", "Namespace", "PriorityClass", "PersistentVolume", "StorageClass", "RuntimeClass", "CSINode", "CSIDriver",
     "ResourceSlice", "DeviceClass", "Device", "Reservation", "Topology", "HyperNode", "ClusterNetworkTopology",
     "NodeMetrics"}
)  # fmt: skip
_CONTROLLERS = (
    ("apps/v1", "ReplicaSet"), ("apps/v1", "StatefulSet"), ("batch/v1", "Job"), ("apps/v1", "Deployment"),
    ("jobset.x-k8s.io/v1", "JobSet"), ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"), ("ray.io/v1", "RayCluster"),
    ("batch.volcano.sh/v1alpha1", "Job"), ("kubeflow.org/v1", "PyTorchJob"), ("trainer.kubeflow.org/v1", "TrainJob"),
    ("kubeflow.org/v2beta1", "MPIJob"), ("ray.io/v1", "RayJob"), ("kubeflow.org/v1", "TFJob"), ("apps/v1", "DaemonSet"),
)  # fmt: skip


def valid(rng: Random, key: str, number: int) -> Json:
    """An object of the kind, one of many: `number` makes its uid its own."""
    kind = KINDS[key]
    version = kind.versions[0]
    name = rng.choice(NAMES) if rng.random() < 0.7 else f"thing-{number}"
    meta: Json = {
        "name": name,
        "uid": f"strange-{number}",
        "resourceVersion": str(number),
        "creationTimestamp": CREATED,
    }
    if kind.name in CLUSTER_WIDE:
        meta["name"] = f"strange-{name}"
    else:
        meta["namespace"] = rng.choice(TENANTS)
    if rng.random() < 0.5:
        meta["labels"] = {"app": rng.choice(NAMES[:5])}
    if rng.random() < 0.4:
        meta["ownerReferences"] = [owner(rng)]
    made: Json = {
        "apiVersion": f"{kind.group}/{version}" if kind.group else version,
        "kind": kind.name,
        "metadata": meta,
    }
    shape = _SHAPES.get(key)
    made |= shape(rng) if shape else {"spec": {}, "status": {}}
    if kind.name in ("Node", "CSINode", "Device", "NodeMetrics"):  # these are called as their node is
        meta["name"] = rng.choice(NODES)
    return made


def owner(rng: Random) -> Json:
    """A reference to a controller, which may or may not be there."""
    version, kind = rng.choice(_CONTROLLERS[:3] if rng.random() < 0.5 else _CONTROLLERS)
    uid = f"strange-{rng.randrange(5000)}"
    return {
        "apiVersion": version,
        "kind": kind,
        "name": rng.choice(NAMES),
        "uid": uid,
        "controller": rng.random() < 0.9,
    }


def _amounts(rng: Random) -> Json:
    gpus = {"nvidia.com/gpu": str(rng.choice((1, 2, 8)))} if rng.random() < 0.3 else {}
    return {"cpu": rng.choice(("100m", "1", "4")), "memory": rng.choice(("64Mi", "1Gi")), **gpus}


def _container(rng: Random) -> Json:
    requests = _amounts(rng)
    return {"name": "main", "image": "registry.example/app:1", "resources": {"requests": requests, "limits": requests}}


def _pod_spec(rng: Random) -> Json:
    spec: Json = {"containers": [_container(rng)], "schedulerName": "default-scheduler", "restartPolicy": "Always"}
    if rng.random() < 0.1:
        spec["initContainers"] = [{**_container(rng), "restartPolicy": "Always"}]
    if rng.random() < 0.2:
        spec["tolerations"] = [{"operator": "Exists"}]
    if rng.random() < 0.2:
        term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": _selector(rng)}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    if rng.random() < 0.1:
        spec["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": _selector(rng),
            }
        ]
    if rng.random() < 0.15:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": rng.choice(NAMES)}}]
    if rng.random() < 0.1:
        spec["resourceClaims"] = [{"name": "gpu", "resourceClaimName": rng.choice(NAMES)}]
    if rng.random() < 0.1:
        spec["schedulingGroup"] = {"podGroupName": rng.choice(NAMES)}
    return spec


def _pod(rng: Random) -> Json:
    running = rng.random() < 0.85
    spec = _pod_spec(rng) | ({"nodeName": rng.choice(NODES)} if running else {})
    ready = {"type": "Ready", "status": "True" if running else "False"}
    return {
        "spec": spec,
        "status": {"phase": "Running" if running else "Pending", "startTime": CREATED, "conditions": [ready]},
    }


def _node(rng: Random) -> Json:
    amounts = {"cpu": "32", "memory": "128Gi", "pods": "110", **({"nvidia.com/gpu": "8"} if rng.random() < 0.4 else {})}
    ready = [{"type": "Ready", "status": "True"}]
    return {"spec": {}, "status": {"allocatable": amounts, "capacity": amounts, "conditions": ready}}


def _selector(rng: Random) -> Json:
    return {"matchLabels": {"app": rng.choice(NAMES[:5])}}


def _budget(rng: Random) -> Json:
    limit = (
        {"maxUnavailable": rng.choice((1, "50%"))} if rng.random() < 0.5 else {"minAvailable": rng.choice((1, "50%"))}
    )
    status = {"disruptionsAllowed": 1, "currentHealthy": 3, "desiredHealthy": 2, "expectedPods": 3}
    return {"spec": {"selector": _selector(rng), **limit}, "status": status}


def _template(rng: Random) -> Json:
    return {"metadata": {"labels": {"app": rng.choice(NAMES[:5])}}, "spec": _pod_spec(rng)}


def _workload(rng: Random) -> Json:
    return {
        "spec": {"replicas": rng.randrange(5), "selector": _selector(rng), "template": _template(rng)},
        "status": {"replicas": 3, "readyReplicas": 3, "updateRevision": "a", "currentRevision": "a"},
    }


def _job(rng: Random) -> Json:
    rule = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    spec = {
        "parallelism": 3,
        "completions": 3,
        "backoffLimit": 6,
        "podFailurePolicy": {"rules": [rule]},
        "template": _template(rng),
    }
    return {"spec": spec, "status": {"active": 3, "ready": 3}}


def _group(field: str) -> Callable[[Random], Json]:
    def made(rng: Random) -> Json:
        return {"spec": {field: rng.randrange(1, 5)}, "status": {"phase": "Running"}}

    return made


def _core_group(rng: Random) -> Json:
    return {
        "spec": {
            "schedulingPolicy": {"gang": {"minCount": rng.randrange(1, 5)}},
            "disruptionMode": rng.choice(("Pod", "PodGroup")),
        }
    }


def _kai_group(rng: Random) -> Json:
    groups = [{"name": "a", "minMember": 1}, {"name": "b", "minMember": 1, "parent": "a"}]
    return {"spec": {"minMember": 2, "subGroups": groups}}


def _queued(rng: Random) -> Json:
    domains = {"levels": ["rack"], "domains": [{"values": ["r1"], "count": 3}]}
    admitted = {"podSetAssignments": [{"name": "main", "count": 3, "topologyAssignment": domains}]}
    return {
        "spec": {"podSets": [{"name": "main", "count": 3, "template": _template(rng)}]},
        "status": {"admission": admitted},
    }


def _job_set(rng: Random) -> Json:
    jobs = [{"name": "workers", "replicas": 2, "template": {"spec": {"parallelism": 2, "template": _template(rng)}}}]
    rules = [
        {"action": "FailJobSet", "onJobFailureReasons": ["BackoffLimitExceeded"], "targetReplicatedJobs": ["workers"]}
    ]
    return {
        "spec": {"replicatedJobs": jobs, "failurePolicy": {"maxRestarts": 3, "rules": rules}},
        "status": {"restarts": 1},
    }


def _leader_worker(rng: Random) -> Json:
    template = {"size": 3, "restartPolicy": "RecreateGroupOnPodRestart", "subGroupPolicy": {"subGroupSize": 1}}
    return {"spec": {"replicas": 2, "leaderWorkerTemplate": template}}


def _ray(rng: Random) -> Json:
    workers = [{"groupName": "w", "replicas": 2, "minReplicas": 1, "numOfHosts": 1, "template": _template(rng)}]
    return {"spec": {"headGroupSpec": {"template": _template(rng)}, "workerGroupSpecs": workers}}


def _volcano_job(rng: Random) -> Json:
    policies = [{"event": "PodEvicted", "action": "RestartJob"}]
    tasks = [{"name": "t", "replicas": 3, "minAvailable": 2, "policies": policies, "template": _template(rng)}]
    return {
        "spec": {"minAvailable": 2, "tasks": tasks, "policies": policies, "maxRetry": 3},
        "status": {"retryCount": 1},
    }


def _training(field: str) -> Callable[[Random], Json]:
    def made(rng: Random) -> Json:
        replicas = {"Worker": {"replicas": 3, "restartPolicy": "OnFailure", "template": _template(rng)}}
        policy = {"backoffLimit": 3, "schedulingPolicy": {"minAvailable": 2}}
        return {"spec": {field: replicas, "runPolicy": policy, "elasticPolicy": {"minReplicas": 1, "maxRestarts": 3}}}

    return made


def _quota(rng: Random) -> Json:
    hard = {"pods": "100", "requests.cpu": "100", "requests.nvidia.com/gpu": "8"}
    return {"spec": {"hard": hard}, "status": {"hard": hard, "used": {"pods": "3", "requests.cpu": "1"}}}


def _limits(rng: Random) -> Json:
    return {
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "max": {"cpu": "8"},
                    "default": {"cpu": "1"},
                    "maxLimitRequestRatio": {"cpu": "4"},
                }
            ]
        }
    }


def _claim(rng: Random) -> Json:
    spec = {"volumeName": f"strange-{rng.choice(NAMES)}", "storageClassName": "fast", "accessModes": ["ReadWriteOnce"]}
    return {"spec": spec, "status": {"phase": "Bound"}}


def _volume(rng: Random) -> Json:
    term = {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["z"]}]}
    spec = {
        "csi": {"driver": "csi.example", "volumeHandle": "h"},
        "storageClassName": "fast",
        "accessModes": ["ReadWriteOnce"],
    }
    return {"spec": spec | {"nodeAffinity": {"required": {"nodeSelectorTerms": [term]}}}, "status": {"phase": "Bound"}}


def _slice(rng: Random) -> Json:
    node = rng.choice(NODES)
    facts = {
        "uuid": {"string": "GPU-1"},
        "productName": {"string": "H100"},
        "index": {"int": 0},
        "type": {"string": "gpu"},
    }
    devices = [{"name": f"gpu-{i}", "attributes": facts, "capacity": {"memory": {"value": "80Gi"}}} for i in range(2)]
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    return {"spec": {"driver": "gpu.nvidia.com", "nodeName": node, "pool": pool, "devices": devices}}


def _device_claim(rng: Random) -> Json:
    results = [{"driver": "gpu.nvidia.com", "pool": rng.choice(NODES), "device": "gpu-0", "request": "r"}]
    holders = [{"resource": "pods", "name": rng.choice(NAMES), "uid": f"strange-{rng.randrange(5000)}"}]
    asked = {"requests": [{"name": "r", "exactly": {"deviceClassName": "gpu.nvidia.com", "count": 1}}]}
    return {
        "spec": {"devices": asked},
        "status": {"allocation": {"devices": {"results": results}}, "reservedFor": holders},
    }


def _device(rng: Random) -> Json:
    found = [
        {"type": "gpu", "minor": i, "id": f"GPU-{i}", "health": True,
         "resources": {"koordinator.sh/gpu-memory": "80Gi"},
         "topology": {"nodeID": 0, "pcieID": "p", "busID": "0000:00:00.0"}}
        for i in range(2)
    ]  # fmt: skip
    return {"spec": {"devices": found}}


def _reservation(rng: Random) -> Json:
    holders = [{"namespace": rng.choice(TENANTS), "name": rng.choice(NAMES), "uid": f"strange-{rng.randrange(5000)}"}]
    spec = {"template": {"spec": _pod_spec(rng)}, "owners": [{"labelSelector": _selector(rng)}]}
    return {"spec": spec, "status": {"phase": "Available", "nodeName": rng.choice(NODES), "currentOwners": holders}}


def _hyper_node(rng: Random) -> Json:
    exact = {"type": "Node", "selector": {"exactMatch": {"name": rng.choice(NODES)}}}
    below = {"type": "HyperNode", "selector": {"regexMatch": {"pattern": "strange-thing-1.*"}}}
    return {"spec": {"tier": rng.randrange(1, 4), "tierName": "rack", "members": [exact, below]}}


def _topology(rng: Random) -> Json:
    return {"spec": {"levels": [{"nodeLabel": "strange.example/rack"}, {"nodeLabel": "kubernetes.io/hostname"}]}}


def _network(rng: Random) -> Json:
    levels = [
        {"topologyLayer": "Rack", "labelKey": ["strange.example/rack"]},
        {"topologyLayer": "Node", "parentTopologyLayer": "Rack"},
    ]
    return {"spec": {"networkTopologySpec": levels}}


def _unavailable(rng: Random) -> Json:
    return {
        "spec": {"selector": _selector(rng), "maxUnavailable": rng.choice((1, "30%"))},
        "status": {"unavailableAllowed": 1, "totalReplicas": 3},
    }


def _elastic(rng: Random) -> Json:
    return {
        "spec": {"min": {"cpu": "1"}, "max": {"cpu": "100", "nvidia.com/gpu": "8"}},
        "status": {"used": {"cpu": "1"}},
    }


_SHAPES: Mapping[str, Callable[[Random], Json]] = {
    "pods": _pod,
    "nodes": _node,
    "poddisruptionbudgets": _budget,
    **dict.fromkeys(("replicasets", "deployments", "statefulsets", "daemonsets"), _workload),
    "jobs": _job,
    "cronjobs": lambda rng: {"spec": {"suspend": False}},
    "priorityclasses": lambda rng: {"value": rng.choice((0, 1000, -5)), "globalDefault": False},
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "storageclasses": lambda rng: {"provisioner": "csi.example", "volumeBindingMode": "WaitForFirstConsumer"},
    "runtimeclasses": lambda rng: {"handler": "h", "overhead": {"podFixed": {"cpu": "100m"}}},
    "serviceaccounts": lambda rng: {},
    "limitranges": _limits,
    "resourcequotas": _quota,
    "csinodes": lambda rng: {"spec": {"drivers": [{"name": "csi.example", "allocatable": {"count": 8}}]}},
    "csidrivers": lambda rng: {"spec": {"attachRequired": True}},
    "scheduling.k8s.io/PodGroup": _core_group,
    "scheduling.k8s.io/Workload": lambda rng: {
        "spec": {"podGroups": [{"name": "a", "policy": {"gang": {"minCount": 2}}}]}
    },
    "scheduling.x-k8s.io/PodGroup": _group("minMember"),
    "scheduling.sigs.k8s.io/PodGroup": _group("minMember"),
    "scheduling.volcano.sh/PodGroup": _group("minMember"),
    "scheduling.run.ai/PodGroup": _kai_group,
    "kueue.x-k8s.io/Workload": _queued,
    "jobset.x-k8s.io/JobSet": _job_set,
    "leaderworkerset.x-k8s.io/LeaderWorkerSet": _leader_worker,
    "ray.io/RayCluster": _ray,
    "ray.io/RayJob": lambda rng: {"spec": {"rayClusterSpec": _ray(rng)["spec"]}},
    "ray.io/RayService": lambda rng: {"spec": {"rayClusterConfig": _ray(rng)["spec"]}},
    "batch.volcano.sh/Job": _volcano_job,
    "kubeflow.org/PyTorchJob": _training("pytorchReplicaSpecs"),
    "kubeflow.org/TFJob": _training("tfReplicaSpecs"),
    "kubeflow.org/MPIJob": _training("mpiReplicaSpecs"),
    "kubeflow.org/XGBoostJob": _training("xgbReplicaSpecs"),
    "kubeflow.org/PaddleJob": _training("paddleReplicaSpecs"),
    "kubeflow.org/JAXJob": _training("jaxReplicaSpecs"),
    "trainer.kubeflow.org/TrainJob": lambda rng: {"spec": {"runtimeRef": {"name": "r"}, "trainer": {"numNodes": 3}}},
    "policy.kruise.io/PodUnavailableBudget": _unavailable,
    "scheduling.x-k8s.io/ElasticQuota": _elastic,
    "scheduling.sigs.k8s.io/ElasticQuota": _elastic,
    "resource.k8s.io/ResourceSlice": _slice,
    "resource.k8s.io/ResourceClaim": _device_claim,
    "resource.k8s.io/ResourceClaimTemplate": lambda rng: {"spec": {"spec": _device_claim(rng)["spec"]}},
    "resource.k8s.io/DeviceClass": lambda rng: {
        "spec": {"selectors": [{"cel": {"expression": "device.driver == 'gpu.nvidia.com'"}}]},
    },
    "resource.k8s.io/DeviceTaintRule": lambda rng: {
        "spec": {
            "deviceSelector": {"driver": "gpu.nvidia.com", "pool": rng.choice(NODES), "device": "gpu-1"},
            "taint": {"key": "kept", "value": "yes", "effect": rng.choice(("NoSchedule", "NoExecute", "None"))},
        },
    },
    "scheduling.koordinator.sh/Device": _device,
    "metrics.k8s.io/NodeMetrics": lambda rng: {"timestamp": CREATED, "window": "30s", "usage": _amounts(rng)},
    "metrics.k8s.io/PodMetrics": lambda rng: {
        "timestamp": CREATED,
        "window": "30s",
        "containers": [{"name": "main", "usage": _amounts(rng)}],
    },
    "scheduling.koordinator.sh/Reservation": _reservation,
    "kueue.x-k8s.io/Topology": _topology,
    "kai.scheduler/Topology": _topology,
    "topology.volcano.sh/HyperNode": _hyper_node,
    "scheduling.koordinator.sh/ClusterNetworkTopology": _network,
}
