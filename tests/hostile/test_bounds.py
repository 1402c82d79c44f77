"""What a tenant can make large costs no more than it is large, stays in place itself, and costs nobody else anything.

Each attack is given as the API server would send it, beside the healthy cluster (see `cycle`), on nodes of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from descheduler.model.bounds import LINKS, OWNERS, QUOTAS, ROWS, UNOFFERED
from descheduler.observe import Observed
from descheduler.pipeline import outcome_of
from descheduler.planning import Outcome, build_document
from descheduler.report.serial import to_json
from hostile.cycle import snapshot_of, verdicts, world
from hostile.objects import CREATED, NODES, TENANTS

Json = dict[str, Any]
Objects = Mapping[str, Sequence[Json]]

TENANT = TENANTS[0]
SECONDS = 40.0  # a busy machine; what is quadratic takes minutes
LARGEST = 1_000_000  # bytes of a plan


def meta(name: str, **rest: Any) -> Json:
    return {"name": name, "namespace": TENANT, "uid": f"own-{name}", "creationTimestamp": CREATED, **rest}


def reference(name: str, kind: str = "ReplicaSet", version: str = "apps/v1") -> Json:
    return {"apiVersion": version, "kind": kind, "name": name, "uid": f"own-{name}", "controller": True}


def pod(number: int, *, owner: str = "web", container: Json | None = None, spec: Json | None = None, **m: Any) -> Json:
    container = {"name": "main", "image": "app:1", "resources": {"requests": {"cpu": "1m"}}, **(container or {})}
    return {
        "metadata": meta(f"web-{number}", **{"ownerReferences": [reference(owner)], **m}),
        "spec": {"nodeName": NODES[number % 4], "containers": [container], **(spec or {})},
        "status": {"phase": "Running", "startTime": CREATED, "conditions": [{"type": "Ready", "status": "True"}]},
    }


def replica_set(name: str = "web", above: str = "", replicas: int = 5000) -> Json:
    owners = [reference(above)] if above else []
    return {
        "metadata": meta(name, ownerReferences=owners),
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}},
        "status": {"replicas": replicas, "readyReplicas": replicas},
    }


def node(name: str) -> Json:
    amounts = {"cpu": "64", "memory": "256Gi", "pods": "5000"}
    status = {"allocatable": amounts, "capacity": amounts, "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "metadata": {"name": name, "uid": f"own-{name}", "labels": {"kubernetes.io/hostname": name}},
        "status": status,
    }


def decided(attack: Objects) -> Outcome:
    """The outcome, which came in time, is small, and is for everybody else as without the attack."""
    healthy = world()
    own: Objects = {"nodes": [node(name) for name in NODES[:4]], "replicasets": [replica_set()]}
    lines = {
        key: (*found, *(msgspec.json.encode(o) for o in (*own.get(key, ()), *attack.get(key, ()))))
        for key, found in healthy.lines.items()
    }
    began = time.perf_counter()
    snapshot = snapshot_of(lines, healthy.now)
    outcome = outcome_of(Observed(snapshot, healthy.histories, healthy.now), healthy.policy, healthy.profiles)
    size = len(to_json(build_document(outcome)))
    assert time.perf_counter() - began < SECONDS
    assert size < LARGEST
    assert not [p.text for p in outcome.problems if "strategy" in p.text]
    assert verdicts(outcome, healthy.namespaces) == healthy.alone
    return outcome


def reasons(outcome: Outcome) -> list[str]:
    """Why each of the tenant's pods stays, empty for those that may go, in the order of their numbers."""
    stays = verdicts(outcome, frozenset({TENANT})).stays
    return [stays[key] for key in sorted(stays, key=lambda key: int(key.rpartition("-")[2]))]


# -- owners -----------------------------------------------------------------------------------------------------------


def chain(length: int, last: str = "") -> list[Json]:
    return [replica_set(f"r{i}", f"r{i + 1}" if i + 1 < length else last) for i in range(length)]


def test_a_chain_of_8000_owners_keeps_its_pods_where_they_are() -> None:
    found = reasons(decided({"replicasets": chain(8000), "pods": [pod(i, owner=f"r{i}") for i in range(8000)]}))
    assert set(found[: 8000 - OWNERS]) == {"WouldBeLost"}
    assert found[-1] == ""  # the topmost has no chain above it


def test_a_circle_of_8000_owners_does_too() -> None:
    found = reasons(decided({"replicasets": chain(8000, "r0"), "pods": [pod(i, owner=f"r{i}") for i in range(500)]}))
    assert set(found) == {"WouldBeLost"}


def test_controllers_as_platforms_stack_them_are_followed() -> None:
    assert reasons(decided({"replicasets": chain(6), "pods": [pod(i, owner="r0") for i in range(3)]})) == ["", "", ""]


