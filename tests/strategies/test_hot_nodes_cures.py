"""HotNodes: a node is cooled or left, by few moves, to places that stay cool; others make place where that helps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from builders import NOW, cluster, key, node, pod, workload
from descheduler.gangs import resolve
from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import FindingRow, PlanDocument
from descheduler.planning import PlanningInput, PlanningSettings, build_document, decide, survey
from descheduler.planning.budgets.limits import DisruptionLimits
from descheduler_profiling.build import build
from histories import grid, history, peaking
from planning.cases import hot

CORES = 10


@dataclass(frozen=True)
class Use:
    """A pod of a workload of its own: what it asks for and what it uses, in cores."""

    name: str
    node: str
    uses: float | NDArray[np.float32]
    asks: float = 0.5


def plan_of(
    pods: Iterable[Use],
    nodes: int = 3,
    landing: LandingMode = LandingMode.DIRECTED,
    most: int | None = None,
    **args: object,
) -> PlanDocument:
    pods = tuple(pods)
    snapshot = cluster(
        [node(f"n{i}", cpu=str(CORES)) for i in range(1, nodes + 1)],
        [pod(f"{one.name}-0", cpu=f"{round(one.asks * 1000)}m", node=one.node) for one in pods],
        workloads=[workload("ReplicaSet", one.name) for one in pods],
    )
    series = {key("ReplicaSet", one.name): one.uses for one in pods}
    histories = [history("cpu", series), history("memory", dict.fromkeys(series, 64.0 * 2**20))]
    settings = PlanningSettings(limits=DisruptionLimits(per_cycle=most), landing=landing)
    profiles = {one.signal: build(one) for one in histories}
    measured = {one.signal: one for one in histories}
    given = PlanningInput(snapshot, resolve(snapshot), profiles, NOW, histories=measured)
    return build_document(decide(survey(given, settings), [hot(**args)]))


def moves(plan: PlanDocument) -> dict[str, str]:
    return {one.pod.removesuffix("-0"): one.destination for action in plan.actions for one in action.pods}


def finding(plan: PlanDocument, name: str = "n1") -> FindingRow:
    return next(one for one in plan.findings if one.subject == f"node/{name}")


def busy(count: int, each: float, on: str = "n1", name: str = "web") -> list[Use]:
    return [Use(f"{name}{i}", on, each) for i in range(count)]


def test_a_node_is_cooled_to_some_points_below_its_threshold_and_no_further() -> None:
    plan = plan_of(busy(20, 0.38))  # each of them is four points
    assert len(moves(plan)) == 2
    assert finding(plan).outcome == "cured"
    assert 0.68 < finding(plan).after <= 0.72 < 0.75 < finding(plan).value
    assert len(moves(plan_of(busy(20, 0.38), clearance=0.0))) == 1
    assert moves(plan_of(busy(20, 0.36))) == {}  # between the two it is not hot


def test_a_node_that_its_moves_would_leave_hot_keeps_all_its_pods() -> None:
    few = plan_of(busy(12, 0.8), maxMovesPerNode=2)
    assert moves(few) == {}
    assert finding(few).outcome == "unanswered"
    assert any(row.detail == "at best 82% with 2 moves" for row in few.refusals)
    assert len(moves(plan_of(busy(12, 0.8), maxMovesPerNode=4))) == 4


def test_all_moves_of_a_node_are_accepted_or_none_and_what_that_leaves_is_for_another() -> None:
    pods = [*busy(12, 0.8), *busy(10, 0.8, "n2", "api")]
    five = plan_of(pods, nodes=4, most=5)
    assert {name[:3] for name in moves(five)} == {"api"}
    assert (finding(five, "n2").outcome, finding(five).outcome) == ("cured", "unanswered")
    assert {row.reason for row in five.refusals if row.finding == finding(five).id} == {"CycleLimit"}
    six = plan_of(pods, nodes=4, most=6)
    assert {finding(six, name).outcome for name in ("n1", "n2")} == {"cured"}
    assert len(moves(six)) == 6


def test_of_pods_that_would_do_the_cheapest_leaves_and_one_rather_than_many() -> None:
    others = [replace(one, asks=1.5) for one in busy(6, 0.95)]
    small, large = Use("small", "n1", 1.0, asks=1.0), Use("large", "n1", 1.0, asks=1.2)
    assert set(moves(plan_of([small, large, *others]))) == {"small"}
    crumbs = [Use(f"crumb{i}", "n1", 0.2, asks=0.1) for i in range(5)]
    assert set(moves(plan_of([*crumbs, large, *others]))) == {"large"}


def test_the_alarm_has_a_quantile_of_its_own_and_destinations_a_higher_one() -> None:
    spread = np.random.default_rng(0).normal(4.0, 0.7, len(grid())).astype(np.float32)
    noisy = Use("noisy", "n1", spread)
    quiet, alarmed = (plan_of([noisy, *busy(4, 0.65)], quantile=q) for q in (0.6, 0.99))
    assert quiet.findings == ()
    assert finding(alarmed).measure.startswith("p99 cpu")
    pods = [*busy(10, 0.8), replace(noisy, node="n2"), *busy(2, 0.5, "n2", "api")]
    assert set(moves(plan_of(pods, nodes=2, quantile=0.7, destinationQuantile=0.7)).values()) == {"n2"}
    assert moves(plan_of(pods, nodes=2, quantile=0.7, destinationQuantile=0.99)) == {}


@pytest.mark.parametrize(("steps", "moved"), [(5, True), (4, True), (3, False)])
def test_what_was_hot_for_longer_than_a_spike_is_cooled_whatever_the_forecast_says(steps: int, moved: bool) -> None:
    """Never in the week before was it above 20 %; a burst that a move would be too late for is left alone."""
    risen = np.random.default_rng(1).normal(0.6, 0.1, len(grid())).astype(np.float32)
    risen[-steps:] = 2.7
    plan = plan_of([Use(f"rising{i}", "n1", risen) for i in range(3)], quantile=0.5, destinationQuantile=0.5)
    assert bool(moves(plan)) == moved
    if moved:
        assert "is at 81% already and reaches" in finding(plan).text


def test_a_pod_goes_where_it_is_quiet_when_the_pod_is_busy_and_not_where_it_is_coolest_now() -> None:
    """n2 is nearly idle for three hours more, and then busy as the pod is; n3 is warmer now, and not then."""
    late = peaking(0.3, 1.9, minutes_ahead=180)
    pods = [*busy(7, 0.9), Use("late", "n1", late + np.float32(1.0), asks=0.3), Use("flat", "n3", 3.0)]
    assert moves(plan_of([*pods, Use("same", "n2", late * 2)])) == {"late": "n3"}
    assert moves(plan_of([*pods, Use("other", "n2", peaking(0.3, 1.9, minutes_ahead=700) * 2)])) == {"late": "n2"}


def test_a_pod_of_another_node_makes_place_where_nobody_has_room() -> None:
    """n3 is warm; n2 is cool and lacks room for the large one, until a small pod of it goes on to n3."""
    pods = [
        Use("large", "n1", 3.0, asks=4.0),
        *busy(6, 0.9),
        Use("idle", "n2", 0.1, asks=6.0),
        Use("small", "n2", 0.2, asks=1.0),
        Use("warm", "n3", 5.5, asks=5.0),
    ]
    plan = plan_of(pods, maxMovesPerNode=1)
    assert moves(plan) == {"large": "n2", "small": "n3"}
    wave = {one.pod: action.wave for action in plan.actions for one in action.pods}
    assert wave["small-0"] < wave["large-0"]
    assert finding(plan).outcome == "cured"
    assert moves(plan_of(pods, landing=LandingMode.PREDICTED, maxMovesPerNode=1)) == {}
    assert moves(plan_of([replace(p, asks=3.0 if p.name == "large" else p.asks) for p in pods], maxMovesPerNode=1)) == {
        "large": "n2"
    }


def test_a_small_pod_comes_for_a_large_one_where_there_is_no_third_node() -> None:
    pods = [Use("large", "n1", 3.0), *busy(6, 0.9), Use("own", "n2", 3.0), Use("light", "n2", 1.2)]
    plan = plan_of(pods, nodes=2, maxMovesPerNode=1)
    assert moves(plan) == {"large": "n2", "light": "n1"}
    assert finding(plan).after <= 0.72
    assert moves(plan_of([*pods[:-1], Use("light", "n2", 2.9)], nodes=2, maxMovesPerNode=1)) == {}


def test_places_are_given_so_that_all_hot_nodes_are_cooled() -> None:
    """n1 would take the coolest node, the only one that the large pod of n2 can go to; it fits elsewhere too."""
    pods = [
        *busy(4, 2.0),
        Use("large", "n2", 5.5, asks=3.0),
        *(Use(f"api{i}", "n2", 0.275) for i in range(8)),
        Use("idle", "n3", 0.2, asks=2.0),
        Use("half", "n4", 4.5, asks=2.0),
    ]
    plan = plan_of(pods, nodes=4, maxMovesPerNode=1)
    assert sorted(moves(plan).values()) == ["n3", "n4"]
    assert moves(plan)["large"] == "n3"
    assert {finding(plan, name).outcome for name in ("n1", "n2")} == {"cured"}
