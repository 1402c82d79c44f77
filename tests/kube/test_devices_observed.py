"""GPUs and their holders as the labels of series tell them."""

from __future__ import annotations

import pytest

from descheduler.kube.devices.observed import ObservedGpu, observed_gpu, with_observed
from descheduler.model.devices import GpuShare, GpuSource
from descheduler.model.nodes import node_names
from kube.device_objects import GPU, gpus_of, koordinator_device, koordinator_gpu, pod_of, snapshot, status_of
from kube.wire_objects import container, node, pod

ONE = container(requests={GPU: "1"})


def row(index: int, name: str = "", *, at: str = "n1", **more: bool) -> ObservedGpu:
    return ObservedGpu(at, index, f"GPU-{index}", "shop" if name else "", name, "A100", **more)


def test_series_locate_what_a_plug_in_gave() -> None:
    before = snapshot(pod("a", container(requests={GPU: "2"})), pod("b", ONE))
    found = with_observed(before, [row(3, "a"), row(1, "a"), row(0, "b"), row(2)])
    assert (pod_of(found, "a").gpu_indices, pod_of(found, "a").gpu_source) == ((1, 3), GpuSource.DCGM)
    assert pod_of(found, "b").gpu_shares == (GpuShare(0, "GPU-0"),)
    gpus = gpus_of(found)
    assert ([d.uuid for d in gpus.devices], gpus.model) == ([f"GPU-{i}" for i in range(4)], "A100")
    assert (gpus.source, gpus.steerable) == (GpuSource.DCGM, False)


def test_they_tell_the_index_of_what_the_kubelet_names_by_uuid() -> None:
    before = snapshot(pod("a", ONE, status=status_of("GPU-2")))
    found = with_observed(before, map(row, range(4)))
    assert (pod_of(found, "a").gpu_indices, pod_of(found, "a").gpu_source) == ((2,), GpuSource.STATUS)


def test_where_only_some_devices_have_series_the_count_stays() -> None:
    found = with_observed(snapshot(pod("a", ONE)), [row(3, "a")])
    assert (gpus_of(found).devices, gpus_of(found).count) == ((), 4)
    assert pod_of(found, "a").gpu_indices == (3,)


def test_they_do_not_overrule_who_is_more_trusted() -> None:
    given = {"annotations": {"scheduling.koordinator.sh/device-allocated": '{"gpu":[{"minor":1}]}'}}
    before = snapshot(pod("a", ONE, metadata=given), devices=[koordinator_device(*map(koordinator_gpu, range(4)))])
    found = with_observed(before, [row(3, "a"), *map(row, range(3))])
    assert (pod_of(found, "a").gpu_indices, pod_of(found, "a").gpu_source) == ((1,), GpuSource.KOORDINATOR)
    assert found.problems == ("Pod shop/a: koordinator says GPU 1, dcgm says 3",)
    assert gpus_of(found).source is GpuSource.KOORDINATOR


def test_rows_of_another_time_are_passed_over() -> None:
    before = snapshot(pod("a", ONE), nodes=[node("n1", **{GPU: "4"}), node("n2", **{GPU: "4"}), node("n3")])
    rows = [row(1, "a", at="n2"), row(2, "gone"), row(0, "a", at="n9"), row(0, "a", at="n3"), row(99, "a")]
    found = with_observed(before, rows)
    assert pod_of(found, "a").gpu_indices == ()
    assert gpus_of(found, "n2").devices == ()


def test_a_device_with_series_of_slices_is_cut_up() -> None:
    found = with_observed(snapshot(), [row(0), row(1), row(2), row(3, mig=True), row(3, mig=True)])
    assert ([d.mig for d in gpus_of(found).devices], gpus_of(found).count) == ([False, False, False, True], 3)


NODES = [node("n1.example.com", metadata={"labels": {"kubernetes.io/hostname": "host-1"}}, **{GPU: "4"}), node("n2")]


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (
            {"gpu": "2", "UUID": "GPU-2", "Hostname": "n1.example.com", "namespace": "shop", "pod": "a"},
            ObservedGpu("n1.example.com", 2, "GPU-2", "shop", "a"),
        ),
        (
            {"gpu": "0", "hostname": "host-1", "modelName": "A100", "GPU_I_ID": "3"},
            ObservedGpu("n1.example.com", 0, model="A100", mig=True),
        ),
        (
            {"gpu": "1", "Hostname": "n1", "namespace": "gpu", "pod": "exporter-x", "exported_namespace": "shop",
             "exported_pod": "a"},
            ObservedGpu("n1.example.com", 1, "", "shop", "a"),
        ),
        (
            {"gpu": "1", "node": "n2", "Hostname": "dcgm-exporter-x", "pod_namespace": "shop", "pod_name": "a"},
            ObservedGpu("n2", 1, "", "shop", "a"),
        ),
        ({"gpu": "1", "Hostname": "elsewhere"}, None),
        ({"gpu": "nvidia1", "Hostname": "n2"}, None),
        ({"Hostname": "n2"}, None),
    ],
)  # fmt: skip
def test_labels_in_all_their_spellings(labels: dict[str, str], found: ObservedGpu | None) -> None:
    assert observed_gpu(labels, node_names(snapshot(nodes=NODES).nodes)) == found


def test_who_is_seen_on_fewer_devices_than_it_asked_for_is_not_located() -> None:
    found = with_observed(snapshot(pod("a", container(requests={GPU: "2"}))), [row(3, "a")])
    assert (pod_of(found, "a").gpu_indices, pod_of(found, "a").gpu_source) == ((), GpuSource.DCGM)


def test_a_short_name_that_two_nodes_have_means_neither() -> None:
    names = node_names(snapshot(nodes=[node("n1.a.example.com"), node("n1.b.example.com")]).nodes)
    assert set(names) == {"n1.a.example.com", "n1.b.example.com"}


def test_the_exporter_does_not_hold_the_idle_devices_that_are_labelled_with_its_name() -> None:
    found = with_observed(snapshot(pod("exporter")), [row(0, "exporter"), row(1, "exporter")])
    assert pod_of(found, "exporter").gpu_indices == ()
