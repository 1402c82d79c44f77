"""Objective `fragmentation` where the executor names the node: moves that need one another are found and made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import budget, cluster, node, pod, spec
from descheduler.contract import RebalanceView
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Observation, Proposal
from descheduler.model.pods import GpuRequest
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.packing.fragmentation.measure import fragmentation
from descheduler.packing.state import WHOLE
from descheduler.planning import PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.scheduler import Scoring
from descheduler_strategies.gpu_defragmentation.args import GpuDefragmentationArgs
from descheduler_strategies.gpu_defragmentation.fragmentation import propose
from descheduler_strategies.gpu_defragmentation.target import target
from descheduler_strategies.gpus.gpu_packing import gpu_packing, gpu_pool
from descheduler_strategies.gpus.waiting import pending_with_gpus
from generated.synthetic_gpus import GpuPlan, synthetic_gpus
from planning.cases import gpus, outcome, planned

FREE = DisruptionLimits(per_workload=None)
DIRECTED = PlanningSettings(limits=FREE, landing=LandingMode.RESERVED)
PREDICTED = PlanningSettings(limits=FREE)
PACKING = replace(PREDICTED, scoring=dict.fromkeys(("default-scheduler", "gpu-packer"), Scoring.MOST_ALLOCATED))


def args(**changes: object) -> GpuDefragmentationArgs:
    return GpuDefragmentationArgs.model_validate({"objective": "fragmentation", **changes})


def view_of(snapshot: ClusterSnapshot, settings: PlanningSettings = DIRECTED) -> RebalanceView:
    return outcome(snapshot, settings=settings).view


def proposals(view: RebalanceView, arguments: GpuDefragmentationArgs) -> list[Proposal]:
    return [answer for answer in propose(view, arguments) if isinstance(answer, Proposal)]


def halves(**more: object) -> ClusterSnapshot:
    """Two nodes of 2 GPUs, half of one taken on each: no whole pair is free, though three GPUs' worth is idle."""
    half = replace(spec("1", "1Gi"), gpu=GpuRequest("nvidia.com/gpu", 1, 500))
    nodes = [node(f"g{i}", cpu="32", gpu=2, model="A10") for i in (1, 2)]
    pods = [pod(f"s{i}-0", of=half, node=f"g{i}", gpu_indices=(0,), labels={"app": "s"}) for i in (1, 2)]
    return cluster(nodes, pods, **more)  # type: ignore[arg-type]


def test_a_scheduler_that_would_undo_the_move_is_not_asked() -> None:
    """The twin of `test_nothing_moves_where_the_scheduler_would_undo_it`: who spreads would put the pod back."""
    pairs = args(workload=[{"gpus": 2}])
    assert not proposals(view_of(halves(), PREDICTED), pairs)
    (found,) = proposals(view_of(halves()), pairs)
    (move,) = found.moves
    assert move.destinations == (1 - move.source,)
    assert move.only
    assert found.benefit == pytest.approx(-2.0)


def test_the_bound_is_told_and_kept() -> None:
    (found,) = proposals(view_of(halves()), args(workload=[{"gpus": 2}]))
    assert found.finding.bound is not None
    assert 0.0 <= found.finding.bound <= found.finding.value + found.benefit + 1e-6


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_is_promised_is_what_the_measure_says_afterwards(seed: int) -> None:
    view = view_of(synthetic_gpus(GpuPlan(48, 380, seed)))
    pool = gpu_pool(view, ())
    waits = pending_with_gpus(view)
    before = gpu_packing(view, view.what_if(), pool, waits)
    workload = target(view, before, [], waits)
    assert workload is not None
    found = proposals(view, args(maxMoves=40))
    assert found
    state = view.what_if()
    for move in (move for proposal in found for move in proposal.moves):
        assert state.fits(move.pod)[move.destinations[0]], "every move finds room at its turn"
        state.apply([move], {move.pod: move.destinations[0]})
    after = gpu_packing(view, state, pool)
    fell = fragmentation(before.packing, workload).sum() - fragmentation(after.packing, workload).sum()
    least = float(args().min_gain)
    assert -sum(p.benefit for p in found) == pytest.approx(fell / WHOLE)
    assert all(-p.benefit >= least * len(p.moves) for p in found)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_plan_ends_lower_than_one_along_the_scheduler_s_choice_and_keeps_its_limit(seed: int) -> None:
    snapshot = synthetic_gpus(GpuPlan(48, 380, seed))
    ends: dict[LandingMode, float] = {}
    for settings in (DIRECTED, PACKING):
        plan = planned(snapshot, chosen=[gpus(objective="fragmentation", maxMoves=25)], settings=settings)
        assert sum(len(action.pods) for action in plan.actions) <= 25
        ends[settings.landing] = sum(action.benefit for action in plan.actions)
    assert ends[LandingMode.RESERVED] < ends[LandingMode.PREDICTED] < 0.0


@pytest.mark.parametrize("size", [GpuPlan(48, 380, 1), GpuPlan(160, 1250, 2)])
def test_where_the_scheduler_is_told_the_nodes_it_comes_to_the_same(size: GpuPlan) -> None:
    """Of more than 100 nodes it looks at a part: there a second node is named that is nearly as good."""
    snapshot = synthetic_gpus(size)
    ends: dict[LandingMode, float] = {}
    for landing in (LandingMode.RESERVED, LandingMode.DIRECTED):
        settings = PlanningSettings(limits=FREE, landing=landing)
        plan = planned(snapshot, chosen=[gpus(objective="fragmentation", maxMoves=25)], settings=settings)
        ends[landing] = sum(action.benefit for action in plan.actions)
        moves = [move for action in plan.actions for move in action.pods]
        assert min(move.proof.expected_share for move in moves) >= 0.8
        assert all(bool(move.towards) == (landing is LandingMode.DIRECTED) for move in moves)
    assert ends[LandingMode.DIRECTED] < 0.9 * ends[LandingMode.RESERVED] < 0.0


def test_gangs_that_move_whole_are_left_out_and_others_lose_no_more_than_their_slack() -> None:
    view = view_of(synthetic_gpus(GpuPlan(48, 380, seed=3)))
    moved = [move.pod for proposal in proposals(view, args(maxMoves=40)) for move in proposal.moves]
    assert moved
    assert len(set(moved)) == len(moved)
    for one in moved:
        assert view.moving(one) == (one,)
        unit = view.units.of(one)
        assert not unit.gang or sum(1 for member in unit.members if member in moved) <= unit.slack


def test_what_a_budget_forbids_is_refused_and_the_rest_still_goes() -> None:
    held = halves(budgets=[budget("s", {"app": "s"}, allowed=0, current_healthy=2)])
    pairs = {"objective": "fragmentation", "workload": [{"gpus": 2}]}
    plan = planned(held, chosen=[gpus(**pairs)], settings=DIRECTED)
    assert not plan.actions
    free = halves(budgets=[budget("s", {"app": "s"}, allowed=1, current_healthy=2)])
    assert len(planned(free, chosen=[gpus(**pairs)], settings=DIRECTED).actions) == 1


def test_nothing_to_gain_is_said() -> None:
    (answer,) = propose(view_of(halves()), args(workload=[{"gpus": 1, "share": 0.5}]))
    assert isinstance(answer, Observation)


def test_the_same_view_gives_the_same_answer() -> None:
    view = view_of(synthetic_gpus(GpuPlan(32, 250, seed=4)))
    assert list(propose(view, args())) == list(propose(view, args()))