def test_8000_owners_of_one_pod_cost_little() -> None:
    others = [{**reference(f"x{i}"), "controller": False} for i in range(8000)]
    found = reasons(decided({"pods": [pod(i, ownerReferences=[*others, reference("web")]) for i in range(10)]}))
    assert found == [""] * 10


# -- what a pod lists -------------------------------------------------------------------------------------------------


def test_names_of_resources_that_nobody_offers_do_not_widen_every_table() -> None:
    asked = [{"resources": {"requests": {f"x.example/r{k}-{i}": "1" for i in range(2000)}}} for k in range(10)]
    outcome = decided({"pods": [pod(k, container=asked[k]) for k in range(10)]})
    assert len(outcome.view.snapshot.columns.resources) < UNOFFERED + 20
    places = [
        outcome.view.start.fits(at).any() for at, p in enumerate(outcome.view.snapshot.pods) if p.namespace == TENANT
    ]
    assert not any(places)


ITEMS: dict[str, Callable[[int], Json]] = {
    "10000 host ports": lambda k: {"ports": [{"containerPort": i + 1, "hostPort": i + 1} for i in range(10_000)]},
    "10000 tolerations": lambda k: {"tolerations": [{"key": f"k{k}-{i}", "operator": "Exists"} for i in range(10_000)]},
    "5000 init containers": lambda k: {
        "initContainers": [{"name": f"c{i}", "resources": {"requests": {"cpu": "1m"}}} for i in range(5000)]
    },
    "8000 volumes": lambda k: {
        "volumes": [{"name": f"v{i}", "persistentVolumeClaim": {"claimName": f"c{i}"}} for i in range(8000)]
    },
    "2000 spread constraints": lambda k: {
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": f"t{i}", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
            for i in range(2000)
        ]
    },
    "2000 anti-affinity terms": lambda k: {
        "affinity": {
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"topologyKey": "strange", "labelSelector": {"matchLabels": {f"a{k}-{i}": "b"}}}
                    for i in range(2000)
                ]
            }
        }
    },
    "20000 values of a requirement": lambda k: {
        "affinity": {
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [
                        {
                            "matchExpressions": [
                                {"key": "x", "operator": "NotIn", "values": [f"{k}-{i}" for i in range(20_000)]}
                            ]
                        }
                    ]
                }
            }
        }
    },
}


@pytest.mark.parametrize("what", ITEMS)
def test_thousands_of_one_thing_in_a_pod(what: str) -> None:
    made = [ITEMS[what](k) for k in range(5)]
    ports = "ports" in made[0]
    decided({"pods": [pod(k, container=made[k]) if ports else pod(k, spec=made[k]) for k in range(5)]})


# -- budgets, quotas, limits ------------------------------------------------------------------------------------------


def budget(name: str, selector: Json) -> Json:
    status = {"disruptionsAllowed": 1, "currentHealthy": 1, "desiredHealthy": 0, "expectedPods": 1}
    return {"metadata": meta(name), "spec": {"maxUnavailable": 1, "selector": selector}, "status": status}


def test_thousands_of_budgets_that_no_index_finds_keep_their_namespace_where_it_is() -> None:
    absent = [budget(f"b{i}", {"matchExpressions": [{"key": f"k{i}", "operator": "Exists"}]}) for i in range(2000)]
    found = reasons(
        decided({"poddisruptionbudgets": absent, "pods": [pod(i, labels={"n": str(i)}) for i in range(1000)]})
    )
    assert found.count("DisruptionBudget") > 800
    assert "" in found  # those that were held against them all before that


def test_thousands_of_budgets_of_one_app_each_are_all_matched() -> None:
    own = [budget(f"b{i}", {"matchLabels": {"n": str(i)}}) for i in range(2000)]
    found = reasons(decided({"poddisruptionbudgets": own, "pods": [pod(i, labels={"n": str(i)}) for i in range(2000)]}))
    assert set(found) == {""}


def quotas(count: int) -> list[Json]:
    hard = {"pods": "100", "requests.cpu": "10"}
    status = {"hard": hard, "used": {"pods": "3", "requests.cpu": "3m"}}
    return [{"metadata": meta(f"q{i}"), "spec": {"hard": hard}, "status": status} for i in range(count)]


@pytest.mark.parametrize(
    ("count", "reason"), [(QUOTAS, ""), (QUOTAS + 1, "QuotaWouldRefuse"), (3000, "QuotaWouldRefuse")]
)
def test_quotas_of_one_namespace(count: int, reason: str) -> None:
    assert reasons(decided({"resourcequotas": quotas(count), "pods": [pod(i) for i in range(3)]})) == [reason] * 3


