"""What one unit of a node's GPU resource is, by the labels of GPU feature discovery, clouds and other vendors."""

from __future__ import annotations

import pytest

from descheduler.model.device_parts import devices_in_parts, instances
from descheduler.model.devices import NodeGpus
from kube.device_objects import GPU, gpus_of, snapshot
from kube.wire_objects import node

A100 = "NVIDIA-A100-SXM4-40GB"


def gfd(product: str, count: int, replicas: int = 1, **more: str) -> dict[str, str]:
    """Labels of a node; `sharing_strategy=` and others of `nvidia.com/gpu.…`."""
    labels = {"product": product, "count": str(count), "replicas": str(replicas), "memory": "40960"}
    labels |= {name.replace("_", "-"): value for name, value in more.items()}
    return {f"nvidia.com/gpu.{name}": value for name, value in labels.items()}


def read(labels: dict[str, str], **allocatable: int) -> NodeGpus:
    counted = {name: str(count) for name, count in allocatable.items()}
    return gpus_of(snapshot(nodes=[node("n1", metadata={"labels": labels}, **counted)]))


MIG = {"nvidia.com/mig.strategy": "single"}
MIXED = {"nvidia.com/mig.strategy": "mixed"}


@pytest.mark.parametrize(
    ("labels", "count", "units", "devices"),
    [
        (gfd(A100, 8, sharing_strategy="none"), 8, 1, 8),
        (gfd(A100, 2), 8, 1, 8),  # of several models the label counts one; it says that nothing is shared
        (gfd(f"{A100}-SHARED", 8, 4, sharing_strategy="time-slicing"), 32, 4, 8),
        (gfd(f"{A100}-SHARED", 1, 4, sharing_strategy="mps"), 4, 4, 1),
        ({"nvidia.com/gpu.product": f"{A100}-SHARED", "nvidia.com/gpu.count": "2"}, 8, 4, 2),
        ({"nvidia.com/gpu.sharing-strategy": "mps"}, 8, 2, 4),
        ({"karpenter.k8s.aws/instance-gpu-count": "4"}, 16, 4, 4),
        ({"karpenter.k8s.aws/instance-gpu-count": "4"}, 4, 1, 4),
        (gfd(f"{A100}-MIG-1g.5gb", 28) | MIG, 28, 7, 4),
        (gfd(f"{A100}-MIG-3g.20gb", 16) | MIG, 16, 2, 8),
        (gfd(f"{A100}-MIG-1g.10gb", 32) | MIG, 32, 4, 8),
        (gfd("NVIDIA-A100-SXM4-80GB-MIG-1g.10gb", 56) | MIG, 56, 7, 8),
        (gfd("NVIDIA-A30-MIG-1g.6gb", 8) | MIG, 8, 4, 2),
        (gfd(f"{A100}-MIG-1g.5gb-SHARED", 7, 2, sharing_strategy="time-slicing") | MIG, 14, 14, 1),
        (gfd(A100, 8, 0) | MIG, 8, 1, 8),  # the strategy alone cuts nothing
        ({**MIG, "nvidia.com/mig.config": "all-1g.5gb"}, 28, 7, 4),
        (gfd(A100, 8, 0) | MIXED | {"nvidia.com/mig-1g.5gb.count": "14"}, 6, 1, 6),
        ({"cloud.google.com/gke-gpu-partition-size": "1g.5gb"}, 7, 7, 1),
        (
            {
                "cloud.google.com/gke-gpu-sharing-strategy": "time-sharing",
                "cloud.google.com/gke-max-shared-clients-per-gpu": "16",
            },
            16,
            16,
            1,
        ),
    ],
)
def test_units_of_nvidia_are_devices_turns_or_parts(
    labels: dict[str, str], count: int, units: int, devices: int
) -> None:
    found = read(labels, **{GPU: count})
    assert (found.units, found.physical, found.sliced) == (units, devices, units > 1)
    assert found.count == count


def test_turns_under_a_name_of_their_own() -> None:
    labels = gfd(A100, 2, 4, sharing_strategy="time-slicing")
    renamed = read(labels, **{"nvidia.com/gpu.shared": 8})
    assert (renamed.resource, renamed.units, renamed.physical) == ("nvidia.com/gpu.shared", 4, 2)
    beside = read(labels, **{"nvidia.com/gpu.shared": 4, GPU: 1})
    assert (beside.resource, beside.units, beside.physical) == (GPU, 1, 1)


@pytest.mark.parametrize(
    ("resource", "labels", "count", "units"),
    [
        ("amd.com/gpu", {}, 8, 1),
        ("amd.com/gpu", {"amd.com/gpu.compute-memory-partition": "spx_nps1"}, 8, 1),
        ("amd.com/gpu", {"amd.com/gpu.compute-memory-partition": "cpx_nps4"}, 64, 8),
        ("gpu.intel.com/i915", {"gpu.intel.com/device.count": "2"}, 20, 10),
        ("gpu.intel.com/i915", {"gpu.intel.com/device-id.0380-56c0.count": "2"}, 2, 1),
        ("gpu.intel.com/xe", {"gpu.intel.com/device-id.0300-56c1.count": "1"}, 4, 4),
    ],
)
def test_other_vendors(resource: str, labels: dict[str, str], count: int, units: int) -> None:
    assert read(labels, **{resource: count}).units == units


def test_instances_are_parts_of_devices() -> None:
    assert [instances(text) for text in ("7g.40gb", "2g.10gb", "NVIDIA-L4")] == [1, 3, 0]
    asked = (("nvidia.com/mig-1g.5gb", 2), ("nvidia.com/mig-3g.20gb", 1), ("nvidia.com/mig-2g.10gb.shared", 1))
    assert devices_in_parts(asked) == pytest.approx(1.0)
    assert devices_in_parts((("cpu", 4000), (GPU, 1), ("nvidia.com/mig-1g.6gb", 2))) == pytest.approx(0.5)
