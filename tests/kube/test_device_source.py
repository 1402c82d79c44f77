"""A source of devices that nobody knew of: one record in the list, and it is heard like the others."""

from __future__ import annotations

import pytest

from descheduler.kube.devices import merge, reported
from descheduler.kube.devices.source import Cluster, DeviceSource, NodeReport, Report
from descheduler.kube.devices.sources import SOURCES
from descheduler.model.devices import Device, GpuShare, GpuSource, GpuStatement
from kube.device_objects import GPU, gpus_of, koordinator_device, koordinator_gpu, pod_of, snapshot
from kube.wire_objects import container, pod

ONE = container(requests={GPU: "1"})
TOYS = tuple(Device(i, f"TOY-{i}", "Toy") for i in range(4))


def toy(cluster: Cluster) -> Report:
    found = Report(nodes={node.name: NodeReport(GpuSource.GPUSHARE, TOYS) for node in cluster.nodes})
    for i in cluster.asking:
        found.statements[i] = GpuStatement(GpuSource.GPUSHARE, (GpuShare(3),))
    return found


@pytest.fixture
def with_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "SOURCES", (*SOURCES, DeviceSource(of_cluster=toy)))


@pytest.mark.usefixtures("with_toy")
def test_a_new_source_describes_nodes_and_pods() -> None:
    found = snapshot(pod("a", ONE))
    assert gpus_of(found).devices == TOYS
    assert (pod_of(found, "a").gpu_indices, pod_of(found, "a").gpu_source) == ((3,), GpuSource.GPUSHARE)


def test_without_it_the_node_only_counts() -> None:
    found = snapshot(pod("a", ONE))
    assert (gpus_of(found).devices, gpus_of(found).count) == ((), 4)
    assert pod_of(found, "a").gpu_indices == ()


@pytest.mark.usefixtures("with_toy")
def test_a_more_trusted_source_still_wins() -> None:
    found = snapshot(pod("a", ONE), devices=[koordinator_device(*(koordinator_gpu(i) for i in range(4)))])
    assert [d.uuid for d in gpus_of(found).devices] == [f"GPU-{i}" for i in range(4)]
    assert any("koordinator and gpushare tell of different GPUs" in problem for problem in found.problems)


def test_a_pods_own_annotations_are_read_where_a_source_asks_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    held = GpuStatement(GpuSource.GPU_INDEX, (GpuShare(2),))
    monkeypatch.setattr(reported, "_BY_ANNOTATIONS", (lambda annotations: (held,),))
    monkeypatch.setattr(reported, "_ANNOTATIONS", frozenset({"nvidia.com/toy"}))
    asked, other = ({"annotations": {key: "2"}} for key in ("nvidia.com/toy", "nvidia.com/else"))
    found = snapshot(pod("a", ONE, metadata=asked), pod("b", ONE, metadata=other))
    assert (pod_of(found, "a").gpu_indices, pod_of(found, "b").gpu_indices) == ((2,), ())
