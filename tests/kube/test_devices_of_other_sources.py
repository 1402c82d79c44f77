"""GPUs and their holders as Koordinator, the kubelet and sharing schedulers tell of them."""

from __future__ import annotations

import json

import pytest

from descheduler.model.devices import Device, GpuPartition, GpuShare, GpuSource, not_steerable
from descheduler.model.pods import GpuRequest
from kube.device_objects import (
    GPU,
    claim,
    claiming,
    gpu_device,
    gpus_of,
    koordinator_device,
    koordinator_gpu,
    pod_of,
    resource_slice,
    snapshot,
    status_of,
)
from kube.wire_objects import Json, container, meta, node, pod

GIB, MIB = 1 << 30, 1 << 20
ALLOCATED = "scheduling.koordinator.sh/device-allocated"
INDEX = "alibabacloud.com/gpu-index"
HAMI_NODE = {
    "hami.io/node-nvidia-register": "GPU-0,10,40000,100,NVIDIA-A100,0,true:GPU-1,10,40000,100,NVIDIA-A100,1,false:"
}
ONE = container(requests={GPU: "1"})


def annotated(name: str, *containers: Json, labels: dict[str, str] | None = None, **annotations: str) -> Json:
    named = {k.replace("__", "/"): v for k, v in annotations.items()}
    return pod(name, *(containers or (ONE,)), metadata={"annotations": named, "labels": labels or {}})


class TestKoordinator:
    def test_devices_with_their_places_and_partitions(self) -> None:
        table = {"2": [{"minors": [1, 0], "gpuLinkType": "NVLink", "ringBusBandwidth": "200Gi", "allocationScore": 1}]}
        devices = [koordinator_gpu(0), koordinator_gpu(1, healthy=False), {"type": "rdma", "minor": 0, "health": True}]
        gpus = gpus_of(snapshot(devices=[koordinator_device(*devices, partitions=table)]))
        assert gpus.devices == (
            Device(0, "GPU-0", "H100", 80 * GIB, numa=0, pcie_root="0", pci_bus="0000:00:00.0"),
            Device(1, "GPU-1", "H100", 80 * GIB, healthy=False, numa=0, pcie_root="0", pci_bus="0000:01:00.0"),
        )
        assert gpus.partitions == (GpuPartition((0, 1), "NVLink", 200 * GIB, 1),)
        assert (gpus.resource, gpus.count, gpus.source) == (GPU, 1, GpuSource.KOORDINATOR)

    def test_what_a_pod_was_given(self) -> None:
        given = [{"minor": 1, "resources": {"koordinator.sh/gpu-core": 30, "koordinator.sh/gpu-memory-ratio": "50"}}]
        asking = container(requests={"koordinator.sh/gpu-core": "30", "koordinator.sh/gpu-memory-ratio": "50"})
        found = snapshot(
            annotated("a", asking, **{ALLOCATED: json.dumps({"gpu": given, "rdma": [{"minor": 3}]})}),
            devices=[koordinator_device(koordinator_gpu(0), koordinator_gpu(1))],
        )
        one = pod_of(found, "a")
        assert (one.gpu_indices, one.gpu_source) == ((1,), GpuSource.KOORDINATOR)
        assert one.gpu_shares == (GpuShare(1, "GPU-1", 500),)

    def test_nodes_without_a_plug_in_have_their_gpus_too(self) -> None:
        found = snapshot(nodes=[node("n1")], devices=[koordinator_device(koordinator_gpu(0), koordinator_gpu(1))])
        assert (gpus_of(found).count, gpus_of(found).steerable) == (2, True)

    @pytest.mark.parametrize(
        "text",
        ["nonsense", '{"gpu":[{"minor":-2}]}', '{"gpu":[{"minor":0,"resources":{"koordinator.sh/gpu-core":"x"}}]}'],
    )
    def test_an_annotation_that_makes_no_sense_closes_the_node(self, text: str) -> None:
        found = snapshot(annotated("a", **{ALLOCATED: text}), pod("b", ONE), pod("c"), nodes=[])
        assert ALLOCATED in gpus_of(found).problem
        assert pod_of(found, "a").problem
        assert "shop/a" in pod_of(found, "b").problem  # a GPU pod of the same node
        assert not pod_of(found, "c").problem

    @pytest.mark.parametrize(
        ("status", "kept"),
        [
            ({"phase": "Available", "nodeName": "n1"}, (GpuShare(1, "", 1000), GpuShare(2, "", 500))),
            ({"phase": "Available", "nodeName": "n1", "currentOwners": [{"name": "a"}]}, ()),
            ({"phase": "Succeeded", "nodeName": "n1"}, ()),
            ({"phase": "Pending"}, ()),
        ],
    )
    def test_what_a_reservation_keeps_for_pods_to_come_is_not_free(
        self, status: Json, kept: tuple[GpuShare, ...]
    ) -> None:
        parts = [{"minor": m, "resources": {"koordinator.sh/gpu-core": core}} for m, core in ((1, 100), (2, 50))]
        made = {
            "apiVersion": "scheduling.koordinator.sh/v1alpha1",
            "kind": "Reservation",
            "metadata": meta("r", annotations={ALLOCATED: json.dumps({"gpu": parts})}),
            "spec": {},
            "status": status,
        }
        found = snapshot(devices=[koordinator_device(*map(koordinator_gpu, range(4)))], reservations=[made])
        assert gpus_of(found).reserved == kept

    def test_a_device_object_that_makes_no_sense_closes_the_node(self) -> None:
        broken = koordinator_device(koordinator_gpu(0) | {"minor": None})
        found = snapshot(pod("a", ONE), devices=[broken])
        assert gpus_of(found).problem
        assert pod_of(found, "a").problem


