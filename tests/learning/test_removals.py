"""What is remembered of removals: that the pods are gone, and whom that disturbed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW, cluster, node, pod
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.learning.ledger import Ledger
from descheduler.learning.reconciliation import reconcile
from descheduler.learning.store import pack, unpack
from descheduler.learning.verification import goals_of
from descheduler.model.plan import FindingRow
from descheduler.model.reasons import Reason
from descheduler.model.workloads import WorkloadKey
from execution.plans import finding, move, plan, removal
from learning.moves import HOUR, done, verdicts

WEB = WorkloadKey("default", "ReplicaSet", "web")
FOUND = replace(finding(subject="workload/default/ReplicaSet/web"), value=1.0, threshold=0.0, after=0.0)


def removed(state: str, landed: str = "", ledger: Ledger | None = None, name: str = "web-0", at: float = NOW) -> Ledger:
    """The ledger after the removal of one pod, whose replacement came up there."""
    action = removal(name, state)
    document = plan(action, findings=[FOUND], name=f"p-{name}-{at}")
    outcome = PodOutcome(
        action.pods[0],
        True,
        at=at,
        landed=landed,
        successor="new" if landed else "",
        ready_seconds=5.0 if landed else None,
    )
    found = ActionOutcome(action, Result.DONE, (outcome,))
    return (ledger or Ledger()).record([found], document.id, goals_of(document))


@pytest.mark.parametrize("now", [(), (FOUND,), (replace(FOUND, value=9.0),)])
@pytest.mark.parametrize(("state", "landed"), [("Failed", ""), ("Running", "n1"), ("Running, not ready", "n2")])
def test_it_is_a_hit_when_the_pod_is_gone_whatever_others_do(
    state: str, landed: str, now: tuple[FindingRow, ...]
) -> None:
    assert verdicts(removed(state, landed), *now) == [True]


def test_one_whose_replacement_is_not_ready_long_after_is_a_miss() -> None:
    assert verdicts(removed("Running"), at=NOW + 10 * HOUR) == [False]


def test_a_finished_pod_disturbs_nobody() -> None:
    ledger = removed("Failed")
    assert ledger.blocked(WEB, "", NOW + 1) is None
    assert not ledger.in_flight(NOW + 1)
    assert ledger.moved_within(HOUR, NOW + 1) == 1  # it was evicted all the same
    running = removed("Running", "n1").blocked(WEB, "", NOW + 1)
    assert running is not None
    assert running.reason is Reason.COOLDOWN


def test_finished_pods_of_one_name_are_no_series_of_moves() -> None:
    ledger = removed("Failed")
    for i in range(1, 5):
        ledger = removed("Failed", ledger=ledger, at=NOW + i)
    assert {entry.turn for entry in ledger.entries} == {1}
    assert not ledger.quarantined(NOW + 5)


def test_a_removal_says_nothing_of_where_moves_land() -> None:
    ledger = done(removed("Running", "n1"), (move("web-1"), "n2"))
    assert verdicts(ledger) == [True, True]


def test_what_moves_is_remembered_before_what_was_cleared_away() -> None:
    few = replace(Ledger().rules, size=3)
    ledger = done(Ledger(rules=few), (move("web-1"), "n2"), at=NOW - HOUR)
    for i in range(5):
        ledger = removed("Failed", ledger=ledger, name=f"job-{i}", at=NOW + i)
    assert [entry.pod for entry in ledger.entries] == ["default/web-1", "default/job-3", "default/job-4"]
    assert unpack(pack(ledger), few).entries == ledger.entries


@pytest.mark.parametrize(("state", "waits"), [("Running", True), ("Running, not ready", False)])
def test_a_replacement_need_be_no_better_than_the_pod_was(state: str, waits: bool) -> None:
    ledger = removed(state)
    sick = replace(pod("web-1", node="n2", ready=False), created=NOW + 1)
    seen = reconcile(ledger, cluster([node("n1"), node("n2")], [sick]), NOW + 60)
    assert bool(seen.pending(NOW + HOUR)) is waits
