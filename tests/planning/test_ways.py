"""Each unit is moved by the gentlest executor that can; what that spares it does not count, and the plan says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from builders import NOW, budget, cluster, node, owner, pod, workload
from descheduler.contract import StrategyArgs
from descheduler.learning.ledger import Ledger
from descheduler.model.errors import PolicyError
from descheduler.model.labels import Labels
from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import PlanDocument
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.pipeline import planning_settings
from descheduler.planning.context import survey
from descheduler.planning.planner import ChosenStrategy
from descheduler.planning.settings import input_of
from descheduler.policy import Policy, load_policy, policy_hash
from descheduler.report.words import carried_out
from descheduler.second_validation import second_validation
from planning.cases import planned
from planning.proposing import Proposing
from planning.removing import removing

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"


def policy(executor: str, more: str = "") -> Policy:
    return load_policy(f"{HEAD}acting: {{executor: {executor}}}\n{more}")


def world(**change: object) -> ClusterSnapshot:
    """web of a ReplicaSet, db of a StatefulSet, both with a second pod elsewhere; a budget lets nothing go of web."""
    stateful = owner("StatefulSet", "db")
    pods = [pod("web-1", node="n1"), pod("web-2", node="n3"), pod("db-0", node="n1", owners=(stateful,))]
    pods += [pod("db-1", node="n3", owners=(stateful,))]
    kinds = [workload("ReplicaSet", "web", 2, present=2), workload("StatefulSet", "db", 2, present=2)]
    nodes = [node("n1", unschedulable=True), node("n2"), node("n3")]
    return cluster(nodes, pods, workloads=[replace(w, uid=_uid(pods, w.kind)) for w in kinds], **change)  # type: ignore[arg-type]


def _uid(pods: Sequence[Pod], kind: str) -> str:
    return next(one.uid for p in pods for one in p.owners if one.kind == kind)


def plan_of(snapshot: ClusterSnapshot, written: Policy, *names: str) -> PlanDocument:
    chosen = [ChosenStrategy(Proposing(tuple((name, ()) for name in names)), StrategyArgs())]
    return planned(snapshot, [], chosen, planning_settings(written, snapshot), NOW)


def test_the_first_that_can_moves_the_unit_and_the_plan_says_how() -> None:
    document = plan_of(world(), policy("[surge, evict]"), "web-1", "db-0")
    assert {a.pods[0].pod: a.executor for a in document.actions} == {"web-1": "surge", "db-0": "evict"}
    assert [row.name for row in document.executors] == ["surge", "evict"]
    gentle = next(a for a in document.actions if a.executor == "surge")
    assert carried_out(document, gentle).startswith("by surge: one replica more, ")
    assert "never fewer ready pods" in carried_out(document, gentle)


def test_by_surge_nothing_but_warming_up_is_lost() -> None:
    (gentle,) = plan_of(world(), policy("surge"), "web-1").actions
    (crude,) = plan_of(world(), policy("evict"), "web-1").actions
    assert gentle.cost.parts["restart"] == 0.0 < crude.cost.parts["restart"]
    assert gentle.cost.parts["warm-up"] == crude.cost.parts["warm-up"] > 0.0
    assert gentle.cost.total == gentle.cost.parts["warm-up"]


def test_alone_it_leaves_what_it_cannot_move() -> None:
    document = plan_of(world(), policy("surge"), "db-0")
    assert document.actions == ()
    settings = planning_settings(policy("surge"), world())
    assert settings.filters.executor is not None
    blocked = settings.filters.executor(next(p for p in world().pods if p.name == "db-0"))
    assert blocked is not None
    assert (blocked.reason, blocked.by) == (Reason.EXECUTOR, "executor/surge")
    assert "highest ordinal" in blocked.detail


@pytest.mark.parametrize(("executor", "moves"), [("surge", True), ("[surge, evict]", True), ("evict", False)])
def test_a_budget_that_allows_nothing_allows_what_takes_nothing(executor: str, moves: bool) -> None:
    closed = [budget("web", {"app": "web"}, allowed=0, current_healthy=2, desired_healthy=2, expected=2)]
    pods = [replace(p, labels=Labels({"app": "web"})) for p in world().pods]
    snapshot = replace(world(budgets=closed), pods=tuple(pods))
    assert bool(plan_of(snapshot, policy(executor), "web-1").actions) is moves
    assert not plan_of(snapshot, policy(executor), "db-0").actions  # evicted, and its budget allows nothing


@pytest.mark.parametrize(("allowed", "goes"), [(0, False), (1, True)])
def test_what_is_removed_is_evicted_and_its_budget_must_allow_it(allowed: int, goes: bool) -> None:
    closed = [
        budget("web", {"app": "web"}, allowed=allowed, current_healthy=2, desired_healthy=2 - allowed, expected=2)
    ]
    pods = [replace(p, labels=Labels({"app": "web"})) for p in world().pods]
    snapshot = replace(world(budgets=closed), pods=tuple(pods))
    document = planned(snapshot, [], [removing("web-2")], planning_settings(policy("[surge, evict]"), snapshot), NOW)
    assert [a.executor for a in document.actions] == (["evict"] if goes else [])


def test_what_changes_before_the_wave_stops_it_though_another_could() -> None:
    """The plan spoke of no moment with one less."""
    written = policy("[surge, evict]")
    document = plan_of(world(), written, "web-1")
    (action,) = document.actions
    busy = world()
    busy = replace(busy, workloads={k: replace(w, present=1) for k, w in busy.workloads.items()})
    for snapshot, reason in ((world(), None), (busy, Reason.EXECUTOR)):
        verdict = second_validation(written, Ledger)(snapshot, document.actions)[action.id]
        assert (verdict.reason if verdict else None) is reason


def test_executors_that_hold_places_go_beside_those_that_do_not() -> None:
    alone, beside = (planning_settings(policy(how), world()).landing for how in ("reserve", "[surge, reserve]"))
    assert (alone, beside) == (LandingMode.RESERVED, LandingMode.PREDICTED)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[surge, surge]", "each once"),
        ("[]", "at least one"),
        ("[surge, evikt]", r"p\.yaml:3:28: acting\.executor\[1\]: no executor is named evikt \(did you mean evict\?\)"),
    ],
)
def test_what_cannot_be_meant_is_told_where_it_stands(written: str, told: str) -> None:
    with pytest.raises(PolicyError, match=told):
        load_policy(f"{HEAD}acting: {{executor: {written}}}\n", "p.yaml")


def test_one_name_is_as_good_as_a_list_of_one() -> None:
    assert policy("surge").acting.order == policy("[surge]").acting.order == ("surge",)


RULES = """acting:
  executor: [surge, evict]
  executorRules:
  - {ownerKinds: [StatefulSet], namespaces: {include: [default]}, executor: surge}
  - {labelSelector: {matchLabels: {app: web}}, executor: evict}
  - {ownerKinds: [batch/ReplicaSet], executor: evict}
