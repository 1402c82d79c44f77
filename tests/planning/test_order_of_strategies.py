"""Strategies of a lower order are asked first, and those after them see what these leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from builders import cluster, node, pod
from descheduler.contract import REQUIRED, RebalanceView, StrategyArgs, rate, required
from descheduler.contract.selecting import NamespaceChoice
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import Finding, Move, Proposal
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.model.subjects import Subject, SubjectKind
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from planning.cases import outcome
from planning.proposing import Proposing

FREE = PlanningSettings(limits=DisruptionLimits(), landing=LandingMode.RESERVED)


@dataclass(frozen=True)
class Early:
    """Wants the pods moved whatever that costs, in this order, and notes what it saw of all of them."""

    pods: tuple[str, ...]
    seen: list[list[tuple[int, bool]]] = field(default_factory=list)
    name: ClassVar[str] = "Early"
    order: ClassVar[int] = 10
    signals: ClassVar[tuple[str, ...]] = ()
    Args: ClassVar[type[StrategyArgs]] = StrategyArgs

    def propose(self, view: RebalanceView, _: StrategyArgs) -> Iterable[Proposal]:
        count = range(len(view.snapshot.pods))
        self.seen.append([(view.start.node_of(at), bool(view.movable[at])) for at in count])
        for name in self.pods:
            at = view.snapshot.pod_index["default", name]
            finding = Finding(self.name, Subject(SubjectKind.POD, name), "", 1.0, 0.0, name)
            if view.movable[at] and view.start.node_of(at) == view.snapshot.columns.pod_node[at]:
                yield Proposal(finding, (Move(at, view.start.node_of(at)),), -1.0, required(view, (at,)))


class Late(Early):
    name: ClassVar[str] = "ALate"
    order: ClassVar[int] = 30


def world() -> ClusterSnapshot:
    pods = [pod(f"{name}-0", cpu=cpu, node="n0") for name, cpu in (("a", "3"), ("b", "1"), ("c", "2"))]
    return cluster([node("n0", cpu="16"), node("n1", cpu="16")], pods)


def test_the_later_one_sees_the_state_that_the_earlier_one_leaves() -> None:
    early, late = Early(("a-0",)), Late(("a-0", "b-0"))
    found = outcome(world(), chosen=[ChosenStrategy(one, StrategyArgs()) for one in (late, early)], settings=FREE)
    assert early.seen == [[(0, True)] * 3]
    assert late.seen[0] == [(1, False), (0, True), (0, True)]  # who moves already does not move again
    assert [one.proposal.finding.strategy for one in found.accepted] == ["Early", "ALate"]


def test_one_that_says_nothing_is_asked_after_those() -> None:
    late = Late(())
    plain = Proposing((("a-0", ()),))
    found = outcome(world(), chosen=[ChosenStrategy(one, StrategyArgs()) for one in (plain, late)], settings=FREE)
    assert late.seen == [[(0, True)] * 3]
    assert [one.proposal.finding.strategy for one in found.accepted] == ["Proposing"]


@pytest.mark.parametrize("pods", [("a-0", "b-0", "c-0"), ("c-0", "a-0", "b-0")])
def test_what_is_required_is_judged_in_the_order_of_the_answers(pods: tuple[str, ...]) -> None:
    limits = replace(FREE, limits=DisruptionLimits(per_cycle=2))
    found = outcome(world(), chosen=[ChosenStrategy(Early(pods), StrategyArgs())], settings=limits)
    assert [one.proposal.finding.text for one in found.accepted] == list(pods[:2])
    view = found.view
    costs = [view.cost(at) for at in range(3)]
    assert len(set(costs)) == 3
    assert {rate(required(view, (at,)), cost) for at, cost in enumerate(costs)} == {REQUIRED}


def test_after_a_limit_is_reached_the_later_ones_still_say_what_they_find() -> None:
    limits = replace(FREE, limits=DisruptionLimits(per_cycle=1))
    chosen = [ChosenStrategy(one, StrategyArgs()) for one in (Early(("a-0", "b-0")), Late(("c-0",)))]
    found = outcome(world(), chosen=chosen, settings=limits)
    assert [one.proposal.finding.text for one in found.accepted] == ["a-0"]
    assert [one.finding.text for one in found.refused] == ["b-0", "c-0"]


def test_nodes_that_are_not_selected_are_no_destinations() -> None:
    view = outcome(world()).view
    assert view.destinations().all()
    view.selected_nodes[1] = False
    assert view.destinations().tolist() == [True, False]


def test_namespaces_are_chosen_by_name_or_left_out() -> None:
    assert [NamespaceChoice(include=("a", "b-*")).holds(name) for name in ("a", "b-1", "c")] == [True, True, False]
    assert [NamespaceChoice(exclude=("kube-*",)).holds(name) for name in ("a", "kube-system")] == [True, False]
    assert NamespaceChoice().holds("any")
    with pytest.raises(ValueError, match="give one of include and exclude"):
        NamespaceChoice(include=("a",), exclude=("b",))


def test_far_beyond_the_limit_of_a_cycle_nothing_is_proved_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("descheduler.planning.planner.MOST_BEYOND", 2)
    pods = [pod(f"p{i}-0", cpu="1", node="n0") for i in range(5)] + [pod("large-0", cpu="14", node="n0")]
    world = cluster([node("n0", cpu="32"), node("n1", cpu="8")], pods)
    limits = replace(FREE, limits=DisruptionLimits(per_cycle=1))
    names = tuple(one.name for one in pods)
    found = outcome(world, chosen=[ChosenStrategy(Early(names), StrategyArgs())], settings=limits)
    assert [one.proposal.finding.text for one in found.accepted] == ["p0-0"]
    assert {one.blocked.reason for one in found.refused} == {Reason.CYCLE_LIMIT}  # large-0 has no place either
