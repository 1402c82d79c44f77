"""The embedded example shows what it promises: something to do, and something to refuse."""

from __future__ import annotations

import pytest

from descheduler.example.example import example, example_policy
from descheduler.kube.recording.wire_objects import snapshot_from_objects
from descheduler.model.plan import PlanDocument
from descheduler.observe import Observed
from descheduler.pipeline import plan
from descheduler.policy import load_policy


@pytest.fixture(scope="module")
def the_plan() -> PlanDocument:
    given = example()
    snapshot = snapshot_from_objects(given.objects, taken_at=given.taken_at, cluster=given.name)
    return plan(Observed(snapshot, given.histories, given.taken_at), load_policy(example_policy()))


def test_it_has_forty_nodes_and_two_gangs(the_plan: PlanDocument) -> None:
    assert the_plan.summary["nodes"] == 40
    assert the_plan.summary["gangs"] == 2


def test_a_node_that_will_be_hot_within_the_hour_is_cooled(the_plan: PlanDocument) -> None:
    finding = next(f for f in the_plan.findings if f.subject == "node/general-07")
    assert finding.outcome == "cured"
    assert finding.since is not None
    assert the_plan.created < finding.since <= the_plan.created + 3600


def test_gpu_slots_are_opened_by_bundles(the_plan: PlanDocument) -> None:
    bundle = next(a for a in the_plan.actions if a.strategy == "GpuDefragmentation")
    assert len(bundle.pods) > 1
    assert the_plan.summary["whole_gpu_nodes_before"] == 0
    assert the_plan.summary["whole_gpu_nodes_after"] == 2


def test_its_map_shows_scattered_devices_and_what_becomes_of_them(the_plan: PlanDocument) -> None:
    assert the_plan.gpus is not None
    assert len(the_plan.gpus.nodes) == 12
    (row,) = the_plan.gpus.capacity
    assert (row.before.slots["8"], row.after.slots["8"]) == (0, 2)
    assert all(hold.devices for node in the_plan.gpus.nodes for hold in node.before)
    assert sum(node.after is not None for node in the_plan.gpus.nodes) >= 3


def test_idle_notebooks_are_reported_and_stay(the_plan: PlanDocument) -> None:
    idle = [f for f in the_plan.findings if f.strategy == "IdleGpu"]
    assert [f.subject.rpartition("/")[2] for f in idle] == ["notebook-ada", "notebook-lin"]
    assert {f.outcome for f in idle} == {"left-alone"}
    assert all(f.numbers["idle GPU-hours"] > 12 for f in idle)
    assert not any("notebook" in pod.pod for action in the_plan.actions for pod in action.pods)


def test_one_move_is_refused_by_a_budget_and_one_because_it_would_tear_a_gang(the_plan: PlanDocument) -> None:
    refused = {r.reason: r for r in the_plan.refusals}
    assert "cart" in refused["DisruptionBudget"].subject
    assert "solver" in refused["GangWouldTear"].subject


def test_a_spike_that_passes_is_left_alone(the_plan: PlanDocument) -> None:
    finding = next(f for f in the_plan.findings if f.subject == "node/general-19")
    assert finding.outcome == "left-alone"


def test_the_same_seed_is_the_same_plan(the_plan: PlanDocument) -> None:
    given = example()
    snapshot = snapshot_from_objects(given.objects, taken_at=given.taken_at, cluster=given.name)
    again = plan(Observed(snapshot, given.histories, given.taken_at), load_policy(example_policy()))
    assert again.id == the_plan.id


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_other_seeds_tell_the_same_story(seed: int) -> None:
    given = example(seed)
    snapshot = snapshot_from_objects(given.objects, taken_at=given.taken_at, cluster=given.name)
    made = plan(Observed(snapshot, given.histories, given.taken_at), load_policy(example_policy()))
    assert made.actions
    assert {"DisruptionBudget", "GangWouldTear"} <= {r.reason for r in made.refusals}
