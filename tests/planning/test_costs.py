"""What a restart costs, and whose costs more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from builders import cluster, node, pod
from descheduler.model.labels import Labels
from descheduler.planning.costs import NO_EVICTION_FACTOR, CostModel, pod_costs
from descheduler.policy.planning import CostPolicy
from planning.cases import hot, hot_node, outcome, planned

SHY = {"descheduler.alpha.kubernetes.io/prefer-no-eviction": ""}


def test_a_pod_that_would_rather_stay_costs_ten_times_as_much_in_every_part() -> None:
    snapshot = cluster([node("n1")], [pod("a-1", "2", node="n1"), pod("b-1", "2", node="n1")])
    plain = pod_costs(snapshot, CostModel.of(CostPolicy()))
    shy = pod_costs(snapshot, CostModel.of(CostPolicy()), np.array([True, False]))
    for part in ("restart", "warm_up", "lost_work", "total"):
        before, after = getattr(plain, part), getattr(shy, part)
        assert after[0] == pytest.approx(NO_EVICTION_FACTOR * before[0])
        assert after[1] == before[1]


def test_a_plan_is_made_with_what_pods_cost_that_prefer_no_eviction() -> None:
    snapshot = cluster([node("n1")], [pod("a-1", "2", node="n1", annotations=SHY), pod("b-1", "2", node="n1")])
    costs = outcome(snapshot).context.costs.total
    assert costs[0] == pytest.approx(NO_EVICTION_FACTOR * costs[1])


def test_the_pod_that_would_rather_stay_is_not_the_one_that_goes() -> None:
    snapshot, histories = hot_node()
    first = {p.pod for a in planned(snapshot, histories, [hot()]).actions for p in a.pods}
    pods = tuple(replace(p, annotations=Labels(SHY)) if p.name in first else p for p in snapshot.pods)
    then = {p.pod for a in planned(replace(snapshot, pods=pods), histories, [hot()]).actions for p in a.pods}
    assert first
    assert then
    assert not first & then
