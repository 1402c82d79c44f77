"""From which nodes pods may leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW, cluster, node, pod
from descheduler.gangs import resolve
from descheduler.model.nodes import Node
from descheduler.model.reasons import Blocked, Reason
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections


def verdict(source: Node) -> Blocked | None:
    snapshot = cluster([source, node("n2")], [pod("web-1", node="n1"), pod("web-2", node="n2")])
    filters = build_filters(snapshot, resolve(snapshot), FilterRules.of(Protections()), now=NOW)
    assert filters.blocked(1) is None
    return filters.blocked(0)


GOING = replace(node("n1"), leaving="taint karpenter.sh/disrupted", drained=True)
CANDIDATE = replace(node("n1"), leaving="taint DeletionCandidateOfClusterAutoscaler")


@pytest.mark.parametrize(
    ("source", "reason"),
    [(node("n1", ready=False), Reason.NODE_NOT_READY), (GOING, Reason.NODE_LEAVING)],
)
def test_pods_stay_on_nodes_that_are_silent_or_going(source: Node, reason: Reason) -> None:
    blocked = verdict(source)
    assert blocked is not None
    assert (blocked.reason, blocked.by) == (reason, "node/n1")


@pytest.mark.parametrize("source", [node("n1", unschedulable=True), CANDIDATE], ids=["cordoned", "may go"])
def test_pods_may_leave_nodes_that_only_take_no_more(source: Node) -> None:
    assert verdict(source) is None
