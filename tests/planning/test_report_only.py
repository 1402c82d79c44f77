"""What is wanted as a report alone: found and judged like all else, told, and not done."""

from __future__ import annotations

import pytest

from builders import cluster, node, pod
from descheduler.contract import StrategyArgs
from descheduler.model.errors import PolicyError
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy
from descheduler.planning.document.build import build_document
from descheduler.policy.default import default_policy_text
from descheduler.policy.loading import load_policy, policy_hash
from descheduler.policy.set_values import policy_data
from planning.cases import outcome
from planning.test_order_of_strategies import FREE, Early, Late

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
REPORTED = HEAD + "strategies:\n  - HotNodes: {}\n    reportOnly: true\n"


def world() -> ClusterSnapshot:
    pods = [pod(f"{name}-0", cpu=cpu, node="n0") for name, cpu in (("a", "3"), ("b", "1"), ("c", "2"))]
    return cluster([node("n0", cpu="16"), node("n1", cpu="16")], pods)


def reported(one: Early) -> ChosenStrategy:
    return ChosenStrategy(one, StrategyArgs(), reported=True)


def planned(*chosen: ChosenStrategy) -> PlanDocument:
    return build_document(outcome(world(), chosen=chosen, settings=FREE))


def test_it_says_what_would_be_done_and_nothing_is() -> None:
    plan = planned(reported(Early(("a-0", "b-0"))))
    assert plan.actions == ()
    assert [(f.subject, f.outcome) for f in plan.findings] == [("pod/a-0", "left-alone"), ("pod/b-0", "left-alone")]
    assert [f.would for f in plan.findings] == ["it would move default/a-0", "it would move default/b-0"]
    assert [(r.reason, r.detail) for r in plan.refusals] == [
        (Reason.REPORT_ONLY.value, "it would move default/a-0"),
        (Reason.REPORT_ONLY.value, "it would move default/b-0"),
    ]


def test_the_same_without_it_is_done() -> None:
    plan = planned(ChosenStrategy(Early(("a-0", "b-0")), StrategyArgs()))
    assert [action.pods[0].pod for action in plan.actions] == ["a-0", "b-0"]
    assert plan.refusals == ()


def test_the_others_do_what_they_would_have_done_and_it_comes_last() -> None:
    first, acting = Early(("b-0",)), Late(("a-0", "b-0"))
    plan = planned(reported(first), ChosenStrategy(acting, StrategyArgs()))
    assert [action.pods[0].pod for action in plan.actions] == ["a-0", "b-0"]
    assert acting.seen[0] == [(0, True)] * 3
    assert first.seen[0][1] == (1, False), "it sees what the plan does already"
    assert plan.refusals == ()


def test_why_it_could_not_be_done_is_told_too() -> None:
    pods = [pod("a-0", cpu="3", node="n0")]
    full = cluster([node("n0", cpu="16"), node("n1", cpu="1")], pods)
    plan = build_document(outcome(full, chosen=[reported(Early(("a-0",)))], settings=FREE))
    assert plan.actions == ()
    assert [r.reason for r in plan.refusals] == [Reason.NO_PLACE.value]


def test_a_policy_says_it_beside_the_strategy() -> None:
    policy = load_policy(REPORTED)
    assert [(one.name, one.report_only) for one in policy.strategies] == [("HotNodes", True)]
    assert policy_data(policy)["strategies"][0]["reportOnly"] is True
    plain = load_policy(REPORTED.replace("true", "false"))
    assert policy_hash(plain) == policy_hash(load_policy(HEAD + "strategies:\n  - HotNodes: {}\n"))
    assert policy_hash(policy) != policy_hash(plain)
    with pytest.raises(PolicyError, match=r"strategies\[0\]\.reportOnly: must be true or false"):
        load_policy(REPORTED.replace("true", "perhaps"))


def test_the_default_policy_loads_with_what_it_reports() -> None:
    assert load_policy(default_policy_text()).strategies
