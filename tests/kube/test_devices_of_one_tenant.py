"""What one pod says of GPUs concerns that pod, and at most the GPU part of its node: never pods without GPUs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from descheduler.model.devices import GpuShare
from descheduler.model.pods import Pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import prepare
from descheduler_strategies.gpus.gpu_packing import gpu_pool
from kube.device_objects import GPU, claim, gpu_device, gpus_of, koordinator_device, koordinator_gpu, resource_slice
from kube.device_objects import snapshot as snapshot_of
from kube.wire_objects import Json, container, node, pod
from planning.cases import outcome

ALLOCATED = "scheduling.koordinator.sh/device-allocated"
HAMI, VOLCANO = "hami.io/vgpu-devices-allocated", "volcano.sh/vgpu-ids-new"
ASKS = container(requests={GPU: "1", "cpu": "1"})
PLAIN = container(requests={"cpu": "1"})
LONG = "9" * 5000

REQUESTS = [
    {"gpu-fraction": "half"},
    {"gpu-fraction": "0.5", "gpu-fraction-num-devices": "-1"},
    {"alibabacloud.com/gpu-milli": "a lot"},
    {"alibabacloud.com/gpu-count": LONG},
]
"""What a pod asks for, in annotations that cannot be read."""

ALLOCATIONS = [
    {ALLOCATED: "nonsense"},
    {ALLOCATED: "[" * 2000},
    {ALLOCATED: json.dumps({"gpu": [{"minor": -2}]})},
    {ALLOCATED: json.dumps({"gpu": [{"minor": 10**12}]})},
    {ALLOCATED: json.dumps({"gpu": [{"minor": 0, "resources": {"koordinator.sh/gpu-core": "-100"}}]})},
    {ALLOCATED: json.dumps({"gpu": [{"minor": m} for m in range(4)]})},
    {ALLOCATED: json.dumps({"gpu": [{"minor": m} for m in range(100)]})},
    {HAMI: "GPU-0,NVIDIA"},
    {HAMI: f"GPU-0,NVIDIA,{LONG},0:"},
    {HAMI: "GPU-0,NVIDIA,-100,-100:"},
    {VOLCANO: ",,,:"},
    {"alibabacloud.com/gpu-index": "-".join(map(str, range(40)))},
    {"ALIYUN_COM_GPU_MEM_IDX": "zero"},
    {"ALIYUN_COM_GPU_MEM_IDX": "0", "ALIYUN_COM_GPU_MEM_POD": "-500", "ALIYUN_COM_GPU_MEM_DEV": "1"},
]
"""What a pod says it holds, which cannot be read or cannot be true."""


def mallorys(annotations: dict[str, str], asks: Json, **rest: Any) -> Json:
    return pod("odd", asks, namespace="mallory", metadata={"annotations": annotations}, **rest)


def others(*more: Json, devices: bool = True) -> ClusterSnapshot:
    """Nodes n1 and n2 with four GPUs each, two pods of `shop` on n1, one with a GPU, and these."""
    nodes = [node(name, **{GPU: "4"}) for name in ("n1", "n2")]
    pods = [pod("plain", PLAIN), pod("gpu", ASKS), *more]
    described: Sequence[Json] = ()
    if devices:
        described = [koordinator_device(*map(koordinator_gpu, range(4)), node=name) for name in ("n1", "n2")]
    return snapshot_of(*pods, nodes=nodes, devices=described)


def of(found: ClusterSnapshot, name: str, namespace: str = "shop") -> Pod:
    return found.pods[found.pod_index[namespace, name]]


def places(found: ClusterSnapshot, name: str) -> list[bool]:
    """On which nodes the pod could be, were it not where it is."""
    state = prepare(found).what_if()
    at = found.pod_index["shop", name]
    state.remove(at)
    return [bool(fits) for fits in state.fits(at)]


@pytest.mark.parametrize("devices", [True, False])
@pytest.mark.parametrize("asks", [ASKS, PLAIN])
@pytest.mark.parametrize("annotations", [*REQUESTS, *ALLOCATIONS])
def test_pods_without_gpus_come_and_go_whatever_one_pod_says(
    annotations: dict[str, str], asks: Json, devices: bool
) -> None:
    found = others(mallorys(annotations, asks), devices=devices)
    assert not of(found, "plain").problem
    assert places(found, "plain") == [True, True]
    cpu = found.columns.resources.index("cpu")
    assert found.columns.requested[0, cpu] == 3000  # all three, the odd one too
    state = prepare(found).what_if()
    assert (state.gpu_milli() <= 1000).all()


@pytest.mark.parametrize("annotations", ALLOCATIONS)
def test_who_asks_for_no_gpu_has_none_to_speak_of(annotations: dict[str, str]) -> None:
    found, without = others(mallorys(annotations, PLAIN)), others(mallorys({}, PLAIN))
    assert found.nodes == without.nodes
    assert places(found, "gpu") == places(without, "gpu") == [True, True]
    assert found.problems == ()


@pytest.mark.parametrize("annotations", REQUESTS)
def test_who_asks_in_words_that_nobody_can_read_stays_and_is_counted_by_his_resources(
    annotations: dict[str, str],
) -> None:
    found = others(mallorys(annotations, ASKS))
    assert next(iter(annotations)).split("-")[0] in of(found, "odd", "mallory").problem
    assert not gpus_of(found).problem
    assert prepare(found).what_if().whole_gpus().tolist() == [2, 4]
    assert places(found, "gpu") == [True, True]


def test_what_cannot_be_read_of_a_holder_closes_the_gpu_part_of_its_node_alone() -> None:
    found = others(mallorys({ALLOCATED: "nonsense"}, ASKS))
    assert "mallory/odd" in gpus_of(found).problem
    assert of(found, "gpu").problem
    assert places(found, "gpu") == [False, True]
    assert not gpus_of(found, "n2").problem


def test_who_names_more_gpus_than_it_asks_for_frees_none_of_them_by_leaving() -> None:
    text = json.dumps({"gpu": [{"minor": m} for m in range(4)]})
    found = others(mallorys({ALLOCATED: text}, ASKS))
    assert "names 4 GPUs and asks for 1" in of(found, "odd", "mallory").problem
    four = others(mallorys({ALLOCATED: text}, container(requests={GPU: "4"})))
    assert of(four, "odd", "mallory").gpu_indices == (0, 1, 2, 3)  # the twin: it asks for as many


def test_two_pods_that_name_one_device_hold_two() -> None:
    text = json.dumps({"gpu": [{"minor": 1}]})
    honest = pod("honest", ASKS, metadata={"annotations": {ALLOCATED: text}})
    found = others(mallorys({ALLOCATED: text}, ASKS), honest)
    assert prepare(found).what_if().whole_gpus().tolist() == [1, 4]  # of four: theirs, and that of `gpu`


def test_a_device_of_another_node_is_no_device_of_this_one() -> None:
    elsewhere = [koordinator_device(koordinator_gpu(0) | {"id": f"{n}-0"}, node=n) for n in ("n1", "n2")]
    nodes = [node(name, **{GPU: "1"}) for name in ("n1", "n2")]
    found = snapshot_of(mallorys({HAMI: "n2-0,NVIDIA,0,100:"}, ASKS), nodes=nodes, devices=elsewhere)
    assert of(found, "odd", "mallory").gpu_indices == ()
    assert prepare(found).what_if().whole_gpus().tolist() == [0, 1]


def test_a_claim_on_a_device_of_another_node_closes_the_node_that_the_pod_is_on() -> None:
    slices = [resource_slice(gpu_device(0), node=name) for name in ("n1", "n2")]
    nodes = [node(name) for name in ("n1", "n2")]
    named = {"resourceClaims": [{"name": "g", "resourceClaimName": "c"}]}
    odd = pod("odd", PLAIN, **named)
    claims = [claim("c", "gpu-0", holders=("odd",), pool="n2")]
    found = snapshot_of(odd, pod("plain", PLAIN), nodes=nodes, slices=slices, claims=claims)
    assert of(found, "odd").problem
    assert places(found, "plain") == [True, True]
    assert not gpus_of(found, "n2").problem


def test_parts_of_gpus_stay_where_it_is_not_known_who_holds_which() -> None:
    mig = pod("mig", container(requests={"nvidia.com/mig-1g.10gb": "1"}))
    assert of(others(mallorys({ALLOCATED: "nonsense"}, ASKS), mig), "mig").problem
    assert not of(others(mallorys({}, ASKS), mig), "mig").problem


class TestPlaceholders:
    """KAI's placeholders tell which device a group of pods is on."""

    GROUP = "runai-gpu-group"

    def kais(self, name: str, namespace: str, device: str) -> Json:
        said = {"annotations": {"run.ai/reserve_for_gpu_index": device}, "labels": {self.GROUP: "g"}}
        return pod(name, ASKS, namespace=namespace, metadata=said)

    def member(self) -> Json:
        said = {"annotations": {"gpu-fraction": "0.5"}, "labels": {self.GROUP: "g"}}
        return pod("member", PLAIN, metadata=said)

    def test_nobody_forges_one_beside_those_of_the_scheduler(self) -> None:
        real = self.kais("real", "kai-resource-reservation", "2")
        found = others(self.member(), real, self.kais("forged", "mallory", "3"))
        assert of(found, "member").gpu_shares == (GpuShare(2, "GPU-2", 500),)

    def test_in_a_namespace_of_another_name_they_are_heard(self) -> None:
        found = others(self.member(), self.kais("real", "our-reservations", "2"))
        assert of(found, "member").gpu_shares == (GpuShare(2, "GPU-2", 500),)


def test_no_room_is_made_where_it_is_not_known_who_holds_what() -> None:
    view = outcome(others(mallorys({ALLOCATED: "nonsense"}, ASKS))).view
    assert np.flatnonzero(gpu_pool(view, ())).tolist() == [1]


def test_a_pod_that_has_ended_closes_no_node_whatever_it_asked_for() -> None:
    """The kubelet refuses it, but whoever names the node of a pod himself can leave it there."""
    absurd = container(requests={"cpu": "9223372036854775807"})
    ended = others(pod("odd", absurd, namespace="mallory", phase="Failed"))
    assert places(ended, "plain") == [True, True]
    assert places(others(pod("odd", absurd, namespace="mallory")), "plain") == [False, True]
