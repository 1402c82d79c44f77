"""ResourceQuotas: who would not be let in again stays; a quota that is merely full keeps nobody."""

from __future__ import annotations

from typing import Any

import pytest

from admitting import SHOP, WORLD, judged, owned_by, pod, refused, replica_set, waiting, why
from descheduler.model.reasons import Reason
from kube.wire_objects import Json, container, meta

SCRATCH = {
    "name": "scratch",
    "ephemeral": {
        "volumeClaimTemplate": {
            "spec": {
                "storageClassName": "gold",
                "resources": {"requests": {"storage": "10Gi"}},
                "accessModes": ["ReadWriteOnce"],
            }
        }
    },
}
OF_GOLD = "gold.storageclass.storage.k8s.io/requests.storage"
BOTH = [pod("web-1"), pod("web-2")]
PAIR = replica_set(replicas=2)
ENDING = {"deletionTimestamp": "2025-10-09T08:53:20Z"}  # when the cluster is looked at


def quota(hard: Json, used: Json | None = None, name: str = "q", namespace: str = SHOP, **spec: Any) -> Json:
    """A quota whose controller has counted: what is used is what its pods ask for, unless given."""
    status = {} if used is None else {"hard": hard, "used": used}
    return {"metadata": meta(name, namespace), "spec": {"hard": hard, **spec}, "status": status}


def pair(*quotas: Json, **more: list[Json]) -> dict[str, list[Json]]:
    """Two pods of 1 CPU and 1Gi of one ReplicaSet, under these quotas."""
    return {"pods": BOTH, "replicasets": [PAIR], "resourcequotas": list(quotas), **more}


def with_scratch(hard: Json, used: Json) -> dict[str, list[Json]]:
    """A pod with an ephemeral volume of 10Gi of the class gold, which binds where its pod goes."""
    gold = {"metadata": meta("gold"), "provisioner": "disks", "volumeBindingMode": "WaitForFirstConsumer"}
    return {
        "pods": [pod(volumes=[SCRATCH])],
        "replicasets": [replica_set(volumes=[SCRATCH])],
        "storageclasses": [gold],
        "persistentvolumeclaims": [],
        "resourcequotas": [quota(hard, used)],
    }


def of_class(name: str) -> dict[str, list[Json]]:
    return {
        "pods": [pod(priorityClassName=name)],
        "replicasets": [replica_set(priorityClassName=name)],
        "priorityclasses": [{"metadata": meta(name), "value": 1}],
    }


def scoped(operator: str, *values: str) -> Json:
    requirement = {"scopeName": "PriorityClass", "operator": operator, **({"values": list(values)} if values else {})}
    return quota({"cpu": "500m"}, scopeSelector={"matchExpressions": [requirement]})


