"""GPUs that drivers publish as ResourceSlices, and pods that were given them by ResourceClaims."""

from __future__ import annotations

import json

import pytest

from descheduler.kube.convert.decoding import Codec
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import KINDS
from descheduler.model.devices import Device, GpuPartition, GpuShare, GpuSource, MigSlice
from descheduler.model.dra import Ask, ClaimSpec, DeviceRequest, ResourceClaim
from descheduler.model.pods import GpuRequest
from kube.device_objects import (
    CLAIMS,
    DRIVER,
    GPU,
    SLICES,
    claim,
    claiming,
    gpu_device,
    gpus_of,
    mig_device,
    pod_of,
    resource_slice,
    snapshot,
    taint_rule,
)
from kube.wire_objects import Json, container, node, pod

PLAIN = [node("n1")]
GIB = 1 << 30


def test_a_slice_gives_its_node_devices_with_all_that_is_reported_of_them() -> None:
    found = snapshot(nodes=PLAIN, slices=[resource_slice(gpu_device(1), gpu_device(0))])
    gpus = gpus_of(found)
    assert (gpus.resource, gpus.count, gpus.model, gpus.source) == (DRIVER, 2, "NVIDIA H100", GpuSource.DRA)
    assert gpus.steerable
    assert gpus.devices[1] == Device(1, "GPU-1", "NVIDIA H100", 80 * GIB, numa=0, pcie_root="pci0000:0", name="gpu-1")
    assert [d.index for d in gpus.devices] == [0, 1]
    assert dict(found.nodes[0].allocatable)[DRIVER] == 2
    assert not found.problems


@pytest.mark.parametrize("effect", ["NoSchedule", "NoExecute"])
def test_a_tainted_device_is_there_but_cannot_be_given_out(effect: str) -> None:
    devices = [gpu_device(0), gpu_device(1, taints=[{"key": "xid", "effect": effect}])]
    gpus = gpus_of(snapshot(nodes=PLAIN, slices=[resource_slice(*devices)]))
    assert ([d.healthy for d in gpus.devices], gpus.count) == ([True, False], 1)


def test_a_device_that_a_rule_taints_cannot_be_given_out() -> None:
    kinds = {"slices": [resource_slice(gpu_device(0), gpu_device(1))], "nodes": [node("n1")]}
    found = gpus_of(snapshot(rules=[taint_rule(device="gpu-1")], **kinds))
    assert [d.healthy for d in found.devices] == [True, False]
    assert found.count == 1
    unread = {"metadata": {"name": "odd"}, "spec": {"deviceSelector": 7}}
    seen = snapshot(rules=[unread], **kinds)
    assert [d.healthy for d in gpus_of(seen).devices] == [False, False]
    assert any("odd" in line for line in seen.problems)


def test_the_older_versions_are_read_too() -> None:
    modern = gpu_device(0, minor=5)
    old = {"name": modern.pop("name"), "basic": modern | {"capacity": {"memory": "40Gi"}}}
    device = gpus_of(snapshot(nodes=PLAIN, slices=[resource_slice(old)])).devices[0]
    assert (device.index, device.uuid, device.memory) == (5, "GPU-0", 40 * GIB)


def test_only_the_newest_generation_of_a_pool_counts() -> None:
    old = resource_slice(gpu_device(0), gpu_device(1), name="old", generation=1)
    new = resource_slice(gpu_device(0), name="new", generation=2)
    assert gpus_of(snapshot(nodes=PLAIN, slices=[old, new])).count == 1


def test_a_pool_of_which_a_part_is_missing_is_no_place_for_gpu_moves() -> None:
    found = snapshot(
        pod("a", **claiming("mine")), nodes=PLAIN, slices=[resource_slice(gpu_device(0), count=2)],
        claims=[claim("mine", "gpu-0", holders=["a"])],
    )  # fmt: skip
    assert "1 of 2 ResourceSlices" in gpus_of(found).problem
    assert "1 of 2 ResourceSlices" in pod_of(found, "a").problem
    assert any("1 of 2" in line for line in found.problems)


def test_drivers_of_other_devices_give_no_gpus() -> None:
    found = snapshot(nodes=PLAIN, slices=[resource_slice(gpu_device(0), driver="nic.example.com")])
    assert found.nodes[0].gpus is None


