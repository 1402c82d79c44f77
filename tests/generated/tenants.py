"""Two tenants as the API writes them: a namespace in which everything is in use, and all that another may write.

`town` is what the honest hold: one of every kind of workload, gang, quota, budget, volume and device that is read.
`objects_of` draws what somebody else may put beside it in a namespace of his own: anything of the honest ones' that is
carried over with its names, uids and marks, or his own with references to theirs. His pods ask for nothing, and run, if
at all, on a node that nobody else may use, so that no resource is shared.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

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
    found.gang("spark", {"spark-app-selector": "spark", "spark-role": "executor"})


def _quotas(found: Town) -> None:
    room = {"min": {"cpu": "900", "memory": "900Gi", GPU: "99"}, "max": {"cpu": "900", "memory": "900Gi", GPU: "99"}}
    own = "scheduling.sigs.k8s.io/v1alpha1"
    found.add("scheduling.sigs.k8s.io/ElasticQuota", custom(own, HONEST, room))
    found.add("scheduling.sigs.k8s.io/ElasticQuota", custom(own, "team", room, "koordinator-system"))
    found.gang("counted", {f"{QUOTA}/name": "team"})
    found.add("scheduling.x-k8s.io/ElasticQuota", custom("scheduling.x-k8s.io/v1alpha1", "q", room))
    hard = {"pods": "100", "requests.cpu": "900"}
    status = {"hard": hard, "used": {"pods": "40", "requests.cpu": "40"}}
    found.add("resourcequotas", {"metadata": meta("q", HONEST), "spec": {"hard": hard}, "status": status})


def _devices(found: Town) -> None:
    given = json.dumps({"gpu": [{"minor": 0, "resources": {"koordinator.sh/gpu-core": "100"}}]})
    found.gang("gpus", notes={ALLOCATED: given}, asks={GPU: "1"})
    for name in ("n1", "n2"):
        gpus = (koordinator_gpu(minor) for minor in range(4))
        found.add("scheduling.koordinator.sh/Device", koordinator_device(*gpus, node=name))
    found.add("resource.k8s.io/ResourceSlice", resource_slice(*map(gpu_device, range(4)), node="n3"))
    held = claim("held", "gpu-0", holders=["dra"], pool="n3")
    held["metadata"]["namespace"] = HONEST
    found.add("resource.k8s.io/ResourceClaim", held)
    found.add("replicasets", made("ReplicaSet", "dra", 1))
    owner = {"ownerReferences": [reference("apps/v1", "ReplicaSet", "dra")]}
    found.add("pods", pod("dra", namespace=HONEST, node="n3", metadata=owner, **claiming("held")))


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


# -- the other tenant -------------------------------------------------------------------------------------------------

NAMESPACED = frozenset(town()) - {
    "namespaces",
    "nodes",
    "storageclasses",
    "persistentvolumes",
    "scheduling.koordinator.sh/Device",
    "resource.k8s.io/ResourceSlice",
}
STATUS_OF_THE_SYSTEM = NAMESPACED - {kind for kind in NAMESPACED if "/" in kind} | {"resource.k8s.io/ResourceClaim"}
"""Kinds whose status no tenant writes; an object of a custom resource has one that its author may have written."""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield key
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _marks(objects: Objects) -> dict[str, list[str]]:
    """Labels and annotations that are in use, with their values."""
    out: dict[str, dict[str, None]] = {}
    for found in (one for several in objects.values() for one in several):
        for key, value in {**found["metadata"].get("labels", {}), **found["metadata"].get("annotations", {})}.items():
            out.setdefault(key, {})[value] = None
    return {key: list(values) for key, values in out.items()}


BASE = town()
THEIRS = [(kind, one) for kind in sorted(NAMESPACED) for one in BASE[kind]]
NAMES = sorted({one["metadata"]["name"] for _, one in THEIRS})
PAIRS = sorted({f"{one['metadata']['namespace']}/{one['metadata']['name']}" for _, one in THEIRS})
MARKS = _marks(BASE) | {
    f"{QUOTA}/namespaces": [json.dumps([HONEST, FRIEND])],
    f"{QUOTA}/runtime": ['{"cpu": 0}'],
    f"{QUOTA}/preemptible": ["false"],
    f"{QUOTA}/parent": NAMES[:2],
    f"{QUOTA}/is-parent": ["true"],
    f"{KOORD}/match-policy": ["only-waiting"],
    f"{KOORD}/total-number": ["99"],
    "kueue.x-k8s.io/pod-group-name": NAMES[:3],
    "kueue.x-k8s.io/pod-group-total-count": ["2"],
    "kueue.x-k8s.io/workload": ["job-sums"],
    "kueue.x-k8s.io/managed": ["true"],
    "volcano.sh/job-name": NAMES[:2],
    "kruise.io/related-pub": ["web"],
    "descheduler.alpha.kubernetes.io/eviction-in-progress": ["true"],
    "descheduler.alpha.kubernetes.io/evict": ["true", "false"],
    "app.kubernetes.io/name": ["descheduler"],
    "fluid.io/dataset": NAMES[:1],
    "scheduling.koordinator.sh/reservation-allocated": ['{"name": "r", "uid": "r"}'],
    "rebalance.descheduler.dev/deadline": ["2030-01-31T12:00:00Z"],
    "batch.kubernetes.io/job-index-failure-count": ["9"],
    "pod-template-hash": ["1"],
    "controller-revision-hash": ["x"],
}
_REFERENCES: list[Json] = [r for _, one in THEIRS for r in one["metadata"].get("ownerReferences", ())]
_SPEC_KEYS = sorted({text for _, one in THEIRS for text in _texts(one.get("spec")) if text.isidentifier()})

_several = st.lists(st.sampled_from(PAIRS), max_size=4).map(json.dumps)
_hostile = st.one_of(
    st.sampled_from([0, 1, 2, 1000, -1, None, True, False, "", "0", "100%", "*", [], {}, {"cpu": "0"}, "-5"]),
    st.sampled_from([*NAMES, *PAIRS, HONEST]),
    st.lists(st.sampled_from(NAMES), max_size=2),
)


@st.composite
def _written_marks(draw: st.DrawFn) -> dict[str, str]:
    keys = draw(st.lists(st.sampled_from(sorted(MARKS)), max_size=4, unique=True))
    return {
        key: draw(st.one_of(st.sampled_from(MARKS[key]), st.sampled_from([*NAMES, *PAIRS]), _several)) for key in keys
    }


def _paths(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items: Iterable[tuple[Any, object]] = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, one in items:
        yield (*path, key)
        yield from _paths(one, (*path, key))


def _put(found: Any, path: tuple[Any, ...], value: object) -> None:
    for key in path[:-1]:
        found = found[key]
    found[path[-1]] = deepcopy(value)


@st.composite
def objects_of(draw: st.DrawFn) -> tuple[str, Json]:
    """One object of the other tenant: its kind key, and what he writes."""
    kind, theirs = draw(st.sampled_from(THEIRS))
    mine = deepcopy(theirs)
    metadata = mine["metadata"]
    metadata["namespace"] = EVIL
    if draw(st.booleans()):
        metadata["name"] = draw(st.sampled_from([*NAMES, EVIL, "koordinator-default-quota"]))
    metadata["uid"] = draw(st.sampled_from([metadata["uid"], f"uid-evil-{metadata['name']}"]))
    for key in ("labels", "annotations"):
        if draw(st.booleans()):
            metadata[key] = {**metadata.get(key, {}), **draw(_written_marks())}
    if draw(st.booleans()):
        owners = draw(st.lists(st.sampled_from(_REFERENCES), max_size=2))
        metadata["ownerReferences"] = [{**one, "controller": i == 0} for i, one in enumerate(owners)]
    if draw(st.integers(0, 9)) == 0:
        metadata["deletionTimestamp"] = "2025-10-01T09:00:00Z"
    if kind == "pods":
        _without_resources(mine, bound=draw(st.booleans()))
        return kind, mine
    parts = ["spec"] if kind in STATUS_OF_THE_SYSTEM or "status" not in mine else ["spec", "status"]
    if kind in STATUS_OF_THE_SYSTEM:
        mine.pop("status", None)
    for part in parts:
        for _ in range(draw(st.integers(0, 2))):
            paths = sorted(_paths(mine.get(part)), key=str)
            if paths:
                _put(mine[part], draw(st.sampled_from(paths)), draw(_hostile))
    if draw(st.integers(0, 3)) == 0 and isinstance(mine.get("spec"), dict):
        mine["spec"][draw(st.sampled_from(_SPEC_KEYS))] = draw(_hostile)
    return kind, mine


def _without_resources(found: Json, *, bound: bool) -> None:
    spec = found["spec"]
    spec["containers"] = [{"name": one["name"], "image": one["image"]} for one in spec["containers"]]
    spec.pop("nodeName", None)
    if bound:
        spec["nodeName"] = OWN_NODE
    else:
        found["status"] = {"phase": "Pending"}


def with_tenant(written: Iterable[tuple[str, Json]], namespace: str = EVIL) -> Objects:
    """The town and what the other tenant holds beside it, in the namespace of that name; of two objects of one name the
    API has the later."""
    out = {kind: list(found) for kind, found in BASE.items()}
    his = {(kind, one["metadata"]["name"]): one for kind, one in written}
    for (kind, _), one in his.items():
        out[kind].append(json.loads(json.dumps(one).replace(EVIL, namespace)))
    return out
