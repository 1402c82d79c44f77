"""What a namespace is guaranteed by its ElasticQuota is given back, by as few whole jobs as must."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import NOW, budget, cluster, node, owner, pod
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject
from descheduler.model.plan import ActionKind, PlanDocument
from descheduler.model.pods import Pod
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler_strategies.quota_reclaim.args import QuotaReclaimArgs
from descheduler_strategies.quota_reclaim.strategy import QuotaReclaim
from gang_builders import GROUP_LABEL, custom, group
from planning.cases import planned

FREE = PlanningSettings(limits=DisruptionLimits())
QUOTA, GROUP = "scheduling.x-k8s.io/ElasticQuota", "scheduling.x-k8s.io/PodGroup"


@dataclass(frozen=True)
class Gang:
    """Members of 4 cores in a namespace: on these nodes, or all waiting where there are none."""

    name: str
    namespace: str
    size: int
    at: tuple[str, ...] = ()
    priority: int = 0
    age: float = 3600.0

    def pods(self) -> Iterable[Pod]:
        for i in range(self.size):
            yield pod(
                f"{self.name}-{i}",
                cpu="4",
                node=self.at[i] if self.at else "",
                namespace=self.namespace,
                labels={GROUP_LABEL: self.name},
                owners=(owner("Job", self.name),),
                priority=self.priority,
                created=NOW - self.age,
            )


def quota(namespace: str, least: int, most: int = 1000) -> CustomObject:
    """Of so many members."""
    spec = {"min": {"cpu": str(4 * least)}, "max": {"cpu": str(4 * most), "memory": "4Ti"}}
    return custom("scheduling.x-k8s.io/v1alpha1", "ElasticQuota", "quota", spec, namespace)


def world(gangs: Sequence[Gang], quotas: Sequence[CustomObject], nodes: Sequence[Node]) -> ClusterSnapshot:
    found = cluster(list(nodes), [one for gang in gangs for one in gang.pods()])
    groups = tuple(group(gang.name, gang.size, gang.namespace) for gang in gangs)
    return replace(found, objects={QUOTA: tuple(quotas), GROUP: groups})


def plan_of(snapshot: ClusterSnapshot, **changes: object) -> PlanDocument:
    args = QuotaReclaimArgs.model_validate(changes)
    return planned(snapshot, chosen=[ChosenStrategy(QuotaReclaim(), args)], settings=FREE)


def broken(plan: PlanDocument) -> set[str]:
    assert {action.kind for action in plan.actions} <= {ActionKind.RELEASE}
    return {move.pod.rpartition("-")[0] for action in plan.actions for move in action.pods}


NODES = tuple(node(f"n{i}", cpu="16") for i in range(4))  # 4 members each
LENT = (quota("ours", 8), quota("theirs", 8))


def borrowing(*sizes: int) -> list[Gang]:
    """Gangs of `theirs` that fill the nodes one after the other."""
    places = [f"n{i // 4}" for i in range(16)]
    gangs = []
    for i, size in enumerate(sizes):
        gangs.append(Gang(f"theirs-{i}", "theirs", size, tuple(places[:size])))
        places = places[size:]
    return gangs


def test_one_whole_job_gives_back_and_the_one_that_waits_starts() -> None:
    plan = plan_of(world([*borrowing(4, 4, 4, 4), Gang("mine", "ours", 4)], LENT, NODES))
    (action,) = plan.actions
    assert len(broken(plan)) == 1
    assert len(action.pods) == 4
    assert {seat.pod for seat in action.room_for} == {f"mine-{i}" for i in range(4)}
    (found,) = plan.findings
    assert (found.outcome, found.value, found.after) == ("cured", 0.0, 4.0)
    assert "ours/mine waits for 1 h, within what ours is guaranteed" in found.text
    assert "theirs has borrowed 32 cpu" in found.text
    assert found.numbers == {"cpu borrowed": 32.0, "cpu lent": 32.0}


@pytest.mark.parametrize(
    ("gangs", "quotas", "why"),
    [
        ([*borrowing(4, 4, 4, 4), Gang("mine", "ours", 4, age=60.0)], LENT, "it waits for a minute"),
        ([*borrowing(4, 4, 4, 4), Gang("mine", "ours", 9)], LENT, "it is not guaranteed so much"),
        ([*borrowing(4, 4), Gang("mine", "ours", 4)], LENT, "there is room"),
        ([*borrowing(4, 4, 4, 4), Gang("mine", "ours", 4)], [quota("ours", 8), quota("theirs", 16)], "nobody borrowed"),
        ([*borrowing(4, 4, 4, 4), Gang("mine", "none", 4)], LENT, "its namespace has no quota"),
        ([*borrowing(4, 4, 4, 4), Gang("mine", "ours", 4)], [], "there are no quotas"),
    ],
    ids=lambda x: x if isinstance(x, str) else "",
)
def test_nobody_gives_back(gangs: list[Gang], quotas: Sequence[CustomObject], why: str) -> None:
    assert plan_of(world(gangs, quotas, NODES)).actions == ()


def test_nobody_falls_below_his_own_guarantee() -> None:
    gangs = [*borrowing(12, 4), Gang("mine", "ours", 4)]
    assert broken(plan_of(world(gangs, LENT, NODES))) == {"theirs-1"}, "the large one would leave 4 of 8"
    only = [*borrowing(12), Gang("others", "ours", 4, ("n3",) * 4), Gang("mine", "ours", 4)]
    plan = plan_of(world(only, LENT, NODES))
    assert plan.actions == ()
    assert [row.reason for row in plan.refusals if row.subject.startswith("finding")] == [Reason.NO_CURE.value]


def test_nobody_is_pushed_below_his_guarantee_of_another_resource() -> None:
    def with_memory(memory: str) -> CustomObject:
        return replace(LENT[1], spec={"min": {"cpu": "32", "memory": memory}, "max": {"cpu": "4000", "memory": "4Ti"}})

    gangs = [*borrowing(4, 4, 4, 4), Gang("mine", "ours", 4)]
    ours = replace(LENT[0], spec={"min": {"cpu": "32", "memory": "1Gi"}, "max": {"cpu": "4000", "memory": "4Ti"}})
    exactly = f"{16 * 128}Mi"  # what they use
    assert plan_of(world(gangs, [ours, with_memory(exactly)], NODES)).actions == ()
    assert len(broken(plan_of(world(gangs, [ours, with_memory("1Gi")], NODES)))) == 1


def test_the_fewest_jobs_give_back_though_others_are_cheaper() -> None:
    gangs = [*borrowing(2, 2, 4, 8), Gang("mine", "ours", 4)]
    assert broken(plan_of(world(gangs, LENT, NODES))) == {"theirs-2"}


def test_a_budget_that_allows_nothing_keeps_a_job_and_another_gives_back() -> None:
    snapshot = world([*borrowing(4, 4, 4, 4), Gang("mine", "ours", 4)], LENT, NODES)
    (first,) = broken(plan_of(snapshot))
    closed = budget("kept", {GROUP_LABEL: first}, allowed=0, namespace="theirs")
    (second,) = broken(plan_of(replace(snapshot, budgets=(closed,))))
    assert second != first


def test_a_borrower_of_a_higher_priority_would_take_it_back() -> None:
    gangs = [replace(gang, priority=9) for gang in borrowing(4, 4, 4, 4)]
    plan = plan_of(world([*gangs, Gang("mine", "ours", 4)], LENT, NODES))
    assert plan.actions == ()
    assert Reason.WOULD_TAKE_IT_BACK.value in {row.reason for row in plan.refusals}


def test_no_more_jobs_than_the_policy_wants() -> None:
    snapshot = world([*borrowing(*[2] * 8), Gang("mine", "ours", 8)], LENT, NODES)
    assert len(broken(plan_of(snapshot))) == 4
    assert plan_of(snapshot, maxJobs=3).actions == ()


def test_quotas_that_make_no_sense_concern_their_namespace_alone() -> None:
    bad = custom("scheduling.x-k8s.io/v1alpha1", "ElasticQuota", "quota", {"min": {"cpu": "lots"}}, "elsewhere")
    gangs = [*borrowing(4, 4, 4, 4), Gang("mine", "ours", 4)]
    assert len(broken(plan_of(world(gangs, [*LENT, bad], NODES)))) == 1
    twice = [*LENT, replace(LENT[1], name="second")]
    assert plan_of(world(gangs, twice, NODES)).actions == (), "nobody can say which one holds"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_as_few_give_back_as_trying_every_set_finds(seed: int) -> None:
    rng = Random(seed)
    sizes: list[int] = []
    while sum(sizes) < 16:
        sizes.append(min(rng.randint(1, 6), 16 - sum(sizes)))
    least, need = rng.randint(0, 12), rng.randint(1, 8)
    gangs = borrowing(*sizes)
    quotas = (quota("ours", 16 - least), quota("theirs", least))
    plan = plan_of(world([*gangs, Gang("mine", "ours", need)], quotas, NODES), maxJobs=100)
    sets = (set(one) for count in range(len(gangs) + 1) for one in itertools.combinations(gangs, count))
    fits = (one for one in sets if need <= sum(g.size for g in one) <= 16 - least)
    fewest = next((len(one) for one in fits), 0) if need <= 16 - least else 0
    assert len(broken(plan)) == fewest
