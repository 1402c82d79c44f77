"""Workloads whose pods do not come up where plans say are left alone, and nobody else for their sake."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW, key
from descheduler.learning.ledger import Ledger, LedgerRules
from descheduler.model.plan import PodMove
from descheduler.model.reasons import Reason
from descheduler.policy import load_policy
from execution.plans import finding, move
from learning.moves import HOUR, directed, done, heat, later

RULES = LedgerRules.of(load_policy("apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\n"))
LATER = NOW + 2 * HOUR  # when neither cooldown holds anybody


def moved(*landed: str, way: str = "directed", ledger: Ledger | None = None) -> Ledger:
    """Pods of `web`, ten minutes apart, each in a plan of its own, to n2."""
    found = ledger or Ledger()
    for i, node in enumerate(landed):
        one: PodMove = directed(f"web-{i}", "n2") if way == "directed" else move(f"web-{i}")
        found = done(found, (one, node), at=NOW + 600 * i)
    return found


def reason(ledger: Ledger, of: str = "web", now: float = LATER) -> Reason | None:
    blocked = ledger.blocked(key("ReplicaSet", of), "uid", now)
    return blocked.reason if blocked else None


@pytest.mark.parametrize("way", ["directed", "predicted"])
def test_a_workload_whose_pods_come_back_twice_in_a_row_is_held(way: str) -> None:
    ledger = moved("n1", "n1", way=way)
    blocked = ledger.blocked(key("ReplicaSet", "web"), "uid", LATER)
    assert blocked is not None
    assert (blocked.reason, blocked.by) == (Reason.LANDS_ELSEWHERE, "default/ReplicaSet/web")
    assert "of its last 2 moves none did: default/web-1 on n1, default/web-0 on n1; until " in blocked.detail
    assert [hold.workload for hold in ledger.held(LATER)] == ["default/ReplicaSet/web"]
    assert reason(ledger, "api") is None


@pytest.mark.parametrize("landed", [("n1",), ("n1", "n2"), ("n1", "n2", "n1"), ("n2", "n2", "n2", "n1")])
def test_now_and_then_is_no_habit(landed: tuple[str, ...]) -> None:
    assert reason(moved(*landed)) is None


def test_what_is_directed_must_land_there_and_what_is_not_may_land_anywhere_else() -> None:
    assert reason(moved("n8", "n9")) is Reason.LANDS_ELSEWHERE
    assert reason(moved("n8", "n9", way="predicted")) is None


def test_a_hold_ends_and_one_miss_more_renews_it() -> None:
    ledger = moved("n1", "n1")
    end = NOW + 600 + RULES.pausing.seconds
    assert reason(ledger, now=end - 1) is Reason.LANDS_ELSEWHERE
    assert reason(ledger, now=end) is None
    again = done(ledger, (directed("web-7", "n2"), "n1"), at=end)
    assert reason(again, now=end + 2 * HOUR) is Reason.LANDS_ELSEWHERE
    proved = done(ledger, (directed("web-7", "n2"), "n2"), at=end)
    assert reason(proved, now=end + 2 * HOUR) is None


def test_what_missed_together_counts_once() -> None:
    pods = [(directed(f"web-{i}", "n2"), "n1") for i in range(3)]
    ledger = Ledger()
    for pod in pods:
        ledger = done(ledger, pod, name="p", at=NOW)
    assert reason(ledger) is None
    assert reason(done(ledger, (directed("web-7", "n2"), "n1"), at=NOW + 60)) is Reason.LANDS_ELSEWHERE


def test_what_keeps_making_other_nodes_hot_is_held_too() -> None:
    ledger = moved("n8", "n9", way="predicted")
    hot = ledger.judge(later(heat("n8", value=0.8), heat("n9", value=0.8)), LATER)
    assert reason(hot) is Reason.LANDS_ELSEWHERE
    assert reason(ledger.judge(later(heat("n8", value=0.8)), LATER)) is None


def test_what_missed_its_goal_where_it_was_to_be_is_not_the_workloads_doing() -> None:
    """A strategy that measures something else than loads, which did not get better by its moves."""
    latency = replace(finding(), measure="p99 latency", value=0.9, after=0.3)
    for node in ("n2", "n5"):
        ledger = Ledger()
        for i in range(3):
            ledger = done(ledger, (move(f"web-{i}"), node), at=NOW + 600 * i, found=latency)
        assert [e.resolved for e in ledger.judge(later(latency), LATER).entries] == [False] * 3
        assert reason(ledger.judge(later(latency), LATER)) is None


def test_a_replacement_that_is_late_is_the_circuits_and_not_held() -> None:
    assert reason(moved("", ""), now=NOW + 7 * HOUR) is None


def test_the_policy_says_how_many() -> None:
    never = replace(moved("n1", "n1", "n1"), rules=replace(RULES, owner_misses=0))
    assert reason(never) is None
    once = replace(moved("n1"), rules=replace(RULES, owner_misses=1))
    assert reason(once) is Reason.LANDS_ELSEWHERE
