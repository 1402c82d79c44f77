"""Objects that tell of GPUs, as drivers and schedulers publish them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.devices import NodeGpus
from descheduler.model.dra import CLAIMS, CLASSES, SLICES, TAINT_RULES, TEMPLATES
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
from kube.wire_objects import Json, container, meta, node, pod

GPU = "nvidia.com/gpu"
DRIVER = "gpu.nvidia.com"


DEVICES = "scheduling.koordinator.sh/Device"
RESERVATIONS = "scheduling.koordinator.sh/Reservation"


def snapshot(
    *pods: Json, nodes: Sequence[Json] = (), sets: Sequence[Json] = (), **kinds: Sequence[Json]
) -> ClusterSnapshot:
    """`slices=`, `claims=`, `templates=`, `classes=`, `rules=`, `devices=`, `reservations=`: what tells of GPUs;
    node n1 with 4 GPUs unless given."""
    names = {"slices": SLICES, "claims": CLAIMS, "devices": DEVICES, "reservations": RESERVATIONS}
    names |= {"templates": TEMPLATES, "classes": CLASSES, "rules": TAINT_RULES}
    objects = {names[key]: found for key, found in kinds.items()}
    core = {"nodes": nodes or [node("n1", **{GPU: "4"})], "pods": pods, **({"statefulsets": sets} if sets else {})}
    return snapshot_from_objects({**core, **objects}, 0.0)


def gpus_of(found: ClusterSnapshot, name: str = "n1") -> NodeGpus:
    gpus = found.nodes[found.node_index[name]].gpus
    assert gpus is not None
    return gpus


def pod_of(found: ClusterSnapshot, name: str) -> Pod:
    return found.pods[found.pod_index["shop", name]]


def attributes(**values: str | int) -> Json:
    """`pcie=` and `numa=` stand for the standard names."""
    names = {"pcie": "resource.kubernetes.io/pcieRoot", "numa": "resource.kubernetes.io/numaNode"}
    return {names.get(k, k): {"int" if isinstance(v, int) else "string": v} for k, v in values.items()}


def gpu_device(index: int, memory: str = "80Gi", **more: Any) -> Json:
    taints = more.pop("taints", None)
    described = attributes(
        type="gpu",
        uuid=f"GPU-{index}",
        productName="NVIDIA H100",
        pcie=f"pci0000:{index // 2}",
        numa=index // 2,
        **more,
    )
    found: Json = {"name": f"gpu-{index}", "attributes": described, "capacity": {"memory": {"value": memory}}}
    return found | ({"taints": taints} if taints else {})


def mig_device(parent: int, number: int, profile: str = "1g.10gb", memory: str = "10Gi") -> Json:
    described = attributes(type="mig", uuid=f"MIG-{parent}-{number}", parentUUID=f"GPU-{parent}", profile=profile)
    return {
        "name": f"gpu-{parent}-mig-19-{number}-1",
        "attributes": described,
        "capacity": {"memory": {"value": memory}},
    }


def resource_slice(
    *devices: Json, node: str = "n1", name: str = "", generation: int = 1, count: int = 1, driver: str = DRIVER
) -> Json:
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": f"uid-{node}", "controller": True}
    pool = {"name": node, "generation": generation, "resourceSliceCount": count}
    return {
        "metadata": meta(name or f"{node}-{driver}", ownerReferences=[owner]),
        "spec": {"driver": driver, "pool": pool, "nodeName": node, "devices": list(devices)},
    }


def claim(name: str, *devices: str, holders: Sequence[str] = (), pool: str = "n1", **result: Any) -> Json:
    """A claim for as many GPUs as it was given; not allocated when it was given none."""
    asked = {
        "name": "gpu",
        "exactly": {"deviceClassName": DRIVER, "allocationMode": "ExactCount", "count": len(devices)},
    }
    results = [{"request": "gpu", "driver": DRIVER, "pool": pool, "device": d, **result} for d in devices]
    status: Json = {"reservedFor": [{"resource": "pods", "name": h, "uid": f"uid-shop-{h}"} for h in holders]}
    if devices:
        status["allocation"] = {"devices": {"results": results}}
    return {
        "metadata": meta(name, "shop"),
        "spec": {"devices": {"requests": [asked]}},
        "status": status,
    }


def claiming(*names: str) -> Json:
    """What of a pod's spec names claims."""
    return {"resourceClaims": [{"name": f"c{i}", "resourceClaimName": name} for i, name in enumerate(names)]}


