"""Objective `pending`: room for who waits, with the fewest moves, or the reason why not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from builders import NOW, budget, cluster, node, ordinal, owner, pod, spec
from descheduler.contract import RebalanceView
from descheduler.model.labels import Labels
from descheduler.model.moves import Observation, Proposal
from descheduler.model.nodes import Node
from descheduler.model.objects import CustomObject
from descheduler.model.plan import PlanDocument
from descheduler.model.pods import Phase, Pod, PodAffinity, PodAffinityTerm
from descheduler.model.reasons import Reason
from descheduler.model.selectors import LabelSelector
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.scheduler import Scoring
from descheduler_strategies.gpu_defragmentation.args import GpuDefragmentationArgs
from descheduler_strategies.gpu_defragmentation.strategy import GpuDefragmentation
from generated.synthetic_gpus import RACK, GpuPlan, synthetic_gpus
from planning.cases import outcome, planned

GANG = "scheduling.x-k8s.io/pod-group"
PACKING = PlanningSettings(scoring={"default-scheduler": Scoring.MOST_ALLOCATED, "gpu-packer": Scoring.MOST_ALLOCATED})


def args(**changes: object) -> GpuDefragmentationArgs:
    return GpuDefragmentationArgs.model_validate({"objective": "pending", **changes})


def strategy(**changes: object) -> ChosenStrategy:
    return ChosenStrategy(GpuDefragmentation(), args(**changes))


def gpu_nodes(count: int, racks: int = 1) -> list[Node]:
    return [
        node(f"g{i}", cpu="96", memory="768Gi", gpu=8, model="H100", labels={RACK: f"r{i % racks}"})
        for i in range(count)
    ]


def small(name: str, on: str, gpu: int = 1) -> Pod:
    return pod(name, cpu="4", gpu=gpu, node=on, owners=ordinal(name))


def big(
    name: str, gpu: int = 8, group: str = "", priority: int = 0, created: float = NOW - 3600, **rest: object
) -> Pod:
    labels = {GANG: group} if group else {}
    return pod(name, cpu="64", gpu=gpu, labels=labels, priority=priority, created=created, **rest)


def group(name: str, minimum: int) -> CustomObject:
    return CustomObject(
        "scheduling.x-k8s.io/v1alpha1", "PodGroup", "default", name, f"uid-{name}", spec={"minMember": minimum}
    )


def plan_of(nodes: Iterable[Node], pods: Iterable[Pod], *objects: CustomObject, **changes: object) -> PlanDocument:
    return planned(cluster(nodes, pods, objects=objects), chosen=[strategy(**changes)], settings=PACKING)


def moved(plan: PlanDocument) -> dict[str, str]:
    return {p.pod: p.destination for a in plan.actions for p in a.pods}


def test_who_still_holds_his_room_draws_his_replacement_back_where_full_nodes_are_preferred() -> None:
    """A ReplicaSet replaces at once, so the scheduler sees the old pod on the node beside the new one."""
    pods = [small("a-0", "g0"), pod("c-0", cpu="4", gpu=1, node="g1", owners=ordinal("c-0")), big("want-0")]
    assert len(moved(plan_of(gpu_nodes(2), pods))) == 1
    at_once = [pod(one.name, cpu="4", gpu=1, node=one.node) if one.name != "want-0" else one for one in pods]
    plan = plan_of(gpu_nodes(2), at_once)
    assert moved(plan) == {}
    assert Reason.WOULD_STAY.value in {refusal.reason for refusal in plan.refusals}


def test_one_pod_gets_room_with_the_fewest_moves() -> None:
    pods = [small("a-0", "g0"), small("b-0", "g1"), small("b-1", "g1"), small("c-0", "g2", gpu=4), big("want-0")]
    plan = plan_of(gpu_nodes(3), pods)
    assert list(moved(plan)) == ["a-0"]
    (action,) = plan.actions
    assert [(s.pod, s.node) for s in action.room_for] == [("want-0", "g0")]
    assert plan.findings[0].outcome == "cured"


def test_a_gang_is_let_in_whole() -> None:
    pods = [small("a-0", "g0"), small("b-0", "g1"), small("c-0", "g2", gpu=4)]
    pods += [big(f"want-{i}", group="want") for i in range(2)]
    plan = plan_of(gpu_nodes(3), pods, group("want", 2))
    assert sorted(moved(plan)) == ["a-0", "b-0"]
    assert {s.node for a in plan.actions for s in a.room_for} == {"g0", "g1"}


def test_no_pod_moves_for_a_gang_that_cannot_be_let_in_whole() -> None:
    pods = [small("a-0", "g0"), small("b-0", "g1", gpu=8), small("c-0", "g2", gpu=4)]
    pods += [big(f"want-{i}", group="want") for i in range(2)]
    plan = plan_of(gpu_nodes(3), pods, group("want", 2))
    assert not plan.actions
    assert "NoCure" in {r.reason for r in plan.refusals}


def test_only_the_minimum_of_a_gang_must_find_room() -> None:
    pods = [small("a-0", "g0"), small("b-0", "g1", gpu=8), small("c-0", "g2", gpu=4)]
    pods += [big(f"want-{i}", group="want") for i in range(2)]
    plan = plan_of(gpu_nodes(3), pods, group("want", 1))
    assert list(moved(plan)) == ["a-0"]


def test_what_fits_already_is_left_to_the_scheduler() -> None:
    plan = plan_of(gpu_nodes(2), [small("a-0", "g0"), big("want-0")])
    assert not plan.actions
    assert not plan.findings


def test_the_room_of_what_fits_already_is_not_given_away() -> None:
    """One node is free and two pods want it: the more urgent takes it, room is made for the other."""
    pods = [small("a-0", "g0"), small("c-0", "g2", gpu=4), big("want-0", priority=5), big("late-0")]
    plan = plan_of(gpu_nodes(3), pods)
    assert list(moved(plan)) == ["a-0"]
    assert [s.pod for a in plan.actions for s in a.room_for] == ["late-0"]


def test_a_gang_stays_within_the_rack_that_it_asks_for() -> None:
    """Two nodes of different racks would need one move each; two of one rack need three."""
    pods = [
        small("a-0", "g0"),
        small("b-0", "g1"),
        *(small(f"c-{i}", "g2") for i in range(2)),
        small("d-0", "g3", gpu=2),
    ]
    pods += [big(f"want-{i}", group="want") for i in range(2)]
    anywhere = plan_of(gpu_nodes(4, racks=2), pods, group("want", 2))
    assert sorted(moved(anywhere)) == ["a-0", "b-0"]
    within = plan_of(gpu_nodes(4, racks=2), pods, group("want", 2), pending={"within": RACK})
    seats = {s.node for a in within.actions for s in a.room_for}
    assert len({int(name[1:]) % 2 for name in seats}) == 1
    assert len(moved(within)) == 2 + (seats == {"g0", "g2"})


def test_a_pod_that_names_its_level_is_believed() -> None:
    annotated = {"kueue.x-k8s.io/podset-required-topology": RACK}
    pods = [
        small("a-0", "g0"),
        small("b-0", "g1"),
        *(small(f"c-{i}", "g2") for i in range(2)),
        small("d-0", "g3", gpu=2),
    ]
    pods += [big(f"want-{i}", group="want", annotations=annotated) for i in range(2)]
    plan = plan_of(gpu_nodes(4, racks=2), pods, group("want", 2))
    assert len({int(s.node[1:]) % 2 for a in plan.actions for s in a.room_for}) == 1


@pytest.mark.parametrize(
    "waiting",
    [
        big("want-0", created=NOW - 30),
        replace(big("want-0"), gated=True),
        replace(big("want-0"), deleting=NOW),
        replace(big("want-0"), phase=Phase.FAILED),
        replace(big("want-0"), nominated="g0"),
    ],
    ids=["young", "gated", "terminating", "finished", "nominated"],
)
def test_nobody_moves_for_who_does_not_wait(waiting: Pod) -> None:
    plan = plan_of(gpu_nodes(2), [small("a-0", "g0"), small("b-0", "g1"), waiting])
    assert not plan.actions
    assert not plan.findings


def test_the_policy_chooses_for_whom() -> None:
    pods = [small("a-0", "g0"), small("b-0", "g1"), big("want-0", priority=1)]
    assert plan_of(gpu_nodes(2), pods, pending={"names": ["default/want-*"]}).actions
    assert not plan_of(gpu_nodes(2), pods, pending={"names": ["other/*"]}).actions
    assert not plan_of(gpu_nodes(2), pods, pending={"minPriority": 2}).actions


def test_what_may_not_move_makes_no_room() -> None:
    held = replace(small("a-0", "g0"), labels=Labels({"app": "a"}))
    snapshot = cluster(
        gpu_nodes(2), [held, small("b-0", "g1", gpu=8), big("want-0")], budgets=[budget("a", {"app": "a"}, allowed=0)]
    )
    plan = planned(snapshot, chosen=[strategy()], settings=PACKING)
    assert not plan.actions


def test_a_running_gang_is_not_torn_for_a_pending_one() -> None:
    """The cheapest victim is one of two members; the other would have to move as well, and is worth less than b."""
    running = [replace(small(f"run-{i}", f"g{i}"), labels=Labels({GANG: "run"})) for i in range(2)]
    pods = [*running, small("b-0", "g2"), small("b-1", "g2"), small("d-0", "g3", gpu=8), big("want-0")]
    plan = plan_of(gpu_nodes(4), pods, group("run", 2))
    assert set(moved(plan)) in ({"run-0", "run-1"}, {"b-0", "b-1"})


def view_of(snapshot: ClusterSnapshot) -> RebalanceView:
    return outcome(snapshot, settings=PACKING).view


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_random_clusters_every_seat_fits_and_no_move_is_wasted(seed: int) -> None:
    view = view_of(synthetic_gpus(GpuPlan(64, 500, seed, waiting=5)))
    answers = list(GpuDefragmentation().propose(view, args()))
    proposals = [a for a in answers if isinstance(a, Proposal)]
    state = view.what_if()
    for proposal in proposals:
        state.apply(proposal.moves, {m.pod: m.destinations[0] for m in proposal.moves})
        for seat in proposal.seats:
            assert state.fits(seat.pod)[seat.node]
            state.place(seat.pod, seat.node)
    assert sum(len(p.moves) for p in proposals) <= args().max_moves
    assert answers == list(GpuDefragmentation().propose(view, args()))
    for last in answers[len(proposals) :]:
        assert isinstance(last, Observation)
        assert isinstance(last.blocked.reason, Reason)


def test_a_launcher_without_gpus_is_part_of_the_gang() -> None:
    launcher = pod(
        "want-9", cpu="2", labels={GANG: "want"}, created=NOW - 3600, owners=[owner("Job", "want", "batch/v1")]
    )
    pods = [small("a-0", "g0"), small("c-0", "g1", gpu=4), big("want-0", group="want"), launcher]
    plan = plan_of(gpu_nodes(2), pods, group("want", 2))
    assert list(moved(plan)) == ["a-0"]
    assert {s.pod for a in plan.actions for s in a.room_for} == {"want-0", "want-9"}


def test_another_way_is_found_when_the_cheapest_victim_has_nowhere_to_go() -> None:
    """The pod on g0 keeps away from noisy ones, which are everywhere else; that is a rule that no array holds."""
    away = PodAffinity((PodAffinityTerm("kubernetes.io/hostname", LabelSelector.of({"kind": "noisy"})),))
    shy = pod("shy-0", of=spec("4", "1Gi", gpu=1, anti_affinity=away), node="g0")
    noisy = [pod(f"noisy-{i}", node=f"g{i}", labels={"kind": "noisy"}, owners=()) for i in (1, 2)]
    pods = [*noisy, small("b-0", "g1"), small("d-0", "g1"), small("c-0", "g2", gpu=8), shy, big("want-0")]
    plan = plan_of(gpu_nodes(3), pods)
    assert sorted(moved(plan)) == ["b-0", "d-0"]


def test_mixed_sizes_are_given_the_room_of_the_largest() -> None:
    pods = [small("a-0", "g0"), small("b-0", "g1"), small("c-0", "g2", gpu=4)]
    pods += [big("want-0", group="want"), big("want-1", gpu=4, group="want")]
    plan = plan_of(gpu_nodes(3), pods, group("want", 2))
    assert {s.pod for a in plan.actions for s in a.room_for} == {"want-0", "want-1"}
