"""Whom surge refuses, and the twin that it moves: cluster by cluster, from objects as the API has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from builders import NOW, cluster, node, owner, pod, workload
from descheduler.execution.executors.registry import choose
from descheduler.kube.convert.interning import Interner
from descheduler.kube.convert.kinds import KINDS
from descheduler.model.admission import ResourceQuota
from descheduler.model.objects import CustomObject
from descheduler.model.owners import OwnerRef
from descheduler.model.snapshot import ClusterSnapshot, Freshness
from descheduler.model.storage import Claim
from descheduler.model.workloads import Workload

HPA, KEDA = "autoscaling/HorizontalPodAutoscaler", "keda.sh/ScaledObject"


def ref(kind: str, name: str, api_version: str = "apps/v1") -> OwnerRef:
    return replace(owner(kind, name, api_version), uid=f"uid-{kind}-{name}", controller=True)


WEB = ref("ReplicaSet", "web-1")
POD = pod("web-1-a", node="n1", owners=(WEB,))
REPLICA_SET = workload("ReplicaSet", "web-1", 3, owners=(ref("Deployment", "web"),), present=3)
DEPLOYMENT = workload("Deployment", "web", 3, present=3, updated=3)


def world(
    *objects: CustomObject,
    deployment: Workload | None = DEPLOYMENT,
    replica_set: Workload = REPLICA_SET,
    found: Any = POD,
    **rest: object,
) -> ClusterSnapshot:
    workloads = [one for one in (replica_set, deployment) if one is not None]
    return cluster([node("n1")], [found], workloads=workloads, objects=objects, **rest)  # type: ignore[arg-type]


def against(snapshot: ClusterSnapshot) -> str:
    refuses = choose("surge").filter(snapshot)
    assert refuses is not None
    blocked = refuses(snapshot.pods[0])
    return "" if blocked is None else blocked.detail


def custom(group: str, kind: str, name: str, **rest: Any) -> CustomObject:
    return CustomObject(group, kind, "default", name, f"uid-{kind}-{name}", **rest)


def hpa(least: int = 1, most: int = 10, kind: str = "Deployment", name: str = "web", **behavior: Any) -> CustomObject:
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind, "name": name}}
    spec |= {"minReplicas": least, "maxReplicas": most, "behavior": behavior}
    return custom("autoscaling/v2", "HorizontalPodAutoscaler", "web", spec=spec)


def scaled(**target: str) -> CustomObject:
    return custom("keda.sh/v1alpha1", "ScaledObject", "queue", spec={"scaleTargetRef": target})


def test_a_deployment_at_rest_may_have_one_replica_more() -> None:
    assert against(world()) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"paused": True}, "it is paused"),
        ({"updated": 1}, "a rollout is under way: 1 of 3 pods"),
        ({"present": 4}, "it has 4 pods and wants 3"),
        ({"generation": 5, "observed_generation": 4}, "has not seen yet"),
        ({"deleting": True}, "it is being deleted"),
        ({"enforcers": ("argocd-controller",)}, "argocd-controller sets its replicas"),
        ({"owners": (ref("Prometheus", "p", "monitoring.coreos.com/v1"),)}, "Prometheus p runs it"),
        ({"problem": "it is broken"}, "it is broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_deployment_that_is_busy_or_anothers_is_left_alone(change: dict[str, Any], told: str) -> None:
    assert told in against(world(deployment=replace(DEPLOYMENT, **change)))


@pytest.mark.parametrize(
    ("autoscaler", "told"),
    [
        (hpa(), "would take one replica away again"),
        (hpa(3, 3), "keeps it at 3 replicas"),
        (hpa(1, 3, scaleDown={"selectPolicy": "Disabled"}), "allows no more than 3 replicas"),
        (hpa(1, 10, scaleDown={"selectPolicy": "Disabled"}), ""),
        (hpa(name="other"), ""),
        (hpa(kind="StatefulSet"), ""),
    ],
    ids=["any", "min is max", "at max", "never takes away", "of another one", "of another kind"],
)
def test_an_autoscaler_is_not_fought(autoscaler: CustomObject, told: str) -> None:
    found = against(world(autoscaler))
    assert told in found
    assert bool(told) == bool(found)


def test_what_cannot_be_read_about_autoscalers_moves_nothing() -> None:
    failed = {kind: Freshness(kind, NOW, synced=False, error="forbidden") for kind in (HPA, KEDA)}
    assert "cannot be read" in against(world(freshness={HPA: failed[HPA]}))
    assert "cannot be read" in against(world(freshness={KEDA: failed[KEDA]}))
    absent = {kind: Freshness(kind, NOW, served=False) for kind in (HPA, KEDA)}
    assert against(world(freshness=absent)) == ""


def test_keda_sets_the_replicas_of_what_it_names() -> None:
    assert "ScaledObject queue" in against(world(scaled(name="web")))  # a Deployment, where it does not say
    assert against(world(scaled(name="other"))) == ""
    assert against(world(scaled(name="web", kind="StatefulSet"))) == ""


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        (ref("StatefulSet", "db"), "takes away the pod of the highest ordinal"),
        (ref("Job", "once", "batch/v1"), "does the work twice"),
        (ref("CloneSet", "c", "apps.kruise.io/v1alpha1"), "which of its pods leaves"),
    ],
)
def test_other_owners_are_refused_with_the_reason(ours: OwnerRef, told: str) -> None:
    assert told in against(world(found=pod("x-0", node="n1", owners=(ours,))))


def test_a_group_of_a_leader_worker_set_is_one_of_ordinals_too() -> None:
    leader = custom("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "serve")
    stateful = workload("StatefulSet", "serve", 2, owners=(ref("LeaderWorkerSet", "serve", leader.api_version),))
    found = pod("serve-0", node="n1", owners=(ref("StatefulSet", "serve"),))
    assert "a LeaderWorkerSet takes away" in against(world(leader, replica_set=stateful, deployment=None, found=found))


def test_a_replica_set_of_its_own_may_one_whose_deployment_is_unknown_may_not() -> None:
    assert against(world(replica_set=replace(REPLICA_SET, owners=()), deployment=None)) == ""
    assert "is not known" in against(world(deployment=None))


def rollout(**status: Any) -> CustomObject:
    there = {"phase": "Healthy", "replicas": 3, "updatedReplicas": 3, **status}
    return custom("argoproj.io/v1alpha1", "Rollout", "web", spec={"replicas": 3}, status=there)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({}, ""),
        ({"phase": "Progressing"}, "its rollout is Progressing"),
        ({"pauseConditions": [{}]}, "it is paused"),
        ({"updatedReplicas": 1}, "a rollout is under way"),
    ],
    ids=["at rest", "progressing", "paused", "canary"],
)
def test_an_argo_rollout_moves_while_nothing_is_rolled_out(status: dict[str, Any], told: str) -> None:
    owned = replace(REPLICA_SET, owners=(ref("Rollout", "web", "argoproj.io/v1alpha1"),))
    found = against(world(rollout(**status), replica_set=owned, deployment=None))
    assert told in found
    assert bool(told) == bool(found)


@pytest.mark.parametrize(("modes", "moves"), [(("ReadWriteOnce",), False), (("ReadWriteMany",), True)])
def test_two_pods_must_be_able_to_have_the_volume_at_once(modes: tuple[str, ...], moves: bool) -> None:
    found = replace(POD, claims=("data",))
    claims = {("default", "data"): Claim("default", "data", access_modes=modes)}
    assert (against(world(found=found, claims=claims)) == "") is moves


@pytest.mark.parametrize(("used", "moves"), [(2, True), (3, False)])
def test_a_quota_must_have_room_for_one_pod_more(used: int, moves: bool) -> None:
    quota = ResourceQuota("default", "few", (("pods", 3),), (("pods", 3),), (("pods", used),))
    found = against(world(quotas=(quota,)))
    assert (found == "") is moves
    assert moves or "resourcequota/default/few: pods 4 with one pod more, 3 is the limit" in found


def deployment_object(manager: str, fields: dict[str, Any]) -> Workload:
    """As the API server lists it."""
    managed = {"manager": manager, "operation": "Update", "apiVersion": "apps/v1", "fieldsType": "FieldsV1"}
    body = {
        "metadata": {"name": "web", "namespace": "default", "managedFields": [{**managed, "fieldsV1": fields}]},
        "spec": {"replicas": 3},
        "status": {"replicas": 3, "updatedReplicas": 3},
    }
    kind = KINDS["deployments"]
    found = kind.at("v1").converter()(msgspec.json.decode(msgspec.json.encode(body), type=kind.wire), Interner())
    assert isinstance(found, Workload)
    return found


@pytest.mark.parametrize(
    ("manager", "fields", "enforcers"),
    [
        ("argocd-controller", {"f:spec": {"f:replicas": {}}}, ("argocd-controller",)),
        ("kustomize-controller", {"f:spec": {"f:replicas": {}, "f:template": {}}}, ("kustomize-controller",)),
        ("helm", {"f:spec": {"f:replicas": {}}}, ("helm",)),
        ("argocd-controller", {"f:spec": {"f:template": {}}, "f:status": {"f:replicas": {}}}, ()),
        ("kubectl-client-side-apply", {"f:spec": {"f:replicas": {}}}, ()),
        ("kube-controller-manager", {"f:spec": {"f:replicas": {}}}, ()),
        ("argocd-controller", {"f:spec": "nonsense f:replicas"}, ()),
    ],
)
def test_who_would_set_replicas_back_is_read_from_managed_fields(
    manager: str, fields: dict[str, Any], enforcers: tuple[str, ...]
) -> None:
    assert deployment_object(manager, fields).enforcers == enforcers


def test_what_is_not_written_about_who_wrote_it_names_nobody() -> None:
    kind = KINDS["deployments"]
    wire = msgspec.json.decode(b'{"metadata":{"name":"web","namespace":"default"},"spec":{}}', type=kind.wire)
    found = kind.at("v1").converter()(wire, Interner())
    assert isinstance(found, Workload)
    assert (found.enforcers, found.paused, found.updated) == ((), False, 0)