STAYS: dict[str, tuple[dict[str, list[Json]], str]] = {
    "the limit was lowered": (
        pair(quota({"requests.cpu": "1500m"})),
        "2 requests.cpu with the replacement, 1.5 requests.cpu is the limit",
    ),
    "by its short name": (pair(quota({"cpu": "1"})), "2 cpu with the replacement, 1 cpu is the limit"),
    "the lower of two limits while it is being changed": (
        pair({**quota({"cpu": "9"}), "status": {"hard": {"cpu": "1"}, "used": {"cpu": "1"}}}),
        "2 cpu with the replacement, 1 cpu is the limit",
    ),
    "too many pods": (pair(quota({"pods": "1"})), "2 pods with the replacement, 1 pods is the limit"),
    "too many objects, whatever became of them": (
        pair(quota({"count/pods": "2"}), pods=[*BOTH, pod("old-1", phase="Succeeded")]),
        "3 count/pods with the replacement, 2 count/pods is the limit",
    ),
    "the status says more than the pods do": (
        pair(quota({"cpu": "3"}, {"cpu": "4"})),
        "4 cpu with the replacement, 3 cpu is the limit",
    ),
    "the status does not say": (
        pair(quota({"cpu": "3", "memory": "9Gi"}, {"memory": "2Gi"})),
        "its status does not tell how much cpu is used",
    ),
    "limits": (
        {
            "pods": [pod(limits={"memory": "4Gi"})],
            "replicasets": [replica_set(limits={"memory": "4Gi"})],
            "resourcequotas": [quota({"limits.memory": "3Gi"})],
        },
        "4Gi limits.memory with the replacement, 3Gi limits.memory is the limit",
    ),
    "devices": (
        {
            "pods": [pod(requests={"nvidia.com/gpu": "4"}, limits={"nvidia.com/gpu": "4"})],
            "replicasets": [replica_set(requests={"nvidia.com/gpu": "4"}, limits={"nvidia.com/gpu": "4"})],
            "resourcequotas": [quota({"requests.nvidia.com/gpu": "3"})],
        },
        "4 requests.nvidia.com/gpu with the replacement, 3 requests.nvidia.com/gpu is the limit",
    ),
    "one of several quotas": (
        pair(quota({"cpu": "9"}), quota({"memory": "1Gi"}, name="r")),
        "2Gi memory with the replacement, 1Gi memory is the limit",
    ),
    "what the quota demands is not stated": (
        pair(quota({"limits.cpu": "9"})),
        "container main does not state limits.cpu",
    ),
    "a replacement that is larger than the pod": (
        {
            "pods": [pod(requests={"cpu": "500m"}, metadata={"generation": 2})],
            "replicasets": [replica_set(requests={"cpu": "2"})],
            "resourcequotas": [quota({"cpu": "1"})],
        },
        "2 cpu with the replacement, 1 cpu is the limit",
    ),
    "scope BestEffort": (
        {
            "pods": [pod(requests={"nvidia.com/gpu": "1"})],
            "replicasets": [replica_set(requests={"nvidia.com/gpu": "1"})],
            "resourcequotas": [quota({"pods": "0"}, scopes=["BestEffort"])],
        },
        "1 pods with the replacement, 0 pods is the limit",
    ),
    "scope NotBestEffort": (
        pair(quota({"pods": "1"}, scopes=["NotBestEffort"])),
        "2 pods with the replacement, 1 pods is the limit",
    ),
    "scope Terminating": (
        {
            "pods": [pod(activeDeadlineSeconds=3600)],
            "replicasets": [replica_set(activeDeadlineSeconds=3600)],
            "resourcequotas": [quota({"cpu": "0"}, scopes=["Terminating"])],
        },
        "1 cpu with the replacement, 0 cpu is the limit",
    ),
    "its class is in the scope": (
        of_class("gold") | {"resourcequotas": [scoped("In", "gold", "silver")]},
        "1 cpu with the replacement, 0.5 cpu is the limit",
    ),
    "that it has a class is the scope": (
        of_class("gold") | {"resourcequotas": [scoped("Exists")]},
        "1 cpu with the replacement, 0.5 cpu is the limit",
    ),
    "that it has none is the scope": (
        pair(scoped("DoesNotExist")),
        "2 cpu with the replacement, 0.5 cpu is the limit",
    ),
    "that it is not of a class is the scope": (
        pair(scoped("NotIn", "gold")),
        "2 cpu with the replacement, 0.5 cpu is the limit",
    ),
    "the new claim of its ephemeral volume": (
        with_scratch({"requests.storage": "50Gi"}, {"requests.storage": "60Gi"}),
        "60Gi requests.storage with the replacement, 50Gi requests.storage is the limit",
    ),
    "the new claim of its ephemeral volume, by class": (
        with_scratch({OF_GOLD: "50Gi"}, {OF_GOLD: "60Gi"}),
        f"60Gi {OF_GOLD} with the replacement, 50Gi {OF_GOLD} is the limit",
    ),
    "another ReplicaSet waits for the room": (
        pair(quota({"cpu": "2"}), replicasets=[PAIR, waiting("new")]),
        "ReplicaSet/new waits for room in it and would take the place",
    ),
    "a quota that makes no sense": (
        pair(quota({"cpu": "much"})),
        "spec.hard.cpu: 'much' is not a quantity such as 500m, 2, 1.5Gi",
    ),
}