class TestKubelet:
    def test_uuids_become_indices_by_whoever_knows_them(self) -> None:
        found = snapshot(
            pod("a", container(requests={GPU: "2"}), status=status_of("GPU-3", "GPU-1")),
            devices=[koordinator_device(*map(koordinator_gpu, range(4)))],
        )
        one = pod_of(found, "a")
        assert (one.gpu_indices, one.gpu_source) == ((1, 3), GpuSource.STATUS)
        assert one.spec.gpu == GpuRequest(GPU, 2)

    def test_without_anyone_who_knows_them_uuids_are_all_there_is(self) -> None:
        one = pod_of(snapshot(pod("a", ONE, status=status_of("GPU-3"))), "a")
        assert (one.gpu_indices, one.gpu_shares) == ((), (GpuShare(-1, "GPU-3"),))
        assert one.gpu_source is GpuSource.STATUS
        assert not one.problem

    def test_plug_ins_that_name_devices_by_index(self) -> None:
        assert pod_of(snapshot(pod("a", ONE, status=status_of("2"))), "a").gpu_indices == (2,)

    def test_what_it_calls_unhealthy_is(self) -> None:
        found = snapshot(
            pod("a", ONE, status=status_of("GPU-2", health="Unhealthy")),
            nodes=[node("n1", **{GPU: "3"})],
            devices=[koordinator_device(*map(koordinator_gpu, range(4)))],
        )
        assert [d.healthy for d in gpus_of(found).devices] == [True, True, False, True]
        assert gpus_of(found).count == 3
        assert pod_of(found, "a").gpu_indices == (2,)

    def test_pods_that_differ_in_devices_share_their_spec(self) -> None:
        found = snapshot(*(pod(f"p{i}", ONE, status=status_of(f"GPU-{i}")) for i in range(3)))
        assert len({id(p.spec) for p in found.pods}) == 1

    def test_resources_that_are_no_gpus_are_passed_over(self) -> None:
        found = snapshot(pod("a", ONE, status=status_of("x", resource="example.com/nic")))
        assert pod_of(found, "a").gpu_statements == ()


