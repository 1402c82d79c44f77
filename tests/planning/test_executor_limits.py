"""How much one executor may do at one moment, in one plan, and within an hour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from builders import NOW, budget, cluster, node, pod, workload
from descheduler.contract import StrategyArgs
from descheduler.learning.ledger import Ledger, LedgerEntry
from descheduler.model.labels import Labels
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.pipeline import planning_settings
from descheduler.planning.context import survey
from descheduler.planning.planner import ChosenStrategy, Outcome, decide
from descheduler.planning.settings import input_of
from descheduler.policy import Policy, load_policy
from planning.proposing import Proposing
from planning.removing import removing

HEAD = "apiVersion: rebalance.descheduler.dev/v1alpha1\nkind: DeschedulerPolicy\nlimits: {perWorkload: null}\n"
BOTH = ChosenStrategy(Proposing((("web-1", ()), ("web-2", ()))), StrategyArgs())


def surging(limits: str) -> Policy:
    return load_policy(f"{HEAD}acting: {{executor: [surge, evict], executors: {{surge: {{{limits}}}}}}}\n")


def world(**change: object) -> ClusterSnapshot:
    """Two pods of a ReplicaSet on a node that is closed, with room on two others."""
    pods = [replace(pod(f"web-{i}", node="n1"), labels=Labels({"app": "web"})) for i in (1, 2)]
    owner = next(o for o in pods[0].owners)
    web = replace(workload("ReplicaSet", "web", 2, present=2), uid=owner.uid)
    return cluster([node("n1", unschedulable=True), node("n2"), node("n3")], pods, workloads=[web], **change)  # type: ignore[arg-type]


def outcome(
    given: Policy,
    chosen: ChosenStrategy = BOTH,
    snapshot: ClusterSnapshot | None = None,
    moved_by: Mapping[str, int] | None = None,
) -> Outcome:
    snapshot = world() if snapshot is None else snapshot
    made = input_of(given, snapshot, {}, NOW, moved_by=moved_by)
    return decide(survey(made, planning_settings(given, snapshot)), [chosen])


@pytest.mark.parametrize(("limits", "moved"), [("perCycle: 1", 1), ("perCycle: 2", 2), ("perHour: 3", 1), ("", 2)])
def test_it_moves_no_more_pods_and_no_cruder_one_moves_the_rest(limits: str, moved: int) -> None:
    found = outcome(surging(limits), moved_by={"surge": 2, "evict": 9})
    assert [one.way.name for one in found.accepted if one.way] == ["surge"] * moved
    refused = {(r.blocked.reason, r.blocked.by) for r in found.refused}
    assert refused == ({(Reason.EXECUTOR_LIMIT, "executor/surge")} if moved < 2 else set())


@pytest.mark.parametrize(("limits", "waves"), [("atOnce: 1", (0, 1)), ("atOnce: 2", (0, 0)), ("", (0, 0))])
def test_no_wave_has_more_units_than_it_may_move_at_once(limits: str, waves: tuple[int, ...]) -> None:
    assert outcome(surging(limits)).waves == waves


@pytest.mark.parametrize(("allowed", "waves"), [(1, (0, 1)), (2, (0, 0))])
def test_removals_wait_for_their_budget_though_moves_are_spared_it(allowed: int, waves: tuple[int, ...]) -> None:
    kept = budget("web", {"app": "web"}, allowed=allowed, current_healthy=2, desired_healthy=2 - allowed, expected=2)
    snapshot = world(budgets=[kept])
    assert outcome(surging(""), removing("web-1", "web-2"), snapshot).waves == waves
    assert outcome(surging(""), BOTH, snapshot).waves == (0, 0)


def test_the_ledger_remembers_which_executor_moved_what_and_leaves_removals_out() -> None:
    def entry(at: float, executor: str, removed: str = "") -> LedgerEntry:
        return LedgerEntry(
            at, "p", "a1", "s", "u", "w", "default/web", "uid", "n1", "n2", executor=executor, removed=removed
        )

    ledger = Ledger((entry(NOW - 7000, "surge"), entry(NOW - 9, "surge"), entry(NOW - 8, "evict", "Failed")))
    assert ledger.moved_by(3600.0, NOW) == {"surge": 1}
