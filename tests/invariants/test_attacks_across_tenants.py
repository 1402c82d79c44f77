"""What was tried from one namespace against another, by name; beside each what is legitimate and still works."""

from __future__ import annotations

import json
from typing import Any

import pytest

from descheduler.gangs import resolve
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.reasons import Reason
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections
from generated.tenants import with_tenant
from generated.town import EVIL, FRIEND, GPU, HONEST, KOORD, LAST, QUOTA, Objects, custom, made, reference, town
from invariants.tenants import NOW, alone, changed, verdicts
from kube.wire_objects import Json, container, meta, pod

Written = tuple[str, Json]

WEB = reference("apps/v1", "ReplicaSet", "web-1")
IN_QUOTA = sum(
    "cpu" in one["spec"]["containers"][0]["resources"].get("requests", {})
    and f"{QUOTA}/name" not in one["metadata"].get("labels", {})
    for one in town()["pods"]
    if one["metadata"]["namespace"] == HONEST
)
"""CPUs that the quota of 900 counts."""


def his_pod(name: str = "x", owner: Json | None = None, **metadata: Any) -> Written:
    """A pod of the other tenant that waits and asks for nothing."""
    marks = {"ownerReferences": [owner], **metadata} if owner else metadata
    return "pods", pod(name, {"name": "c"}, namespace=EVIL, node="", phase="Pending", metadata=marks)


def bundled(*names: str, gang: str = "g") -> Json:
    notes = {f"{KOORD}/name": gang, f"{KOORD}/min-available": "1", f"{KOORD}/groups": json.dumps(names)}
    return {"annotations": notes}


def elastic(name: str, namespaces: tuple[str, ...] = (), **more: Any) -> Written:
    """A quota of Koordinator that lets nothing in."""
    notes = {f"{QUOTA}/namespaces": json.dumps(namespaces)} if namespaces else {}
    nothing = {"max": {"cpu": "0", "memory": "0", GPU: "0"}, "min": {"cpu": "0"}}
    found = custom("scheduling.sigs.k8s.io/v1alpha1", name, nothing, more.get("namespace", EVIL), annotations=notes)
    return "scheduling.sigs.k8s.io/ElasticQuota", found


def workload(*owners: Json, name: str = "mine") -> Written:
    found = custom("kueue.x-k8s.io/v1beta2", name, {"podSets": [{"name": "m", "count": 9}]}, EVIL)
    found["metadata"]["ownerReferences"] = list(owners)
    return "kueue.x-k8s.io/Workload", found


def volume_claim(name: str, **spec: Any) -> Written:
    wanted = {"volumeName": "v1", "storageClassName": "fast", "accessModes": ["ReadWriteOnce"], **spec}
    found = {"metadata": meta(name, EVIL), "spec": wanted, "status": {"phase": "Pending"}}
    return "persistentvolumeclaims", found


def same_uid(kind: str, name: str) -> Written:
    """His object, with the uid of an honest one of the same name."""
    return kind, {**made("ReplicaSet", name, 0, EVIL), "metadata": meta(name, EVIL, uid=meta(name, HONEST)["uid"])}


ATTACKS: dict[str, list[Written]] = {
    "a gang that bundles another's with itself": [his_pod(**bundled("evil/g", "prod/noted"))],
    "a gang that bundles itself with another's bundle": [his_pod(**bundled("evil/g", "prod/both", "shop/both"))],
    "a gang that names another's and not itself": [his_pod(**bundled("prod/koord"))],
    "a gang's object that bundles another's": [
        his_pod(labels={"pod-group.scheduling.sigs.k8s.io": "g"}),
        (
            "scheduling.sigs.k8s.io/PodGroup",
            custom(
                "scheduling.sigs.k8s.io/v1alpha1",
                "g",
                {"minMember": 1},
                EVIL,
                annotations={f"{KOORD}/groups": '["prod/koord"]'},
            ),
        ),
    ],
    "pods of another's ReplicaSet, by its uid": [his_pod(f"x{i}", WEB) for i in range(3)],
    "pods of another's Job, by its uid": [his_pod("x", reference("batch/v1", "Job", "sums"))],
    "a ReplicaSet of the same name and uid that is scaled to nothing": [
        his_pod("x", WEB),
        same_uid("replicasets", "web-1"),
    ],
    "a ReplicaSet of another's Deployment": [
        his_pod("x", reference("apps/v1", "ReplicaSet", "mine", EVIL)),
        (
            "replicasets",
            made("ReplicaSet", "mine", 1, EVIL, ownerReferences=[reference("apps/v1", "Deployment", "web")]),
        ),
    ],
    "a Workload of Kueue that owns up to another's Job": [workload(reference("batch/v1", "Job", "sums"))],
    "a Workload of Kueue that owns up to another's pods": [
        workload({**reference("v1", "Pod", "web-1-0"), "controller": False}, WEB)
    ],
    "a quota that claims another's namespace": [elastic("mine", (HONEST, FRIEND))],
    "a quota that takes the name of another": [elastic("team"), elastic(HONEST)],
    "a quota that would be everybody's": [elastic("koordinator-default-quota")],
    "a pod that waits for another's quota before all": [
        (
            "pods",
            pod(
                "x",
                container(requests={"cpu": f"{900 - IN_QUOTA}500m"}),
                namespace=EVIL,
                node="",
                phase="Pending",
                metadata={"labels": {f"{QUOTA}/name": HONEST}},
                priority=1_000_000,
            ),
        )
    ],
    "a quota of less than nothing": [
        (
            "scheduling.x-k8s.io/ElasticQuota",
            custom("scheduling.x-k8s.io/v1alpha1", "q", {"min": {"cpu": "-9000"}, "max": {"cpu": "0"}}, EVIL),
        )
    ],
    "a claim that names another's volume": [volume_claim("data"), volume_claim("more", accessModes=["ReadWriteMany"])],
    "pods with the names and uids of another's": [
        ("pods", {**one, "metadata": {**one["metadata"], "namespace": EVIL}, "status": {"phase": "Failed"}})
        for one in town()["pods"]
        if one["metadata"]["namespace"] == HONEST
    ],
    "a budget for the labels of another's pods": [
        (
            "poddisruptionbudgets",
            custom("", "all", {"selector": {}, "minAvailable": "100%"}, EVIL),
        )
    ],
}


