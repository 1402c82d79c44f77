"""Explanations say what the plan says, check by check."""

from __future__ import annotations

import pytest

from builders import budget, pod
from descheduler.model.errors import UsageError
from descheduler.planning.explain import explain
from descheduler.planning.explanation import Check, Explanation
from planning.cases import SPARSE, hot, hot_node, outcome


def explained(kind: str, name: str) -> Explanation:
    held = [pod(f"api-{i}", cpu="100m", node="n1", labels={"app": "api"}) for i in range(2)]
    snapshot, histories = hot_node(pods=held, budgets=[budget("api", {"app": "api"}, allowed=0)])
    return explain(outcome(snapshot, histories, [hot(minCoverage=0.5)], SPARSE), kind, name)


def check(explanation: Explanation, name: str) -> Check:
    return next(c for c in explanation.checks if c.name == name)


def test_a_pod_that_its_budget_holds() -> None:
    told = explained("pod", "default/api-0")
    assert "stays" in told.verdict
    stop = check(told, "DisruptionBudget")
    assert stop.passed is False
    assert "budget" in stop.change


def test_a_pod_that_the_plan_moves() -> None:
    told = explained("pod", "default/web-0")
    assert told.verdict == "the plan moves it"
    assert check(told, "filters").passed
    assert check(told, "place").passed
    assert "wave 1" in check(told, "plan").text


def test_a_node_with_its_finding() -> None:
    told = explained("node", "n1")
    assert check(told, "cpu").passed is False
    assert "p95 cpu" in check(told, "finding").text
    assert "4 of 6 may move" in check(told, "pods").text


def test_a_node_stands_beside_the_limits_of_a_strategy_that_finds_nothing_too() -> None:
    hot_one, cool = (
        [c for c in explained("node", name).checks if c.name == "HotNodes" and "cpu" in c.text] for name in ("n1", "n2")
    )
    assert [c.passed for c in hot_one] == [False]
    assert [c.passed for c in cool] == [True]
    assert "its limit 75%" in cool[0].text
    assert "p95 cpu in the next 1 h" in cool[0].text


def test_a_workload_and_its_profile() -> None:
    told = explained("workload", "default/ReplicaSet/web")
    assert told.verdict == "4 of its 4 pods may move"
    assert check(told, "cpu profile").passed


def test_a_name_without_its_namespace_is_enough_where_it_is_the_only_one() -> None:
    assert explained("pod", "web-0").subject == "pod default/web-0"


@pytest.mark.parametrize(("kind", "name"), [("pod", "default/wbe-0"), ("node", "n9"), ("gang", "x"), ("workload", "y")])
def test_what_is_not_there_is_an_error_that_helps(kind: str, name: str) -> None:
    with pytest.raises(UsageError, match=f"no {kind} {name}"):
        explained(kind, name)
