"""Who needs another's place comes in a later wave, whoever decides where pods land, and nobody else waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from builders import cluster, node, pod, spec
from descheduler.contract import StrategyArgs
from descheduler.model.labels import Labels
from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import PlanDocument
from descheduler.model.pods import HostPort, Phase, Pod, PodAffinity
from descheduler.planning import ChosenStrategy, PlanningSettings
from descheduler.planning.budgets.limits import DisruptionLimits
from gang_builders import GROUP_LABEL, group
from planning.cases import planned
from planning.proposing import Route, Routes
from scheduler.asking import ZONE, term

DIRECTED = PlanningSettings(limits=DisruptionLimits(per_workload=None), landing=LandingMode.RESERVED)


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


def test_a_bundle_that_may_not_be_divided_is_refused_when_one_needs_the_place_of_another() -> None:
    plan = waves(CHAIN, staged=False)
    assert not plan.actions
    assert any("ends only later" in refusal.detail for refusal in plan.refusals)
    assert len(went(waves(BESIDE, staged=False))) == 2


every_landing = pytest.mark.parametrize("landing", list(LandingMode))
HOST = "kubernetes.io/hostname"


def bound_for(name: str, source: str, target: str, cpu: str = "4", **rest: object) -> Pod:
    """A pod that only one node takes by now, and that is another than the one it runs on."""
    labels, more = rest.pop("labels", None), {k: rest.pop(k) for k in ("host_ports", "anti_affinity") if k in rest}
    of = spec(cpu, node_selector=Labels({HOST: target}), **more)
    return pod(name, of=of, node=source, labels=labels, **rest)  # type: ignore[arg-type]


def moved(
    landing: LandingMode, *bundles: Iterable[Route], pods: Iterable[Pod], staged: bool = True, **more: object
) -> PlanDocument:
    """Nodes of four cores, n0 and n1 in one zone, n2 and n3 in zones of their own."""
    nodes = [node(f"n{i}", cpu="4", zone=zone) for i, zone in enumerate("aabc")]
    chosen = [ChosenStrategy(Routes(bundles, staged), StrategyArgs())]
    settings = replace(DIRECTED, landing=landing)
    return planned(cluster(nodes, pods, **more), chosen=chosen, settings=settings)  # type: ignore[arg-type]


FIRST, SECOND = bound_for("first-0", "n0", "n1"), bound_for("second-0", "n2", "n0")
ONE, OTHER = ("first-0", 0, 1), ("second-0", 2, 0)


@every_landing
def test_an_evicted_pod_holds_its_place_for_the_rest_of_its_wave(landing: LandingMode) -> None:
    plan = moved(landing, [ONE], [OTHER], pods=[FIRST, SECOND])
    assert went(plan) == [("first-0", 0, 1), ("second-0", 1, 1)]
    plan = moved(landing, [ONE, OTHER], pods=[FIRST, SECOND])
    assert went(plan) == [("first-0", 0, 1), ("second-0", 1, 2)]


@every_landing
def test_stages_follow_from_who_needs_whom_not_from_the_order_in_which_they_are_proposed(landing: LandingMode) -> None:
    plan = moved(landing, [OTHER, ONE], pods=[FIRST, SECOND])
    assert went(plan) == [("first-0", 0, 1), ("second-0", 1, 2)]


@pytest.mark.parametrize("landing", [LandingMode.PREDICTED, LandingMode.RESERVED])
def test_who_finds_room_beside_it_goes_in_the_same_wave(landing: LandingMode) -> None:
    small = [bound_for("first-0", "n0", "n1", "2"), bound_for("second-0", "n2", "n0", "2")]
    assert went(moved(landing, [ONE], [OTHER], pods=small)) == [("first-0", 0, 1), ("second-0", 0, 1)]
    assert went(moved(landing, [ONE, OTHER], pods=small, staged=False)) == [("first-0", 0, 1), ("second-0", 0, 1)]


@every_landing
def test_a_swap_has_no_order(landing: LandingMode) -> None:
    swap = [bound_for("first-0", "n0", "n2"), bound_for("second-0", "n2", "n0")]
    for staged in (True, False):
        assert not moved(landing, [("first-0", 0, 2), ("second-0", 2, 0)], pods=swap, staged=staged).actions


@every_landing
def test_a_gang_that_moves_whole_waits_for_its_own_members(landing: LandingMode) -> None:
    label = {GROUP_LABEL: "g"}
    pods = [bound_for("first-0", "n0", "n1", labels=label), bound_for("second-0", "n2", "n0", labels=label)]
    plan = moved(landing, [ONE, OTHER], pods=pods, staged=False, objects=[group("g", 2)])
    assert went(plan) == [("first-0", 0, 1), ("second-0", 0, 1)]


@every_landing
def test_ports_and_zones_are_places_too(landing: LandingMode) -> None:
    port = (HostPort(80),)
    pods = [
        bound_for("first-0", "n0", "n1", "1", host_ports=port),
        bound_for("second-0", "n2", "n0", "1", host_ports=port),
    ]
    assert [wave for _, wave, _ in went(moved(landing, [ONE], [OTHER], pods=pods))] == [0, 1]
    apart = PodAffinity(required=(term(ZONE, {"app": "first"}),))
    leaving = bound_for("first-0", "n0", "n2", "1", labels={"app": "first"})
    coming = bound_for("second-0", "n3", "n1", "1", anti_affinity=apart)
    plan = moved(landing, [("first-0", 0, 2)], [("second-0", 3, 1)], pods=[leaving, coming])
    assert [wave for _, wave, _ in went(plan)] == [0, 1]
    attracted = bound_for("second-0", "n3", "n1", "1", labels={"app": "second"})
    plan = moved(landing, [("first-0", 0, 2)], [("second-0", 3, 1)], pods=[leaving, attracted])
    assert [wave for _, wave, _ in went(plan)] == [0, 0]


@every_landing
def test_a_pod_that_terminates_already_holds_its_place(landing: LandingMode) -> None:
    leaving = pod("old-0", cpu="4", node="n0", deleting=1.0)
    assert not moved(landing, [OTHER], pods=[leaving, SECOND]).actions
    finished = pod("old-0", cpu="4", node="n0", deleting=1.0, phase=Phase.SUCCEEDED)
    assert len(moved(landing, [OTHER], pods=[finished, SECOND]).actions) == 1