def template(name: str, *requests: Json, **more: Any) -> Json:
    """A ResourceClaimTemplate; one GPU unless requests are given."""
    asked = {"requests": list(requests) or [request()], **more}
    return {"metadata": meta(name, "shop"), "spec": {"spec": {"devices": asked}}}


def request(name: str = "gpu", device_class: str = DRIVER, **more: Any) -> Json:
    return {"name": name, "exactly": {"deviceClassName": device_class, **more}}


def chosen_by(*expressions: str) -> list[Json]:
    """Selectors."""
    return [{"cel": {"expression": one}} for one in expressions]


def device_class(name: str = DRIVER, *expressions: str) -> Json:
    """The class of all GPUs, as NVIDIA's driver has it, unless expressions are given."""
    gpus = f"device.driver == '{DRIVER}' && device.attributes['{DRIVER}'].type == 'gpu'"
    return {"metadata": meta(name), "spec": {"selectors": chosen_by(*(expressions or (gpus,)))}}


def taint_rule(effect: str = "NoSchedule", name: str = "kept", **selector: str) -> Json:
    """A DeviceTaintRule for the devices whose driver, pool or device is given."""
    taint = {"key": "kept", "value": "yes", "effect": effect}
    return {"metadata": meta(name), "spec": {"deviceSelector": selector, "taint": taint}}


def templated(name: str, of: str, node: str = "n1", **more: Any) -> Json:
    """A pod of the StatefulSet `of`, whose claim is made from the template of that name."""
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": of, "uid": f"uid-shop-{of}", "controller": True}
    return pod(
        name,
        container(requests={"cpu": "1"}),
        node=node,
        phase="Running" if node else "Pending",
        metadata={"labels": {"app": of}, "ownerReferences": [owner]},
        status={"resourceClaimStatuses": [{"name": "gpu", "resourceClaimName": f"{name}-gpu"}]},
        resourceClaims=[{"name": "gpu", "resourceClaimTemplateName": of}],
        **more,
    )


def claim_of(name: str, *devices: str, pool: str = "n1") -> Json:
    """The claim that was made for the pod of that name."""
    found = claim(f"{name}-gpu", *devices, holders=[name], pool=pool)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": f"uid-shop-{name}", "controller": True}
    found["metadata"]["ownerReferences"] = [owner]
    return found


def stateful_set(name: str, replicas: int = 1) -> Json:
    claims = [{"name": "gpu", "resourceClaimTemplateName": name}]
    spec = {"containers": [container(requests={"cpu": "1"})], "resourceClaims": claims}
    made = {"metadata": {"labels": {"app": name}}, "spec": spec}
    wanted = {"replicas": replicas, "podManagementPolicy": "Parallel", "selector": {"matchLabels": {"app": name}}}
    counts = dict.fromkeys(("replicas", "readyReplicas", "availableReplicas"), replicas)
    revisions = {"currentRevision": "r", "updateRevision": "r"}
    return {"metadata": meta(name, "shop"), "spec": {**wanted, "template": made}, "status": {**counts, **revisions}}


def koordinator_device(*devices: Json, node: str = "n1", partitions: Mapping[str, Any] | None = None) -> Json:
    annotations = {"scheduling.koordinator.sh/gpu-partitions": json.dumps(partitions)} if partitions else {}
    return {
        "metadata": meta(node, annotations=annotations, labels={"node.koordinator.sh/gpu-model": "H100"}),
        "spec": {"devices": list(devices)},
    }


def koordinator_gpu(minor: int, *, healthy: bool = True, **more: Any) -> Json:
    return {
        "type": "gpu",
        "id": f"GPU-{minor}",
        "minor": minor,
        "health": healthy,
        "resources": {"koordinator.sh/gpu-core": "100", "koordinator.sh/gpu-memory": "80Gi"},
        "topology": {"socketID": 0, "nodeID": minor // 2, "pcieID": str(minor // 2), "busID": f"0000:0{minor}:00.0"},
        **more,
    }


def status_of(*ids: str, resource: str = GPU, health: str = "Healthy") -> Json:
    """What the kubelet says of the devices of a pod's one container."""
    found = [{"resourceID": i, "health": health} for i in ids]
    return {
        "containerStatuses": [{"name": "main", "allocatedResourcesStatus": [{"name": resource, "resources": found}]}]
    }