def test_pods_hold_what_their_claims_were_given() -> None:
    found = snapshot(
        pod("a", **claiming("mine")),
        pod("b", status={"resourceClaimStatuses": [{"name": "c0", "resourceClaimName": "made"}]},
            resourceClaims=[{"name": "c0", "resourceClaimTemplateName": "one"}]),
        nodes=PLAIN,
        slices=[resource_slice(*map(gpu_device, range(4)))],
        claims=[claim("mine", "gpu-2", "gpu-0", holders=["a"]), claim("made", "gpu-3", holders=["b"])],
    )  # fmt: skip
    a, b = pod_of(found, "a"), pod_of(found, "b")
    assert (a.gpu_indices, a.gpu_source) == ((0, 2), GpuSource.DRA)
    assert a.gpu_shares == (GpuShare(0, "GPU-0"), GpuShare(2, "GPU-2"))
    assert (b.gpu_indices, b.device_claims) == ((3,), ("made",))
    assert a.spec.gpu == GpuRequest(DRIVER, 2)
    assert dict(a.spec.requests)[DRIVER] == 2
    columns = found.columns
    assert columns.requested[0, columns.resource(DRIVER)] == 3


def test_a_claim_that_several_pods_share_is_counted_once_and_divided_among_them() -> None:
    found = snapshot(
        *(pod(name, **claiming("ours")) for name in ("a", "b", "c")),
        nodes=PLAIN,
        slices=[resource_slice(gpu_device(0))],
        claims=[claim("ours", "gpu-0", holders=["a", "b", "c"])],
    )
    shares = [pod_of(found, name).gpu_shares[0].milli for name in ("a", "b", "c")]
    assert (sum(shares), max(shares) - min(shares)) == (1000, 1)
    assert found.columns.requested[0, found.columns.resource(DRIVER)] == 1


def test_what_is_given_out_by_memory_takes_as_much_of_the_device() -> None:
    given = claim("ours", "gpu-0", holders=["a"], shareID="1", consumedCapacity={"memory": "30Gi"})
    found = snapshot(pod("a", **claiming("ours")), nodes=PLAIN, slices=[resource_slice(gpu_device(0))], claims=[given])
    assert pod_of(found, "a").gpu_shares == (GpuShare(0, "GPU-0", 375, 30 * GIB),)


def test_devices_that_are_claimed_by_nobody_here_are_reserved() -> None:
    found = snapshot(
        pod("gone", phase="Succeeded", **claiming("left")),
        nodes=PLAIN,
        slices=[resource_slice(gpu_device(0), gpu_device(1))],
        claims=[claim("left", "gpu-1", holders=["gone"])],
    )
    assert gpus_of(found).reserved == (GpuShare(1, "GPU-1"),)
    assert pod_of(found, "gone").gpu_indices == ()


def test_who_only_looks_on_holds_nothing() -> None:
    given = claim("watch", "gpu-0", holders=["a"], adminAccess=True)
    found = snapshot(pod("a", **claiming("watch")), nodes=PLAIN, slices=[resource_slice(gpu_device(0))], claims=[given])
    assert pod_of(found, "a").gpu_indices == ()
    assert gpus_of(found).reserved == ()


def test_mig_slices_belong_to_their_gpu() -> None:
    found = snapshot(
        pod("a", **claiming("mine")),
        nodes=PLAIN,
        slices=[resource_slice(gpu_device(0), gpu_device(1), mig_device(1, 0), mig_device(2, 0))],
        claims=[claim("mine", "gpu-1-mig-19-0-1", holders=["a"])],
    )
    gpus = gpus_of(found)
    assert gpus.slices[0] == MigSlice("1g.10gb", "GPU-1", "MIG-1-0", "gpu-1-mig-19-0-1", 10 * GIB)
    assert [(d.index, d.uuid, d.mig) for d in gpus.devices] == [
        (0, "GPU-0", False),
        (1, "GPU-1", False),
        (2, "GPU-2", True),
    ]
    assert gpus.count == 2
    holder = pod_of(found, "a")
    assert holder.gpu_shares == (GpuShare(1, "GPU-1", 125, 10 * GIB),)
    assert holder.spec.gpu is None


