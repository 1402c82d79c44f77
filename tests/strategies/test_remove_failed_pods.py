"""RemoveFailedPods, by the arguments of kubernetes-sigs/descheduler."""

from __future__ import annotations

from dataclasses import replace

import pytest

from descheduler.model.reasons import Reason
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.document.build import build_document
from descheduler.planning.filters.rules import FilterRules
from descheduler.policy.protections import Protections
from strategies.removing import DAY, FREE, HOUR, container, decided, failed, gone, pod, world

NAME = "RemoveFailedPods"


def test_failed_pods_go_and_no_others_the_oldest_first() -> None:
    found = decided(
        world(failed("a-0", DAY), failed("b-0", 3 * DAY), pod("c-0"), pod("d-0", phase="Succeeded"), pod("e-0")), NAME
    )
    assert gone(found) == ["b-0", "a-0"]


@pytest.mark.parametrize(
    ("age", "arguments", "goes"),
    [
        (HOUR - 1, {}, False),
        (HOUR, {}, True),
        (10, {"minPodLifetimeSeconds": 0}, True),
        (10, {"minPodLifetimeSeconds": 11}, False),
        (-60, {"minPodLifetimeSeconds": 0}, False),  # made in the future, by another clock
    ],
)
def test_they_must_have_been_there_for_a_while(age: float, arguments: dict[str, int], goes: bool) -> None:
    assert bool(gone(decided(world(failed("a-0", age)), NAME, **arguments))) is goes


OOM = container(ended="OOMKilled", code=137)
PULL = container(waiting="ImagePullBackOff")


@pytest.mark.parametrize(
    ("one", "arguments", "goes"),
    [
        (failed("a-0", containers=[OOM]), {"reasons": ["OOMKilled"]}, True),
        (failed("a-0", containers=[OOM]), {"reasons": ["Error"]}, False),
        (failed("a-0", containers=[PULL]), {"reasons": ["ImagePullBackOff"]}, True),
        (failed("a-0", reason="Evicted"), {"reasons": ["Evicted"]}, True),
        (failed("a-0", reason="Evicted", containers=[]), {"reasons": ["NodeAffinity"]}, False),
        (failed("a-0", init=[OOM]), {"reasons": ["OOMKilled"]}, False),
        (failed("a-0", init=[OOM]), {"reasons": ["OOMKilled"], "includingInitContainers": True}, True),
        (failed("a-0", containers=[OOM]), {"exitCodes": [1, 137]}, True),
        (failed("a-0", containers=[OOM]), {"exitCodes": [1]}, False),
        (failed("a-0", containers=[container()]), {"exitCodes": [0]}, False),  # it has not ended
        (failed("a-0", init=[OOM]), {"exitCodes": [137]}, False),
        (failed("a-0", init=[OOM]), {"exitCodes": [137], "includingInitContainers": True}, True),
        (failed("a-0", containers=[OOM]), {"reasons": ["OOMKilled"], "exitCodes": [1]}, False),  # both must hold
        (failed("a-0"), {"excludeOwnerKinds": ["Job"]}, False),
        (failed("a-0"), {"excludeOwnerKinds": ["ReplicaSet"]}, True),
        (failed("a-0"), {"namespaces": {"exclude": ["shop"]}}, False),
        (failed("a-0"), {"namespaces": {"include": ["shop"]}}, True),
        (failed("a-0", labels={"app": "a"}), {"labelSelector": {"matchLabels": {"app": "a"}}}, True),
        (failed("a-0", labels={"app": "a"}), {"labelSelector": {"matchLabels": {"app": "b"}}}, False),
    ],
)
def test_arguments_choose_among_them(one: dict[str, object], arguments: dict[str, object], goes: bool) -> None:
    assert bool(gone(decided(world(one), NAME, **arguments))) is goes


def test_bare_ones_stay_with_a_reason_unless_the_policy_lets_them_go() -> None:
    snapshot = world(failed("a-0", owner=""), failed("b-0", owner=""))
    found = decided(snapshot, NAME)
    assert gone(found) == []
    (row,) = build_document(found).findings
    assert (row.subject, row.outcome, row.refused) == ("workloads/shop/Pod", "unanswered", {"BarePod": 2})
    rules = replace(FilterRules.of(Protections()), protect_failed_bare_pods=False)
    assert gone(decided(snapshot, NAME, replace(FREE, filters=rules))) == ["a-0", "b-0"]


def test_one_finding_tells_of_all_of_a_workload() -> None:
    pods = [failed(f"imp-{i}", (i + 1) * DAY, containers=[OOM]) for i in range(2)]
    found = decided(world(*pods, failed("imp-2", reason="Evicted"), failed("sum-0", 5 * DAY)), NAME)
    rows = build_document(found).findings
    assert [(row.subject, row.value, row.after, row.outcome) for row in rows] == [
        ("workload/shop/Job/sum", 1.0, 0.0, "cured"),
        ("workload/shop/Job/imp", 3.0, 0.0, "cured"),
    ]
    assert rows[1].text == "3 pods of shop/Job/imp failed (OOMKilled 2, Evicted 1), the oldest made 2 d ago"


def test_limits_take_the_oldest() -> None:
    limits = replace(FREE, limits=DisruptionLimits(per_cycle=1))
    found = decided(world(*(failed(f"a-{i}", (i + 1) * DAY) for i in range(3))), NAME, limits)
    assert gone(found) == ["a-2"]
    assert {one.blocked.reason for one in found.refused} == {Reason.CYCLE_LIMIT}


def test_pods_of_protected_kinds_are_no_finding() -> None:
    mirror = failed("static-n1", owner="")
    mirror["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    assert not build_document(decided(world(mirror, failed("d-0", owner="DaemonSet")), NAME)).findings


def test_nodes_that_are_not_looked_at_keep_theirs() -> None:
    found = decided(world(failed("a-0"), failed("b-0", node="n2"), failed("c-0", node="gone")), NAME)
    assert gone(found) == ["a-0", "b-0"]
