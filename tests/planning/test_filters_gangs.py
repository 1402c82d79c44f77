"""Gangs at the filters: whole ones all or none, the others down to their minimum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from builders import NOW, budget, owner, pod
from descheduler.gangs import resolve
from descheduler.model.pods import Phase
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.units import DisruptionMode
from descheduler.planning.filters.build import FilterRules, Filters, build_filters
from descheduler.policy.protections import Protections
from gang_builders import GROUP_LABEL, core_group, custom, group, members, snap


def judged(snapshot: ClusterSnapshot, policy: FilterRules | None = None) -> Filters:
    return build_filters(snapshot, resolve(snapshot), policy or FilterRules.of(Protections()), now=NOW)


def reasons(snapshot: ClusterSnapshot, policy: FilterRules | None = None) -> list[Reason | None]:
    filters = judged(snapshot, policy)
    found = [filters.blocked(i) for i in range(len(snapshot.pods))]
    return [b and b.reason for b in found]


def test_one_member_that_may_not_move_holds_the_whole_gang_and_is_named() -> None:
    pods = members(3, pod_group="g")
    pods[1] = replace(pods[1], annotations=pods[1].annotations.with_({"karpenter.sh/do-not-disrupt": "true"}))
    filters = judged(snap([*pods, pod("x-0", node="n1")], [core_group("g", 3, "PodGroup")]))
    assert filters.movable.tolist() == [False, False, False, True]
    held = Blocked(Reason.GANG_MEMBER_BLOCKED, "pod/default/w-1", "kubernetes:default/g")
    assert [filters.blocked(0), filters.blocked(2)] == [held, held]
    own = filters.blocked(1)
    assert own is not None
    assert own.reason is Reason.OPTED_OUT


def test_a_gang_with_a_pending_member_does_not_move() -> None:
    pods = [*members(3, pod_group="g"), pod("w-3", pod_group="g")]
    assert reasons(snap(pods, [core_group("g", 3)])) == [Reason.GANG_MEMBER_BLOCKED] * 3 + [Reason.NOT_RUNNING]


def test_a_whole_gang_that_is_incomplete_would_wait_for_ever() -> None:
    assert reasons(snap(members(2, pod_group="g"), [core_group("g", 3)])) == [Reason.GANG_WOULD_TEAR] * 2


def test_a_gang_without_slack_would_tear() -> None:
    filters = judged(snap(members(3, pod_group="g"), [core_group("g", 3, "Pod")]))
    assert filters.blocked(0) == Blocked(Reason.GANG_WOULD_TEAR, "kubernetes:default/g", "3 alive, minimum 3")


def test_a_gang_with_slack_may_lose_single_pods_and_one_blocked_member_holds_nobody() -> None:
    pods = members(4, pod_group="g")
    pods[0] = replace(pods[0], priority=2_000_000_000)
    found = reasons(snap(pods, [core_group("g", 3, "Pod")]))
    assert found == [Reason.SYSTEM_CRITICAL, None, None, None]


def test_a_gang_that_cannot_be_resolved_does_not_move() -> None:
    assert reasons(snap(members(2, labels={GROUP_LABEL: "g"}))) == [Reason.GANG_UNKNOWN] * 2


def test_a_job_that_one_eviction_would_fail_does_not_move() -> None:
    found = custom(
        "kubeflow.org/v1",
        "PyTorchJob",
        "g",
        {"pytorchReplicaSpecs": {"Worker": {"replicas": 2, "restartPolicy": "Never"}}},
    )
    pods = members(2, owners=[owner("PyTorchJob", "g", "kubeflow.org/v1")])
    assert reasons(snap(pods, [found])) == [Reason.WOULD_FAIL] * 2


def test_spark_executors_may_go_but_not_the_driver() -> None:
    app = {"spark-app-selector": "a"}
    pods = [
        pod("driver", node="n1", labels={**app, "spark-role": "driver"}, owners=()),
        *members(2, "exec", labels={**app, "spark-role": "executor"}, owners=[owner("Pod", "driver", "v1")]),
    ]
    assert reasons(snap(pods)) == [Reason.NEVER_EVICT, None, None]


def test_ray_workers_may_go_down_to_their_minimum_but_not_the_head() -> None:
    cluster = {"ray.io/cluster": "r", "ray.io/group": "g"}
    own = [owner("RayCluster", "r", "ray.io/v1")]
    pods = [
        pod("head", node="n1", labels={**cluster, "ray.io/node-type": "head"}, owners=own),
        *members(2, "worker", labels={**cluster, "ray.io/node-type": "worker"}, owners=own),
    ]
    found = custom("ray.io/v1", "RayCluster", "r", {"workerGroupSpecs": [{"groupName": "g", "minReplicas": 1}]})
    assert reasons(snap(pods, [found])) == [Reason.NEVER_EVICT, None, None]


def test_a_gang_larger_than_its_budget_allows_does_not_move() -> None:
    pods = members(4, pod_group="g", labels={"app": "g"})
    allowing = budget("b", {"app": "g"}, allowed=3)
    filters = judged(snap(pods, [core_group("g", 4)], budgets=[allowing]))
    assert filters.blocked(0) == Blocked(
        Reason.DISRUPTION_BUDGET, "default/b", "kubernetes:default/g moves whole, 4 pods, and 3 may be disrupted"
    )
    assert judged(snap(pods, [core_group("g", 4)], budgets=[replace(allowing, allowed=4)])).movable.all()


PODS = st.tuples(
    st.sampled_from(["", "g0", "g1"]),
    st.sampled_from(["", "h0"]),
    st.sampled_from([0, 2_000_000_000]),
    st.sampled_from([Phase.RUNNING, Phase.RUNNING, Phase.PENDING]),
)


@given(st.lists(PODS, min_size=1, max_size=14), st.sampled_from(list(DisruptionMode)), st.integers(0, 3))
def test_whole_gangs_move_all_or_none(
    given_pods: list[tuple[str, str, int, Phase]], mode: DisruptionMode, allowed: int
) -> None:
    pods = [
        pod(
            f"p-{i:02d}",
            node="n1",
            pod_group=core,
            labels={"app": "a"} | ({GROUP_LABEL: label} if label else {}),
            priority=priority,
            phase=phase,
        )
        for i, (core, label, priority, phase) in enumerate(given_pods)
    ]
    objects = [core_group("g0", 2), core_group("g1", 2, "Pod"), group("h0", 1)]
    snapshot = snap(pods, objects, budgets=[budget("b", {"app": "a"}, allowed)])
    units = resolve(snapshot, when_unset=mode)
    filters = build_filters(snapshot, units, FilterRules.of(Protections()), now=NOW)
    for unit in units.gangs:
        free = filters.movable[list(unit.members)]
        if unit.mode is DisruptionMode.WHOLE:
            assert free.all() or not free.any()
            assert not free.any() or (len(unit.members) <= allowed and unit.alive >= unit.min_available)
        else:
            assert unit.slack > 0 or not free.any()
    assert np.array_equal(filters.movable, [filters.blocked(i) is None for i in range(len(pods))])
