"""A pod that nobody would make again stays; one whose controllers are there and want it may go."""

from __future__ import annotations

import pytest

from admitting import SHOP, WORLD, judged, named, owned_by, pod, refused, replica_set, why
from descheduler.model.reasons import Reason
from kube.wire_objects import Json, meta

ENDING = {"deletionTimestamp": "2025-10-09T08:00:00Z"}


def owner(kind: str, name: str = "web", metadata: Json | None = None, **spec: object) -> Json:
    return {"metadata": meta(name, SHOP, **(metadata or {})), "spec": {"selector": {}, **spec}, "status": {}}


def of_deployment(replicas: int = 1) -> Json:
    return replica_set("web", replicas, metadata=owned_by("Deployment", "front"))


def job(**spec: object) -> Json:
    return owner("Job", "web", parallelism=1, completions=1, **spec)


JOBS = [pod(owner=owned_by("Job", "web", "batch/v1"), restartPolicy="Never")]

STAYS: dict[str, tuple[dict[str, list[Json]], str]] = {
    "its ReplicaSet is gone": ({"replicasets": []}, "ReplicaSet/web: it is gone or scaled to nothing"),
    "its ReplicaSet was made anew": (
        {"pods": [pod(owner=owned_by("ReplicaSet", "web", uid="uid-before"))]},
        "ReplicaSet/web: it was made anew and does not know this pod",
    ),
    "its ReplicaSet is being deleted": (
        {"replicasets": [replica_set(metadata=ENDING)]},
        "ReplicaSet/web: it is being deleted",
    ),
    "its ReplicaSet is scaled to 0": (
        {"replicasets": [{**replica_set(replicas=0), "status": {"replicas": 1}}]},
        "ReplicaSet/web: it is scaled to 0",
    ),
    "its ReplicaSet is scaled down and has another pod": (
        {"pods": [pod(), pod("web-2")], "replicasets": [{**replica_set(), "status": {"replicas": 2}}]},
        "ReplicaSet/web: 2 pods are there and 1 wanted",
    ),
    "its Deployment is gone": ({"replicasets": [of_deployment()]}, "Deployment/front: it is gone"),
    "its Deployment is being deleted": (
        {"replicasets": [of_deployment()], "deployments": [owner("Deployment", "front", ENDING, replicas=1)]},
        "Deployment/front: it is being deleted",
    ),
    "its Deployment is scaled to 0": (
        {"replicasets": [of_deployment()], "deployments": [owner("Deployment", "front", replicas=0)]},
        "Deployment/front: it is scaled to 0",
    ),
    "its Deployment is scaled down, which its ReplicaSet has not seen": (
        {
            "pods": [pod(), pod("web-2")],
            "replicasets": [of_deployment(2)],
            "deployments": [owner("Deployment", "front", replicas=1)],
        },
        "ReplicaSet/web: 2 pods are there and 1 wanted",
    ),
    "its StatefulSet is gone": (
        {"pods": [pod(owner=owned_by("StatefulSet", "web"))]},
        "StatefulSet/web: it is gone",
    ),
    "its Job is gone": ({"pods": JOBS}, "Job/web: it is gone"),
    "its Job is suspended": ({"pods": JOBS, "jobs": [job(suspend=True)]}, "Job/web: it is suspended"),
    "its Job has ended": (
        {
            "pods": JOBS,
            "jobs": [{**job(), "status": {"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}]}}],
        },
        "Job/web: it makes no more pods",
    ),
    "its set of an optional API is gone": (
        {
            "pods": [pod(owner=owned_by("RayCluster", "web", "ray.io/v1"))],
            "ray.io/RayCluster": [],
        },
        "RayCluster/web: it is gone",
    ),
    "its set of an optional API is suspended": (
        {
            "pods": [pod(owner=owned_by("RayCluster", "web", "ray.io/v1"))],
            "ray.io/RayCluster": [owner("RayCluster", suspend=True)],
        },
        "RayCluster/web: it is suspended",
    ),
    "its set of an optional API is being deleted": (
        {
            "pods": [pod(owner=owned_by("RayCluster", "web", "ray.io/v1"))],
            "ray.io/RayCluster": [owner("RayCluster", metadata=ENDING)],
        },
        "RayCluster/web: it is being deleted",
    ),
    "its namespace is being deleted": (
        {"namespaces": [{**named(SHOP, **ENDING), "status": {"phase": "Terminating"}}]},
        "namespace/shop: it is being deleted",
    ),
    "the phase of its namespace says so": (
        {"namespaces": [{**named(SHOP), "status": {"phase": "Terminating"}}]},
        "namespace/shop: it is being deleted",
    ),
}

MOVES: dict[str, dict[str, list[Json]]] = {
    "all is there": {},
    "its Deployment is paused: its ReplicaSet goes on": {
        "replicasets": [of_deployment()],
        "deployments": [owner("Deployment", "front", replicas=1, paused=True)],
    },
    "another of its pods is on its way out already": {"pods": [pod(), pod("web-2", metadata=ENDING)]},
    "another of its pods has finished": {"pods": [pod(), pod("web-2", phase="Succeeded")]},
    "a rollout has one pod more than its Deployment wants": {
        "pods": [pod(), pod("web-2"), pod("new-1")],
        "replicasets": [of_deployment(2), replica_set("new", metadata=owned_by("Deployment", "front"))],
        "deployments": [owner("Deployment", "front", replicas=2)],
    },
    "its Job goes on": {"pods": JOBS, "jobs": [job(backoffLimit=6)]},
    "its set of an optional API is there": {
        "pods": [pod(owner=owned_by("RayCluster", "web", "ray.io/v1"))],
        "ray.io/RayCluster": [owner("RayCluster", suspend=False)],
    },
    "its CronJob is suspended: its Job goes on": {
        "pods": JOBS,
        "jobs": [{**job(), "metadata": meta("web", SHOP, **owned_by("CronJob", "nightly", "batch/v1"))}],
        "cronjobs": [owner("CronJob", "nightly", suspend=True)],
    },
    "its owner is of a kind that is not read": {"pods": [pod(owner=owned_by("Fleet", "web", "games.example/v1"))]},
    "its owner names a built-in kind of another group": {
        "pods": [pod(owner=owned_by("StatefulSet", "web", "apps.kruise.io/v1beta1"))]
    },
    "its ReplicaSet has not seen another pod yet": {"pods": [pod(), pod("web-2")]},
    "its ReplicaSet does not say how many it wants": {
        "pods": [pod(), pod("web-2")],
        "replicasets": [{"metadata": meta("web", SHOP), "spec": {}, "status": {}}],
    },
}


@pytest.mark.parametrize("case", STAYS)
def test_a_pod_that_nobody_would_make_again_stays(case: str) -> None:
    changes, text = STAYS[case]

    assert why(**changes) == text
    assert (found := refused(**changes)) is not None
    assert found.reason is Reason.WOULD_BE_LOST


@pytest.mark.parametrize("case", MOVES)
def test_a_pod_that_will_be_made_again_may_go(case: str) -> None:
    assert why(**MOVES[case]) == ""


def test_of_kinds_that_a_recording_does_not_have_nothing_is_concluded() -> None:
    _, filters = judged({kind: WORLD[kind] for kind in ("nodes", "pods")})

    assert filters.movable.all()
