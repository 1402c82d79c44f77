"""Objective `fragmentation`: FGD's measure falls along what the scheduler would really do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import cluster, node, ordinal, pod, spec
from descheduler.contract import RebalanceView
from descheduler.model.moves import Observation, Proposal
from descheduler.model.pods import GpuRequest, Pod, PodSpec
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.packing.fragmentation.index import FragmentationIndex
from descheduler.packing.fragmentation.measure import fragmentation
from descheduler.packing.state import WHOLE
from descheduler.planning import PlanningSettings
from descheduler.scheduler import Scoring
from descheduler_strategies.gpu_defragmentation.args import GpuDefragmentationArgs
from descheduler_strategies.gpu_defragmentation.fragmentation import propose
from descheduler_strategies.gpu_defragmentation.target import target
from descheduler_strategies.gpus.gpu_packing import gpu_packing, gpu_pool
from descheduler_strategies.gpus.waiting import pending_with_gpus
from generated.synthetic_gpus import GpuPlan, synthetic_gpus
from planning.cases import outcome

PACKING = PlanningSettings(scoring={"default-scheduler": Scoring.MOST_ALLOCATED, "gpu-packer": Scoring.MOST_ALLOCATED})
SPREADING = PlanningSettings()


def args(**changes: object) -> GpuDefragmentationArgs:
    return GpuDefragmentationArgs.model_validate({"objective": "fragmentation", **changes})


def view_of(snapshot: ClusterSnapshot, settings: PlanningSettings = PACKING) -> RebalanceView:
    return outcome(snapshot, settings=settings).view


def halves() -> ClusterSnapshot:
    """Two nodes of 2 GPUs, half of one taken on each: no whole pair is free, though three GPUs' worth is idle."""
    half = replace(spec("1", "1Gi"), gpu=GpuRequest("nvidia.com/gpu", 1, 500))
    nodes = [node(f"g{i}", cpu="32", gpu=2, model="A10") for i in (1, 2)]
    return cluster(nodes, [holder(f"s{i}-0", half, f"g{i}") for i in (1, 2)])


def holder(name: str, of: PodSpec, on: str) -> Pod:
    """Of a StatefulSet, whose replacement does not find the old pod on the node any more."""
    return pod(name, of=of, node=on, gpu_indices=(0,), owners=ordinal(name))


def proposals(view: RebalanceView, arguments: GpuDefragmentationArgs) -> list[Proposal]:
    return [answer for answer in propose(view, arguments) if isinstance(answer, Proposal)]


def test_a_half_gpu_moves_beside_another_half() -> None:
    view = view_of(halves())
    (found,) = proposals(view, args(workload=[{"gpus": 2}]))
    assert len(found.moves) == 1
    assert found.benefit == pytest.approx(-2.0)  # of three idle GPUs none was of use; now a whole pair is


def test_who_waits_is_part_of_the_workload() -> None:
    """Nobody who runs could use a pair of GPUs; somebody who waits could."""
    still = halves()
    assert not proposals(view_of(still), args())
    waits = pod("pair-0", cpu="2", gpu=2)
    assert proposals(view_of(cluster(still.nodes, [*still.pods, waits])), args())


def test_nothing_moves_where_the_scheduler_would_undo_it() -> None:
    """A scheduler that prefers empty nodes puts the pod back where it was."""
    view = view_of(halves(), SPREADING)
    (answer,) = propose(view, args(workload=[{"gpus": 2}]))
    assert isinstance(answer, Observation)
    assert answer.blocked.reason is Reason.WOULD_STAY


def test_nothing_is_found_on_a_cluster_without_gpus() -> None:
    view = view_of(cluster([node("n1")], [pod("a-0", node="n1")]))
    assert not list(propose(view, args()))


@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_promised_is_what_the_measure_says_afterwards(seed: int) -> None:
    view = view_of(synthetic_gpus(GpuPlan(48, 380, seed)))
    pool = gpu_pool(view, ())
    waits = pending_with_gpus(view)
    before = gpu_packing(view, view.what_if(), pool, waits)
    workload = target(view, before, (), waits)
    assert workload is not None
    found = proposals(view, args(maxMoves=12))
    assert found
    state = view.what_if()
    index = FragmentationIndex(before.packing, workload, packed=True, unit=WHOLE)
    promised = index.value.sum()
    at = {pod: i for i, pod in enumerate(before.pods.tolist())}
    for proposal in found:
        landed = {move.pod: move.destinations[0] for move in proposal.moves}
        state.apply(proposal.moves, landed)
        index.land({at[pod]: target_node for pod, target_node in landed.items()})
        promised += proposal.benefit
    assert index.value.sum() == pytest.approx(promised)
    whole = fragmentation(index.packing, workload)[pool].sum() / WHOLE
    assert index.value.sum() == pytest.approx(whole)


def test_no_more_pods_move_than_allowed_and_gangs_move_whole() -> None:
    view = view_of(synthetic_gpus(GpuPlan(48, 380, seed=3)))
    found = proposals(view, args(maxMoves=5))
    moved = [move.pod for proposal in found for move in proposal.moves]
    assert 0 < len(moved) <= 5
    for proposal in found:
        together = {move.pod for move in proposal.moves}
        assert all(set(view.moving(pod)) <= together for pod in together)


def test_the_same_view_gives_the_same_answer() -> None:
    view = view_of(synthetic_gpus(GpuPlan(32, 250, seed=4)))
    assert list(propose(view, args())) == list(propose(view, args()))