@pytest.mark.parametrize("namespace", [EVIL, LAST])
@pytest.mark.parametrize("written", ATTACKS.values(), ids=ATTACKS.keys())
def test_changes_nothing_for_others(written: list[Written], namespace: str) -> None:
    assert not changed(written, namespace)


def his_verdict(*written: Written) -> tuple[str, ...]:
    """Why his one pod stays."""
    snapshot = snapshot_from_objects(with_tenant(written), NOW)
    filters = build_filters(snapshot, resolve(snapshot), FilterRules.of(Protections()), now=NOW)
    (at,) = (i for i, one in enumerate(snapshot.pods) if one.namespace == EVIL)
    return tuple(f"{one.reason} {one.by}" for one in filters.every(at))


def test_the_claimant_alone_stays_and_is_told_of_the_other_side() -> None:
    assert f"{Reason.GANG_ONE_SIDED} koordinator:prod/noted" in his_verdict(his_pod(**bundled("evil/g", "prod/noted")))
    assert f"{Reason.WOULD_BE_LOST} ReplicaSet/web-1" in his_verdict(his_pod("x", WEB))


def without(objects: Objects, kind: str, name: str) -> Objects:
    return {**objects, kind: [one for one in objects[kind] if one["metadata"]["name"] != name]}


class TestWhatIsLegitimate:
    def test_gangs_of_two_namespaces_that_name_each_other_move_together(self) -> None:
        every = ("prod/both-0", "prod/both-1", "shop/both-0", "shop/both-1")
        assert alone()["shop/both-0 moves with"] == alone()["prod/both-1 moves with"] == every
        assert all(f"{name} goes" in alone() for name in every)

    def test_owners_are_followed_to_the_top(self) -> None:
        assert str(alone()["prod/web-1-0 belongs to"]) == "prod/Deployment/web"
        assert str(alone()["prod/train-w-0-0 belongs to"]) == "prod/JobSet/train"

    def test_kueue_s_workload_makes_a_gang_of_a_job(self) -> None:
        assert alone()["prod/sums-0 moves with"] == ("prod/sums-0", "prod/sums-1")
        found = verdicts(without(town(), "kueue.x-k8s.io/Workload", "job-sums"))
        assert found["prod/sums-0 moves with"] == ("prod/sums-0",)

    @pytest.mark.parametrize(
        ("quota", "held"),
        [
            (elastic("q", (HONEST,), namespace="koordinator-system"), "prod/q"),
            (elastic("koordinator-default-quota", namespace="kube-system"), "the default"),
            (elastic("shop", namespace=FRIEND), "its own namespace"),
        ],
    )
    def test_a_quota_of_administrators_or_of_the_own_namespace_holds(self, quota: Written, held: str) -> None:
        """Where there is no other of its own, the quota of prod gone."""
        objects = without(town(), "scheduling.sigs.k8s.io/ElasticQuota", HONEST)
        kind, found = quota
        stays = verdicts({**objects, kind: [*objects[kind], found]})
        name = "shop/both-0" if held == "its own namespace" else "prod/web-1-0"
        assert "QuotaWouldRefuse" in str(stays[f"{name} is stopped by"])

    def test_a_pod_is_held_to_the_quota_that_its_label_names_wherever_that_is(self) -> None:
        kind, found = elastic("team", namespace="koordinator-system")
        objects = without(town(), kind, "team")
        stays = verdicts({**objects, kind: [*objects[kind], found]})
        assert "koordinator-system/team" in str(stays["prod/counted-0 is stopped by"])

    def test_a_volume_is_its_claim_s_once_they_are_bound(self) -> None:
        snapshot = snapshot_from_objects(town(), NOW)
        assert snapshot.claims[HONEST, "data"].volume == "v1"
