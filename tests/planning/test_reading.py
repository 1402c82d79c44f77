"""What people read a plan by: why pods stay, who is away for how long, how sure the forecasts are, what is hot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from builders import NOW, budget, cluster, key, node, pod, workload
from descheduler.model.plan import AwayRow, PlanDocument
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.observe import Observed
from descheduler.pipeline import plan
from descheduler.policy import load_policy
from descheduler_profiling.series import History
from descheduler_profiling.settings import DAY
from histories import history
from planning.cases import hot_node

POLICY = """\
apiVersion: rebalance.descheduler.dev/v1alpha1
kind: DeschedulerPolicy
limits: {perWorkload: 50%}
freshness: {maxAge: 1h}
strategies: [HotNodes: {thresholds: {cpu: 75%}}]
"""


def read(snapshot: ClusterSnapshot, histories: Sequence[History], policy: str = POLICY) -> PlanDocument:
    return plan(Observed(snapshot, {one.signal: one for one in histories}, NOW), load_policy(policy))


def test_all_pods_either_may_move_or_stay_for_a_reason() -> None:
    snapshot, histories = hot_node()
    found = read(snapshot, histories)
    assert sum(found.staying.values()) + found.summary["movable_pods"] == found.summary["pods"]


def test_a_pod_that_stays_is_counted_by_its_first_reason_and_one_that_may_move_is_not() -> None:
    web = [pod(f"web-{i}", node="n1", labels={"app": "web"}) for i in range(2)]
    free = pod("free-0", node="n1", labels={"app": "free"})
    held = budget("web", {"app": "web"}, allowed=0)
    found = read(cluster([node("n1"), node("n2")], [*web, free], budgets=[held]), [])
    assert found.staying == {"DisruptionBudget": 2}
    assert found.summary["movable_pods"] == 1


def test_who_is_away_is_told_by_workload_with_its_replicas_and_the_seconds_of_the_policy() -> None:
    others = [pod(f"web-{i}", cpu="100m", node="n2") for i in range(4, 6)]
    snapshot, histories = hot_node(pods=others, workloads=[workload("ReplicaSet", "web", replicas=6)])
    found = read(snapshot, histories)
    assert found.actions
    assert {row for action in found.actions for row in action.away} == {AwayRow("default/ReplicaSet/web", 1, 6, 90.0)}


def test_of_a_workload_that_is_not_read_its_pods_are_counted() -> None:
    snapshot, histories = hot_node()
    found = read(snapshot, histories)
    assert {row.replicas for action in found.actions for row in action.away} == {4}


def test_members_of_a_stateful_set_are_away_for_longer_than_others() -> None:
    policy = POLICY + "cost: {restart: 10s, warmUp: 20s, stateful: 5m}\n"
    snapshot, histories = hot_node()
    assert {row.seconds for action in read(snapshot, histories, policy).actions for row in action.away} == {30.0}


def test_a_forecast_is_held_against_yesterday_with_the_samples_it_is_made_of() -> None:
    snapshot, histories = hot_node()
    row = read(snapshot, histories).findings[0].evidence
    assert row is not None
    assert row.compared == DAY // 300
    assert row.under > 0.95  # the same every day
    assert row.samples == histories[0].values.shape[1]
    assert len(row.came) == len(row.forecast) == DAY // row.step_seconds
    assert max(row.came) == pytest.approx(4 * 2.9 / 12, rel=0.01)
    assert len(row.usual) == len(read(snapshot, histories).findings[0].curve)


def test_a_day_that_came_higher_than_it_was_forecast_tells() -> None:
    snapshot, (cpu, memory) = hot_node()
    values = cpu.values.copy()
    values[:, -DAY // 300 :] *= 2.0
    found = read(snapshot, [replace(cpu, values=values), memory])
    row = found.findings[0].evidence
    assert row is not None
    assert row.under < 0.5


def test_with_less_than_two_days_nothing_is_compared_and_the_samples_are_told() -> None:
    snapshot, (cpu, memory) = hot_node()
    short = [replace(one, values=one.values[:, -400:], start=one.end - 399 * one.step) for one in (cpu, memory)]
    for finding in read(snapshot, short).findings:
        if finding.evidence is not None:
            assert finding.evidence.compared == 0
            assert finding.evidence.under == -1.0


def test_where_nothing_was_measured_yesterday_nothing_is_said_of_it() -> None:
    snapshot, (cpu, memory) = hot_node()
    values = cpu.values.copy()
    values[:, -DAY // 300 : -12] = np.nan
    row = read(snapshot, [replace(cpu, values=values), memory]).findings[0].evidence
    assert row is not None
    assert row.compared == 12
    assert row.came[0] == -1.0


def test_what_people_read_is_no_part_of_what_the_id_stands_for() -> None:
    snapshot, histories = hot_node()
    once, again = read(snapshot, histories), read(snapshot, histories)
    assert once == again
    assert once.settings


def test_nodes_are_hot_by_the_limit_of_the_finding() -> None:
    snapshot, histories = hot_node()
    found = read(snapshot, histories)
    assert found.summary["hot_nodes_before"] == len({f.subject for f in found.findings})
    left = [f for f in found.findings if f.outcome != "cured"]
    assert found.summary["hot_nodes_after"] == len(left)


def test_a_calm_cluster_has_no_hot_node() -> None:
    snapshot, _ = hot_node()
    low = {key("ReplicaSet", name): 0.05 for name in ("web", "idle")}
    calm = [history(signal, low) for signal in ("cpu", "memory")]
    assert read(snapshot, calm).summary["hot_nodes_before"] == 0
