"""What random clusters and strategies that err have brought to light, each as a small case.

A strategy that breaks the contract is named, changes nothing, and does not keep the others from being heard."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import ClassVar

import pytest

from builders import NOW, budget, cluster, node, pod
from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.gangs import resolve
from descheduler.model.moves import Finding, Move, Observation, Proposal
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning import ChosenStrategy, PlanningInput, PlanningSettings, build_document, decide, survey
from descheduler.planning.proofs import ProofRules
from descheduler.policy.planning import ProofPolicy
from descheduler.scheduler import Scoring
from planning.cases import gpus, planned, scattered_gpus

PACKING = PlanningSettings(scoring={"default-scheduler": Scoring.MOST_ALLOCATED})
FINDING = Finding("Odd", Subject(SubjectKind.NODE, "n1"), "whim", 1.0, 0.5, "odd")


class Odd:
    """Answers what it is told to."""

    name: ClassVar[str] = "Odd"
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def __init__(self, *answers: Proposal | Observation) -> None:
        self.answers = answers

    def propose(self, view: RebalanceView, args: StrategyArgs) -> Iterable[Proposal | Observation]:
        return self.answers


def bundle(*moves: Move, worth: float = 1e9, benefit: float = 1.0) -> Proposal:
    return Proposal(FINDING, moves, benefit, worth)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (bundle(Move(0, 0), Move(0, 0)), "twice"),
        (bundle(), "nothing"),
        (bundle(Move(999, 0)), "there is not"),
        (bundle(Move(-1, 0)), "there is not"),
        (bundle(Move(0, 99)), "there is not"),
        (bundle(Move(0, 0, (99,))), "there is not"),
        (bundle(Move(0, 0), worth=float("nan")), "nan"),
        (bundle(Move(0, 0), benefit=float("inf")), "inf"),
        (replace(bundle(Move(0, 0)), finding=replace(FINDING, nodes=(99,))), "there is not"),
        (Observation(FINDING, Blocked(Reason.NO_CURE), (999,)), "there is not"),
    ],
)
def test_an_answer_that_makes_no_sense_is_the_strategys_failure(answer: Proposal | Observation, said: str) -> None:
    plan = planned(scattered_gpus(), [], [ChosenStrategy(Odd(answer), StrategyArgs()), gpus(wanted=1)], PACKING)
    assert any("Odd" in text and said in text for text in plan.problems)
    assert [a.strategy for a in plan.actions] == ["GpuDefragmentation"]


def test_a_move_from_where_the_pod_is_not_is_refused() -> None:
    snapshot = scattered_gpus()
    elsewhere = next(i for i, p in enumerate(snapshot.pods) if p.node == "g2")
    plan = planned(snapshot, [], [ChosenStrategy(Odd(bundle(Move(elsewhere, 0))), StrategyArgs())])
    assert not plan.actions
    assert "StrategyFailed" in {r.reason for r in plan.refusals}


def test_a_budget_whose_status_lags_behind_its_pods_is_not_exceeded() -> None:
    # web-1 has just become unhealthy; the status still counts three healthy pods, of which two are wanted.
    pods = [pod(f"web-{i}", cpu="4", node="n1", labels={"app": "web"}, ready=i != 1) for i in range(3)]
    lagging = budget(
        "web", {"app": "web"}, allowed=1, max_unavailable="1", expected=3, desired_healthy=2, current_healthy=3
    )
    snapshot = cluster([node("n1"), node("n2")], pods, [lagging], taken_at=NOW)
    settings = PlanningSettings(proof=ProofRules.of(ProofPolicy(max_load={}, max_risk=0.99)))
    whim = ChosenStrategy(Odd(bundle(Move(0, 0))), StrategyArgs())
    plan = planned(snapshot, [], [whim], settings)
    assert not plan.actions
    assert "DisruptionBudget" in {r.reason for r in plan.refusals}
    current = replace(snapshot, pods=tuple(replace(p, ready=True) for p in snapshot.pods))
    assert planned(current, [], [whim], settings).actions


def test_a_pod_that_is_being_moved_is_not_moved_again_and_is_missing_from_its_gang() -> None:
    marks = {"spark-app-selector": "app", "spark-role": "executor"}
    pods = [pod(f"exec-{i}", cpu="4", node="n1", labels=marks) for i in range(2)]
    snapshot = cluster([node("n1"), node("n2")], pods)
    settings = PlanningSettings(proof=ProofRules.of(ProofPolicy(max_load={}, max_risk=0.99)))

    def moved(in_flight: tuple[int, ...], asked: int) -> list[str]:
        whim = ChosenStrategy(Odd(bundle(Move(asked, 0))), StrategyArgs())
        given = PlanningInput(snapshot, resolve(snapshot), {}, NOW, in_flight=in_flight)
        return [p.pod for a in build_document(decide(survey(given, settings), [whim])).actions for p in a.pods]

    assert moved((), 0) == ["exec-0"]
    assert moved((0,), 0) == []  # exec-0 was evicted a moment ago
    assert moved((1,), 0) == []  # one executor must stay, and exec-1 is on its way
