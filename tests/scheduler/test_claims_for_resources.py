"""Pods that ask for extended resources which a DeviceClass stands for, on nodes with and without a device plug-in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from descheduler.model.release import Release
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.scheduler import Predicate, prepare
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
    snapshot,
    template,
)
from kube.wire_objects import Json, container, node, pod

IMPLICIT = f"deviceclass.resource.kubernetes.io/{DRIVER}"
PLUGIN, DEVICES = "n1", "n2"
OK, LACKS, NONE = Predicate.OK, Predicate.DEVICE_CLAIMS, Predicate.RESOURCES


def named(name: str = DRIVER, resource: str = GPU, created: str = "2026-01-01T00:00:00Z") -> Json:
    found = device_class(name)
    found["metadata"]["creationTimestamp"] = created
    return {**found, "spec": {**found["spec"], "extendedResourceName": resource}}


def asking(name: str, amount: int = 1, resource: str = GPU, at: str = "", **more: Any) -> Json:
    phase = "Running" if at else "Pending"
    return pod(name, container(requests={resource: str(amount), "cpu": "1"}), node=at, phase=phase, **more)


def served(name: str, *devices: str, amount: int = 1, resource: str = GPU) -> tuple[Json, Json]:
    """A pod on the node of devices, and the claim that the scheduler made for it."""
    status = {"extendedResourceClaimStatus": {"resourceClaimName": f"{name}-gpu", "requestMappings": []}}
    made = claim_of(name, *devices, pool=DEVICES)
    made["metadata"]["annotations"] = {"resource.kubernetes.io/extended-resource-claim": "true"}
    return asking(name, amount, resource, DEVICES, status=status), made


def cluster(*pods: Json, claims: tuple[Json, ...] = (), classes: tuple[Json, ...] = (named(),)) -> ClusterSnapshot:
    """A node with a device plug-in for two GPUs, and one of which a driver publishes three."""
    return snapshot(
        *pods,
        nodes=[node(PLUGIN, **{GPU: "2"}), node(DEVICES)],
        slices=[resource_slice(*map(gpu_device, range(3)), node=DEVICES)],
        claims=claims,
        classes=classes,
        templates=[],
    )


def verdicts(found: ClusterSnapshot, name: str = "a") -> tuple[Predicate, ...]:
    return tuple(map(Predicate, prepare(found).what_if().verdicts(found.pod_index["shop", name]).tolist()))


@pytest.mark.parametrize(
    ("amount", "resource", "expected"),
    [
        (1, GPU, (OK, OK)),
        (3, GPU, (NONE, OK)),
        (4, GPU, (NONE, LACKS)),
        (1, IMPLICIT, (LACKS, OK)),
        (4, IMPLICIT, (LACKS,) * 2),
    ],
)
def test_devices_serve_where_no_plug_in_does(amount: int, resource: str, expected: tuple[Predicate, ...]) -> None:
    assert verdicts(cluster(asking("a", amount, resource))) == expected


def test_without_a_class_that_names_it_the_resource_is_the_node_s_alone() -> None:
    assert verdicts(cluster(asking("a"), classes=(device_class(),))) == (OK, NONE)
    assert verdicts(cluster(asking("a", resource="example.com/other"))) == (NONE, NONE)


def test_a_pod_with_claims_beside_goes_where_the_scheduler_can_bind_it() -> None:
    """To a node that offers the resource it cannot, and might choose it all the same."""
    both = pod("a", container(requests={GPU: "1"}), node="", phase="Pending", **claiming("mine"))
    kinds = {"slices": [resource_slice(*map(gpu_device, range(3)), node=DEVICES)], "classes": [named()]}
    kinds |= {"claims": [{**claim("mine"), "spec": template("x", request(count=2))["spec"]["spec"]}]}
    nodes = [node(PLUGIN), node(DEVICES)]
    assert verdicts(snapshot(both, nodes=nodes, **kinds)) == (LACKS, OK)
    offered = [node(PLUGIN, **{GPU: "2"}), node(DEVICES)]
    assert verdicts(snapshot(both, nodes=offered, **kinds)) == (Predicate.UNREADABLE,) * 2


@pytest.mark.parametrize(
    ("version", "expected"), [("v1.35.2", (NONE, NONE)), ("v1.36.0", (LACKS, OK)), ("", (LACKS, OK))]
)
def test_before_it_is_on_by_default_somebody_must_name_a_class(version: str, expected: tuple[Predicate, ...]) -> None:
    found = cluster(asking("a", resource=IMPLICIT), classes=(device_class(),))
    assert verdicts(replace(found, release=Release.parse(version))) == expected
    found = cluster(asking("a", resource=IMPLICIT))
    assert verdicts(replace(found, release=Release.parse(version))) == (LACKS, OK)


def test_of_classes_with_the_same_resource_the_newest_has_it() -> None:
    nothing = named("none", created="2026-02-01T00:00:00Z")
    nothing["spec"]["selectors"] = [{"cel": {"expression": "false"}}]
    assert verdicts(cluster(asking("a"), classes=(named(), nothing))) == (OK, LACKS)
    nothing["metadata"]["creationTimestamp"] = "2025-02-01T00:00:00Z"
    assert verdicts(cluster(asking("a"), classes=(named(), nothing))) == (OK, OK)


def test_what_such_pods_hold_moves_with_them() -> None:
    """From devices to the plug-in and back, as the scheduler would count and give out."""
    held, made = served("a", "gpu-0", "gpu-1", amount=2)
    found = cluster(held, asking("b", 2, at=PLUGIN), asking("c", 2), claims=(made,))
    a, b, c = (found.pod_index["shop", name] for name in "abc")
    state = prepare(found).what_if()
    assert found.pods[a].gpu_indices == (0, 1)
    driver = found.columns.resource(DRIVER)
    assert state.free()[:, driver].tolist() == [0, 1]
    assert not state.fits(c).any()
    assert not state.fits(b)[1]
    state.remove(a)
    assert state.fits(b).tolist() == [True, True]
    assert state.fits(a).tolist() == [False, True]
    state.remove(b)
    state.place(b, 1)
    assert state.gpus_held(b) == (0, 1)
    assert state.free()[:, driver].tolist() == [0, 1]
    assert state.whole_gpus().tolist() == [2, 1]
    assert state.fits(a).tolist() == [True, False]
    state.place(a, 0)
    assert state.whole_gpus().tolist() == [0, 1]
    assert state.free()[:, driver].tolist() == [0, 1]
    assert not state.fits(c).any()
    state.remove(b)
    assert state.fits(c).tolist() == [False, True]


def test_init_containers_use_what_those_after_them_hold() -> None:
    def waiting(first: str, sidecar: bool) -> tuple[Predicate, ...]:
        init = container("i", requests={GPU: first})
        again = {"restartPolicy": "Always"} if sidecar else {}
        main = container("main", requests={GPU: "2"})
        made = pod("a", main, node="", phase="Pending", initContainers=[{**init, **again}])
        return verdicts(cluster(made))

    assert waiting("3", sidecar=False) == (NONE, OK)
    assert waiting("1", sidecar=True) == (NONE, OK)
    assert waiting("2", sidecar=True) == (NONE, LACKS)
