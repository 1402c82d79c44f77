"""Removals in plans: what is proved of them, what they take of budgets and limits, and what the document says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import NOW, budget, cluster, node, ordinal, owner, pod, workload
from descheduler.contract import StrategyArgs
from descheduler.model.landing_mode import LandingMode
from descheduler.model.nodes import Taint
from descheduler.model.plan import ActionKind
from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import ChosenStrategy, Outcome, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.planning.document.build import build_document
from descheduler.planning.executor_rules import ExecutorTraits
from descheduler.planning.explain import explain
from descheduler.report import words
from descheduler.report.html import to_html
from descheduler.report.serial import from_json, to_json
from descheduler.report.table import to_text
from gang_builders import core_group
from kube.device_objects import (
    claim_of,
    device_class,
    gpu_device,
    request,
    resource_slice,
    snapshot,
    stateful_set,
    template,
    templated,
)
from kube.wire_objects import node as kube_node
from planning.cases import outcome
from planning.proposing import Proposing
from planning.removing import Removing, removing

FREE = PlanningSettings(limits=DisruptionLimits())


def failed(name: str, on: str = "n1", **rest: object) -> Pod:
    return pod(name, node=on, phase=Phase.FAILED, ready=False, **rest)  # type: ignore[arg-type]


def decided(snapshot: ClusterSnapshot, *chosen: ChosenStrategy, settings: PlanningSettings = FREE) -> Outcome:
    return outcome(snapshot, chosen=chosen, settings=settings)


def removed(found: Outcome) -> list[str]:
    return [found.view.snapshot.pods[move.pod].name for one in found.accepted for move in one.proposal.moves]


def reasons(found: Outcome) -> list[Reason]:
    return [one.blocked.reason for one in found.refused]


# Proof


def test_a_running_pod_that_fits_nowhere_else_may_be_removed_and_keeps_its_room() -> None:
    full = cluster([node("n1", cpu="4")], [pod("web-0", cpu="4", node="n1")])
    found = decided(full, removing("web-0"))
    assert removed(found) == ["web-0"]
    assert found.final.node_of(0) == 0
    assert found.final.free()[0, 0] == 0
    moved = decided(full, ChosenStrategy(Proposing((("web-0", ()),)), StrategyArgs()))
    assert reasons(moved)[0] is Reason.NO_PLACE


def test_one_that_would_find_no_place_stays() -> None:
    closed = cluster([node("n1", cpu="4", unschedulable=True)], [pod("web-0", cpu="4", node="n1")])
    assert reasons(decided(closed, removing("web-0")))[0] is Reason.NO_PLACE


def test_where_its_node_would_not_take_it_again_a_place_elsewhere_is_set_aside() -> None:
    pods = [pod(f"{name}-0", cpu="3", node="n1") for name in "ab"]
    tainted = node("n1", cpu="8", taints=[Taint("new", "", "NoSchedule")])
    found = decided(cluster([tainted, node("n2", cpu="4")], pods), removing("a-0", "b-0"))
    assert removed(found) == ["a-0"]
    assert reasons(found)[0] is Reason.NO_PLACE  # the one place is taken
    assert found.final.free()[:, 0].tolist() == [2000, 1000]  # old room and new room are both held
    text = build_document(found).actions[0].pods[0].proof.text
    assert text == "made again wherever the scheduler puts it; not where it is, but on n2 there is room"


@pytest.mark.parametrize(("count", "left"), [(1, 2), (2, 1), (3, 0), (4, None)])
def test_one_that_restarts_takes_the_devices_that_its_template_asks_for_now(count: int, left: int | None) -> None:
    """It has one of three; the next action finds what is then left."""
    world = snapshot(
        templated("a-0", "a"),
        nodes=[kube_node("n1")],
        slices=[resource_slice(*map(gpu_device, range(3)))],
        classes=[device_class()],
        templates=[template("a", request(count=count))],
        sets=[stateful_set("a")],
        claims=[claim_of("a-0", "gpu-2")],
    )
    found = decided(replace(world, taken_at=NOW, freshness={}), removing("a-0", namespace="shop"))
    if left is None:
        assert reasons(found)[0] is Reason.NO_PLACE
        return
    assert removed(found) == ["a-0"]
    assert found.final.whole_gpus().tolist() == [left]
    assert found.final.moved == {}
    assert found.final.gpus_held(0) == ((2,) if count == 1 else tuple(range(count)))


def test_a_finished_pod_needs_no_place() -> None:
    closed = cluster([node("n1", cpu="1", unschedulable=True)], [failed("job-0", cpu="64")])
    found = decided(closed, removing("job-0"))
    assert removed(found) == ["job-0"]
    assert found.accepted[0].cost == 0.0
    assert found.accepted[0].restarting == ()


def test_room_of_a_removed_pod_is_given_to_nobody() -> None:
    pods = [pod("old-0", cpu="4", node="n2"), pod("big-0", cpu="4", node="n1")]
    world = cluster([node("n1", cpu="8"), node("n2", cpu="4")], pods)
    move = ChosenStrategy(Proposing((("big-0", ()),)), StrategyArgs())
    found = decided(world, removing("old-0", order=10), move)
    assert removed(found) == ["old-0"]
    assert reasons(found)[0] is Reason.NO_PLACE


@pytest.mark.parametrize("landing", [LandingMode.PREDICTED, LandingMode.STEERED])
def test_moves_and_restarts_go_in_waves_of_their_own(landing: LandingMode) -> None:
    pods = [pod("old-0", node="n1"), pod("web-0", node="n1", owners=ordinal("web-0")), failed("job-0")]
    world = cluster([node("n1", cpu="8"), node("n2", cpu="32")], pods)
    move = ChosenStrategy(Proposing((("web-0", ()),)), StrategyArgs())
    settings = replace(FREE, landing=landing)
    found = decided(world, removing("old-0", "job-0", order=10), move, settings=settings)
    assert removed(found) == ["old-0", "job-0", "web-0"]
    assert found.waves == (0, 0, 1)
    alone = decided(world, removing("job-0", order=10), move, settings=settings)
    assert alone.waves == (0, 0)  # what has finished disturbs nobody


def test_a_gang_that_moves_whole_is_removed_whole() -> None:
    gang = [pod(f"w-{i}", node="n1", pod_group="g") for i in range(2)]
    world = cluster([node("n1", cpu="8")], gang, objects=[core_group("g", 2, {"all": {}})])
    assert reasons(decided(world, removing("w-0")))[0] is Reason.GANG_WOULD_TEAR
    assert removed(decided(world, removing(("w-0", "w-1")))) == ["w-0", "w-1"]


# Budgets and limits


def world_of_three(**rest: object) -> ClusterSnapshot:
    pods = [pod(f"web-{i}", node="n1", labels={"app": "web"}) for i in range(3)]
    pods += [failed(f"job-{i}", labels={"app": "web"}) for i in range(3)]
    return cluster([node("n1"), node("n2")], pods, **rest)  # type: ignore[arg-type]


def test_running_pods_take_of_their_budget_and_finished_ones_do_not() -> None:
    world = world_of_three(budgets=[budget("web", {"app": "web"}, allowed=1)])
    found = decided(world, removing("web-0", "web-1", "job-0", "job-1"))
    assert removed(found) == ["web-0", "web-1", "job-0", "job-1"]
    assert found.waves == (0, 1, 1, 1)
    charges = [{charge.name for charge in one.charges} for one in found.accepted]
    assert charges == [{"default/web"}, {"default/web"}, set(), set()]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (DisruptionLimits(per_cycle=2), ["job-0", "job-1"]),
        (DisruptionLimits(per_node=1), ["job-0"]),
        (DisruptionLimits(per_namespace=2), ["job-0", "job-1"]),
        (DisruptionLimits(per_workload=1), ["job-0", "job-1", "job-2"]),
        (DisruptionLimits(nodes_per_cycle=0), ["job-0", "job-1", "job-2"]),  # nobody leaves
    ],
)
def test_limits_count_finished_pods_where_they_count_evictions(limits: DisruptionLimits, left: list[str]) -> None:
    found = decided(world_of_three(), removing("job-0", "job-1", "job-2"), settings=replace(FREE, limits=limits))
    assert removed(found) == left


def test_a_job_does_not_fail_by_a_pod_that_has_failed_already() -> None:
    job = workload("Job", "j", api_version="batch/v1", backoff_limit=1, failed=1, present=1)
    of = (owner("Job", "j", "batch/v1"),)
    world = cluster([node("n1")], [failed("j-0", owners=of), pod("j-1", node="n1", owners=of)], workloads=[job])
    found = decided(world, removing("j-0", "j-1"))
    assert removed(found) == ["j-0"]
    assert reasons(found)[0] is Reason.FAILURE_BUDGET


def test_a_pod_is_removed_once() -> None:
    found = decided(world_of_three(), removing("web-0"), removing(("web-0", "web-1")))
    assert removed(found) == ["web-0"]
    assert reasons(found) == [Reason.SUPERSEDED]


def test_the_policy_is_asked_and_not_only_the_strategy() -> None:
    opted = pod("web-0", node="n1", annotations={"descheduler.alpha.kubernetes.io/evict": "false"})
    assert reasons(decided(cluster([node("n1")], [opted]), removing("web-0")))[0] is Reason.OPTED_OUT


# What is said


def test_a_removal_with_a_destination_is_none() -> None:
    class Confused(Removing):
        def propose(self, view: object, args: object) -> list[object]:  # type: ignore[override]
            found = next(iter(super().propose(view, args)))  # type: ignore[arg-type]
            return [replace(found, moves=(replace(found.moves[0], destinations=(1,)),))]

    found = decided(world_of_three(), ChosenStrategy(Confused((("web-0",),)), StrategyArgs()))  # type: ignore[arg-type]
    assert not found.accepted
    assert "says where they are to go" in found.problems[0].text


def test_the_document_says_what_becomes_of_each() -> None:
    settings = replace(FREE, executors=(ExecutorTraits("reserve"),))
    unready = replace(pod("sick-0", node="n1", ready=False), phase=Phase.RUNNING)
    world = cluster([node("n1"), node("n2")], [pod("web-0", node="n1"), unready, failed("job-0")])
    found = decided(world, removing("web-0", "sick-0", "job-0"), settings=settings)
    document = build_document(found)
    assert [one.kind for one in document.actions] == [ActionKind.REMOVE] * 3
    assert {one.executor for one in document.actions} == {"evict"}
    assert [one.pods[0].state for one in document.actions] == ["Running", "Running, not ready", "Failed"]
    assert [one.pods[0].destination for one in document.actions] == [""] * 3
    assert [one.restarts for one in document.actions] == [
        {"default/ReplicaSet/web": 1},
        {"default/ReplicaSet/sick": 1},
        {},
    ]
    assert {key: document.summary[key] for key in ("moves", "removals", "restarts")} == {
        "moves": 0.0,
        "removals": 3.0,
        "restarts": 2.0,
    }
    assert [one.outcome for one in document.findings] == ["cured"] * 3
    assert words.verdict(document) == "3 pods are removed in 1 wave: of 3 findings 3 cured."
    assert [words.way(one.pods[0]) for one in document.actions] == [
        "n1 (Running): made again anywhere",
        "n1 (Running, not ready): made again anywhere",
        "n1 (Failed): removed",
    ]


def test_a_plan_without_removals_says_nothing_of_them() -> None:
    document = build_document(decided(world_of_three()))
    assert "removals" not in document.summary


def test_explain_tells_whether_a_pod_may_be_removed() -> None:
    found = decided(world_of_three(), removing("job-0"))
    assert explain(found, "pod", "default/job-0").verdict == "the plan removes it"
    checks = {check.name: check for check in explain(found, "pod", "default/job-1").checks}
    assert checks["removal"].passed
    assert "removal" not in {check.name for check in explain(found, "pod", "default/web-0").checks}


def test_every_format_tells_of_removals() -> None:
    document = build_document(decided(world_of_three(), removing("web-0", "job-0")))
    assert from_json(to_json(document)) == document
    text = to_text(document, wide=True)
    assert "n1 (Failed): removed" in text
    assert "n1 (Running): made again anywhere" in text
    page = to_html(document)
    assert "It has finished: nothing runs, and nothing is made in its place." in page
    assert "Pods that are removed" in page
