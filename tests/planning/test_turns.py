"""Where the executor names the node, who needs another's place comes in a later wave, and nobody else waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import pytest

from builders import cluster, node, pod
from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Finding, Move, Observation, Proposal
from descheduler.model.plan import PlanDocument
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from planning.cases import planned

Route = tuple[str, int, int]
"""Pod, from, to."""
DIRECTED = PlanningSettings(limits=DisruptionLimits(per_workload=None), landing=LandingMode.DIRECTED)


class Routes:
    """Proposes bundles of moves in the order given, earlier ones worth more."""

    name: ClassVar[str] = "Routes"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def __init__(self, bundles: Iterable[Iterable[Route]], staged: bool) -> None:
        self._bundles = [tuple(bundle) for bundle in bundles]
        self._staged = staged

    def propose(self, view: RebalanceView, args: StrategyArgs) -> Iterable[Proposal | Observation]:
        finding = Finding("Routes", "cluster", "order", 1.0, 0.0, "pods stand in the wrong places")
        for at, bundle in enumerate(self._bundles):
            moves = tuple(
                Move(view.snapshot.pod_index["default", name], source, (target,), only=True)
                for name, source, target in bundle
            )
            if all(view.movable[move.pod] for move in moves):
                yield Proposal(finding, moves, -1.0, 10.0 ** (12 - 2 * at), f"bundle {at}", staged=self._staged)


def waves(*bundles: Iterable[Route], settings: PlanningSettings = DIRECTED, staged: bool = True) -> PlanDocument:
    """n0 and n2 are full with one pod each, n1 has room for one; n3 is empty and large."""
    nodes = [*(node(f"n{i}", cpu="4") for i in range(3)), node("n3", cpu="64")]
    pods = [pod("first", cpu="4", node="n0"), pod("second", cpu="4", node="n2"), pod("third", cpu="1", node="n3")]
    chosen = [ChosenStrategy(Routes(bundles, staged), StrategyArgs())]
    return planned(cluster(nodes, pods), chosen=chosen, settings=settings)


CHAIN: tuple[Route, ...] = (("first", 0, 1), ("second", 2, 0))
BESIDE: tuple[Route, ...] = (("first", 0, 1), ("second", 2, 3))


def went(plan: PlanDocument) -> list[tuple[str, int, int]]:
    return [(one.pod, action.wave, action.stage) for action in plan.actions for one in action.pods]


def test_who_takes_a_place_that_the_bundle_frees_goes_in_a_later_stage_and_wave() -> None:
    assert went(waves(CHAIN)) == [("first", 0, 1), ("second", 1, 2)]


def test_who_finds_room_anyway_goes_at_once() -> None:
    assert went(waves(BESIDE)) == [("first", 0, 1), ("second", 0, 1)]


def test_who_takes_a_place_that_another_bundle_frees_waits_for_it() -> None:
    assert went(waves([CHAIN[0]], [CHAIN[1]])) == [("first", 0, 1), ("second", 1, 1)]


def test_nobody_else_waits_with_him() -> None:
    plan = waves([CHAIN[0]], [CHAIN[1]], [("third", 3, 2)])
    assert went(plan) == [("first", 0, 1), ("second", 1, 1), ("third", 2, 1)]
    plan = waves([CHAIN[0]], [CHAIN[1]], [("third", 3, 1)])
    assert not any(name == "third" for name, _, _ in went(plan)), "n1 is full by then"


def test_a_circle_that_has_no_spare_place_is_refused() -> None:
    swap: tuple[Route, ...] = (("first", 0, 2), ("second", 2, 0))
    assert not waves(swap).actions


def test_a_wave_that_is_judged_alone_takes_nobody_who_would_have_to_wait() -> None:
    one = replace(DIRECTED, limits=replace(DIRECTED.limits, waves=1))
    plan = waves([CHAIN[0]], [CHAIN[1]], settings=one)
    assert went(plan) == [("first", 0, 1)]
    assert "NoPlace" in {refusal.reason for refusal in plan.refusals}
    assert len(went(waves([BESIDE[0]], [BESIDE[1]], settings=one))) == 2


@pytest.mark.parametrize("staged", [True, False])
def test_where_the_scheduler_decides_nothing_changes(staged: bool) -> None:
    plan = waves(BESIDE, settings=replace(DIRECTED, landing=LandingMode.PREDICTED), staged=staged)
    assert {wave for _, wave, _ in went(plan)} <= {0}
