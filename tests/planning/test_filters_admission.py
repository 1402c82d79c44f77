"""A pod whose replacement the API server would refuse stays; what it asks for by name must be there."""

from __future__ import annotations

import pytest

from admitting import SHOP, WORLD, judged, named, pod, refused, replica_set, why
from descheduler.model.reasons import Reason
from kube.wire_objects import Json, container, meta

SCRATCH = [
    {
        "name": "scratch",
        "ephemeral": {"volumeClaimTemplate": {"spec": {"resources": {"requests": {"storage": "10Gi"}}}}},
    }
]
GOLD = [{**named("gold"), "value": 1000}]
TWO = {"cpu": "2", "memory": "2Gi"}


def limit_range(kind: str = "Container", **bounds: Json) -> list[Json]:
    return [{"metadata": meta("bounds", SHOP), "spec": {"limits": [{"type": kind, **bounds}]}}]


def limited(template: bool = True) -> dict[str, list[Json]]:
    """web-1 with limits of 2 CPUs, which its ReplicaSet's template has too, or leaves to defaults."""
    of = replica_set(requests=TWO, limits=TWO) if template else replica_set(requests={"memory": "1Gi"})
    return {"pods": [pod(requests=TWO, limits=TWO)], "replicasets": [of]}


STAYS: dict[str, tuple[dict[str, list[Json]], str]] = {
    "its PriorityClass is gone": (
        {
            "pods": [pod(priorityClassName="gold", priority=1000)],
            "replicasets": [replica_set(priorityClassName="gold")],
        },
        "priorityclass/gold: no such object",
    ),
    "its RuntimeClass is gone": (
        {"pods": [pod(runtimeClassName="gvisor")], "replicasets": [replica_set(runtimeClassName="gvisor")]},
        "runtimeclass/gvisor: no such object",
    ),
    "its ServiceAccount is gone": (
        {"pods": [pod(serviceAccountName="builder")]},
        "serviceaccount/shop/builder: no such object",
    ),
    "the account is another namespace's": (
        {"pods": [pod(serviceAccountName="builder")], "serviceaccounts": [named("builder", "other")]},
        "serviceaccount/shop/builder: no such object",
    ),
    "not even the default ServiceAccount is there": (
        {"serviceaccounts": [named("builder", SHOP)]},
        "serviceaccount/shop/default: no such object",
    ),
    "its RuntimeClass wants other nodes than its template": (
        {
            "pods": [pod(runtimeClassName="gvisor", nodeSelector={"pool": "a"})],
            "replicasets": [replica_set(runtimeClassName="gvisor", nodeSelector={"pool": "a"})],
            "runtimeclasses": [{**named("gvisor"), "scheduling": {"nodeSelector": {"pool": "b"}}}],
        },
        "runtimeclass/gvisor: the template contradicts it",
    ),
    "beyond the maximum of containers": (
        limited() | {"limitranges": limit_range(max={"cpu": "1500m"})},
        "limitrange/shop/bounds: container main may use 2 cpu, the maximum is 1.5 cpu",
    ),
    "beyond the maximum of pods": (
        limited() | {"limitranges": limit_range("Pod", max={"memory": "1Gi"})},
        "limitrange/shop/bounds: the pod may use 2Gi memory, the maximum is 1Gi memory",
    ),
    "below the minimum": (
        {"limitranges": limit_range(min={"cpu": "2"})},
        "limitrange/shop/bounds: container main asks for 1 cpu, the minimum is 2 cpu",
    ),
    "a maximum for pods, and no limit that could be held against it": (
        {"limitranges": limit_range("Pod", max={"cpu": "4"})},
        "limitrange/shop/bounds: the pod may use no stated amount, the maximum is 4 cpu",
    ),
    "more limit for its request than allowed": (
        {
            "pods": [pod(limits={"cpu": "3"})],
            "replicasets": [replica_set(limits={"cpu": "3"})],
            "limitranges": limit_range(maxLimitRequestRatio={"cpu": "2"}),
        },
        "limitrange/shop/bounds: container main has limit and request 3 to 1 cpu, the largest ratio is 2",
    ),
    "the new claim of its ephemeral volume is larger than claims may be": (
        {
            "pods": [pod(volumes=SCRATCH)],
            "replicasets": [replica_set(volumes=SCRATCH)],
            "limitranges": limit_range("PersistentVolumeClaim", max={"storage": "5Gi"}),
        },
        "limitrange/shop/bounds: volume scratch may use 10Gi storage, the maximum is 5Gi storage",
    ),
    "limits that make no sense": (
        {"limitranges": limit_range(max={"cpu": "much"})},
        "limitrange/shop/bounds: spec.limits.max.cpu: 'much' is not a quantity such as 500m, 2, 1.5Gi",
    ),
}

