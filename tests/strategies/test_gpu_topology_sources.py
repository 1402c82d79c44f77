"""GpuTopology on what clusters really publish: Koordinator's devices and partitions, the kubelet's statuses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.dra import CLAIMS, CLASSES, SLICES, TEMPLATES
from descheduler.model.plan import PlanDocument
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler_strategies.gpu_topology.args import GpuTopologyArgs
from descheduler_strategies.gpu_topology.strategy import GpuTopology
from kube.device_objects import (
    DEVICES,
    GPU,
    claim_of,
    device_class,
    gpu_device,
    koordinator_device,
    koordinator_gpu,
    request,
    resource_slice,
    status_of,
    template,
)
from kube.wire_objects import Json, container, meta, node
from planning.cases import planned

PAIRS = [{"minors": [i, i + 1], "gpuLinkType": "NVLink", "ringBusBandwidth": "400Gi"} for i in range(0, 8, 2)]


def machine(name: str, product: str = "", **labels: str) -> Json:
    found = node(name)
    found["status"]["allocatable"][GPU] = "8"
    found["metadata"]["labels"] = {
        "kubernetes.io/hostname": name,
        **({"nvidia.com/gpu.product": product} if product else {}),
        **labels,
    }
    return found


def training(name: str, at: str, minors: Sequence[int], *, cpu: str = "1", koordinator: bool = True) -> Json:
    annotations = {}
    if koordinator:
        held = {"gpu": [{"minor": m, "resources": {"koordinator.sh/gpu-core": "100"}} for m in minors]}
        annotations = {"scheduling.koordinator.sh/device-allocated": json.dumps(held)}
    owners = [{"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": f"uid-{name}", "controller": True}]
    status: Json = {} if koordinator else status_of(*(f"GPU-{m}" for m in minors))
    return {
        "metadata": meta(
            f"{name}-0",
            "shop",
            annotations=annotations,
            ownerReferences=owners,
            creationTimestamp="1970-01-01T00:00:00Z",
        ),
        "spec": {
            "nodeName": at,
            "containers": [container(requests={"cpu": cpu, GPU: str(len(minors))}, limits={GPU: str(len(minors))})],
        },
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], **status},
    }


def job(name: str) -> Json:
    ignore = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return {
        "metadata": meta(name, "shop", uid=f"uid-{name}"),
        "spec": {"parallelism": 1, "podFailurePolicy": {"rules": [ignore]}},
        "status": {"ready": 1},
    }


def plan(
    machines: Sequence[Json], pods: Sequence[Json], devices: Sequence[Json] = (), **more: Sequence[Json]
) -> PlanDocument:
    names = sorted({p["metadata"]["ownerReferences"][0]["name"] for p in pods})
    objects = {"nodes": machines, "pods": pods, "jobs": [job(n) for n in names], DEVICES: devices, **more}
    snapshot = snapshot_from_objects(objects, 3600.0)
    args = GpuTopologyArgs.model_validate({"remaining": "24h"})
    settings = replace(PlanningSettings(), limits=DisruptionLimits(None, None, None, None, None))
    return planned(snapshot, chosen=[ChosenStrategy(GpuTopology(), args)], settings=settings, now=3600.0)


def moved(document: PlanDocument) -> dict[str, str]:
    return {move.pod: move.destination for action in document.actions for move in action.pods}


def koordinated(free: Sequence[int], policy: str) -> PlanDocument:
    """`train` holds 1 and 2 of n1, which belong to two partitions; of n2 only `free` is left."""
    label = {"node.koordinator.sh/gpu-partition-policy": policy}
    machines = [machine("n1", "NVIDIA-H100-80GB-HBM3", **label), machine("n2", "NVIDIA-H100-80GB-HBM3", **label)]
    devices = [
        koordinator_device(*(koordinator_gpu(i) for i in range(8)), node=n, partitions={"2": PAIRS})
        for n in ("n1", "n2")
    ]
    for device in devices:
        device["metadata"]["labels"] |= label
    pods = [
        training("train", "n1", (1, 2)),
        training("full", "n1", (0, 3, 4, 5, 6, 7), cpu="2"),
        training("there", "n2", [m for m in range(8) if m not in free]),
    ]
    return plan(machines, pods, devices)


def test_devices_across_partitions_move_to_a_whole_one() -> None:
    document = koordinated(free=(4, 5), policy="Prefer")
    assert moved(document) == {"train-0": "n2"}
    assert "linked at 64 GB/s, the best 2 at 429.497" in document.findings[0].text


def test_partitions_that_are_only_preferred_are_no_promise() -> None:
    assert not moved(koordinated(free=(4, 5, 6), policy="Prefer"))


def test_partitions_that_are_honoured_are_one() -> None:
    assert moved(koordinated(free=(4, 5, 6), policy="Honor")) == {"train-0": "n2"}


def test_what_the_kubelet_says_of_its_devices_is_enough() -> None:
    machines = [machine("n1", "Tesla-V100-SXM2-32GB"), machine("n2", "Tesla-V100-SXM2-32GB")]
    devices = [koordinator_device(*(koordinator_gpu(i) for i in range(8)), node=n) for n in ("n1", "n2")]
    pods = [
        training("train", "n1", (0, 6), koordinator=False),
        training("full", "n1", (1, 2, 3, 4, 5, 7), cpu="2", koordinator=False),
        training("there", "n2", (1, 2, 4, 5, 6, 7), koordinator=False),
    ]
    assert moved(plan(machines, pods, devices)) == {"train-0": "n2"}


def test_nothing_moves_where_nobody_says_who_holds_what() -> None:
    machines = [machine("n1", "Tesla-V100-SXM2-32GB"), machine("n2", "Tesla-V100-SXM2-32GB")]
    pods = [training("train", "n1", (0, 6), koordinator=False), training("full", "n1", (1, 2), koordinator=False)]
    for pod in pods:
        del pod["status"]["containerStatuses"]
    document = plan(machines, pods)
    assert not moved(document)
    assert [f.subject for f in document.findings] == ["gpu/devices"]


def claiming(pod: Json, minors: Sequence[int], at: str) -> tuple[Json, Json, Json]:
    """The same pod with its devices by a claim; the claim, and the template that it is made from."""
    name, owner = pod["metadata"]["name"], pod["metadata"]["ownerReferences"][0]["name"]
    pod["metadata"]["annotations"] = {}
    for amounts in pod["spec"]["containers"][0]["resources"].values():
        del amounts[GPU]
    pod["spec"]["resourceClaims"] = [{"name": "gpu", "resourceClaimTemplateName": owner}]
    pod["status"]["resourceClaimStatuses"] = [{"name": "gpu", "resourceClaimName": f"{name}-gpu"}]
    asked = template(owner, request(count=len(minors)))
    return pod, claim_of(name, *(f"gpu-{m}" for m in minors), pool=at), asked


def test_devices_of_claims_are_told_apart_by_their_links_too() -> None:
    """Of n2 two GPUs that are linked are free, and the scheduler gives the first two that are."""
    machines = [machine(name, "Tesla-V100-SXM2-32GB") for name in ("n1", "n2")]
    for one in machines:
        del one["status"]["allocatable"][GPU]
    held = {"train": ("n1", (0, 6)), "full": ("n1", (1, 2, 3, 4, 5, 7)), "there": ("n2", (1, 2, 4, 5, 6, 7))}
    made = [
        claiming(training(name, at, minors, cpu="2" if name == "full" else "1"), minors, at)
        for name, (at, minors) in held.items()
    ]
    pods, claims, templates = (list(each) for each in zip(*made, strict=True))
    gpus = [gpu_device(i) for i in range(8)]
    for gpu in gpus:
        gpu["attributes"]["productName"] = {"string": "Tesla V100-SXM2-32GB"}
    slices = [resource_slice(*gpus, node=name) for name in ("n1", "n2")]
    found = plan(machines, pods, **{SLICES: slices, CLAIMS: claims, TEMPLATES: templates, CLASSES: [device_class()]})
    assert moved(found) == {"train-0": "n2"}
