"""What every strategy must keep to, built-in or foreign: found by entry point, pure, deterministic, no overreach."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from builders import budget, cluster, pod
from descheduler.contract import RebalanceView, StrategyArgs, available, load
from descheduler.model.errors import StrategyError
from descheduler.model.landing_mode import LandingMode
from descheduler.model.moves import ActionKind, Observation, Proposal
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.planning import PlanningSettings
from descheduler_profiling.series import History
from planning.cases import hot_node, outcome, scattered_gpus
from strategies.needed import fewest_arguments

Case = Callable[[], tuple[ClusterSnapshot, list[History]]]


def guarded() -> tuple[ClusterSnapshot, list[History]]:
    """A hot node whose culprits are held by a budget."""
    held = [pod(f"api-{i}", cpu="2", node="n1", labels={"app": "api"}) for i in range(2)]
    return hot_node(pods=held, budgets=[budget("api", {"app": "api"}, allowed=0)])


def scattered() -> tuple[ClusterSnapshot, list[History]]:
    return scattered_gpus(), []


def everything() -> tuple[ClusterSnapshot, list[History]]:
    snapshot, histories = hot_node()
    other = scattered_gpus()
    return cluster([*snapshot.nodes, *other.nodes], [*snapshot.pods, *other.pods]), histories


CASES: list[Case] = [hot_node, guarded, scattered, everything]


def view_of(case: Case, landing: LandingMode) -> RebalanceView:
    return outcome(*case(), settings=PlanningSettings(landing=landing)).view


def answers(name: str, view: RebalanceView) -> list[Proposal | Observation]:
    return list(load(name).propose(view, fewest_arguments(name)))


@pytest.mark.parametrize("name", sorted(available()))
@pytest.mark.parametrize("case", CASES, ids=lambda s: s.__name__)
@pytest.mark.parametrize("landing", LandingMode)
class TestEveryStrategy:
    def test_answers_the_same_when_asked_again(self, name: str, case: Case, landing: LandingMode) -> None:
        view = view_of(case, landing)
        assert answers(name, view) == answers(name, view)

    def test_leaves_the_view_as_it_was(self, name: str, case: Case, landing: LandingMode) -> None:
        view = view_of(case, landing)
        every = np.arange(len(view.snapshot.nodes), dtype=np.int32)
        free = view.start.free(every).copy()
        vectors = {r: view.start.vectors(r, every).copy() for r in view.loads}
        movable = view.movable.copy()
        answers(name, view)
        assert (view.start.free(every) == free).all()
        assert all((view.start.vectors(r, every) == v).all() for r, v in vectors.items())
        assert (view.movable == movable).all()

    def test_moves_only_what_may_move_and_whole_units(self, name: str, case: Case, landing: LandingMode) -> None:
        view = view_of(case, landing)
        for proposal in (a for a in answers(name, view) if isinstance(a, Proposal)):
            moved = {move.pod for move in proposal.moves}
            may_go = view.removable if proposal.kind is ActionKind.REMOVE else view.movable
            assert moved, "a proposal without moves"
            assert len(moved) == len(proposal.moves)
            for move in proposal.moves:
                assert may_go[move.pod]
                assert move.source == view.snapshot.columns.pod_node[move.pod]
                assert move.source not in move.destinations
                assert set(view.moving(move.pod)) <= moved

    def test_promises_a_benefit(self, name: str, case: Case, landing: LandingMode) -> None:
        view = view_of(case, landing)
        for proposal in (a for a in answers(name, view) if isinstance(a, Proposal)):
            assert proposal.benefit != 0
            assert proposal.worth > 0


@pytest.mark.parametrize("name", sorted(available()))
def test_arguments_are_documented_and_strict(name: str) -> None:
    model = load(name).Args
    assert issubclass(model, StrategyArgs)
    assert model.__doc__
    assert all(field.description for field in model.model_fields.values())
    with pytest.raises(ValueError, match="nonsense"):
        model.model_validate({"nonsense": 1})


def test_an_unknown_strategy_is_an_error_by_name() -> None:
    with pytest.raises(StrategyError, match="Unheard"):
        load("Unheard")