class TestVirtualGpus:
    @pytest.mark.parametrize(
        "annotations",
        [
            HAMI_NODE,
            {
                "hami.io/node-nvidia-register": json.dumps(
                    [
                        {"id": f"GPU-{i}", "index": i, "count": 10, "devmem": 40000, "type": "NVIDIA-A100", "numa": i,
                         "health": i == 0}
                        for i in range(2)
                    ]
                )
            },
        ],
    )  # fmt: skip
    def test_the_devices_of_a_node(self, annotations: dict[str, str]) -> None:
        gpus = gpus_of(snapshot(nodes=[node("n1", metadata={"annotations": annotations}, **{GPU: "20"})]))
        assert gpus.devices == (
            Device(0, "GPU-0", "NVIDIA-A100", 40000 * MIB, numa=0),
            Device(1, "GPU-1", "NVIDIA-A100", 40000 * MIB, healthy=False, numa=1),
        )
        assert (gpus.count, gpus.replicas, gpus.source, gpus.steerable) == (20, 10, GpuSource.HAMI, True)

    def test_what_a_pod_of_several_containers_holds(self) -> None:
        given = "GPU-0,NVIDIA,10000,20:;GPU-0,NVIDIA,1000,0:GPU-1,NVIDIA,1000,100:;"
        found = snapshot(
            annotated("a", hami__io="", **{"hami.io/vgpu-devices-allocated": given}),
            nodes=[node("n1", metadata={"annotations": HAMI_NODE}, **{GPU: "20"})],
        )
        one = pod_of(found, "a")
        assert one.gpu_source is GpuSource.HAMI
        assert [(s.index, s.milli, s.memory) for s in one.gpu_shares] == [
            (0, 250 + 25, 11000 * MIB),
            (1, 1000, 1000 * MIB),
        ]

    def test_volcano_writes_them_its_own_way(self) -> None:
        register = {"volcano.sh/node-vgpu-register": "GPU-0,10,16000,NVIDIA-T4,true,hami-core:"}
        found = snapshot(
            annotated(
                "a",
                container(requests={"volcano.sh/vgpu-number": "1", "volcano.sh/vgpu-memory": "4000"}),
                **{"volcano.sh/vgpu-ids-new": "GPU-0,NVIDIA,4000,0:"},
            ),
            nodes=[node("n1", metadata={"annotations": register}, **{"volcano.sh/vgpu-number": "10"})],
        )
        one = pod_of(found, "a")
        assert (one.gpu_shares, one.gpu_source) == ((GpuShare(0, "GPU-0", 250, 4000 * MIB),), GpuSource.VOLCANO)
        assert one.spec.gpu == GpuRequest("volcano.sh/vgpu-number", 1, 0, memory=4000 * MIB)

    @pytest.mark.parametrize(
        "text", ["GPU-0,10,much,100,A100,0,true:", "GPU-0:", "[1]", "GPU-0,10,1,100,A100,0,maybe:"]
    )
    def test_a_list_that_makes_no_sense_closes_the_node(self, text: str) -> None:
        annotations = {"hami.io/node-nvidia-register": text}
        found = snapshot(pod("a", ONE), nodes=[node("n1", metadata={"annotations": annotations}, **{GPU: "10"})])
        assert gpus_of(found).problem
        assert pod_of(found, "a").problem


class TestKai:
    def reservation(self, device: str, group: str = "g1", name: str = "hold", namespace: str = "shop") -> Json:
        found = annotated(name, ONE, labels={"runai-gpu-group": group}, **{"run.ai/reserve_for_gpu_index": device})
        found["metadata"]["namespace"] = namespace
        return found

    def fraction(self, name: str, labels: dict[str, str], **annotations: str) -> Json:
        named = {k.replace("_", "-"): v for k, v in annotations.items()}
        return pod(name, metadata={"annotations": named, "labels": labels})

    def test_members_of_a_group_are_on_the_device_of_its_placeholder(self) -> None:
        found = snapshot(
            self.reservation("GPU-2"),
            self.fraction("a", {"runai-gpu-group": "g1"}, gpu_fraction="0.25"),
            self.fraction("b", {"runai-gpu-group": "g1"}, gpu_memory="20480"),
            devices=[koordinator_device(*map(koordinator_gpu, range(4)))],
        )
        assert [pod_of(found, name).gpu_indices for name in ("a", "b", "hold")] == [(2,)] * 3
        assert [pod_of(found, name).gpu_shares[0].milli for name in ("a", "b", "hold")] == [250, 250, 0]
        assert {pod_of(found, name).gpu_source for name in ("a", "b", "hold")} == {GpuSource.KAI}

    def test_a_pod_on_several_devices_is_in_several_groups(self) -> None:
        found = snapshot(
            self.reservation("1", "g1"),
            self.reservation("3", "g2", "hold2"),
            self.fraction(
                "a", {"runai-gpu-group/g1": "g1", "runai-gpu-group/g2": "g2"}, gpu_fraction="0.5",
                gpu_fraction_num_devices="2",
            ),
        )  # fmt: skip
        one = pod_of(found, "a")
        assert one.gpu_indices == (1, 3)
        assert one.spec.gpu == GpuRequest(GPU, 2, 500)

    @pytest.mark.parametrize(("of_kai", "held"), [("kai-resource-reservation", (2,)), ("elsewhere", ())])
    def test_a_tenant_s_pod_that_looks_like_a_placeholder_does_not_overrule_one(
        self, of_kai: str, held: tuple[int, ...]
    ) -> None:
        """Where the namespace of placeholders is another, two that contradict each other tell nothing."""
        found = snapshot(
            self.reservation("2", namespace=of_kai),
            self.reservation("3", name="forged", namespace="evil"),
            self.fraction("a", {"runai-gpu-group": "g1"}, gpu_fraction="0.25"),
            devices=[koordinator_device(*map(koordinator_gpu, range(4)))],
        )
        assert pod_of(found, "a").gpu_indices == held

    @pytest.mark.parametrize("device", ["-1", ""])
    def test_a_placeholder_that_does_not_know_its_device_tells_nothing(self, device: str) -> None:
        found = snapshot(self.reservation(device), self.fraction("a", {"runai-gpu-group": "g1"}, gpu_fraction="0.25"))
        assert pod_of(found, "a").gpu_indices == ()
        assert pod_of(found, "hold").gpu_indices == ()


