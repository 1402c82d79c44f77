"""Budgets: what is granted, what is refused and why, and that nothing is ever exceeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOW, budget, cluster, node, owner, pod, workload
from descheduler.gangs import resolve
from descheduler.model.budgets import DisruptionBudget
from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.selectors import LabelSelector, Operator, Requirement
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import Ordinals
from descheduler.planning.budgets.charging import Budgets, Charge
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.budgets.match import match_budgets
from gang_builders import core_group, job_owner

WEB = {"app": "web"}
FREE = DisruptionLimits(per_workload=None)


def pods_of(app: str, n: int, on: str = "n1", **rest: object) -> list[Pod]:
    return [pod(f"{app}-{i}", node=on, labels={"app": app}, **rest) for i in range(n)]  # type: ignore[arg-type]


def picture(pods: Sequence[Pod], *budgets: DisruptionBudget, **rest: object) -> ClusterSnapshot:
    return cluster([node("n1"), node("n2")], pods, budgets, **rest)  # type: ignore[arg-type]


def fresh(snapshot: ClusterSnapshot, limits: DisruptionLimits = FREE, **rest: object) -> Budgets:
    return Budgets.of(snapshot, resolve(snapshot), limits, **rest)  # type: ignore[arg-type]


def refusal(answer: tuple[Charge, ...] | Blocked) -> tuple[Reason, str]:
    assert isinstance(answer, Blocked), answer
    return answer.reason, answer.by


def granted(answer: tuple[Charge, ...] | Blocked) -> tuple[Charge, ...]:
    assert not isinstance(answer, Blocked), answer
    return answer


def test_a_set_is_granted_whole_or_not_at_all() -> None:
    budgets = fresh(picture([*pods_of("web", 4)], budget("b", WEB, 2)))
    assert refusal(budgets.charge((0, 1, 2))) == (Reason.DISRUPTION_BUDGET, "default/b")
    assert granted(budgets.charge((0, 1))) == (Charge("default/b", "PodDisruptionBudget", 2, 2),)


def test_a_full_budget_opens_the_next_wave() -> None:
    budgets = fresh(picture(pods_of("web", 4), budget("b", WEB, 2)))
    used = [granted(budgets.charge((i,)))[0].used for i in range(4)]
    assert used == [1, 2, 1, 2]
    assert budgets.waves([(0,), (1,), (2,), (3,)]) == [0, 0, 1, 1]


def test_waves_are_bounded_when_the_policy_says_so() -> None:
    budgets = fresh(picture(pods_of("web", 3), budget("b", WEB, 1)), DisruptionLimits(per_workload=None, waves=2))
    granted(budgets.charge((0,)))
    granted(budgets.charge((1,)))
    assert refusal(budgets.charge((2,))) == (Reason.DISRUPTION_BUDGET, "default/b")


def test_what_restarts_is_charged_and_not_only_what_is_evicted() -> None:
    budgets = fresh(picture(pods_of("web", 3), budget("b", WEB, 2)))
    assert refusal(budgets.charge((0, 1, 2), evicted=(0,))) == (Reason.DISRUPTION_BUDGET, "default/b")


def test_several_budgets_stop_an_eviction_but_are_all_charged_for_a_restart() -> None:
    snapshot = picture([*pods_of("api", 1), *pods_of("web", 1)], budget("b", WEB, 1), budget("c", WEB, 1))
    assert refusal(fresh(snapshot).charge((1,))) == (Reason.SEVERAL_BUDGETS, "pod/default/web-0")
    assert [c.name for c in granted(fresh(snapshot).charge((0, 1), evicted=(0,)))] == ["default/b", "default/c"]


def test_a_stale_budget_grants_nothing() -> None:
    stale = budget("b", WEB, 2, generation=3, observed_generation=2)
    assert refusal(fresh(picture(pods_of("web", 1), stale)).charge((0,))) == (Reason.BUDGET_STALE, "default/b")


@pytest.mark.parametrize(
    ("rest", "takes"),
    [({}, True), ({"unhealthy_policy": "AlwaysAllow"}, False), ({"current_healthy": 2, "desired_healthy": 1}, False)],
)
def test_pods_that_are_not_ready_take_from_a_budget_only_when_it_lacks_healthy_ones(
    rest: dict[str, object], takes: bool
) -> None:
    budgets = fresh(picture(pods_of("web", 1, ready=False), budget("b", WEB, 0, **rest)))
    assert isinstance(budgets.charge((0,)), Blocked) is takes


@pytest.mark.parametrize(
    ("written", "expected", "best"),
    [
        ({"max_unavailable": "2"}, 8, 2),
        ({"max_unavailable": "30%"}, 8, 3),  # 2.4 rounds up
        ({"min_available": "6"}, 8, 2),
        ({"min_available": "70%"}, 8, 2),  # 5.6 must stay, which is 6
        ({"min_available": "100%"}, 8, 0),
        ({"max_unavailable": "half"}, 8, 0),
        ({"min_available": "half"}, 8, 0),
        ({"max_unavailable": "2"}, 0, None),
        ({}, 8, None),
    ],
)
def test_what_a_budget_allows_at_best(written: dict[str, str], expected: int, best: int | None) -> None:
    found = budget("b", WEB, 5, expected=expected, **written)
    assert found.at_best == best
    assert found.allowance() == (5 if best is None else min(5, best))


def test_a_set_that_no_budget_could_ever_allow_is_told_so() -> None:
    found = budget("b", WEB, 1, max_unavailable="25%", expected=4)
    answer = fresh(picture(pods_of("web", 4), found)).charge((0, 1))
    assert isinstance(answer, Blocked)
    assert answer.detail == "2 would be disrupted together, 1 may be; even with all pods healthy only 1"


LIMITS = {
    "node": (DisruptionLimits(per_workload=None, per_node=2), Reason.NODE_LIMIT, "node/n1"),
    "namespace": (DisruptionLimits(per_workload=None, per_namespace=2), Reason.NAMESPACE_LIMIT, "namespace/default"),
    "cycle": (DisruptionLimits(per_workload=None, per_cycle=2), Reason.CYCLE_LIMIT, "per cycle"),
    "hour": (DisruptionLimits(per_workload=None, per_hour=2), Reason.HOUR_LIMIT, "per hour"),
}


@pytest.mark.parametrize(("limits", "reason", "by"), LIMITS.values(), ids=LIMITS.keys())
def test_limits_add_up_over_the_cycle(limits: DisruptionLimits, reason: Reason, by: str) -> None:
    budgets = fresh(picture([*pods_of("api", 1), *pods_of("web", 3)]), limits)
    assert refusal(budgets.charge((0, 1, 2))) == (reason, by)
    granted(budgets.charge((0, 1)))
    assert refusal(budgets.charge((2,))) == (reason, by)


SHARES = {
    "node": (DisruptionLimits(per_node="40%"), Reason.NODE_LIMIT, 2, 1),  # of five pods, and of three
    "namespace": (DisruptionLimits(per_namespace="30%"), Reason.NAMESPACE_LIMIT, 2, 2),  # of eight
    "cycle": (DisruptionLimits(per_cycle="max(1, 25%)"), Reason.CYCLE_LIMIT, 2, 2),
    "cycle of few": (DisruptionLimits(per_cycle="max(3, 25%)"), Reason.CYCLE_LIMIT, 3, 3),
    "hour": (DisruptionLimits(per_hour="25%"), Reason.HOUR_LIMIT, 2, 2),
}


@pytest.mark.parametrize(("limits", "reason", "first", "second"), SHARES.values(), ids=SHARES.keys())
def test_a_share_is_of_what_runs_there(limits: DisruptionLimits, reason: Reason, first: int, second: int) -> None:
    """Five pods are on one node, three on the other; one has ended, one has no node yet, and count nowhere."""
    there = [*pods_of("api", 5), *pods_of("web", 3, on="n2")]
    idle = [pod("done", node="n1", phase=Phase.SUCCEEDED), pod("waits", phase=Phase.PENDING)]
    snapshot = picture([*there, *idle])
    for app, most in (("api", first), ("web", second)):
        mine = [i for i, p in enumerate(snapshot.pods) if p.labels.get("app") == app]
        budgets = fresh(snapshot, limits)
        granted(budgets.charge(mine[:most]))
        assert len(mine) == most or refusal(budgets.charge(mine[most : most + 1]))[0] is reason


def test_pods_leave_so_many_nodes_and_no_more() -> None:
    pods = [one for n in (1, 2, 3) for one in pods_of(f"app{n}", 2, on=f"n{n}")]
    snapshot = cluster([node(f"n{n}") for n in range(1, 5)], pods)
    budgets = fresh(snapshot, DisruptionLimits(nodes_per_cycle="50%"))  # of four
    granted(budgets.charge((0,)))
    assert granted(budgets.charge((2,))) == (Charge("nodes per cycle", "limit", 2, 2),)
    undone = budgets.fork()
    assert refusal(undone.charge_all([((1,), (1,)), ((4,), (4,))])) == (Reason.TOUCHED_NODES_LIMIT, "nodes per cycle")
    granted(budgets.charge((1, 3)))  # of nodes that are left anyway any may go
    assert refusal(budgets.charge((4,))) == (Reason.TOUCHED_NODES_LIMIT, "nodes per cycle")
    assert refusal(fresh(snapshot, DisruptionLimits(nodes_per_cycle=2)).charge((0, 2, 4)))[1] == "nodes per cycle"


def test_moves_of_the_last_hour_count() -> None:
    budgets = fresh(picture(pods_of("web", 3)), DisruptionLimits(per_workload=None, per_hour=5), moved_last_hour=4)
    assert granted(budgets.charge((0,))) == (Charge("per hour", "limit", 5, 5),)
    assert refusal(budgets.charge((1,))) == (Reason.HOUR_LIMIT, "per hour")


@pytest.mark.parametrize(
    ("written", "size", "together"), [("10%", 30, 3), ("10%", 9, 1), (2, 30, 2), ("3", 30, 3), ("0%", 5, 1)]
)
def test_a_workload_loses_a_share_of_its_pods_at_a_time(written: int | str, size: int, together: int) -> None:
    budgets = fresh(picture(pods_of("web", size)), DisruptionLimits(per_workload=written))
    waves = budgets.waves([(i,) for i in range(together + 1)])
    assert waves == [0] * together + [1]
    assert refusal(budgets.charge(range(together + 1)))[0] is Reason.WORKLOAD_LIMIT


def test_a_gang_that_moves_whole_counts_as_one_of_its_workload() -> None:
    pods = pods_of("web", 4, pod_group="g")
    budgets = fresh(picture(pods, objects=[core_group("g", 4, "PodGroup")]), DisruptionLimits(per_workload=1))
    assert granted(budgets.charge((0, 1, 2, 3))) == (Charge("workload/default/ReplicaSet/web", "limit", 1, 1),)


def test_pods_on_their_way_out_count_against_their_workload() -> None:
    pods = [pod("web-9", node="n1", deleting=NOW), *pods_of("web", 3)]
    assert refusal(fresh(picture(pods), DisruptionLimits(per_workload=1)).charge((0,)))[0] is Reason.WORKLOAD_LIMIT
    flying = fresh(picture(pods_of("web", 3)), DisruptionLimits(per_workload=1), in_flight=(2,))
    assert refusal(flying.charge((0,)))[0] is Reason.WORKLOAD_LIMIT


TENTH, ONE = DisruptionLimits(per_workload="10%"), DisruptionLimits(per_workload=1)


def lacking(ready: int, unready: int, replicas: int | None = None) -> ClusterSnapshot:
    """A ReplicaSet: its pods that are ready first."""
    pods = [pod(f"web-{i:02}", node="n1", ready=i < ready) for i in range(ready + unready)]
    return picture(pods, workloads=[] if replicas is None else [workload("ReplicaSet", "web", replicas)])


@pytest.mark.parametrize(
    ("snapshot", "limits", "may_go"),
    [
        (lacking(9, 0), TENTH, 1),
        (lacking(9, 1), TENTH, 0),  # not ready, for whatever reason
        (lacking(9, 0, replicas=10), TENTH, 0),  # missing
        (lacking(8, 1, replicas=10), DisruptionLimits(per_workload=3), 1),  # both
        (lacking(29, 1), TENTH, 2),  # one among many leaves room
        (lacking(9, 3, replicas=9), TENTH, 1),  # a rollout makes pods beyond what there should be
        (lacking(4, 0, replicas=3), ONE, 1),
    ],
)
def test_what_a_workload_lacks_counts_as_disrupted(
    snapshot: ClusterSnapshot, limits: DisruptionLimits, may_go: int
) -> None:
    if may_go:
        granted(fresh(snapshot, limits).charge(range(may_go)))
    assert refusal(fresh(snapshot, limits).charge(range(may_go + 1))) == (
        Reason.WORKLOAD_LIMIT,
        "workload/default/ReplicaSet/web",
    )


def test_a_pod_that_is_down_may_move_for_that_makes_nothing_worse() -> None:
    granted(fresh(lacking(2, 1), ONE).charge((2,)))
    assert refusal(fresh(lacking(1, 2), ONE).charge((1, 2)))[0] is Reason.WORKLOAD_LIMIT


@pytest.mark.parametrize(("ordered", "together"), [(True, 1), (False, 3)])
def test_pods_that_are_made_in_turn_leave_one_at_a_time(ordered: bool, together: int) -> None:
    pods = [pod(f"db-{i}", node="n1", owners=[owner("StatefulSet", "db")]) for i in range(30)]
    made = workload("StatefulSet", "db", 30, ordinals=Ordinals(ordered=ordered))
    budgets = fresh(picture(pods, workloads=[made]), TENTH)
    granted(budgets.charge(range(together)))
    assert budgets.waves([(i,) for i in range(together + 1)]) == [0] * together + [1]


def test_a_healthy_workload_is_charged_once() -> None:
    assert len(granted(fresh(lacking(9, 0), TENTH).charge((0,)))) == 1


def test_pods_on_their_way_out_that_are_replaced_may_be_left_out_of_account() -> None:
    replaced = [pod("web-9", node="n1", deleting=NOW), *pods_of("web", 3)]
    three = workload("ReplicaSet", "web", 3)
    later = DisruptionLimits(per_workload=1, leaving=False)
    granted(fresh(picture(replaced, workloads=[three]), later).charge((0,)))
    unready = [*pods_of("web", 2), pod("web-2", node="n1", ready=False)]
    assert refusal(fresh(picture(unready, workloads=[three]), later).charge((0,)))[0] is Reason.WORKLOAD_LIMIT


def test_evictions_in_flight_count_against_their_budget_unless_it_knows_of_them() -> None:
    pods = pods_of("web", 3)
    assert refusal(fresh(picture(pods, budget("b", WEB, 1)), in_flight=(0,)).charge((1,))) == (
        Reason.DISRUPTION_BUDGET,
        "default/b",
    )
    granted(fresh(picture(pods, budget("b", WEB, 1, disrupting=("web-0",))), in_flight=(0,)).charge((1,)))


def test_failures_of_a_job_add_up() -> None:
    job = workload("Job", "j", 4, api_version="batch/v1", backoff_limit=3, failed=1)
    pods = [pod(f"j-{i}", node="n1", owners=[job_owner("j")]) for i in range(4)]
    budgets = fresh(picture(pods, workloads=[job]))
    assert granted(budgets.charge((0,))) == (Charge("failures/default/Job/j", "limit", 2, 1),)
    granted(budgets.charge((1,)))
    assert refusal(budgets.charge((2,))) == (Reason.FAILURE_BUDGET, "failures/default/Job/j")


def test_a_fork_leaves_the_original_alone() -> None:
    budgets = fresh(picture(pods_of("web", 3)), DisruptionLimits(per_workload=None, per_cycle=2))
    twin = budgets.fork()
    granted(twin.charge((0, 1)))
    assert refusal(twin.charge((2,)))[0] is Reason.CYCLE_LIMIT
    assert granted(budgets.charge((0, 1)))[0].used == 2


def test_a_refused_set_leaves_nothing_behind() -> None:
    budgets = fresh(
        picture([*pods_of("api", 1), *pods_of("web", 2)], budget("b", WEB, 0)), DisruptionLimits(None, None, None, 1)
    )
    assert refusal(budgets.charge((0, 1)))[0] is Reason.DISRUPTION_BUDGET
    assert granted(budgets.charge((0,)))[0].used == 1


def test_a_bundle_waits_only_for_those_it_relies_on_when_they_are_known() -> None:
    snapshot = picture([*pods_of("api", 1), *pods_of("web", 2)], budget("b", WEB, 1))
    bundles = [(1,), (2,), (0,)]
    assert fresh(snapshot).waves(bundles) == [0, 1, 1]
    assert fresh(snapshot).waves(bundles, after=[(), (), ()]) == [0, 1, 0]
    assert fresh(snapshot).waves(bundles, after=[(), (), (1,)]) == [0, 1, 1]


def test_waves_refuse_what_was_never_granted() -> None:
    with pytest.raises(ValueError, match="never granted"):
        fresh(picture(pods_of("web", 2), budget("b", WEB, 1))).waves([(0, 1)])


SELECTORS = {
    "absent": (None, set()),
    "empty": (LabelSelector(), {0, 1, 2}),
    "one label": (LabelSelector.of({"app": "api"}), {0}),
    "two labels": (LabelSelector.of({"app": "web", "tier": "x"}), {2}),
    "one of": (LabelSelector((Requirement("app", Operator.IN, ("api", "web")),)), {0, 1, 2}),
    "exists": (LabelSelector((Requirement("tier", Operator.EXISTS),)), {2}),
    "not in": (LabelSelector((Requirement("app", Operator.NOT_IN, ("api",)),)), {1, 2}),
}


@pytest.mark.parametrize(("selector", "expected"), SELECTORS.values(), ids=SELECTORS.keys())
def test_budgets_match_by_selector_within_their_namespace(selector: LabelSelector | None, expected: set[int]) -> None:
    pods = [
        pod("api-0", node="n1", labels={"app": "api"}),
        pod("web-0", node="n1", labels={"app": "web"}),
        pod("web-1", node="n1", labels={"app": "web", "tier": "x"}),
        pod("web-0", node="n1", namespace="other", labels={"app": "web", "tier": "x"}),
    ]
    matches = match_budgets(picture(pods, DisruptionBudget("default", "b", selector)))
    assert {i for i in range(4) if matches.of(i)} == expected
    assert matches.count.tolist() == [int(i in expected) for i in range(4)]


@st.composite
def clusters(draw: st.DrawFn) -> tuple[ClusterSnapshot, DisruptionLimits, list[list[int]], tuple[int, ...]]:
    n = draw(st.integers(1, 12))
    pods = [
        pod(
            f"{app}-{i:02d}",
            node=draw(st.sampled_from(["n1", "n2"])),
            labels={"app": app, "tier": draw(st.sampled_from("xy"))},
            ready=draw(st.booleans()),
            owners=[owner("ReplicaSet", app)],
        )
        for i in range(n)
        for app in [draw(st.sampled_from(["api", "web"]))]
    ]
    budgets = [
        budget(
            f"b{i}",
            draw(st.sampled_from([{"app": "web"}, {"app": "api"}, {"tier": "x"}, {}])),
            draw(st.integers(0, 3)),
            current_healthy=draw(st.integers(0, 3)),
            desired_healthy=draw(st.integers(0, 3)),
        )
        for i in range(draw(st.integers(0, 3)))
    ]
    number = st.none() | st.integers(1, 4)
    limits = DisruptionLimits(draw(number), draw(number), draw(number), draw(number), draw(number), draw(number))
    sets = draw(st.lists(st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True), max_size=8))
    flying = tuple(draw(st.sets(st.integers(0, n - 1), max_size=2)))
    return cluster([node("n1"), node("n2")], pods, budgets), limits, sets, flying


@settings(max_examples=300)
@given(clusters(), st.integers(0, 3), st.booleans())
def test_no_sequence_of_charges_exceeds_a_budget_at_any_moment(
    made: tuple[ClusterSnapshot, DisruptionLimits, list[list[int]], tuple[int, ...]], moved: int, ordered: bool
) -> None:
    snapshot, limits, sets, flying = made
    budgets = fresh(snapshot, limits, in_flight=flying, moved_last_hour=moved)
    accepted = [s for s in sets if not isinstance(budgets.charge(s, evicted=s[:1]), Blocked)]
    waves = budgets.waves(accepted, None if ordered else [()] * len(accepted))
    matches = match_budgets(snapshot)

    for wave in set(waves):
        down = {p for s, w in zip(accepted, waves, strict=True) if w == wave for p in s} | set(flying)
        for i, found in enumerate(snapshot.budgets):
            healthy_now = 0 < found.desired_healthy <= found.current_healthy
            lost = [p for p in down if i in matches.of(p) and (snapshot.pods[p].ready or not healthy_now)]
            own = {p for s in accepted for p in s}
            assert len(lost) <= found.allowed or not own & set(lost) - set(flying)
        if limits.per_workload is not None:
            counts = Counter(snapshot.pods[p].owners[0].name for p in down)
            touched = {snapshot.pods[p].owners[0].name for s in accepted for p in s if p not in flying}
            assert all(counts[name] <= int(limits.per_workload) for name in touched & set(counts) if name in counts)
    if ordered:
        assert waves == sorted(waves)
        assert limits.waves is None or max(waves, default=0) < limits.waves
    total = [p for s in accepted for p in s]
    by_node = Counter(snapshot.pods[p].node for p in total)
    assert limits.per_node is None or max(by_node.values(), default=0) <= limits.per_node
    assert limits.per_namespace is None or len(total) <= limits.per_namespace
    assert limits.per_cycle is None or len(total) <= limits.per_cycle
    assert limits.per_hour is None or not total or len(total) + moved <= limits.per_hour
