"""Random clusters under LowNodeUtilization or HighNodeUtilization, plan after plan, until nothing moves any more."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import cluster, node, pod
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy, PlanningSettings
from strategies.balancing import PACKING, UNLIMITED, high, low, made

PLANS = 12  # in which every cluster of this size is at rest


@st.composite
def clusters(draw: st.DrawFn) -> ClusterSnapshot:
    sizes = draw(st.lists(st.sampled_from([4, 8, 16]), min_size=2, max_size=5))
    nodes = [node(f"n{i}", cpu=str(size), memory=f"{4 * size}Gi") for i, size in enumerate(sizes)]
    pods, free = [], list(sizes)
    for number, (at, cores) in enumerate(draw(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), max_size=18))):
        if at < len(sizes) and free[at] >= cores:
            free[at] -= cores
            pods.append(pod(f"web-{number}", cpu=str(cores), memory=f"{cores}Gi", node=f"n{at}"))
    return cluster(nodes, pods)


def used(snapshot: ClusterSnapshot) -> list[float]:
    """Percent of the CPU of each node that is requested."""
    columns = snapshot.columns
    return (100.0 * columns.requested[:, 0] / columns.allocatable[:, 0]).tolist()


def settled(snapshot: ClusterSnapshot, chosen: ChosenStrategy, how: PlanningSettings) -> list[ClusterSnapshot]:
    """The cluster after each plan; the last moves nothing."""
    seen = [snapshot]
    while (plan := made(seen[-1], chosen, settings=how)).gone:
        seen.append(plan.after())
        assert len(seen) <= PLANS, "it never comes to rest"
    return seen


@settings(max_examples=60, deadline=None)
@given(snapshot=clusters(), span=st.sampled_from([(20, 50), (30, 70), (40, 40)]))
def test_levels_are_evened_out_and_nobody_is_filled_above_the_target(
    snapshot: ClusterSnapshot, span: tuple[int, int]
) -> None:
    chosen = low(thresholds={"cpu": span[0]}, targetThresholds={"cpu": span[1]})
    seen = settled(snapshot, chosen, UNLIMITED)
    for before, after in pairwise(seen):
        for was, now in zip(used(before), used(after), strict=True):
            assert now <= max(was, span[1]) + 1e-9


@settings(max_examples=60, deadline=None)
@given(snapshot=clusters(), points=st.sampled_from([5, 10, 20]))
def test_thresholds_around_the_mean_come_to_rest_too(snapshot: ClusterSnapshot, points: int) -> None:
    around = {"thresholds": {"cpu": points}, "targetThresholds": {"cpu": points}, "useDeviationThresholds": True}
    for before, after in pairwise(settled(snapshot, low(**around), UNLIMITED)):
        limit = sum(used(after)) / len(after.nodes) + points
        for was, now in zip(used(before), used(after), strict=True):
            assert now <= was + 1e-9 or now <= limit + 1e-6


@settings(max_examples=60, deadline=None)
@given(snapshot=clusters(), percent=st.sampled_from([20, 40, 60]))
def test_every_plan_leaves_fewer_nodes_in_use(snapshot: ClusterSnapshot, percent: int) -> None:
    seen = settled(snapshot, high(thresholds={"cpu": percent}), PACKING)
    in_use = [sum(level > 0 for level in used(one)) for one in seen]
    assert in_use == sorted(in_use, reverse=True)
    assert len(set(in_use)) == len(in_use)
