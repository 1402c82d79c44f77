"""Which workloads of history are in the cluster."""

from __future__ import annotations

import pytest

from builders import cluster, node, owner, pod, workload
from descheduler.model.objects import CustomObject
from descheduler.model.workloads import WorkloadKey
from descheduler.observe.existing import existing

ROLLOUT = owner("Rollout", "paid", "argoproj.io/v1alpha1")
THERE = existing(
    cluster(
        [node("n1")],
        [pod("web-1", node="n1"), pod("bare", node="n1", owners=())],
        workloads=[
            workload("CronJob", "nightly", replicas=0, api_version="batch/v1"),
            workload("Job", "once", api_version="batch/v1", suspended=True),
            workload("Deployment", "asleep", replicas=0),
            workload("ReplicaSet", "paid-6d4cf5", replicas=0, owners=(ROLLOUT,)),
        ],
        objects=[CustomObject("ray.io/v1", "RayCluster", "default", "ray", "uid-ray")],
    )
)


@pytest.mark.parametrize(
    "key",
    [
        "default/ReplicaSet/web",
        "default/Pod/bare",
        "default/CronJob/nightly",  # between two runs
        "default/Job/once",  # which will run again
        "default/Deployment/asleep",  # scaled to 0
        "default/Rollout/paid",  # of a kind that is not read, scaled to 0
        "default/RayCluster/ray",
        "/Node/n1",
    ],
)
def test_what_is_there_is_there_with_or_without_pods(key: str) -> None:
    assert WorkloadKey(*key.split("/")) in THERE


@pytest.mark.parametrize("key", ["default/Deployment/web", "default/Pod/gone", "shop/CronJob/nightly", "/Node/n2"])
def test_what_is_gone_is_not(key: str) -> None:
    assert WorkloadKey(*key.split("/")) not in THERE