def test_partitions_of_the_fabric_manager_are_sets_of_devices() -> None:
    devices = [gpu_device(i, partition2=i // 2, partition4=0) for i in range(4)]
    gpus = gpus_of(snapshot(nodes=PLAIN, slices=[resource_slice(*devices)]))
    assert gpus.partitions == tuple(GpuPartition(s, "NVLink") for s in ((0, 1), (2, 3), (0, 1, 2, 3)))


def test_a_plug_in_beside_a_driver_keeps_its_resource_and_gets_the_devices() -> None:
    found = snapshot(
        pod("a", container(requests={GPU: "1"}), status={"extendedResourceClaimStatus": {"resourceClaimName": "ext"}}),
        slices=[resource_slice(*map(gpu_device, range(4)))],
        claims=[claim("ext", "gpu-2", holders=["a"])],
    )
    assert (gpus_of(found).resource, gpus_of(found).count) == (GPU, 4)
    assert pod_of(found, "a").gpu_indices == (2,)
    assert pod_of(found, "a").spec.gpu == GpuRequest(GPU, 1)


BROKEN: dict[str, dict[str, list[Json]]] = {
    "a claim is not there": {"slices": [resource_slice(gpu_device(0))], "claims": []},
    "a device is not published": {
        "slices": [resource_slice(gpu_device(0))],
        "claims": [claim("mine", "gpu-7", holders=["a"])],
    },
    "a claim cannot be read": {
        "slices": [resource_slice(gpu_device(0))],
        "claims": [claim("mine", "gpu-0") | {"status": {"allocation": {"devices": "all"}}}],
    },
    "a claim is no claim": {
        "slices": [resource_slice(gpu_device(0))],
        "claims": [claim("mine", "gpu-0") | {"status": "given"}],
    },
    "a slice cannot be read": {
        "slices": [
            resource_slice(gpu_device(0)),
            resource_slice({"name": "gpu-1", "capacity": {"memory": {"value": "much"}}}, name="b"),
        ],
        "claims": [claim("mine", "gpu-0", holders=["a"])],
    },
    "a slice is no slice": {
        "slices": [resource_slice(gpu_device(0)), resource_slice(name="b") | {"spec": "none"}],
        "claims": [claim("mine", "gpu-0", holders=["a"])],
    },
}


@pytest.mark.parametrize("kinds", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_leaves_the_node_without_gpu_moves(kinds: dict[str, list[Json]]) -> None:
    found = snapshot(pod("a", **claiming("mine")), nodes=[node("n1"), node("n2")], **kinds)
    assert gpus_of(found).problem
    assert pod_of(found, "a").problem
    assert found.problems
    assert found.nodes[0].ready  # pods without GPUs may still come and go


def test_a_cluster_whose_claims_were_not_read_is_as_before() -> None:
    found = snapshot(pod("a", **claiming("mine")), nodes=PLAIN)
    assert (pod_of(found, "a").problem, found.problems) == ("", ())


def test_slices_and_claims_survive_being_recorded() -> None:
    slices, claims = [resource_slice(gpu_device(0))], [claim("mine", "gpu-0", holders=["a"])]
    for key, objects in ((SLICES, slices), (CLAIMS, claims)):
        codec = Codec(KINDS[key].at("v1"), Interner())
        assert codec.entry(codec.one(codec.slim(codec.one(_json(objects[0]))))) == codec.entry(
            codec.one(_json(objects[0]))
        )


def _json(found: Json) -> bytes:
    return json.dumps(found).encode()


def test_claims_of_the_first_version_are_read_too() -> None:
    old = claim("mine", "gpu-0", holders=["a"])
    old["spec"]["devices"]["requests"] = [{"name": "gpu", "deviceClassName": DRIVER, "count": 1}]
    found = snapshot(pod("a", **claiming("mine")), nodes=PLAIN, slices=[resource_slice(gpu_device(0))], claims=[old])
    assert pod_of(found, "a").gpu_indices == (0,)
    (read,) = found.objects[CLAIMS]
    assert isinstance(read, ResourceClaim)
    assert read.asked == ClaimSpec((Ask("gpu", (DeviceRequest("gpu", DRIVER),)),))


def test_what_the_kubelet_calls_unhealthy_of_a_claim_is() -> None:
    held = [{"resourceID": f"{DRIVER}/n1/gpu-1", "health": "Unhealthy"}, {"resourceID": "nic.example.com/n1/gpu-0"}]
    given = [{"name": "claim:c0/gpu", "resources": held}]
    found = snapshot(
        pod(
            "a",
            status={"containerStatuses": [{"name": "main", "allocatedResourcesStatus": given}]},
            **claiming("mine"),
        ),
        nodes=PLAIN,
        slices=[resource_slice(gpu_device(0), gpu_device(1))],
        claims=[claim("mine", "gpu-1", holders=["a"])],
    )
    assert ([d.healthy for d in gpus_of(found).devices], gpus_of(found).count) == ([True, False], 1)
    assert (pod_of(found, "a").gpu_indices, pod_of(found, "a").gpu_source) == ((1,), GpuSource.DRA)
    assert found.problems == ()
