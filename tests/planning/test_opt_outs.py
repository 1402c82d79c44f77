"""What pods say of themselves: for how long they must not be disrupted, and that they are on their way already."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW, budget, cluster, node, pod
from descheduler.gangs import resolve
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning import PlanningInput, PlanningSettings, survey
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections

DO_NOT_DISRUPT = "karpenter.sh/do-not-disrupt"
IN_PROGRESS = "descheduler.alpha.kubernetes.io/eviction-in-progress"
HOUR = 3600.0


def verdict(value: str, age: float | None, **policy: object) -> Blocked | None:
    one = pod("web-1", node="n1", annotations={DO_NOT_DISRUPT: value})
    one = replace(one, started=NOW - age if age is not None else 0.0)
    snapshot = cluster([node("n1")], [one, pod("api-1", node="n1")])
    rules = replace(FilterRules.of(Protections()), **policy)  # type: ignore[arg-type]
    filters = build_filters(snapshot, resolve(snapshot), rules, now=NOW)
    assert filters.blocked(0) is None  # api-1 says nothing
    return filters.blocked(1)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30m", 0.5 * HOUR),
        ("4h", 4 * HOUR),
        ("2h30m45s", 2.5 * HOUR + 45),
        ("1.5h", 1.5 * HOUR),
        ("300s", 300),
        ("1h0m0s", HOUR),
        ("90000ms", 90),
        ("+5m", 300),
    ],
)
def test_a_pod_is_left_alone_for_a_time_from_its_start(value: str, seconds: float) -> None:
    for age in (None, seconds - 1):
        blocked = verdict(value, age)
        assert blocked is not None
        assert (blocked.reason, blocked.by) == (Reason.OPTED_OUT, f"annotation {DO_NOT_DISRUPT}")
    assert verdict(value, seconds) is None
    assert verdict(value, 0.0, autoscaler_opt_outs=False) is None


@pytest.mark.parametrize("value", ["true", "tomorrow", "1d", "3", "True", "h"])
def test_a_value_that_cannot_be_read_protects_for_good(value: str) -> None:
    assert verdict(value, 900 * HOUR) is not None


@pytest.mark.parametrize("value", ["false", "", "0", "0s", "-5m"])
def test_a_time_that_never_was_protects_nobody(value: str) -> None:
    assert verdict(value, 1.0) is None


def web(*in_progress: int) -> list[Pod]:
    return [
        pod(
            f"web-{i}",
            node="n1",
            labels={"app": "web"},
            annotations={IN_PROGRESS: "kubevirt"} if i in in_progress else {},
        )
        for i in range(4)
    ]


def test_a_pod_whose_eviction_somebody_else_carries_out_stays_and_counts() -> None:
    snapshot = cluster([node("n1"), node("n2")], web(0), [budget("b", {"app": "web"}, allowed=1)])
    context = survey(PlanningInput(snapshot, resolve(snapshot), {}, NOW), PlanningSettings())
    blocked = context.filters.blocked(0)
    assert blocked is not None
    assert blocked.reason is Reason.TERMINATING
    assert context.filters.blocked(1) is None
    assert isinstance(context.budgets.fork().charge((1,)), Blocked)


@pytest.mark.parametrize(("in_progress", "moves"), [((), True), ((2,), False)])
def test_it_counts_towards_the_limit_of_its_workload(in_progress: tuple[int, ...], moves: bool) -> None:
    snapshot = cluster([node("n1"), node("n2")], web(*in_progress))
    settings = PlanningSettings(limits=DisruptionLimits(per_workload=1))
    context = survey(PlanningInput(snapshot, resolve(snapshot), {}, NOW), settings)
    assert isinstance(context.budgets.fork().charge((1,)), Blocked) is not moves