MOVES: dict[str, dict[str, list[Json]]] = {
    "all that it names is there": {
        "pods": [pod(priorityClassName="gold", runtimeClassName="gvisor", serviceAccountName="builder")],
        "replicasets": [replica_set(priorityClassName="gold", runtimeClassName="gvisor", serviceAccountName="builder")],
        "priorityclasses": GOLD,
        "runtimeclasses": [{**named("gvisor"), "handler": "runsc"}],
        "serviceaccounts": [named("builder", SHOP)],
    },
    "classes of the system are built in": {
        "pods": [pod(priorityClassName="system-cluster-critical", priority=1)],
        "replicasets": [replica_set(priorityClassName="system-cluster-critical")],
    },
    "the class was the default once, and its template names none": {
        "pods": [pod(priorityClassName="gold", priority=1000)],
    },
    "within the bounds": limited() | {"limitranges": limit_range(max={"cpu": "2"}, min={"cpu": "2"})},
    "bounds of another namespace": limited()
    | {"limitranges": [{"metadata": meta("bounds", "other"), "spec": {"limits": [{"type": "Container", "max": {}}]}}]},
    "bounds of claims are none of pods": limited()
    | {"limitranges": limit_range("PersistentVolumeClaim", max={"storage": "1Gi"})},
    "the maximum is the default of the limit": {"limitranges": limit_range(max={"cpu": "4"})},
    "the new claim of its ephemeral volume is within the bounds of claims": {
        "pods": [pod(volumes=SCRATCH)],
        "replicasets": [replica_set(volumes=SCRATCH)],
        "limitranges": limit_range("PersistentVolumeClaim", max={"storage": "10Gi"}, min={"storage": "1Gi"}),
    },
    "a default fills in the limit": {"limitranges": limit_range(max={"cpu": "4"}, default={"cpu": "2"})},
    "the template leaves open what was lowered with its default": limited(template=False)
    | {"limitranges": limit_range(max={"cpu": "1"}, default={"cpu": "1"}, defaultRequest={"cpu": "1"})},
}


@pytest.mark.parametrize("case", STAYS)
def test_a_pod_whose_replacement_would_be_refused_stays(case: str) -> None:
    changes, text = STAYS[case]

    assert why(**changes) == text
    assert (found := refused(**changes)) is not None
    assert found.reason is Reason.NOT_ADMITTED


@pytest.mark.parametrize("case", MOVES)
def test_a_pod_whose_replacement_would_be_admitted_may_go(case: str) -> None:
    assert why(**MOVES[case]) == ""


@pytest.mark.parametrize("kind", ["priorityclasses", "runtimeclasses", "serviceaccounts"])
def test_of_kinds_that_a_recording_does_not_have_nothing_is_concluded(kind: str) -> None:
    names = {"priorityClassName": "gold", "runtimeClassName": "gvisor", "serviceAccountName": "builder"}
    there = {
        "priorityclasses": GOLD,
        "runtimeclasses": [named("gvisor")],
        "serviceaccounts": [named("builder", SHOP)],
    }
    world = {**WORLD, **there, "pods": [pod(**names)], "replicasets": [replica_set(**names)]}

    snapshot, filters = judged({key: found for key, found in world.items() if key != kind})

    assert filters.movable.all()
    assert kind not in snapshot.read


def test_the_account_of_the_template_counts_where_it_is_another() -> None:
    """A StatefulSet that is updated by hand makes the new revision in the place of the old one's pods."""
    template = {"spec": {"containers": [container(requests={"cpu": "1"})], "serviceAccountName": "gone"}}
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": f"uid-{SHOP}-db", "controller": True}
    labels = {"controller-revision-hash": "db-1"}
    db = {
        "metadata": meta("db", SHOP),
        "spec": {"replicas": 1, "updateStrategy": {"type": "OnDelete"}, "template": template},
        "status": {"replicas": 1, "readyReplicas": 1, "currentRevision": "db-1", "updateRevision": "db-2"},
    }

    old = pod("db-0", {"ownerReferences": [owner]}, metadata={"labels": labels})

    assert why("db-0", pods=[old], statefulsets=[db]) == "serviceaccount/shop/gone: no such object"


def test_the_replacement_gets_what_its_runtime_class_says_now() -> None:
    """The class asked for 100m and any node when the pod was made."""
    names: Json = {"runtimeClassName": "gvisor"}
    now = {
        "overhead": {"podFixed": {"cpu": "250m", "memory": "64Mi"}},
        "scheduling": {"nodeSelector": {"pool": "b"}, "tolerations": [{"key": "sandbox", "operator": "Exists"}]},
    }
    world = {
        "pods": [pod(**names, overhead={"cpu": "100m"})],
        "replicasets": [replica_set(**names)],
        "runtimeclasses": [{**named("gvisor"), **now}],
    }
    snapshot, filters = judged({**WORLD, **world})

    made = snapshot.remade.different[0].spec
    assert filters.movable.all()
    assert dict(snapshot.pods[0].spec.requests)["cpu"] == 1100
    assert made.requests == (("cpu", 1250), ("memory", (1 << 30) + (64 << 20)), ("pods", 1))
    assert made.node_selector == {"pool": "b"}
    assert [one.key for one in made.tolerations] == ["sandbox"]


def test_a_replacement_under_an_unchanged_runtime_class_is_as_the_pod_is() -> None:
    names: Json = {"runtimeClassName": "gvisor"}
    same = {"cpu": "100m"}
    world = {
        "pods": [pod(**names, overhead=same)],
        "replicasets": [replica_set(**names)],
        "runtimeclasses": [{**named("gvisor"), "overhead": {"podFixed": same}}],
    }
    snapshot, _ = judged({**WORLD, **world})

    assert not snapshot.remade.different
