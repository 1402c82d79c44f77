"""A pod whose storage would be lost, or could not follow it, stays; one whose storage follows may go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from builders import NOW
from descheduler.gangs import resolve
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections

Json = dict[str, Any]
GOING = {"deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["kubernetes.io/pvc-protection"]}


def meta(name: str, namespace: str = "", **rest: object) -> Json:
    return {"name": name, "uid": f"uid-{name}", **({"namespace": namespace} if namespace else {}), **rest}


def pod(name: str, *claims: str, node: str = "n1", phase: str = "Running", **rest: object) -> Json:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "uid-db", "controller": True}
    volumes: list[Json] = [{"name": c, "persistentVolumeClaim": {"claimName": c}} for c in claims]
    volumes += rest.pop("volumes", [])  # type: ignore[arg-type]
    return {
        "metadata": meta(name, "shop", ownerReferences=[owner], **rest),
        "spec": {"nodeName": node, "containers": [{"name": "main"}], "volumes": volumes},
        "status": {"phase": phase, "startTime": "2025-01-01T00:00:00Z"},
    }


def claim(name: str = "data", modes: Iterable[str] = ("ReadWriteOnce",), phase: str = "Bound", **rest: object) -> Json:
    spec = {"volumeName": f"pv-{name}", "storageClassName": "fast", "accessModes": list(modes)}
    return {"metadata": meta(name, "shop", **rest), "spec": spec, "status": {"phase": phase}}


def volume(name: str = "data", modes: Iterable[str] = ("ReadWriteOnce",), phase: str = "Bound", **rest: Any) -> Json:
    found = {k: rest.pop(k) for k in ("deletionTimestamp",) if k in rest}
    source = rest or {"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": f"vol-{name}"}}
    spec = {"accessModes": list(modes), "storageClassName": "fast", **source}
    return {"metadata": meta(f"pv-{name}", **found), "spec": spec, "status": {"phase": phase}}


def judged(
    pods: list[Json], claims: Iterable[Json] = (), volumes: Iterable[Json] = (), **more: Any
) -> Mapping[str, Any]:
    ready = {"allocatable": {"cpu": "4"}, "conditions": [{"type": "Ready", "status": "True"}]}
    nodes = [{"metadata": meta(name), "status": ready} for name in ("n1", "n2")]
    database = {"metadata": meta("db", "shop"), "spec": {"replicas": 3, "podManagementPolicy": "Parallel"}}
    found = {"nodes": nodes, "pods": pods, "statefulsets": [database], **more}
    snapshot = snapshot_from_objects({**found, "persistentvolumeclaims": claims, "persistentvolumes": volumes}, NOW)
    filters = build_filters(snapshot, resolve(snapshot), FilterRules.of(Protections()), now=NOW)
    return {one.name: filters.blocked(at) for at, one in enumerate(snapshot.pods)}


def why(found: Blocked | None) -> Reason | None:
    return found.reason if found is not None else None


@pytest.mark.parametrize(
    ("claims", "volumes", "said"),
    [
        ([claim(**GOING)], [volume()], "it is being deleted, and only its users keep it"),
        ([claim(phase="Lost")], [], "it has lost its volume"),
        ([claim()], [volume(deletionTimestamp="2026-01-01T00:00:00Z")], "its volume pv-data is being deleted"),
        ([claim()], [volume(phase="Released")], "its volume pv-data is Released"),
        ([claim()], [volume(phase="Failed")], "its volume pv-data is Failed"),
    ],
    ids=["claim going", "claim lost", "volume going", "volume released", "volume failed"],
)
def test_who_holds_a_volume_that_is_going_stays(claims: list[Json], volumes: list[Json], said: str) -> None:
    found = judged([pod("db-0", "data"), pod("db-1")], claims, volumes)
    assert found["db-0"] == Blocked(Reason.VOLUME_LOST, "claim/shop/data", said)
    assert found["db-1"] is None


def test_a_claim_that_stays_follows_its_pod() -> None:
    assert judged([pod("db-0", "data")], [claim()], [volume()])["db-0"] is None


def test_what_is_made_anew_for_each_pod_does_not_keep_it() -> None:
    scratch = {"name": "data", "ephemeral": {"volumeClaimTemplate": {"spec": {"accessModes": ["ReadWriteOnce"]}}}}
    going = claim("db-0-data", **GOING)
    assert judged([pod("db-0", volumes=[scratch])], [going], [volume("db-0-data")])["db-0"] is None


def test_who_shares_a_volume_of_one_node_at_a_time_stays() -> None:
    found = judged([pod("db-0", "data"), pod("db-1", "data"), pod("db-2")], [claim()], [volume()])
    assert found["db-0"] == found["db-1"] == Blocked(Reason.VOLUME_SHARED, "claim/shop/data")
    assert found["db-2"] is None


@pytest.mark.parametrize(
    "other",
    [
        pod("db-1", "data", phase="Succeeded"),
        pod("db-1", "data", phase="Failed"),
        pod("db-1", "data", deletionTimestamp="2026-01-01T00:00:00Z"),
        pod("db-1", "data", node="", phase="Pending"),
        pod("db-1", "other"),
    ],
    ids=["finished", "failed", "terminating", "nowhere yet", "another claim"],
)
def test_who_is_alone_with_it_may_go(other: Json) -> None:
    claims, volumes = [claim(), claim("other")], [volume(), volume("other")]
    assert judged([pod("db-0", "data"), other], claims, volumes)["db-0"] is None


RWX = ("ReadWriteMany",)
NO_ATTACH = {"csidrivers": [{"metadata": meta("efs.csi.aws.com"), "spec": {"attachRequired": False}}]}
ATTACH = {"csidrivers": [{"metadata": meta("efs.csi.aws.com"), "spec": {"attachRequired": True}}]}
EFS = {"csi": {"driver": "efs.csi.aws.com", "volumeHandle": "fs-1"}}


@pytest.mark.parametrize(
    ("of_claim", "of_volume", "more", "stays"),
    [
        (claim(modes=RWX), volume(modes=RWX), {}, False),
        (claim(), volume(modes=("ReadWriteOnce", "ReadWriteMany")), {}, False),  # it asks for less than there is
        (claim(modes=RWX), volume(modes=("ReadOnlyMany",)), {}, False),
        (claim(modes=("ReadOnlyMany",)), volume(modes=("ReadWriteOnce", "ReadOnlyMany")), {}, False),
        (claim(), volume(modes=("ReadWriteOnce", "ReadOnlyMany")), {}, True),  # many may read it, one writes
        (claim(), volume(nfs={"server": "nas", "path": "/"}), {}, False),
        (claim(), volume(**EFS), NO_ATTACH, False),
        (claim(), volume(**EFS), ATTACH, True),
        (claim(), volume(**EFS), {}, True),
        (claim(), volume(awsElasticBlockStore={"volumeID": "vol-1"}), {}, True),
        (claim(), volume(hostPath={"path": "/data"}), {}, True),
    ],
)
def test_a_volume_that_many_nodes_may_have_keeps_nobody(
    of_claim: Json, of_volume: Json, more: dict[str, Any], stays: bool
) -> None:
    found = judged([pod("db-0", "data"), pod("db-1", "data")], [of_claim], [of_volume], **more)
    assert why(found["db-0"]) is (Reason.VOLUME_SHARED if stays else None)
