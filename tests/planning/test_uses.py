"""A strategy that a policy uses several times: each use has its own name, grants, trials and protections."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from builders import cluster, node, pod, spec
from descheduler.contract import RebalanceView, StrategyArgs
from descheduler.model.moves import Finding, Move, Observation, Proposal
from descheduler.model.plan import PlanDocument
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.explain import explain
from descheduler.planning.filters.rules import FilterRules
from descheduler.planning.trials import Trial
from descheduler.policy.protections import Protections
from planning.cases import outcome, planned

NAME = "Emptying"


class EmptyingArgs(StrategyArgs):
    """Takes pods off a node."""

    most: int = 2


@dataclass(frozen=True)
class Emptying:
    """Proposes every movable pod of n1 by itself, `most` of them in one plan."""

    name: ClassVar[str] = NAME
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = EmptyingArgs

    def propose(self, view: RebalanceView, args: EmptyingArgs) -> Iterator[Proposal | Observation]:
        subject = Subject(SubjectKind.NODE, "n1")
        finding = Finding(NAME, subject, "pods", 6, 0, "is to be empty", (0,))
        left = args.most - view.moves_granted(NAME, subject)
        state = view.what_if()
        on_it = [at for at in view.snapshot.columns.pods_on(0).tolist() if view.movable[at] and state.node_of(at) == 0]
        for at in on_it[: max(0, left)]:
            yield Proposal(finding, (Move(at, 0),), 1.0, 1e6)


def use(name: str = "", most: int = 2, trials: tuple[Trial, ...] = ()) -> ChosenStrategy:
    return ChosenStrategy(Emptying(), EmptyingArgs(most=most), trials, name)


def six_pods() -> ClusterSnapshot:
    """On n1 three pods of `web`, and three of `cache` with a local volume; it is cordoned, n2 and n3 are empty."""
    local = replace(spec("100m", "128Mi"), local_storage=True)
    pods = [pod(f"web-{i}", node="n1") for i in range(3)] + [pod(f"cache-{i}", node="n1", of=local) for i in range(3)]
    return cluster([node("n1", unschedulable=True), node("n2"), node("n3")], pods)


def by_use(plan: PlanDocument) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for action in plan.actions:
        found.setdefault(action.strategy, []).extend(one.pod.rpartition("-")[0] for one in action.pods)
    return found


FREE = PlanningSettings(own_filters={"second": FilterRules.of(Protections(local_storage=False))})


def test_what_a_use_finds_and_is_granted_goes_by_its_name() -> None:
    plan = planned(six_pods(), chosen=[use(most=1), use("second", most=1)])
    assert by_use(plan) == {NAME: ["web"], "second": ["web"]}
    assert [finding.strategy for finding in plan.findings] == [NAME, "second"]
    assert [finding.outcome for finding in plan.findings] == ["eased", "eased"]


def test_each_use_counts_its_own_grants_under_its_limit() -> None:
    plan = planned(six_pods(), chosen=[use("first", most=1), use("second", most=3)])
    found = by_use(plan)
    assert (len(found["first"]), len(found["second"])) == (1, 2)


def test_a_use_with_protections_of_its_own_moves_what_the_policy_keeps() -> None:
    plan = planned(six_pods(), chosen=[use(most=6), use("second", most=6)], settings=FREE)
    assert by_use(plan) == {NAME: ["web"] * 3, "second": ["cache"] * 3}
    assert plan.summary["movable_pods"] == 6
    alone = planned(six_pods(), chosen=[use(most=6)], settings=FREE)
    assert by_use(alone) == {NAME: ["web"] * 3}


def test_a_use_may_be_stricter_than_the_policy() -> None:
    strict = PlanningSettings(
        filters=FilterRules.of(Protections(local_storage=False)), own_filters={"second": FilterRules.of(Protections())}
    )
    plan = planned(six_pods(), chosen=[use("second", most=6)], settings=strict)
    assert by_use(plan) == {"second": ["web"] * 3}
    assert {row.reason for row in plan.refusals if row.strategy == "second"} == {"LocalStorage"}


def test_a_use_on_trial_does_not_hold_up_another_of_the_same_strategy() -> None:
    paused = Trial("its moves miss", 0)
    plan = planned(six_pods(), chosen=[use("first", most=1, trials=(paused,)), use("second", most=1)])
    assert by_use(plan) == {"second": ["web"]}
    assert {row.strategy for row in plan.refusals if row.reason == "StrategyPaused"} == {"first"}


def test_explaining_a_pod_tells_under_whose_protections_it_may_go() -> None:
    found = explain(outcome(six_pods(), chosen=[use("second", most=0)], settings=FREE), "pod", "default/cache-0")
    assert found.verdict.startswith("it may move")
    assert any("under the protections of second: every filter lets it go" in check.text for check in found.checks)
    kept = explain(outcome(six_pods(), chosen=[use("second", most=0)]), "pod", "default/cache-0")
    assert kept.verdict.startswith("it stays")
