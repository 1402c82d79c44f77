"""The second validation sees what changed between the plan and its execution."""

from __future__ import annotations

from builders import NOW, cluster, node, pod, workload
from descheduler.controller.revalidate import second_validation
from descheduler.execution.ledger import Ledger, goals_of
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.model.plan import Action
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy import default_policy
from execution.plans import action, move, plan
from gang_builders import GROUP_LABEL, group, members, snap


def reasons(snapshot: ClusterSnapshot, *actions: Action, ledger: Ledger | None = None) -> list[Reason | None]:
    verdicts = second_validation(default_policy(), ledger or Ledger())(snapshot, actions)
    return [blocked.reason if (blocked := verdicts[a.id]) else None for a in actions]


def scene(free: str, *more: str, **rest: object) -> ClusterSnapshot:
    """web-1 and web-2 of 4 cores each on n1; n2 has `free` cores."""
    pods = [pod(name, cpu="4", node="n1") for name in ("web-1", "web-2", *more)]
    return cluster([node("n1"), node("n2", cpu=free)], pods, [], [workload("ReplicaSet", "web", 2 + len(more))])


def test_what_still_holds_may_go_on() -> None:
    assert reasons(scene("16"), action(move("web-1"))) == [None]


def test_a_place_that_is_gone_stops_the_move() -> None:
    assert reasons(scene("2"), action(move("web-1"))) == [Reason.NO_PLACE]


def test_two_moves_do_not_share_one_place() -> None:
    assert reasons(scene("6"), action(move("web-1")), action(move("web-2"))) == [None, Reason.NO_PLACE]


def test_a_bundle_without_room_for_all_leaves_its_room_to_others() -> None:
    bundle = action(move("web-1"), move("web-2"))
    assert reasons(scene("6", "web-3"), bundle, action(move("web-3"))) == [Reason.NO_PLACE, None]


def test_a_pod_that_opted_out_since_stays() -> None:
    annotations = {"descheduler.alpha.kubernetes.io/evict": "false"}
    there = cluster([node("n1"), node("n2")], [pod("web-1", node="n1", annotations=annotations)])
    assert reasons(there, action(move("web-1"))) == [Reason.OPTED_OUT]


def test_a_pod_that_is_gone_is_a_change() -> None:
    assert reasons(cluster([node("n1")], []), action(move("web-1"))) == [Reason.CHANGED]


def test_a_pod_that_was_moved_meanwhile_cools_down() -> None:
    before = PodOutcome(move("web-0"), True, at=NOW - 60, successor="uid-default-web-1", ready_seconds=1.0)
    ledger = Ledger().record([ActionOutcome(action(move("web-0")), Result.DONE, (before,))], "p", goals_of(plan()))
    assert reasons(scene("16"), action(move("web-1")), ledger=ledger) == [Reason.COOLDOWN]


def test_a_gang_that_grew_is_not_torn() -> None:
    there = members(3, "g", labels={GROUP_LABEL: "train"})
    found = reasons(snap(there, [group("train", 3)]), action(move("g-0"), move("g-1"), gang=True))
    assert found == [Reason.GANG_WOULD_TEAR]
