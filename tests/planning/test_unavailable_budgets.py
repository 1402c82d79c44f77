"""OpenKruise's PodUnavailableBudgets: who is protected by one, and what it allows."""

from __future__ import annotations

import pytest

from descheduler.execution.recheck import recheck
from descheduler.gangs import resolve
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import PlanningInput, PlanningSettings, survey
from execution.plans import action, move_of
from kube.wire_objects import Json, meta, node, pod

NOW = 1_767_225_600.0
CLONE_SET = {"apiVersion": "apps.kruise.io/v1alpha1", "kind": "CloneSet", "name": "web", "uid": "c", "controller": True}
SELECTOR = {"selector": {"matchLabels": {"app": "web"}}}
TARGET = {"targetRef": {"apiVersion": "apps.kruise.io/v1beta1", "kind": "CloneSet", "name": "web"}}


def web(name: str, ready: bool = True, annotations: Json | None = None, **labels: str) -> Json:
    found = pod(
        name,
        metadata={"ownerReferences": [CLONE_SET], "labels": {"app": "web", **labels}, "annotations": annotations or {}},
    )
    found["status"]["conditions"][0]["status"] = str(ready)
    return found


def budget(spec: Json, allowed: int = 1, observed: int = 1, annotations: Json | None = None) -> Json:
    status = {"unavailableAllowed": allowed, "currentAvailable": 3, "desiredAvailable": 3 - allowed, "totalReplicas": 3}
    return {
        "apiVersion": "policy.kruise.io/v1alpha1",
        "kind": "PodUnavailableBudget",
        "metadata": meta("b", "shop", generation=1, annotations=annotations or {}),
        "spec": {"maxUnavailable": 1, **spec},
        "status": {**status, "observedGeneration": observed},
    }


def seen(budget: Json, *pods: Json, **more: list[Json]) -> ClusterSnapshot:
    return snapshot_from_objects(
        {
            "nodes": [node("n1"), node("n2")],
            "pods": list(pods),
            "policy.kruise.io/PodUnavailableBudget": [budget],
            **more,
        },
        NOW,
    )


def verdicts(snapshot: ClusterSnapshot) -> list[Reason | None]:
    filters = survey(PlanningInput(snapshot, resolve(snapshot), {}, NOW), PlanningSettings()).filters
    return [blocked and blocked.reason for blocked in map(filters.blocked, range(len(snapshot.pods)))]


def all_of_web(**more: Json) -> list[Json]:
    return [web(f"web-{i}", **more) for i in range(3)]


@pytest.mark.parametrize("spec", [SELECTOR, TARGET], ids=["selector", "target"])
def test_a_pod_that_it_protects_stays_while_it_allows_none(spec: Json) -> None:
    other = pod(
        "other", metadata={"ownerReferences": [{**CLONE_SET, "name": "api", "uid": "d"}], "labels": {"app": "api"}}
    )
    spent = seen(budget(spec, allowed=0), other, *all_of_web())
    assert verdicts(spent) == [None, *[Reason.DISRUPTION_BUDGET] * 3]
    assert verdicts(seen(budget(spec, allowed=1), other, *all_of_web())) == [None] * 4


@pytest.mark.parametrize("spec", [SELECTOR, TARGET], ids=["selector", "target"])
def test_no_more_pods_go_at_once_than_it_allows(spec: Json) -> None:
    snapshot = seen(budget(spec), *all_of_web())
    budgets = survey(PlanningInput(snapshot, resolve(snapshot), {}, NOW), PlanningSettings()).budgets
    assert not isinstance(budgets.fork().charge((0,)), Blocked)
    both = budgets.fork().charge((0, 1))
    assert isinstance(both, Blocked)
    assert (both.reason, both.by) == (Reason.DISRUPTION_BUDGET, "PodUnavailableBudget shop/b")


@pytest.mark.parametrize("key", ["kruise.io/related-pub", "pub.kruise.io/related-pub"])
def test_what_openkruise_wrote_on_a_pod_comes_first(key: str) -> None:
    of_this, of_another = web("web-0", annotations={key: "b"}), web("web-1", annotations={key: "other"})
    elsewhere = {"selector": {"matchLabels": {"app": "api"}}}
    assert verdicts(seen(budget(elsewhere, allowed=0), of_this, of_another)) == [Reason.DISRUPTION_BUDGET, None]
    assert verdicts(seen(budget(SELECTOR, allowed=0), of_this, of_another)) == [Reason.DISRUPTION_BUDGET, None]


def test_whom_it_lets_go_unasked() -> None:
    unprotected = web("web-0", annotations={"pub.kruise.io/no-protect": "true"})
    unready, ignored, plain = web("web-1", ready=False), web("web-2", canary="yes"), web("web-3")
    spec = {**SELECTOR, "ignoredPodSelector": {"matchLabels": {"canary": "yes"}}}
    found = verdicts(seen(budget(spec, allowed=0), unprotected, unready, ignored, plain))
    assert found == [None, None, None, Reason.DISRUPTION_BUDGET]


@pytest.mark.parametrize(
    "one",
    [
        budget({**SELECTOR, "protectOperations": ["DELETE", "UPDATE"]}, allowed=0),
        budget(SELECTOR, allowed=0, annotations={"kruise.io/pub-protect-operations": "DELETE,UPDATE"}),
    ],
)
def test_one_that_is_not_for_evictions_protects_nobody_here(one: Json) -> None:
    assert verdicts(seen(one, *all_of_web())) == [None] * 3


def test_one_whose_status_is_behind_or_that_cannot_be_read_lets_nobody_go() -> None:
    assert verdicts(seen(budget(SELECTOR, observed=0), *all_of_web())) == [Reason.BUDGET_STALE] * 3
    broken = budget({"selector": {"matchLabels": ["app"]}})
    assert verdicts(seen(broken, *all_of_web())) == [Reason.BUDGET_STALE] * 3


def test_beside_a_pod_disruption_budget_both_hold() -> None:
    pdb = {
        "metadata": meta("b", "shop", generation=1),
        "spec": {**SELECTOR, "maxUnavailable": 1},
        "status": {
            "observedGeneration": 1,
            "disruptionsAllowed": 1,
            "currentHealthy": 3,
            "desiredHealthy": 2,
            "expectedPods": 3,
        },
    }
    both = seen(budget(SELECTOR), *all_of_web(), poddisruptionbudgets=[pdb])
    assert verdicts(both) == [None] * 3
    assert (
        verdicts(seen(budget(SELECTOR, allowed=0), *all_of_web(), poddisruptionbudgets=[pdb]))
        == [Reason.DISRUPTION_BUDGET] * 3
    )


def test_the_second_validation_asks_it_too() -> None:
    snapshot = seen(budget(TARGET, allowed=0), *all_of_web())
    move = action(move_of(web("web-0"), "shop/CloneSet/web"))
    found = recheck(snapshot, [move])
    assert [b and b.reason for b in found.values()] == [Reason.DISRUPTION_BUDGET]
    again = recheck(seen(budget(TARGET, allowed=1), *all_of_web()), [move])
    assert list(again.values()) == [None]