def test_10000_values_of_a_quotas_scope() -> None:
    scope = {"scopeName": "PriorityClass", "operator": "NotIn", "values": [f"c{i}" for i in range(10_000)]}
    few = [{**q, "spec": {**q["spec"], "scopeSelector": {"matchExpressions": [scope]}}} for q in quotas(20)]
    pods = [pod(i, container={"image": f"app:{i}"}) for i in range(90)]
    assert set(reasons(decided({"resourcequotas": few, "pods": pods}))) == {""}


@pytest.mark.parametrize(("count", "reason"), [(QUOTAS, ""), (QUOTAS + 1, "NotAdmitted")])
def test_limits_of_one_namespace(count: int, reason: str) -> None:
    item = {"type": "Container", "min": {"cpu": "1m"}}
    limits = [{"metadata": meta("l"), "spec": {"limits": [item] * count}}]
    assert reasons(decided({"limitranges": limits, "pods": [pod(i) for i in range(3)]})) == [reason] * 3


# -- gangs ------------------------------------------------------------------------------------------------------------


def bundled(gangs: int, listed: int) -> list[Json]:
    groups = json.dumps([f"{TENANT}/g{i}" for i in range(listed)])
    marks = "gang.scheduling.koordinator.sh"
    return [
        pod(i, annotations={f"{marks}/name": f"g{i}", f"{marks}/min-available": "1", f"{marks}/groups": groups})
        for i in range(gangs)
    ]


def test_gangs_that_name_thousands_of_others_stay() -> None:
    assert set(reasons(decided({"pods": bundled(500, 2000)}))) == {"GangAmbiguous"}


def test_a_bundle_of_as_many_gangs_as_are_followed_moves_as_one() -> None:
    assert set(reasons(decided({"pods": bundled(LINKS, LINKS)}))) == {""}


def test_a_gang_of_20000_pods_and_20000_gangs_of_one() -> None:
    many = [pod(i, labels={"scheduling.x-k8s.io/pod-group": "all" if i % 2 else f"g{i}"}) for i in range(20_000)]
    groups = [{"metadata": meta("all"), "spec": {"minMember": 10_000}}]
    groups += [{"metadata": meta(f"g{i}"), "spec": {"minMember": 1}} for i in range(0, 20_000, 2)]
    decided({"pods": many, "scheduling.x-k8s.io/PodGroup": groups})


def test_10000_workloads_of_one_job() -> None:
    job = {"metadata": meta("job"), "spec": {"parallelism": 5}, "status": {"active": 5}}
    owners = [reference("job", "Job", "batch/v1")]
    queued = [
        {"metadata": meta(f"w{i}", ownerReferences=owners), "spec": {"podSets": [{"count": 1}]}} for i in range(10_000)
    ]
    pods = [pod(i, ownerReferences=owners) for i in range(5)]
    decided({"jobs": [job], "kueue.x-k8s.io/Workload": queued, "pods": pods})


# -- words ------------------------------------------------------------------------------------------------------------


def test_an_annotation_of_250_kb_is_not_repeated_in_the_report() -> None:
    marks = "gang.scheduling.koordinator.sh"
    long = {f"{marks}/name": "y" * 100_000, f"{marks}/min-available": "z" * 100_000, "descheduler.x/y": "w" * 50_000}
    outcome = decided({"pods": [pod(i, annotations=long) for i in range(50)]})
    assert all(
        len(f"{blocked.by}{blocked.detail}") < 1000
        for at in range(len(outcome.view.snapshot.pods))
        if (blocked := outcome.view.blocked(at)) is not None
    )


def test_hypernodes_that_are_all_members_of_all_are_named_a_few() -> None:
    every = [{"type": "HyperNode", "selector": {"regexMatch": {"pattern": "h.*"}}}]
    circle = [
        {"metadata": {"name": f"h{i}", "uid": f"h{i}"}, "spec": {"tier": i, "members": every}} for i in range(200)
    ]
    outcome = decided({"topology.volcano.sh/HyperNode": circle})
    assert 0 < sum("HyperNode" in problem.text for problem in outcome.problems) <= 10


def test_refusals_beyond_some_hundreds_are_counted() -> None:
    """On the node that will be hot, of whose every pod the plan says why it stays."""
    many = [{**pod(i, ownerReferences=[]), "spec": {"nodeName": "general-07", "containers": []}} for i in range(3000)]
    healthy = world()
    lines = {**healthy.lines, "pods": (*healthy.lines["pods"], *map(msgspec.json.encode, many))}
    snapshot = snapshot_of(lines, healthy.now)
    outcome = outcome_of(Observed(snapshot, healthy.histories, healthy.now), healthy.policy, healthy.profiles)
    rows = [row for row in build_document(outcome).refusals if row.reason == "BarePod"]
    assert len(rows) == ROWS + 1
    assert sum(row.count for row in rows) == 3000
