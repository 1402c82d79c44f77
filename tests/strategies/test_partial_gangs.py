"""Gangs that hold a part of what they need: who lets go, for whom, and who is left alone."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOW, budget, cluster, node, owner, pod
from descheduler.gangs import resolve
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject
from descheduler.model.plan import ActionKind, PlanDocument
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.workloads import WorkloadKey
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.filters.build import FilterRules, build_filters
from descheduler.policy.protections import Protections
from descheduler_strategies.partial_gangs.args import PartialGangsArgs
from descheduler_strategies.partial_gangs.strategy import PartialGangs
from gang_builders import GROUP_LABEL, custom, group
from planning.cases import planned

FREE = PlanningSettings(limits=DisruptionLimits())


@dataclass(frozen=True)
class Gang:
    """So many members of 4 cores, of which those on `at` have a place."""

    name: str
    size: int
    at: tuple[str, ...] = ()
    priority: int = 0
    namespace: str = "default"
    waited: float = 3600.0
    annotations: tuple[tuple[str, str], ...] = ()

    def pods(self) -> Iterable[Pod]:
        for i in range(self.size):
            where = self.at[i] if i < len(self.at) else ""
            yield pod(
                f"{self.name}-{i}",
                cpu="4",
                node=where,
                namespace=self.namespace,
                labels={GROUP_LABEL: self.name},
                owners=(owner("Job", self.name),),
                priority=self.priority,
                created=NOW - self.waited,
                annotations=dict(self.annotations),
            )

    @property
    def object(self) -> CustomObject:
        return group(self.name, self.size, self.namespace)


def world(
    gangs: Sequence[Gang], nodes: Sequence[Node], others: Iterable[Pod] = (), objects: Iterable[CustomObject] = ()
) -> ClusterSnapshot:
    pods = [p for gang in gangs for p in gang.pods()]
    groups = tuple(gang.object for gang in gangs)
    found = {"scheduling.x-k8s.io/PodGroup": groups}
    for one in objects:
        found["scheduling.x-k8s.io/ElasticQuota"] = (*found.get("scheduling.x-k8s.io/ElasticQuota", ()), one)
    return replace(cluster(list(nodes), [*pods, *others]), objects=found)


def plan_of(snapshot: ClusterSnapshot, **changes: object) -> PlanDocument:
    args = PartialGangsArgs.model_validate(changes)
    return planned(snapshot, chosen=[ChosenStrategy(PartialGangs(), args)], settings=FREE)


def let_go(plan: PlanDocument) -> set[str]:
    """Gangs that let go, by the names of their pods."""
    assert {action.kind for action in plan.actions} <= {ActionKind.RELEASE}
    return {move.pod.rpartition("-")[0] for action in plan.actions for move in action.pods}


def start(plan: PlanDocument) -> set[str]:
    return {seat.pod.rpartition("-")[0] for action in plan.actions for seat in action.room_for}


TWO = (node("n1", cpu="8"), node("n2", cpu="8"))


def test_of_two_that_hold_half_each_the_one_of_the_lower_priority_lets_go_whole() -> None:
    gangs = [Gang("a", 4, ("n1", "n1"), priority=5), Gang("b", 4, ("n2", "n2"))]
    plan = plan_of(world(gangs, TWO))
    (action,) = plan.actions
    assert (let_go(plan), start(plan)) == ({"b"}, {"a"})
    assert [move.pod for move in action.pods] == ["b-0", "b-1"], "all that has a place, and nothing that waits"
    assert action.executor == "evict"
    assert {(move.destination, move.state) for move in action.pods} == {("", "Running, let go")}
    (found,) = plan.findings
    assert (found.value, found.after, found.outcome) == (2.0, 0.0, "cured")
    assert "gang default/a holds 2 of 4 for 1 h" in found.text
    assert "they block one another" in found.text
    assert action.note == "default/b lets go of 2 places, so that default/a can start"


def test_among_equals_the_one_that_costs_least_does() -> None:
    gangs = [Gang("a", 4, ("n1",), waited=86_400.0), Gang("b", 4, ("n1", "n2", "n2"), waited=86_400.0)]
    assert let_go(plan_of(world(gangs, TWO))) == {"a"}


def test_what_has_room_is_left_to_the_scheduler() -> None:
    gangs = [Gang("a", 4, ("n1", "n1")), Gang("b", 4, ("n2", "n2"))]
    plan = plan_of(world(gangs, [*TWO, node("n3", cpu="16")]))
    assert plan.actions == ()


def test_nobody_lets_go_where_nobody_could_start_by_it() -> None:
    gangs = [Gang("a", 9, ("n1", "n1")), Gang("b", 9, ("n2", "n2"))]
    plan = plan_of(world(gangs, TWO))
    assert plan.actions == ()
    assert {(f.outcome, r.reason) for f, r in zip(plan.findings, plan.refusals, strict=False)} == {
        ("unanswered", Reason.NO_CURE.value)
    }


def test_one_that_could_never_start_lets_go_for_one_that_can() -> None:
    gangs = [Gang("a", 9, ("n1", "n1")), Gang("b", 4, ("n2", "n2"))]
    plan = plan_of(world(gangs, TWO))
    assert (let_go(plan), start(plan)) == ({"a"}, {"b"})


@pytest.mark.parametrize(
    ("gangs", "why"),
    [
        ([Gang("a", 4, ("n1", "n1"), waited=60.0), Gang("b", 4, ("n2", "n2"), waited=60.0)], "they wait for a minute"),
        ([Gang("a", 2, ("n1", "n1")), Gang("b", 4, ("n2", "n2"))], "the first one runs"),
        ([Gang("a", 4), Gang("b", 4)], "nobody holds anything"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_who_is_not_stuck_is_not_named(gangs: list[Gang], why: str) -> None:
    plan = plan_of(world(gangs, TWO))
    assert plan.actions == ()
    assert not [f for f in plan.findings if f.outcome == "cured"]


def test_a_gang_of_a_higher_priority_never_lets_go_for_a_lower_one() -> None:
    keep = (("descheduler.alpha.kubernetes.io/evict", "false"),)
    gangs = [Gang("a", 4, ("n1", "n1"), priority=5), Gang("b", 4, ("n2", "n2"), annotations=keep)]
    plan = plan_of(world(gangs, TWO))
    assert plan.actions == ()
    (told,) = (row.detail for row in plan.refusals if row.subject == "finding/gang/default/b")
    assert told.startswith("it would have no room if all stuck gangs of no higher priority that may let go")
    equal = [replace(gang, priority=0) for gang in gangs]
    assert let_go(plan_of(world(equal, TWO))) == {"a"}, "among equals whoever may"


def test_where_the_best_answer_would_be_unfair_the_next_one_is_taken() -> None:
    """Were `a` to go, `b` and `c` would start; but `c` can go for `a`."""
    keep = (("descheduler.alpha.kubernetes.io/evict", "false"),)
    gangs = [
        Gang("a", 4, ("n1", "n1"), priority=5),
        Gang("b", 3, ("n2", "n2"), annotations=keep),
        Gang("c", 4, ("n3",) * 3),
    ]
    plan = plan_of(world(gangs, [*TWO, node("n3", cpu="12")]))
    assert let_go(plan) == {"c"}
    assert "a" in start(plan)


def test_however_many_priorities_are_stuck_nobody_hides_an_answer() -> None:
    high = [Gang("hi-50", 4, ("n1",), priority=50), Gang("hi-40", 4, ("n1", "n2", "n2"), priority=40)]
    low = [Gang(f"low-{i}", 40, (f"m{i}",) * 2, priority=i) for i in range(6)]
    nodes = [*TWO, *(node(f"m{i}", cpu="8") for i in range(6))]
    plan = plan_of(world([*high, *low], nodes), maxGangs=100)
    assert "hi-50" in start(plan)
    assert "hi-50" not in let_go(plan)


def test_who_lets_go_in_one_knot_does_not_take_the_room_made_in_another() -> None:
    """`b` goes for `a`, and would come before `c`, for whom `d` goes: one knot after the other."""
    gangs = [
        Gang("a", 4, ("n1", "n1"), priority=9, namespace="x"),
        Gang("b", 4, ("n2", "n2"), priority=8, namespace="x"),
        Gang("c", 4, ("n3", "n3"), priority=3, namespace="y"),
        Gang("d", 4, ("n4", "n4"), priority=2, namespace="y"),
    ]
    nodes = [node(f"n{i}", cpu="8") for i in range(1, 5)]
    plan = plan_of(world(gangs, nodes))
    first = max(one.priority for one in gangs if one.name in let_go(plan))
    assert min(one.priority for one in gangs if one.name in start(plan)) >= first


def test_a_budget_that_allows_nothing_keeps_the_gang_and_the_other_lets_go() -> None:
    gangs = [Gang("a", 4, ("n1", "n1")), Gang("b", 4, ("n2", "n2"), priority=0)]
    snapshot = world(gangs, TWO)
    closed = budget("a", {GROUP_LABEL: "a"}, allowed=0)
    assert let_go(plan_of(replace(snapshot, budgets=(closed,)))) == {"b"}
    both = (closed, budget("b", {GROUP_LABEL: "b"}, allowed=0))
    assert plan_of(replace(snapshot, budgets=both)).actions == ()


def test_who_was_moved_a_moment_ago_is_not_let_go_again() -> None:
    snapshot = world([Gang("a", 4, ("n1", "n1")), Gang("b", 4, ("n2", "n2"))], TWO)
    rules, units = FilterRules.of(Protections()), resolve(snapshot)
    holds = np.array([bool(one.node) for one in snapshot.pods])
    free = build_filters(snapshot, units, rules, now=NOW)
    assert free.releasable[holds].all()
    held = build_filters(snapshot, units, rules, now=NOW, ledger=Remembers())
    assert not held.releasable[holds].any()
    blocked = held.held(int(np.flatnonzero(holds)[0]))
    assert blocked is not None
    assert blocked.reason is Reason.COOLDOWN


class Remembers:
    """A ledger in which everybody was moved a moment ago."""

    any_entries = True
    successors: frozenset[str] = frozenset()

    def blocked(self, workload: WorkloadKey, pod_uid: str, now: float) -> Blocked:
        return Blocked(Reason.COOLDOWN, str(workload), "moved a moment ago")


def test_of_two_that_could_have_the_room_the_one_of_the_higher_priority_starts() -> None:
    """What `c` holds is room for what `a` or `b` lacks, and not for both; `c` itself lacks too much."""
    gangs = [Gang("a", 4, ("n1",) * 3), Gang("b", 4, ("n2",) * 3, priority=5), Gang("c", 9, ("n1",), priority=-1)]
    plan = plan_of(world(gangs, [node("n1", cpu="16"), node("n2", cpu="12")]))
    assert "b" in start(plan)
    assert "b" not in let_go(plan)


def test_no_more_gangs_let_go_than_the_policy_wants() -> None:
    nodes = [node(f"n{i}", cpu="8") for i in range(8)]
    gangs = [Gang(f"g{i}", 4, (f"n{i}", f"n{i}"), namespace=f"team-{i // 2}") for i in range(8)]
    assert len(let_go(plan_of(world(gangs, nodes)))) == 4
    assert len(let_go(plan_of(world(gangs, nodes), maxGangs=100))) == 4
    plan = plan_of(world(gangs, nodes), maxGangs=1)
    assert len(let_go(plan)) <= 1


def test_a_quota_that_two_fill_half_each_is_a_knot_too() -> None:
    quota = custom("scheduling.x-k8s.io/v1alpha1", "ElasticQuota", "team", {"max": {"cpu": "16", "memory": "4Ti"}})
    gangs = [Gang("a", 4, ("n1", "n1")), Gang("b", 4, ("n2", "n2"))]
    wide = [node("n1", cpu="64"), node("n2", cpu="64")]
    assert len(let_go(plan_of(world(gangs, wide, objects=[quota])))) == 1
    assert plan_of(world(gangs, wide)).actions == (), "without the quota there is room"
    broken = custom("scheduling.x-k8s.io/v1alpha1", "ElasticQuota", "team", {"max": {"cpu": "much"}})
    assert plan_of(world(gangs, wide, objects=[broken])).actions == ()


def test_a_gang_that_must_stay_in_its_zone_is_helped_there() -> None:
    level = (("kueue.x-k8s.io/podset-required-topology", "zone"),)
    nodes = [
        node("n1", cpu="8", labels={"zone": "x"}),
        node("n2", cpu="8", labels={"zone": "x"}),
        node("n3", cpu="64", labels={"zone": "y"}),
    ]
    gangs = [Gang("a", 4, ("n1", "n1"), annotations=level), Gang("b", 4, ("n2", "n2"), annotations=level)]
    plan = plan_of(world(gangs, nodes))
    assert len(let_go(plan)) == 1
    assert {seat.node for action in plan.actions for seat in action.room_for} <= {"n1", "n2"}
    anywhere = [replace(gang, annotations=()) for gang in gangs]
    assert plan_of(world(anywhere, nodes)).actions == (), "the other zone has room"


def fewest(gangs: Sequence[Gang]) -> int:
    """By trying every set, members being alike and nothing free: how many must let go so that all others start that
    ever could."""
    lack = {gang.name: gang.size - len(gang.at) for gang in gangs}
    held = sum(len(gang.at) for gang in gangs)
    able = [gang for gang in gangs if lack[gang.name] <= held - len(gang.at)]
    for count in range(len(gangs) + 1):
        for gone in itertools.combinations(gangs, count):
            starts = [gang for gang in able if gang not in gone]
            if starts and sum(lack[gang.name] for gang in starts) <= sum(len(gang.at) for gang in gone):
                return count
    return 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_as_few_let_go_as_trying_every_set_finds(seed: int) -> None:
    rng = Random(seed)
    gangs: list[Gang] = []
    for at in range(rng.randint(2, 6)):
        size = rng.randint(2, 6)
        places = tuple(f"n{rng.randint(0, 3)}" for _ in range(rng.randint(1, size - 1)))
        gangs.append(Gang(f"g{at}", size, places))
    held = Counter(name for gang in gangs for name in gang.at)
    snapshot = world(gangs, [node(name, cpu=str(4 * count)) for name, count in held.items()])
    plan = plan_of(snapshot, maxGangs=100)
    assert len(let_go(plan)) == fewest(gangs)
    assert start(plan) <= {gang.name for gang in gangs} - let_go(plan)