class TestGpushare:
    NODE = node("n1", **{"aliyun.com/gpu-count": "2", "aliyun.com/gpu-mem": "32"})
    ASKING = container(requests={"aliyun.com/gpu-mem": "5"})

    @pytest.mark.parametrize(
        "annotations",
        [
            {"ALIYUN_COM_GPU_MEM_IDX": "1", "ALIYUN_COM_GPU_MEM_POD": "5", "ALIYUN_COM_GPU_MEM_DEV": "16"},
            {"scheduler.framework.gpushare.allocation": '{"0":{"1":5}}'},
        ],
    )
    def test_a_part_of_one_device_by_its_memory(self, annotations: dict[str, str]) -> None:
        found = snapshot(annotated("a", self.ASKING, **annotations), nodes=[self.NODE])
        one = pod_of(found, "a")
        assert one.spec.gpu == GpuRequest("aliyun.com/gpu-count", 1, 0, memory=5 * GIB)
        assert (one.gpu_indices, one.gpu_source) == ((1,), GpuSource.GPUSHARE)
        assert one.gpu_shares[0].milli == 313
        assert (gpus_of(found).count, gpus_of(found).memory) == (2, 16 * GIB)

    def test_unassigned_is_nowhere(self) -> None:
        found = snapshot(annotated("a", self.ASKING, ALIYUN_COM_GPU_MEM_IDX="-1"), nodes=[self.NODE])
        assert pod_of(found, "a").gpu_indices == ()


class TestTrust:
    def test_the_more_trusted_wins_and_the_dispute_is_reported(self) -> None:
        found = snapshot(
            annotated("a", **{ALLOCATED: '{"gpu":[{"minor":1}]}', INDEX: "3"}),
            devices=[koordinator_device(*map(koordinator_gpu, range(4)))],
        )
        one = pod_of(found, "a")
        assert (one.gpu_indices, one.gpu_source) == ((1,), GpuSource.KOORDINATOR)
        assert found.problems == ("Pod shop/a: koordinator says GPU 1, gpu-index says 3",)
        assert not one.problem

    def test_claims_come_before_everything(self) -> None:
        found = snapshot(
            annotated("a", container(), **{ALLOCATED: '{"gpu":[{"minor":1}]}'}) | {
                "spec": {"nodeName": "n1", "containers": [container()], **claiming("mine")}
            },
            slices=[resource_slice(*map(gpu_device, range(4)))],
            claims=[claim("mine", "gpu-2", holders=["a"])],
            devices=[koordinator_device(*map(koordinator_gpu, range(3)))],
        )  # fmt: skip
        assert (pod_of(found, "a").gpu_indices, pod_of(found, "a").gpu_source) == ((2,), GpuSource.DRA)
        gpus = gpus_of(found)
        assert gpus.source is GpuSource.DRA
        assert gpus.devices[1].pci_bus == "0000:01:00.0"  # what only the other knows is filled in
        assert "Node n1: dra tells of 4 GPUs, koordinator of 3" in found.problems

    def test_who_is_less_trusted_and_unreadable_is_only_reported(self) -> None:
        found = snapshot(
            annotated("a", **{ALLOCATED: '{"gpu":[{"minor":1}]}', "hami.io/vgpu-devices-allocated": "x"}),
        )
        assert pod_of(found, "a").gpu_indices == (1,)
        assert not gpus_of(found).problem
        assert any("hami" in line for line in found.problems)

    def test_a_device_that_the_node_does_not_have_closes_it(self) -> None:
        found = snapshot(annotated("a", **{INDEX: "9"}), devices=[koordinator_device(koordinator_gpu(0))])
        assert "GPU 9" in gpus_of(found).problem

    def test_counts_alone_say_nothing_of_which(self) -> None:
        found = snapshot(pod("a", ONE))
        assert (gpus_of(found).source, gpus_of(found).devices) == (GpuSource.COUNTS, ())
        assert pod_of(found, "a").gpu_source is None
        assert not_steerable((n.name, n.gpus) for n in found.nodes) == ("n1",)


