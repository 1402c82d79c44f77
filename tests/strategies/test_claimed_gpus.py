"""Pods that hold GPUs by resource claims move like others, and room is made for those that wait for them."""

from __future__ import annotations

from typing import Any

import pytest

from builders import NOW
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.dra import CLAIMS, CLASSES, SLICES, TEMPLATES
from descheduler.model.plan import PlanDocument
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.scheduler import Scoring
from descheduler_strategies.gpu_defragmentation.args import GpuDefragmentationArgs
from descheduler_strategies.gpu_defragmentation.strategy import GpuDefragmentation
from kube.device_objects import (
    DRIVER,
    GPU,
    claim,
    claim_of,
    claiming,
    device_class,
    gpu_device,
    request,
    resource_slice,
    stateful_set,
    template,
    templated,
)
from kube.wire_objects import Json, container, meta, node
from kube.wire_objects import pod as plain_pod
from planning.cases import planned

PACKING = PlanningSettings(scoring={"default-scheduler": Scoring.MOST_ALLOCATED})
NAMES = ("n0", "n1", "n2")


def plan(objects: dict[str, list[Json]], **args: object) -> PlanDocument:
    chosen = ChosenStrategy(GpuDefragmentation(), GpuDefragmentationArgs.model_validate(args))
    return planned(snapshot_from_objects(objects, NOW), chosen=[chosen], settings=PACKING)


def moved(found: PlanDocument) -> dict[str, tuple[str, str]]:
    return {one.pod: (one.source, one.destination) for action in found.actions for one in action.pods}


def cluster(**more: Any) -> dict[str, list[Json]]:
    """Three nodes of eight GPUs, of each of which a pod has one by a claim of its own."""
    found = {
        "namespaces": [{"metadata": meta("shop")}],
        "nodes": [node(name, cpu="64", memory="256Gi") for name in NAMES],
        "pods": [templated(f"a{i}-0", f"a{i}", node=name) for i, name in enumerate(NAMES)],
        "statefulsets": [stateful_set(f"a{i}") for i in range(3)],
        SLICES: [resource_slice(*map(gpu_device, range(8)), node=name) for name in NAMES],
        CLAIMS: [claim_of(f"a{i}-0", "gpu-0", pool=name) for i, name in enumerate(NAMES)],
        TEMPLATES: [template(f"a{i}") for i in range(3)],
        CLASSES: [device_class()],
    }
    return {kind: [*found.get(kind, ()), *more.get(kind, ())] for kind in {**found, **more}}


def waiting(count: int) -> dict[str, list[Json]]:
    """A pod that waits for so many GPUs of one node."""
    asked = template("want", request(count=count))
    return {
        "pods": [templated("want-0", "want", node="")],
        "statefulsets": [stateful_set("want")],
        TEMPLATES: [asked],
        CLAIMS: [claim_of("want-0") | {"spec": asked["spec"]["spec"]}],
    }


def test_room_is_made_for_a_pod_that_waits_for_all_devices_of_a_node() -> None:
    found = plan(cluster(**waiting(8)), objective="pending")
    ((pod, (source, _)),) = moved(found).items()
    assert pod == f"a{source[1]}-0"
    assert [(seat.pod, seat.node) for action in found.actions for seat in action.room_for] == [("want-0", source)]


def test_who_fits_already_moves_nobody() -> None:
    assert moved(plan(cluster(**waiting(7)), objective="pending")) == {}


def test_whole_nodes_are_freed() -> None:
    found = plan(cluster(), objective="slots", resource=DRIVER, slot={"gpus": 8})
    ((_, (source, destination)),) = moved(found).items()
    assert source != destination
    assert found.findings[0].outcome == "cured"


def test_gpus_that_are_given_out_by_claims_alone_are_counted_by_the_driver() -> None:
    """A policy that names the vendor's resource does for both kinds of clusters."""
    assert moved(plan(cluster(), slot={"gpus": 8})) == moved(plan(cluster(), resource=DRIVER, slot={"gpus": 8})) != {}


def test_where_a_node_offers_the_resource_it_is_that_which_counts() -> None:
    plugin = node("n3", cpu="64", memory="256Gi", **{GPU: "8"})
    assert moved(plan(cluster(nodes=[plugin]), slot={"gpus": 8})) == {}  # eight are free on n3
    assert moved(plan(cluster(nodes=[plugin]), resource=DRIVER, slot={"gpus": 8})) != {}


def test_the_resource_of_another_vendor_is_not_counted_by_this_driver() -> None:
    assert moved(plan(cluster(), resource="amd.com/gpu", slot={"gpus": 8})) == {}


def test_pods_of_a_claim_that_is_none_of_their_own_stay() -> None:
    only = {"key": "metadata.name", "operator": "In", "values": ["n0"]}
    shared = claim("ours", "gpu-1", holders=["b-0", "b-1"], pool="n0")
    shared["status"]["allocation"]["nodeSelector"] = {"nodeSelectorTerms": [{"matchFields": [only]}]}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "b", "uid": "uid-shop-b", "controller": True}
    pods = [
        plain_pod(
            name, container(requests={"cpu": "1"}), node="n0", metadata={"ownerReferences": [owner]}, **claiming("ours")
        )
        for name in ("b-0", "b-1")
    ]
    found = plan(cluster(**{"pods": pods, CLAIMS: [shared]}), objective="slots", resource=DRIVER, slot={"gpus": 8})
    ((pod, (_, destination)),) = moved(found).items()
    assert (pod in ("a1-0", "a2-0"), destination) == (True, "n0")


def test_pods_of_whose_next_claims_nobody_knows_what_they_get_stay() -> None:
    objects = cluster() | {CLASSES: [device_class(DRIVER, "device.driver.orbits('sun')")]}
    assert moved(plan(objects, objective="slots", resource=DRIVER, slot={"gpus": 8})) == {}


def by_resource(resource: str = GPU) -> dict[str, list[Json]]:
    """The same cluster, of which all pods ask for a resource that the class stands for."""
    found = cluster()
    found[CLASSES] = [{**device_class(), "spec": {**device_class()["spec"], "extendedResourceName": GPU}}]
    for one in (*found["pods"], *(each["spec"]["template"] for each in found["statefulsets"])):
        del one["spec"]["resourceClaims"]
        one["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1", resource: "1"}, "limits": {resource: "1"}}
    for one in found["pods"]:
        claim_name = one["status"].pop("resourceClaimStatuses")[0]["resourceClaimName"]
        one["status"]["extendedResourceClaimStatus"] = {"resourceClaimName": claim_name, "requestMappings": []}
    return found


@pytest.mark.parametrize("resource", [GPU, f"deviceclass.resource.kubernetes.io/{DRIVER}"])
def test_pods_that_ask_for_a_resource_of_a_class_are_as_good(resource: str) -> None:
    found = plan(by_resource(resource), objective="slots", slot={"gpus": 8})
    assert len(moved(found)) == 1
    want = plain_pod(
        "want-0",
        container(requests={"cpu": "1", resource: "8"}),
        node="",
        phase="Pending",
        metadata={"ownerReferences": [templated("want-0", "want")["metadata"]["ownerReferences"][0]]},
    )
    objects = by_resource(resource)
    found = plan({**objects, "pods": [*objects["pods"], want]}, objective="pending")
    assert len(moved(found)) == 1
    assert [seat.pod for action in found.actions for seat in action.room_for] == ["want-0"]