MOVES: dict[str, dict[str, list[Json]]] = {
    "a quota with room": pair(quota({"cpu": "4", "memory": "8Gi", "pods": "10", "count/pods": "10"})),
    "a full one: what leaves comes back": pair(
        quota(
            {"cpu": "2", "requests.memory": "2Gi", "pods": "2", "count/pods": "2"},
            {"cpu": "2", "pods": "2"} | {"requests.memory": "2Gi", "count/pods": "2"},
        )
    ),
    "nobody has counted it yet, and there is room": pair(quota({"cpu": "2"})),
    "over its limit of what the pod does not ask for": pair(
        quota(
            {"requests.nvidia.com/gpu": "1", "services": "0", "cpu": "9"},
            {"requests.nvidia.com/gpu": "4", "services": "3", "cpu": "2"},
        )
    ),
    "its ephemeral volume comes back as well": with_scratch(
        {"requests.storage": "50Gi", "persistentvolumeclaims": "3", OF_GOLD: "10Gi"},
        {"requests.storage": "50Gi", "persistentvolumeclaims": "3", OF_GOLD: "10Gi"},
    ),
    "over its limit of claims that are none of the pod's": pair(
        quota({"requests.storage": "1Gi"}, {"requests.storage": "9Gi"})
    ),
    "a quota of another namespace": pair(quota({"cpu": "1"}, namespace="other")),
    "scopes that do not cover it": pair(
        quota({"pods": "0"}, scopes=["BestEffort"]),
        quota({"pods": "0"}, scopes=["Terminating"], name="r"),
        quota({"pods": "0"}, scopes=["NotTerminating", "BestEffort"], name="s"),
        quota({"pods": "0"}, scopes=["CrossNamespacePodAffinity"], name="t"),
        {**scoped("In", "gold"), "metadata": meta("u", SHOP)},
        {**scoped("Exists"), "metadata": meta("v", SHOP)},
    ),
    "its class is not in the scope": of_class("bronze") | {"resourcequotas": [scoped("In", "gold")]},
    "what the quota demands is filled in": pair(
        quota({"limits.cpu": "9"}),
        limitranges=[
            {"metadata": meta("d", SHOP), "spec": {"limits": [{"type": "Container", "default": {"cpu": "2"}}]}}
        ],
    ),
    "finished pods and pods that should be long gone are not counted": pair(
        quota({"cpu": "2"}),
        pods=[
            *BOTH,
            pod("old-1", phase="Failed"),
            pod("old-2", metadata={"deletionTimestamp": "2025-10-09T08:00:00Z"}),
        ],
    ),
    "its own ReplicaSet waits for more": pair(quota({"cpu": "2"}), replicasets=[waiting("web", replicas=3)]),
    "who has too few pods has room for them": pair(quota({"cpu": "3"}), replicasets=[PAIR, waiting("new")]),
    "who waits needs more than would be given back": pair(
        quota({"cpu": "2"}), replicasets=[PAIR, waiting("new", requests={"cpu": "8"})]
    ),
    "who waits, waits for another quota": pair(
        quota(
            {"cpu": "2"},
            scopeSelector={"matchExpressions": [{"scopeName": "PriorityClass", "operator": "DoesNotExist"}]},
        ),
        scoped("In", "gold"),
        replicasets=[PAIR, waiting("new", priorityClassName="gold")],
    ),
    "what is on its way out makes room for who waits": pair(
        quota({"cpu": "3"}),
        pods=[*BOTH, pod("old-1", metadata=ENDING)],
        replicasets=[PAIR, waiting("new")],
    ),
    "a Job that has ended waits for nothing": pair(
        quota({"cpu": "2"}),
        jobs=[
            {
                "metadata": meta("done", SHOP),
                "spec": {
                    "parallelism": 1,
                    "completions": 1,
                    "template": {"spec": {"containers": [container(requests={"cpu": "1"})]}},
                },
                "status": {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]},
            }
        ],
    ),
}


@pytest.mark.parametrize("case", STAYS)
def test_a_pod_that_a_quota_would_not_let_in_again_stays(case: str) -> None:
    changes, text = STAYS[case]

    assert (found := refused(**changes)) is not None
    assert found.reason is Reason.QUOTA
    assert found.by in ("resourcequota/shop/q", "resourcequota/shop/r")
    assert found.detail == text


@pytest.mark.parametrize("case", MOVES)
def test_a_pod_that_its_quotas_let_in_again_may_go(case: str) -> None:
    assert why(**MOVES[case]) == ""


def test_pods_that_may_each_go_do_not_fit_together() -> None:
    """Both were resized to less than their template says, and the quota has room for one of them as it will be."""
    small = [pod(f"web-{i}", requests={"cpu": "500m"}, metadata={"generation": 2}) for i in (1, 2)]
    world = {"pods": small, "replicasets": [replica_set(replicas=2, requests={"cpu": "1"})]}
    _, filters = judged({**WORLD, **world, "resourcequotas": [quota({"cpu": "1500m"})]})

    assert filters.movable.all()
    assert filters.together((0,)) is None
    assert (found := filters.together((0, 1))) is not None
    assert found.detail == "2 cpu with the replacement, 1.5 cpu is the limit"


def test_pods_that_leave_together_give_back_enough_for_who_waits() -> None:
    large = waiting("new", requests={"cpu": "2"})
    mine = [pod("web-1"), pod("api-1")]
    world = {"pods": mine, "replicasets": [replica_set(), replica_set("api"), large]}
    snapshot, filters = judged({**WORLD, **world, "resourcequotas": [quota({"cpu": "2"})]})

    assert filters.movable.all()
    assert (found := filters.together(range(len(snapshot.pods)))) is not None
    assert found.detail == "ReplicaSet/new waits for room in it and would take the place"


def test_a_pod_of_a_job_is_not_kept_by_its_own_job() -> None:
    job = {
        "metadata": meta("batch", SHOP),
        "spec": {
            "parallelism": 3,
            "completions": 9,
            "backoffLimit": 6,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container(requests={"cpu": "1"})]}},
        },
        "status": {"active": 2},
    }
    pods = [pod(f"batch-{i}", owned_by("Job", "batch", "batch/v1"), restartPolicy="Never") for i in range(2)]

    assert why("batch-0", pods=pods, jobs=[job], replicasets=[], resourcequotas=[quota({"cpu": "2"})]) == ""