"""


def labelled(**labels: str) -> ClusterSnapshot:
    return replace(world(), pods=tuple(replace(p, labels=Labels(labels)) for p in world().pods))


def ruled(snapshot: ClusterSnapshot, *names: str, rules: str = RULES) -> dict[str, str]:
    document = plan_of(snapshot, load_policy(HEAD + rules), *names)
    return {a.pods[0].pod: a.executor for a in document.actions}


def test_the_first_rule_that_selects_a_pod_says_by_what_it_moves() -> None:
    assert ruled(world(), "web-1", "db-0") == {"web-1": "surge"}  # db by surge alone, which cannot
    assert ruled(labelled(app="web"), "web-1") == {"web-1": "evict"}
    assert ruled(labelled(app="other"), "web-1") == {"web-1": "surge"}
    elsewhere = RULES.replace("include: [default]", "exclude: ['def*']")
    assert ruled(world(), "db-0", rules=elsewhere) == {"db-0": "evict"}
    assert ruled(world(), "web-1", rules=RULES.replace("batch/", "apps/")) == {"web-1": "evict"}


def test_rules_are_part_of_what_a_policy_means_and_none_changes_nothing() -> None:
    plain = load_policy(HEAD)
    assert policy_hash(load_policy(HEAD + "acting: {executorRules: []}\n")) == policy_hash(plain)
    assert policy_hash(load_policy(HEAD + RULES)) != policy_hash(policy("[surge, evict]"))


def test_the_plan_says_why_no_gentler_one_moves_it() -> None:
    document = plan_of(world(), policy("[surge, evict]"), "web-1", "db-0")
    gentler = {a.pods[0].pod: a.gentler for a in document.actions}
    assert gentler["web-1"] == ()
    (why,) = gentler["db-0"]
    assert why.startswith("surge: a StatefulSet takes away")
    crude = next(a for a in document.actions if a.executor == "evict")
    assert f"not {why}" in carried_out(document, crude)


def test_pods_that_move_together_need_an_executor_that_is_named_for_all_of_them() -> None:
    rules = (
        "acting:\n  executor: evict\n  executorRules:\n  - {labelSelector: {matchLabels: {app: a}}, executor: surge}\n"
    )
    snapshot = world()
    pods = [replace(p, labels=Labels({"app": "a"})) if p.name == "web-1" else p for p in snapshot.pods]
    snapshot = replace(snapshot, pods=tuple(pods))
    given = load_policy(HEAD + rules)
    ways = survey(input_of(given, snapshot, {}, NOW), planning_settings(given, snapshot)).ways
    at = {p.name: i for i, p in enumerate(snapshot.pods)}
    named = {name: getattr(ways.of((at[name],)), "name", "") for name in ("web-1", "web-2")}
    assert named == {"web-1": "surge", "web-2": "evict"}
    torn = ways.of((at["web-1"], at["web-2"]))
    assert isinstance(torn, Blocked)
    assert torn.detail == "no executor is named for all of its pods"
