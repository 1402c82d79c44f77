"""Recordings without names still say which device is whose."""

from __future__ import annotations

import json

from descheduler.kube.recording.anonymize import Anonymizer
from descheduler.kube.recording.wire_objects import cluster_objects
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import prepare
from kube.device_objects import (
    CLAIMS,
    CLASSES,
    DEVICES,
    DRIVER,
    GPU,
    SLICES,
    TEMPLATES,
    claim,
    claim_of,
    claiming,
    device_class,
    gpu_device,
    koordinator_device,
    koordinator_gpu,
    mig_device,
    request,
    resource_slice,
    status_of,
    template,
    templated,
)
from kube.wire_objects import Json, container, node, pod

ONE = container(requests={GPU: "1"})
HAMI = {
    "hami.io/node-nvidia-register": "GPU-aa-0,10,40000,100,NVIDIA-A100,0,true:GPU-aa-1,10,40000,100,NVIDIA-A100,0,true:"
}


def on_node(name: str, at: str, *containers: Json, labels: dict[str, str] | None = None, **annotations: str) -> Json:
    return pod(name, *containers, node=at, metadata={"labels": labels or {}, "annotations": annotations})


def objects() -> dict[str, list[Json]]:
    return {
        "nodes": [
            node("n1"),
            node("n2", **{GPU: "4"}),
            node("n3", metadata={"annotations": HAMI}, **{GPU: "20"}),
            node("n4", **{GPU: "4"}),
        ],
        "pods": [
            pod("a", **claiming("mine")),
            pod("b", **claiming("slice")),
            on_node(
                "c", "n2", ONE, **{"scheduling.koordinator.sh/device-allocated": json.dumps({"gpu": [{"minor": 1}]})}
            ),
            pod("d", ONE, node="n2", status=status_of("GPU-3")),
            on_node("e", "n3", ONE, **{"hami.io/vgpu-devices-allocated": "GPU-aa-1,NVIDIA,10000,0:;"}),
            on_node("hold", "n4", ONE, labels={"runai-gpu-group": "g-1"}, **{"run.ai/reserve_for_gpu_index": "2"}),
            on_node("f", "n4", labels={"runai-gpu-group": "g-1"}, **{"gpu-fraction": "0.5"}),
            on_node("g", "n4", labels={"runai-gpu-group/g-1": "g-1"}, **{"gpu-fraction": "0.25"}),
        ],
        SLICES: [resource_slice(gpu_device(0), gpu_device(1), mig_device(1, 0))],
        CLAIMS: [claim("mine", "gpu-0", holders=["a"]), claim("slice", "gpu-1-mig-19-0-1", holders=["b"])],
        DEVICES: [koordinator_device(*map(koordinator_gpu, range(4)), node="n2")],
    }


def holders(found: ClusterSnapshot) -> list[tuple[object, ...]]:
    """What each pod holds, without names."""
    return sorted(
        (p.gpu_indices, tuple(s.milli for s in p.gpu_shares), str(p.gpu_source), p.problem != "") for p in found.pods
    )


def test_who_holds_what_survives() -> None:
    plain = cluster_objects(objects(), taken_at=0.0)
    before, after = plain.snapshot(), Anonymizer(b"secret").objects(plain).snapshot()
    assert holders(after) == holders(before)
    assert all(indices for indices, *_ in holders(before))
    assert after.problems == before.problems == ()
    described = [
        sorted(
            (n.gpus.count, n.gpus.source, len(n.gpus.slices), [(d.index, d.memory, d.numa) for d in n.gpus.devices])
            for n in found.nodes
            if n.gpus
        )
        for found in (before, after)
    ]
    assert described[0] == described[1]
    assert b"GPU-aa" not in b"".join(line for lines in Anonymizer(b"x").objects(plain).lines.values() for line in lines)


def test_what_a_node_counts_as_a_gpu_survives() -> None:
    told = [
        ({"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb", "nvidia.com/mig.strategy": "single"}, GPU, 7),
        ({"nvidia.com/gpu.product": "Tesla-T4-SHARED", "nvidia.com/gpu.replicas": "4"}, GPU, 4),
        ({"nvidia.com/gpu.sharing-strategy": "mps"}, GPU, 2),
        ({"cloud.google.com/gke-gpu-partition-size": "3g.20gb"}, GPU, 2),
        ({"amd.com/gpu.compute-memory-partition": "cpx_nps4"}, "amd.com/gpu", 8),
        ({"gpu.intel.com/device.count": "2"}, "gpu.intel.com/i915", 4),
    ]
    nodes = [node(f"n{i}", metadata={"labels": labels}, **{name: "8"}) for i, (labels, name, _) in enumerate(told)]
    plain = cluster_objects({"nodes": nodes, "pods": []}, taken_at=0.0)
    after = Anonymizer(b"secret").objects(plain).snapshot()
    assert sorted(n.gpus.units for n in after.nodes if n.gpus) == sorted(units for *_, units in told)


def test_what_classes_of_gpus_choose_survives_and_other_selectors_say_nothing() -> None:
    mine = f'device.attributes["{DRIVER}"].productName == "Falcon Project"'
    slices = [resource_slice(*(gpu_device(i) for i in range(2)))]
    found = {
        "nodes": [node("n1")],
        "pods": [templated("a-0", "a", node=""), templated("b-0", "b", node="")],
        SLICES: slices,
        CLASSES: [device_class(), device_class("ours", mine)],
        TEMPLATES: [template("a"), template("b", request(device_class="ours"))],
        CLAIMS: [claim_of("a-0") | {"spec": template("a")["spec"]["spec"]}],
    }
    found["pods"][1]["status"]["resourceClaimStatuses"] = []
    plain = cluster_objects(found, taken_at=0.0)
    after = Anonymizer(b"secret").objects(plain)
    assert b"Falcon" not in b"".join(line for lines in after.lines.values() for line in lines)
    states = [prepare(one.snapshot()).what_if() for one in (plain, after)]
    fits = [sorted(bool(state.fits(at).any()) for at in range(2)) for state in states]
    assert fits == [[False, True], [False, True]]
