"""A proposal that budgets do not let go at once goes in stages, or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

from builders import budget, cluster, node, pod
from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.moves import Finding, Move, Observation, Proposal
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler.scheduler import Scoring
from planning.cases import planned

PACKING = PlanningSettings(
    limits=DisruptionLimits(per_workload=None), scoring={"default-scheduler": Scoring.MOST_ALLOCATED}
)


class Vacate:
    """Moves every pod of node n1 as one proposal."""

    name: ClassVar[str] = "Vacate"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def __init__(self, staged: bool) -> None:
        self._staged = staged

    def propose(self, view: RebalanceView, args: StrategyArgs) -> Iterable[Proposal | Observation]:
        here = view.snapshot.columns.pods_on(0).tolist()
        moves = tuple(Move(pod, 0) for pod in here if view.movable[pod])
        finding = Finding(
            "Vacate", Subject(SubjectKind.NODE, "n1"), "pods on n1", float(len(here)), 0.0, "n1 is to be empty"
        )
        if moves:
            yield Proposal(finding, moves, -float(len(moves)), 1e9, "empties n1", staged=self._staged)


def three_under_one_budget(allowed: int) -> ClusterSnapshot:
    pods = [pod(f"web-{i}", cpu="1", node="n1", labels={"app": "web"}) for i in range(3)]
    pods.append(pod("other-0", cpu="8", node="n2"))
    nodes = [node(f"n{i}") for i in (1, 2, 3)]
    return cluster(nodes, pods, budgets=[budget("web", {"app": "web"}, allowed=allowed, current_healthy=3)])


def strategy(staged: bool) -> ChosenStrategy:
    return ChosenStrategy(Vacate(staged), StrategyArgs())


def test_each_stage_takes_no_more_than_the_budget_allows() -> None:
    plan = planned(three_under_one_budget(1), chosen=[strategy(staged=True)], settings=PACKING)
    assert [(a.stage, a.stages, len(a.pods)) for a in plan.actions] == [(1, 3, 1), (2, 3, 1), (3, 3, 1)]
    assert [a.wave for a in plan.actions] == [0, 1, 2]
    assert {a.bundle for a in plan.actions} == {plan.actions[0].id}


def test_what_may_go_at_once_goes_in_one_action() -> None:
    plan = planned(three_under_one_budget(3), chosen=[strategy(staged=True)], settings=PACKING)
    (action,) = plan.actions
    assert (action.stage, action.stages, action.bundle, len(action.pods)) == (1, 1, "", 3)


def test_a_proposal_that_may_not_be_divided_is_refused() -> None:
    plan = planned(three_under_one_budget(1), chosen=[strategy(staged=False)], settings=PACKING)
    assert not plan.actions
    assert "DisruptionBudget" in {r.reason for r in plan.refusals}


def test_stages_are_all_or_none() -> None:
    """A limit of the cycle that has no room for the last stage refuses the first too, and takes nothing from it."""
    limits = DisruptionLimits(per_workload=None, per_cycle=2)
    plan = planned(three_under_one_budget(1), chosen=[strategy(staged=True)], settings=replace(PACKING, limits=limits))
    assert not plan.actions
    assert "CycleLimit" in {r.reason for r in plan.refusals}


def test_a_budget_that_never_allows_anything_refuses_all() -> None:
    plan = planned(three_under_one_budget(0), chosen=[strategy(staged=True)], settings=PACKING)
    assert not plan.actions


def test_the_benefit_is_counted_once() -> None:
    plan = planned(three_under_one_budget(1), chosen=[strategy(staged=True)], settings=PACKING)
    assert sum(a.benefit for a in plan.actions) == -3.0
    assert plan.findings[0].after == 0.0
