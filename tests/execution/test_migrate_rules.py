"""Which virtual machines can be live-migrated, as KubeVirt's API objects tell it, and what plans make of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from descheduler.execution.executors.migrate.rules import migration_filter
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.manners import Part
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.virtual_machines import INSTALLATIONS, MACHINES, MIGRATIONS
from descheduler.observe import Observed
from descheduler.pipeline import plan
from descheduler.planning.in_flight import in_flight
from descheduler.policy import load_policy
from kube.wire_objects import Json, container, meta, node, pod

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def machine(name: str, on: str = "n1", status: Json | None = None, **spec: Any) -> Json:
    found = {
        "phase": "Running",
        "nodeName": on,
        "migrationMethod": "LiveMigration",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "LiveMigratable", "status": "True"}],
    }
    return {"metadata": meta(name, "shop"), "spec": spec, "status": {**found, **(status or {})}}


def launcher(name: str, on: str = "n1", cpu: str = "2", job: str = "", **spec: Any) -> Json:
    reference = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "name": name, "controller": True}
    uid = f"uid-shop-{name}"
    labels = {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": uid, "vm.kubevirt.io/name": name}
    if job:
        labels["kubevirt.io/migrationJobUID"] = job
        term = {"labelSelector": {"matchLabels": {"kubevirt.io/created-by": uid}}, "topologyKey": HOST}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        spec["nodeSelector"] = {HOST: on}
    metadata = {"labels": labels, "ownerReferences": [{**reference, "uid": uid}]}
    asked = container(requests={"cpu": cpu})
    volumes = [{"name": "private", "emptyDir": {}}]
    return pod(
        f"virt-launcher-{name}-{on}{job}",
        asked,
        node=on,
        metadata=metadata,
        restartPolicy="Never",
        volumes=volumes,
        **spec,
    )


HOST = "kubernetes.io/hostname"


def nodes(*sizes: str) -> list[Json]:
    return [node(f"n{i}", metadata={"labels": {HOST: f"n{i}"}}, cpu=size) for i, size in enumerate(sizes, 1)]


def world(
    pods: list[Json], machines: list[Json], migrations: Sequence[Json] = (), version: str = "v1.6.0"
) -> ClusterSnapshot:
    kubevirt = {"metadata": meta("kubevirt", "kubevirt"), "status": {"observedKubeVirtVersion": version}}
    objects = {"nodes": nodes("8", "8", "8"), "pods": pods, MACHINES: machines, MIGRATIONS: [*migrations]}
    return snapshot_from_objects({**objects, INSTALLATIONS: [kubevirt]}, 0.0)


def why(snapshot: ClusterSnapshot, at: int = 0) -> str:
    blocked = migration_filter(snapshot)(snapshot.pods[at])
    assert blocked is None or blocked.reason is Reason.EXECUTOR
    return "" if blocked is None else blocked.detail


@pytest.mark.parametrize(
    ("status", "spec", "told"),
    [
        ({}, {}, ""),
        ({}, {"evictionStrategy": "LiveMigrate"}, ""),
        ({}, {"evictionStrategy": "External"}, "somebody else"),
        ({"conditions": [{"type": "LiveMigratable", "status": "False"}]}, {}, "cannot be live-migrated"),
        ({"conditions": []}, {}, "cannot be live-migrated"),
        ({"phase": "Succeeded"}, {}, "does not run"),
        ({"nodeName": "n2"}, {}, "in another pod"),
        ({"evacuationNodeName": "n1"}, {}, "moves it already"),
        ({"migrationState": {"migrationUid": "m", "targetNode": "n2"}}, {}, "under way"),
        ({"migrationState": {"migrationUid": "m", "completed": True}}, {}, ""),
        ({"migrationState": {"migrationUid": "m", "completed": True, "failed": True}}, {}, ""),
    ],
)
def test_what_its_machine_says_decides(status: Json, spec: Json, told: str) -> None:
    found = why(world([launcher("a")], [machine("a", status=status, **spec)]))
    assert told in found
    assert bool(found) is bool(told)


def test_who_runs_no_machine_or_one_that_is_not_there_stays() -> None:
    assert "no virtual machine" in why(world([pod("web")], []))
    assert "not known" in why(world([launcher("a")], []))


@pytest.mark.parametrize(("phase", "moving"), [("", True), ("Running", True), ("Succeeded", False), ("Failed", False)])
def test_a_machine_that_somebody_migrates_is_on_its_way_with_both_its_pods(phase: str, moving: bool) -> None:
    other = {"metadata": meta("m", "shop"), "spec": {"vmiName": "a"}, "status": {"phase": phase} if phase else {}}
    pods = [launcher("a"), launcher("a", "n2", job="m"), launcher("b")]
    snapshot = world(pods, [machine("a"), machine("b")], [other])
    names = {snapshot.pods[at].name for at in in_flight(snapshot, ())}
    assert names == ({"virt-launcher-a-n1", "virt-launcher-a-n2m"} if moving else set())


def test_an_old_kubevirt_cannot_be_told_where_to_go() -> None:
    old, new = (why(world([launcher("a")], [machine("a")], version=v)) for v in ("v1.4.1", "v1.5.0"))
    assert "addedNodeSelector" in old
    assert new == ""


def test_where_a_migration_put_it_does_not_hold_it_there() -> None:
    snapshot = world([launcher("a", job="m")], [machine("a")])
    made = snapshot.remade.different[0].spec
    assert (dict(made.node_selector), made.anti_affinity.required) == ({}, ())
    pinned = world([launcher("a", job="m")], [machine("a", nodeSelector={HOST: "n1"})])
    assert dict(pinned.remade.different[0].spec.node_selector) == {HOST: "n1"}


def opening(snapshot: ClusterSnapshot, executor: str) -> PlanDocument:
    text = f"{HEAD}acting: {{executor: {executor}}}\nprotections: {{localStorage: false}}\n"
    text += "strategies: [{SlotDefragmentation: {slot: {cpu: '8'}, wanted: 1}}]\n"
    return plan(Observed(snapshot, {}, 0.0), load_policy(text), {})


@pytest.mark.parametrize("job", ["", "m"])
def test_machines_make_room_for_one_another_in_a_chain(job: str) -> None:
    """b, which alone keeps n1 from being a slot of 8, fits nowhere until a has left n2 for n3; e cannot migrate."""
    places = {"a": ("n2", "2"), "b": ("n1", "4"), "e": ("n2", "4"), "f": ("n3", "6")}
    pods = [launcher(name, on, cpu, job) for name, (on, cpu) in places.items()]
    fixed = {"e": {"conditions": []}}
    machines = [machine(name, on, fixed.get(name)) for name, (on, _) in places.items()]
    document = opening(world(pods, machines), "live-migrate")
    moves = [(one.wave, m.pod, m.destination) for one in document.actions for m in one.pods]
    assert moves == [(0, f"virt-launcher-a-n2{job}", "n3"), (1, f"virt-launcher-b-n1{job}", "n2")]
    assert {one.executor for one in document.actions} == {"live-migrate"}
    assert not any(one.cost.parts[part] for one in document.actions for part in Part)
    assert [one.note for one in document.actions] == [f"stage {at} of 2: opens 1 slots of 8 cores" for at in (1, 2)]
    assert opening(world(pods, []), "live-migrate").actions == ()
