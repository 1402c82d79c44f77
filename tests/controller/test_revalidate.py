"""The second validation sees what changed between the plan and its execution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from builders import NOW, cluster, node, pod, workload
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.learning.ledger import Ledger, LedgerRules
from descheduler.model.admission import ResourceQuota
from descheduler.model.plan import Action
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot, Freshness
from descheduler.policy import Policy, default_policy, load_policy
from descheduler.second_validation import second_validation
from descheduler_profiling.build import build
from descheduler_profiling.profiles import SignalProfiles
from descheduler_profiling.series import History
from execution.plans import action, move
from gang_builders import GROUP_LABEL, group, members, snap
from histories import history, peaking
from planning.cases import hot, hot_node, planned

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"
HOT = load_policy(HEAD + "strategies: [{HotNodes: {thresholds: {cpu: 75%}}}]\n")


def reasons(
    snapshot: ClusterSnapshot,
    *actions: Action,
    ledger: Ledger | None = None,
    policy: Policy | None = None,
    plan: str = "plan-1",
    profiles: Mapping[str, SignalProfiles] | None = None,
) -> list[Reason | None]:
    check = second_validation(policy or default_policy(), lambda: ledger or Ledger(), plan, profiles)
    verdicts = check(snapshot, actions)
    return [blocked.reason if (blocked := verdicts[a.id]) else None for a in actions]


def two_nodes(free: str, *more: str, closed: bool = True) -> ClusterSnapshot:
    """web-1 and web-2 of 4 cores each on n1, which is `closed`; n2 has `free` cores."""
    pods = [pod(name, cpu="4", node="n1") for name in ("web-1", "web-2", *more)]
    nodes = [node("n1", unschedulable=closed), node("n2", cpu=free)]
    return cluster(nodes, pods, [], [workload("ReplicaSet", "web", 2 + len(more))])


def moved(name: str, successor: str, ready: float | None = 1.0, plan_name: str = "p", ago: float = 60.0) -> Ledger:
    """What is remembered of pod `name`, evicted `ago` seconds before and replaced by the pod `successor`."""
    pod = PodOutcome(move(name), True, at=NOW - ago, successor=f"uid-default-{successor}", ready_seconds=ready)
    return Ledger().record([ActionOutcome(action(move(name)), Result.DONE, (pod,))], plan_name, {})


def test_what_still_holds_may_go_on() -> None:
    assert reasons(two_nodes("16"), action(move("web-1"))) == [None]


def test_a_place_that_is_gone_stops_the_move() -> None:
    assert reasons(two_nodes("2"), action(move("web-1"))) == [Reason.NO_PLACE]


def test_two_moves_do_not_share_one_place() -> None:
    assert reasons(two_nodes("6"), action(move("web-1")), action(move("web-2"))) == [None, Reason.NO_PLACE]


def test_a_bundle_without_room_for_all_leaves_its_room_to_others() -> None:
    bundle = action(move("web-1"), move("web-2"))
    assert reasons(two_nodes("6", "web-3"), bundle, action(move("web-3"))) == [Reason.NO_PLACE, None]


def test_a_pod_that_opted_out_since_stays() -> None:
    annotations = {"descheduler.alpha.kubernetes.io/evict": "false"}
    there = cluster([node("n1", unschedulable=True), node("n2")], [pod("web-1", node="n1", annotations=annotations)])
    assert reasons(there, action(move("web-1"))) == [Reason.OPTED_OUT]


def test_a_workload_that_is_not_well_by_now_is_not_made_worse() -> None:
    def with_another(**state: object) -> ClusterSnapshot:
        pods = [pod("web-1", cpu="4", node="n1"), pod("web-2", node="n2", **state)]  # type: ignore[arg-type]
        nodes = [node("n1", unschedulable=True), node("n2")]
        return cluster(nodes, pods, [], [workload("ReplicaSet", "web", 2)])

    assert reasons(with_another(ready=False), action(move("web-1"))) == [Reason.WORKLOAD_LIMIT]
    assert reasons(with_another(), action(move("web-1"))) == [None]


def test_a_pod_that_would_not_be_made_again_since_stays() -> None:
    there = two_nodes("16")
    scaled = replace(there, workloads={w.key: replace(w, replicas=0) for w in there.workloads.values()})
    assert reasons(scaled, action(move("web-1"))) == [Reason.WOULD_BE_LOST]
    full = ResourceQuota("default", "q", hard=(("cpu", 7000),))
    assert reasons(replace(there, quotas=(full,)), action(move("web-1"))) == [Reason.QUOTA]
    assert reasons(replace(there, quotas=(replace(full, hard=(("cpu", 8000),)),)), action(move("web-1"))) == [None]


def test_a_pod_that_is_gone_is_a_change() -> None:
    assert reasons(cluster([node("n1")], []), action(move("web-1"))) == [Reason.CHANGED]


def test_a_pod_that_would_come_back_stays() -> None:
    """n2 would be nearly full. With more room it goes there, for the old pod still holds its own on n1."""
    assert reasons(two_nodes("5", closed=False), action(move("web-1"))) == [Reason.WOULD_STAY]
    assert reasons(two_nodes("16", closed=False), action(move("web-1"))) == [None]


def test_a_pod_of_the_same_name_is_another() -> None:
    assert reasons(two_nodes("16"), action(move("web-1", uid="former"))) == [Reason.CHANGED]


def test_a_pod_that_was_moved_meanwhile_cools_down() -> None:
    assert reasons(two_nodes("16"), action(move("web-1")), ledger=moved("web-0", "web-1")) == [Reason.COOLDOWN]


def test_what_the_same_plan_moved_before_brings_no_cooldown() -> None:
    before = moved("web-0", "web-2", plan_name="plan-1")
    assert reasons(two_nodes("16"), action(move("web-1")), ledger=before) == [None]


def test_a_replacement_that_is_not_ready_is_not_moved_again() -> None:
    pods = [pod("web-1", node="n1"), pod("web-2", node="n1", ready=False, created=NOW - 50)]
    there = cluster([node("n1", unschedulable=True), node("n2")], pods, [], [workload("ReplicaSet", "web", 2)])
    before = moved("web-0", "", ready=None, plan_name="plan-1")
    verdicts = reasons(there, action(move("web-2")), ledger=before)
    assert verdicts == [Reason.TERMINATING]


def test_the_ledger_is_asked_at_the_time_of_the_check() -> None:
    known = [Ledger()]
    check = second_validation(default_policy(), lambda: known[-1], "plan-1")
    actions = [action(move("web-1"))]
    assert set(check(two_nodes("16"), actions).values()) == {None}
    known.append(moved("web-0", "web-1"))
    (blocked,) = check(two_nodes("16"), actions).values()
    assert blocked is not None
    assert blocked.reason is Reason.COOLDOWN


def test_what_the_hour_allows_may_be_used_up_meanwhile() -> None:
    policy = load_policy(HEAD + "limits: {perHour: 1}\n")
    other = moved("api-0", "api-1", plan_name="plan-1")
    assert reasons(two_nodes("16"), action(move("web-1")), policy=policy, ledger=other) == [Reason.HOUR_LIMIT]
    assert reasons(two_nodes("16"), action(move("web-1")), policy=policy) == [None]


def test_a_circuit_that_opens_between_two_waves_stops_the_rest() -> None:
    policy = load_policy(HEAD + "acting: {pendingLimit: 1, pendingAfter: 1m}\n")
    late = moved("api-0", "", ready=None, ago=90.0)
    assert reasons(two_nodes("16"), action(move("web-1")), policy=policy, ledger=late) == [
        None
    ]  # rules of another policy
    late = replace(late, rules=LedgerRules.of(policy))
    assert reasons(two_nodes("16"), action(move("web-1")), policy=policy, ledger=late) == [Reason.CIRCUIT_OPEN]


def test_a_window_that_closed_between_two_waves_stops_the_rest() -> None:
    at = datetime.fromtimestamp(NOW, UTC)
    opened = f"{at.minute} {at.hour} * * *"
    policy = load_policy(HEAD + f'windows: [{{schedule: "{opened}", duration: 10m}}]\n')
    assert reasons(replace(two_nodes("16"), taken_at=NOW + 300), action(move("web-1")), policy=policy) == [None]
    closed = replace(two_nodes("16"), taken_at=NOW + 900)
    assert reasons(closed, action(move("web-1")), policy=policy) == [Reason.OUTSIDE_WINDOW]


# -- forecasts ---------------------------------------------------------------------------


def cooled() -> tuple[ClusterSnapshot, list[History], tuple[Action, ...]]:
    """A hot node, and what a plan moves away from it."""
    snapshot, histories = hot_node()
    actions = planned(snapshot, histories, [hot()]).actions
    assert actions
    return snapshot, histories, actions


def test_a_destination_that_stays_cool_is_still_good() -> None:
    snapshot, histories, actions = cooled()
    profiles = {h.signal: build(h) for h in histories}
    assert reasons(snapshot, *actions, policy=HOT, profiles=profiles) == [None] * len(actions)


def test_a_destination_that_will_be_hot_by_what_is_known_now_is_not() -> None:
    snapshot, histories, actions = cooled()
    web, idle = histories[0].keys[::-1]
    now = history("cpu", {web: peaking(0.5, 2.9, minutes_ahead=20), idle: peaking(0.1, 9.0, minutes_ahead=20)})
    profiles = {"cpu": build(now), "memory": build(histories[1])}
    assert set(reasons(snapshot, *actions, policy=HOT, profiles=profiles)) == {Reason.DESTINATION_HOT}


def test_forecasts_that_grew_too_old_move_nothing_more() -> None:
    snapshot, histories, actions = cooled()
    profiles = {h.signal: build(h) for h in histories}
    later = replace(snapshot, taken_at=NOW + 1200)
    assert set(reasons(later, *actions, policy=HOT, profiles=profiles)) == {Reason.DATA_STALE}


def test_a_strategy_that_needs_no_history_does_not_wait_for_it() -> None:
    snapshot, histories, actions = cooled()
    other = [replace(a, strategy="Other") for a in actions]
    later = replace(snapshot, taken_at=NOW + 1200)
    profiles = {h.signal: build(h) for h in histories}
    assert reasons(later, *other, policy=HOT, profiles=profiles) == [None] * len(other)


def test_a_gang_that_grew_is_not_torn() -> None:
    there = members(3, "g", labels={GROUP_LABEL: "train"})
    found = reasons(snap(there, [group("train", 3)]), action(move("g-0"), move("g-1"), gang=True))
    assert found == [Reason.GANG_WOULD_TEAR]


def test_where_the_executor_names_the_node_the_planned_one_must_still_do() -> None:
    kind = "scheduling.koordinator.sh/Reservation"
    reserving = load_policy(HEAD + "acting: {executor: reserve}\nstrategies: []\n")

    def verdict(free: str) -> Reason | None:
        one = pod("web-1", cpu="4", node="n1")
        moving = replace(one, spec=replace(one.spec, scheduler_name="koord-scheduler"))
        nodes = [node("n1"), node("n2", cpu=free), node("n3", cpu="16")]
        snapshot = cluster(nodes, [moving], freshness={kind: Freshness(kind, NOW)})
        return reasons(snapshot, action(move("web-1", destination="n2"), executor="reserve"), policy=reserving)[0]

    assert verdict("8") is None
    assert verdict("2") is Reason.NO_GAIN  # n3 would do, but nothing is reserved there


def test_a_use_of_a_strategy_is_held_to_its_own_protections_again() -> None:
    own = "protections: {labelSelector: {matchLabels: {a: b}}}"
    policy = load_policy(f"{HEAD}strategies: [{{HotNodes: {{}}}}, {{name: strict, HotNodes: {{}}, {own}}}]\n")
    strict = replace(action(move("web-1")), strategy="strict")
    assert reasons(two_nodes("16"), strict, policy=policy) == [Reason.NOT_SELECTED]
    assert reasons(two_nodes("16"), action(move("web-1")), policy=policy) == [None]
