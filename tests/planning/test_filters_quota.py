"""Quotas: who would not be let in again stays, by the rules of each scheduler, summed from the pods."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from builders import cluster, node, pod
from descheduler.gangs import resolve
from descheduler.model.labels import Labels
from descheduler.model.objects import CustomObject, Json
from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.build import FilterRules, Filters, build_filters
from descheduler.policy.protections import Protections
from gang_builders import core_group, custom

KOORDINATOR = "quota.scheduling.koordinator.sh"
NOW = 1_760_000_000.0
NODES = [node("n1", gpu=8), node("n2", gpu=8)]


def plugins(namespace: str = "a", name: str = "q", **spec: Json) -> CustomObject:
    """`plugins(min={"cpu": "4"}, max={"cpu": "8"})`."""
    return custom("scheduling.x-k8s.io/v1alpha1", "ElasticQuota", name, spec, namespace)


def koordinator(
    name: str,
    namespace: str = "koordinator-system",
    runtime: Json = None,
    namespaces: Json = None,
    **spec: Json,
) -> CustomObject:
    notes = {"runtime": runtime, "namespaces": namespaces}
    annotations = {f"{KOORDINATOR}/{k}": json.dumps(v) for k, v in notes.items() if v is not None}
    return custom("scheduling.sigs.k8s.io/v1alpha1", "ElasticQuota", name, spec, namespace, annotations)


def running(name: str = "web-1", namespace: str = "a", **rest: object) -> Pod:
    return pod(name, **{"cpu": "2", "memory": "1Gi", "node": "n1", "namespace": namespace, **rest})  # type: ignore[arg-type]


def waiting(name: str = "new-1", **rest: object) -> Pod:
    return running(name, **{**rest, "node": ""})  # type: ignore[arg-type]


def quota(name: str) -> dict[str, str]:
    return {f"{KOORDINATOR}/name": name}


def judged(pods: list[Pod], quotas: list[CustomObject]) -> Filters:
    snapshot = cluster(NODES, pods, objects=quotas)
    return build_filters(snapshot, resolve(snapshot), FilterRules.of(Protections()), now=NOW)


def refused(pods: list[Pod], quotas: list[CustomObject], name: str = "web-1") -> Blocked | None:
    snapshot = cluster(NODES, pods, objects=quotas)
    filters = build_filters(snapshot, resolve(snapshot), FilterRules.of(Protections()), now=NOW)
    (at,) = [i for i, p in enumerate(snapshot.pods) if p.name == name]
    return filters.blocked(at)


ROOM: dict[str, Json] = {"cpu": "100", "memory": "100Gi", "nvidia.com/gpu": "100"}


@dataclass(frozen=True)
class Case:
    """Pods under quotas of scheduler-plugins, and the limit that refuses web-1; empty: none does."""

    pods: list[Pod]
    quotas: list[CustomObject]
    text: str = ""


PLUGINS = {
    "no quota": Case([running()], []),
    "a namespace without a quota is outside": Case([running(namespace="b")], [plugins(max={"cpu": "1"})]),
    "full to the brim is no fault: what leaves comes back": Case(
        [running(), running("web-2")], [plugins(min=ROOM, max={"cpu": "4", "memory": "2Gi"})]
    ),
    "beyond max": Case(
        [running(), running("web-2")],
        [plugins(min=ROOM, max={"cpu": "3", "memory": "2Gi"})],
        "4 cpu used, 3 is max",
    ),
    "max in smaller units": Case(
        [running()], [plugins(min=ROOM, max={"cpu": "1999m", "memory": "1Gi"})], "2 cpu used, 2 is max"
    ),
    "cpu that max leaves out is zero": Case(
        [running()], [plugins(min=ROOM, max={"memory": "1Gi"})], "2 cpu used, 0 is max"
    ),
    "memory that max leaves out is zero": Case(
        [running()], [plugins(min=ROOM, max={"cpu": "2"})], "1Gi memory used, 0 is max"
    ),
    "an empty max is zero": Case([running()], [plugins(min=ROOM, max={})], "2 cpu used, 0 is max"),
    "a device that max leaves out has no limit": Case(
        [running(gpu=4)], [plugins(min=ROOM, max={"cpu": "2", "memory": "1Gi"})]
    ),
    "no max at all": Case([running(gpu=4)], [plugins(min=ROOM)]),
    "a device beyond max": Case(
        [running(gpu=4)],
        [plugins(min=ROOM, max={**ROOM, "nvidia.com/gpu": 3})],
        "4 nvidia.com/gpu used, 3 is max",
    ),
    "devices of others do not matter to whom asks for none": Case(
        [running(), running("gpu-1", gpu=4)], [plugins(min=ROOM, max={**ROOM, "nvidia.com/gpu": 3})]
    ),
    "cpu of others matters to everybody": Case(
        [running(cpu=""), running("web-2", cpu="4")],
        [plugins(min=ROOM, max={"cpu": "3", "memory": "9Gi"})],
        "4 cpu used, 3 is max",
    ),
    "all together beyond the sum of min": Case(
        [running(), running("b-1", namespace="b")],
        [plugins(min={"cpu": "2", "memory": "9Gi"}), plugins("b", min={"cpu": "1", "memory": "9Gi"})],
        "all quotas together: 4 cpu used, 3 is the sum of min",
    ),
    "beyond the own min on what others leave unused": Case(
        [running(), running("b-1", namespace="b")],
        [plugins(min={"cpu": "1", "memory": "9Gi"}), plugins("b", min={"cpu": "3", "memory": "9Gi"})],
    ),
    "a device that no min names is beyond it": Case(
        [running(), running("gpu-1", namespace="b", gpu=1)],
        [plugins(min={"cpu": "9", "memory": "9Gi"}), plugins("b", min={"cpu": "9", "memory": "9Gi"})],
        "all quotas together: 1 nvidia.com/gpu used, 0 is the sum of min",
    ),
    "no min is zero": Case([running()], [plugins()], "all quotas together: 2 cpu used, 0 is the sum of min"),
    "namespaces without a quota do not count": Case(
        [running(), running("b-1", namespace="b")], [plugins(min={"cpu": "2", "memory": "1Gi"})]
    ),
    "pods that have finished do not count": Case(
        [running(), running("done-1", phase=Phase.SUCCEEDED)], [plugins(min={"cpu": "2", "memory": "1Gi"})]
    ),
    "pods that start do": Case(
        [running(), running("web-2", phase=Phase.PENDING)],
        [plugins(min=ROOM, max={"cpu": "3", "memory": "9Gi"})],
        "4 cpu used, 3 is max",
    ),
    "pods that end do": Case(
        [running(), running("web-2", deleting=NOW)],
        [plugins(min=ROOM, max={"cpu": "3", "memory": "9Gi"})],
        "4 cpu used, 3 is max",
    ),
    "what a status says does not count": Case(
        [running()], [replace(plugins(min=ROOM, max=ROOM), status={"used": {"cpu": "900"}})]
    ),
    "two quotas in one namespace": Case(
        [running()],
        [plugins(min=ROOM), plugins(name="r", min=ROOM)],
        "2 ElasticQuotas in one namespace",
    ),
    "an amount that cannot be read": Case(
        [running()], [plugins(min=ROOM, max={"cpu": "many"})], "'many' is not a quantity such as 500m, 2, 1.5Gi"
    ),
    "amounts that are none": Case([running()], [plugins(min=ROOM, max=[1])], "[1] is not a list of amounts"),
}


@pytest.mark.parametrize("case", PLUGINS.values(), ids=PLUGINS.keys())
def test_quotas_of_scheduler_plugins(case: Case) -> None:
    found = refused(case.pods, case.quotas)
    assert (found.detail if found else "") == case.text
    assert found is None or found.reason is Reason.QUOTA


def test_who_refuses_is_named() -> None:
    found = refused([running()], [plugins(min=ROOM, max={})])
    assert found == Blocked(Reason.QUOTA, "elasticquota/a/q", "2 cpu used, 0 is max")


KOORD = {
    "full to the brim": Case([running(labels=quota("ml"))], [koordinator("ml", max={"cpu": "2"})]),
    "beyond max": Case(
        [running(labels=quota("ml"))], [koordinator("ml", max={"cpu": "1"})], "2 cpu used, 1 is the entitlement"
    ),
    "the runtime is smaller than max": Case(
        [running(labels=quota("ml"))],
        [koordinator("ml", runtime={"cpu": 1}, max={"cpu": "9"})],
        "2 cpu used, 1 is the entitlement",
    ),
    "max is smaller than the runtime": Case(
        [running(labels=quota("ml"))],
        [koordinator("ml", runtime={"cpu": 9}, max={"cpu": "1"})],
        "2 cpu used, 1 is the entitlement",
    ),
    "what max leaves out is not looked at": Case(
        [running(labels=quota("ml"))], [koordinator("ml", runtime={"memory": "1"}, max={"cpu": "9"})]
    ),
    "a quota beyond any of its limits lets nobody in": Case(
        [running(labels=quota("ml")), running("gpu-1", gpu=2, labels=quota("ml"))],
        [koordinator("ml", max={"nvidia.com/gpu": 1})],
        "2 nvidia.com/gpu used, 1 is the entitlement",
    ),
    "another quota's use does not count": Case(
        [running(labels=quota("ml")), running("web-2", labels=quota("b"))],
        [koordinator("ml", max={"cpu": "2"}), koordinator("b", max={"cpu": "2"})],
    ),
    "a quota spans namespaces": Case(
        [running(labels=quota("ml")), running("web-2", namespace="b", labels=quota("ml"))],
        [koordinator("ml", max={"cpu": "3"})],
        "4 cpu used, 3 is the entitlement",
    ),
    "without a label the quota named after the namespace": Case(
        [running()], [koordinator("a", "a", max={"cpu": "1"})], "2 cpu used, 1 is the entitlement"
    ),
    "or the one that lists the namespace": Case(
        [running()], [koordinator("ml", namespaces=["a"], max={"cpu": "1"})], "2 cpu used, 1 is the entitlement"
    ),
    "or the default one": Case(
        [running()], [koordinator("koordinator-default-quota", max={"cpu": "1"})], "2 cpu used, 1 is the entitlement"
    ),
    "the default one for a label that names none": Case(
        [running(labels=quota("gone"))],
        [koordinator("koordinator-default-quota", max={"cpu": "1"})],
        "2 cpu used, 1 is the entitlement",
    ),
    "no default one": Case([running(labels=quota("gone"))], [koordinator("ml", max={"cpu": "1"})]),
    "pods that cannot be preempted must fit into min": Case(
        [running(labels={**quota("ml"), f"{KOORDINATOR}/preemptible": "false"})],
        [koordinator("ml", min={"cpu": "1"}, max={"cpu": "9"})],
        "2 cpu used, 1 is min, for pods that cannot be preempted",
    ),
    "others need not": Case([running(labels=quota("ml"))], [koordinator("ml", min={"cpu": "1"}, max={"cpu": "9"})]),
    "a runtime that is not JSON": Case(
        [running(labels=quota("ml"))],
        [replace(koordinator("ml", max={"cpu": "9"}), annotations=Labels({f"{KOORDINATOR}/runtime": "{"}))],
        f"annotation {KOORDINATOR}/runtime is not JSON",
    ),
    "the other group's quota says nothing here": Case([running(labels=quota("q"))], [plugins("x", "q", max={})]),
}


@pytest.mark.parametrize("case", KOORD.values(), ids=KOORD.keys())
def test_quotas_of_koordinator(case: Case) -> None:
    found = refused(case.pods, case.quotas)
    assert (found.detail if found else "") == case.text


FULL = plugins(min=ROOM, max={"cpu": "4", "memory": "100Gi"})
PAIR = [running(), running("web-2")]


@pytest.mark.parametrize(
    ("rival", "takes"),
    [
        (waiting(), True),
        (waiting(cpu="1"), True),
        (waiting(cpu="3"), False),  # it has no room even then
        (waiting(priority=-1), False),  # the replacement comes first
        (waiting(gated=True), False),
        (waiting(deleting=NOW), False),
        (waiting(namespace="b"), False),
    ],
    ids=["alike", "smaller", "larger", "less important", "gated", "ending", "elsewhere"],
)
def test_a_pod_that_waits_for_the_quota_would_take_the_place(rival: Pod, takes: bool) -> None:
    found = refused([*PAIR, rival], [FULL])
    by = Blocked(Reason.QUOTA, "elasticquota/a/q", "pod/a/new-1 waits for the quota and would take the place")
    assert found == (by if takes else None)


def test_a_pod_that_waits_though_the_quota_has_room_takes_nothing() -> None:
    assert refused([running(), waiting()], [FULL]) is None


def test_a_gang_that_moves_whole_frees_more_than_one_place() -> None:
    gang = [running(f"g-{i}", pod_group="g") for i in range(2)]
    large = waiting(cpu="4")
    group = core_group("g", 2, namespace="a")
    found = refused([*gang, large], [FULL, group], "g-0")
    assert found is not None
    assert found.detail == "pod/a/new-1 waits for the quota and would take the place"


def test_an_annotation_that_asks_for_eviction_does_not_lift_a_quota() -> None:
    asking = running(annotations={"descheduler.alpha.kubernetes.io/evict": "true"})
    assert refused([asking], [plugins(min=ROOM, max={})]) is not None


def test_a_cluster_without_pods_has_no_refusals() -> None:
    assert judged([], [plugins(min=ROOM), koordinator("ml", max={"cpu": "1"})]).movable.shape == (0,)


def test_two_that_may_each_go_may_not_go_at_once_if_together_they_let_somebody_in() -> None:
    """One that waits asks for three cores of four: each of the pair frees two, both together four."""
    filters = judged([*PAIR, waiting(cpu="3")], [FULL])
    ours = [1, 2]  # new-1 comes first by name
    assert [filters.blocked(pod) for pod in ours] == [None, None]
    assert filters.together(ours[:1]) is None
    found = filters.together(ours)
    assert found is not None
    assert (found.reason, found.by) == (Reason.QUOTA, "elasticquota/a/q")
    assert judged([*PAIR, waiting(cpu="5")], [FULL]).together(ours) is None
