"""No two pods that are alike restart to change places: neither strategies nor bundles undo one another."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import pytest

from builders import cluster, node, owner, pod, spec, workload
from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Observation, Proposal
from descheduler.model.plan import PlanDocument
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from planning.cases import planned
from planning.proposing import Route, Routes

CHOSEN = PlanningSettings(limits=DisruptionLimits(per_workload=None), landing=LandingMode.RESERVED)


class Forecasting(Routes):
    """The same by what each pod is expected to use."""

    name: ClassVar[str] = "Forecasting"

    def propose(self, view: RebalanceView, args: StrategyArgs) -> Iterable[Proposal | Observation]:
        for one in super().propose(view, args):
            yield replace(one, finding=replace(one.finding, curve=(0.9,), nodes=(0,)))


def plan(*bundles: Iterable[Route], kind: type[Routes] = Routes, maker: str = "ReplicaSet") -> PlanDocument:
    """web-0 is on n0, web-1 on n1 and web-2 on n2, all of one controller; db-0 is on n1; there is room everywhere."""
    look, other = spec("1"), spec("1")
    pods = [pod(f"web-{i}", node=f"n{i}", of=look, owners=[owner(maker, "web")]) for i in range(3)]
    pods.append(pod("db-0", node="n1", of=other, owners=[owner("ReplicaSet", "db")]))
    makers = [workload(maker, "web", 3), workload("ReplicaSet", "db")]
    snapshot = cluster([node(f"n{i}", cpu="16") for i in range(4)], pods, workloads=makers)
    return planned(snapshot, chosen=[ChosenStrategy(kind(bundles, staged=True), StrategyArgs())], settings=CHOSEN)


def moved(found: PlanDocument) -> list[tuple[str, str]]:
    return [(one.pod, one.destination) for action in found.actions for one in action.pods]


def test_two_that_are_alike_do_not_change_places() -> None:
    found = plan([("web-0", 0, 1)], [("web-1", 1, 0)])
    assert moved(found) == [("web-0", "n1")]
    assert "WouldCross" in {refusal.reason for refusal in found.refusals if refusal.finding}


def test_nor_does_one_come_to_where_another_leaves() -> None:
    assert moved(plan([("web-1", 1, 2)], [("web-0", 0, 1)])) == [("web-1", "n2")]
    assert moved(plan([("web-0", 0, 1)], [("web-1", 1, 2)])) == [("web-0", "n1")]


def test_all_may_go_the_same_way() -> None:
    together = plan([("web-0", 0, 3)], [("web-1", 1, 3)], [("web-2", 2, 3)])
    assert moved(together) == [("web-0", "n3"), ("web-1", "n3"), ("web-2", "n3")]


@pytest.mark.parametrize("kind", [Routes, Forecasting])
def test_who_is_of_another_controller_takes_the_place(kind: type[Routes]) -> None:
    assert moved(plan([("db-0", 1, 2)], [("web-0", 0, 1)], kind=kind)) == [("db-0", "n2"), ("web-0", "n1")]


def test_pods_with_names_of_their_own_are_not_alike() -> None:
    found = plan([("web-0", 0, 1)], [("web-1", 1, 0)], maker="StatefulSet")
    assert moved(found) == [("web-0", "n1"), ("web-1", "n0")]


def test_who_is_moved_for_what_it_uses_itself_may_cross() -> None:
    assert moved(plan([("web-0", 0, 1)], [("web-1", 1, 0)], kind=Forecasting)) == [("web-0", "n1"), ("web-1", "n0")]


def test_what_one_bundle_exchanges_on_purpose_stays_exchanged() -> None:
    assert sorted(moved(plan([("web-0", 0, 1), ("web-1", 1, 0)]))) == [("web-0", "n1"), ("web-1", "n0")]