class TestSlicing:
    def test_time_sliced_devices_are_marked(self) -> None:
        labels = {"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.memory": "16384"}
        gpus = gpus_of(snapshot(nodes=[node("n1", metadata={"labels": labels}, **{GPU: "8"})]))
        assert (gpus.count, gpus.replicas, gpus.memory) == (8, 4, 16 * GIB)

    def test_under_a_name_of_their_own_they_are_a_resource_of_their_own(self) -> None:
        found = snapshot(
            pod("a", container(requests={"nvidia.com/gpu.shared": "1"})),
            nodes=[node("n1", **{"nvidia.com/gpu.shared": "8"})],
        )
        assert (gpus_of(found).resource, gpus_of(found).replicas) == ("nvidia.com/gpu.shared", 2)
        assert pod_of(found, "a").spec.gpu is None

    def test_mig_slices_are_resources_of_their_own(self) -> None:
        found = snapshot(pod("a", container(requests={"nvidia.com/mig-1g.10gb": "1"})))
        assert pod_of(found, "a").spec.gpu is None
        assert dict(pod_of(found, "a").spec.requests)["nvidia.com/mig-1g.10gb"] == 1


@pytest.mark.parametrize(
    ("found", "gpu"),
    [
        (
            pod("a", container(requests={GPU: "2", "nvidia.com/gpumem": "3000", "nvidia.com/gpucores": "25"})),
            GpuRequest(GPU, 2, 250, memory=3000 * MIB),
        ),
        (pod("a", container(requests={GPU: "1", "nvidia.com/gpumem-percentage": "33"})), GpuRequest(GPU, 1, 330)),
        (pod("a", container(requests={"koordinator.sh/gpu-memory": "8Gi"})), GpuRequest(GPU, 1, 0, memory=8 * GIB)),
        (
            pod("a", container(requests={"koordinator.sh/gpu.shared": "2", "koordinator.sh/gpu-core": "100"})),
            GpuRequest(GPU, 2, 500),
        ),
        (pod("a", container(requests={"gpu.intel.com/xe": "1"})), GpuRequest("gpu.intel.com/xe", 1)),
        (pod("a", metadata={"annotations": {"gpu-fraction": "0.3335"}}), GpuRequest(GPU, 1, 334)),
        (pod("a", metadata={"annotations": {"gpu-memory": "a lot"}}), None),
    ],
)
def test_requests_of_sharing_dialects(found: Json, gpu: GpuRequest | None) -> None:
    assert snapshot(found).pods[0].spec.gpu == gpu


@pytest.mark.parametrize("text", ["0", "1.5", "half", "NaN", "-1"])
def test_a_part_that_is_none_leaves_the_pod_where_it_is(text: str) -> None:
    assert "gpu-fraction" in snapshot(pod("a", metadata={"annotations": {"gpu-fraction": text}})).pods[0].problem


def test_what_only_an_extender_looks_at_is_not_asked_of_the_scheduler() -> None:
    found = snapshot(pod("a", container(requests={GPU: "1", "nvidia.com/gpumem": "3000"}))).pods[0]
    assert dict(found.spec.requests) == {GPU: 1, "pods": 1}


def test_an_absurd_index_closes_the_node() -> None:
    found = snapshot(pod("a", ONE), devices=[koordinator_device(koordinator_gpu(0), koordinator_gpu(4000))])
    assert "absurd" in gpus_of(found).problem
    assert gpus_of(found).devices == ()
    assert pod_of(found, "a").problem


def test_how_many_devices_there_are_whatever_their_units() -> None:
    hami = [node("n1", metadata={"annotations": HAMI_NODE}, **{GPU: "20"})]
    sliced = [node("n1", metadata={"labels": {"nvidia.com/gpu.replicas": "4"}}, **{GPU: "32"})]
    assert gpus_of(snapshot(nodes=hami)).physical == 1
    assert gpus_of(snapshot(nodes=sliced)).physical == 8
    assert gpus_of(snapshot()).physical == 4
