"""The volumes that are made with a replacement are those of its template."""

from __future__ import annotations

from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.scheduler import prepare
from kube.wire_objects import Json, meta, node
from kube.workload_objects import cpu, of_stateful_set, stateful_set

ZONE = "topology.kubernetes.io/zone"


def classes() -> list[Json]:
    """Two classes, each of volumes in a zone of its own."""
    return [
        {
            "metadata": meta(f"in-{zone}"),
            "provisioner": "csi.example",
            "volumeBindingMode": "WaitForFirstConsumer",
            "allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE, "values": [zone]}]}],
        }
        for zone in "ab"
    ]


def scratch(zone: str) -> list[Json]:
    template = {"spec": {"storageClassName": f"in-{zone}", "accessModes": ["ReadWriteOnce"]}}
    return [{"name": "scratch", "ephemeral": {"volumeClaimTemplate": template}}]


def places(revision: str) -> dict[str, bool]:
    """Where the replacement of db-0 may be: the pod has its volume in zone a, the new template asks for zone b."""
    found = stateful_set(cpu("1"), updateStrategy={"type": "OnDelete"})
    found["spec"]["template"]["spec"]["volumes"] = scratch("b")
    pods = [of_stateful_set(0, cpu("1"), revision=revision, volumes=scratch("a"))]
    nodes = [node(f"n-{zone}", metadata={"labels": {ZONE: zone}}) for zone in "ab"]
    lists = {"nodes": nodes, "pods": pods, "statefulsets": [found], "storageclasses": classes()}
    snapshot = snapshot_from_objects(lists, 0.0)
    return dict(zip((n.name for n in snapshot.nodes), prepare(snapshot).what_if().fits(0).tolist(), strict=True))


def test_a_new_revision_brings_its_own_volumes() -> None:
    assert places("db-old") == {"n-a": False, "n-b": True}


def test_a_pod_of_the_same_revision_is_made_with_what_it_has() -> None:
    assert places("db-new") == {"n-a": True, "n-b": False}
