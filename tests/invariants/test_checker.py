"""The checker sees what is wrong: plans of a planner with one of its safeguards taken out, and altered documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random

import pytest

from descheduler.contract import Scenario
from descheduler.model.landing_mode import LandingMode
from descheduler.model.plan import PlanDocument
from descheduler.planning import PlanningSettings
from descheduler.planning.budgets.charging import Budgets
from descheduler.planning.crossings import Crossings
from descheduler.planning.filters.build import FILTERS
from descheduler.planning.filters.quota import quota_filters
from descheduler.planning.prover import Prover
from descheduler.planning.turns import Turns
from descheduler.scheduler import WhatIf
from descheduler.scheduler.outlook import Outlook
from generated.clusters import RandomCluster, random_cluster
from generated.usage import UsagePool
from invariants.running import check, draw_settings, draw_strategies, examine, landing_of, planned


@pytest.fixture(scope="module")
def pool() -> UsagePool:
    return UsagePool.build()


def kinds(pool: UsagePool, seeds: Iterable[int]) -> Counter[str]:
    return Counter(v.kind for seed in seeds for v in examine(seed, pool).violations)


def anywhere(
    self: Scenario, outlook: Outlook, source: int = -1, towards: Sequence[int] = ()
) -> tuple[tuple[int, float], ...]:
    """Every node is as likely as any other, whatever the rules say."""
    nodes = len(self.fits(0))
    return tuple((node, 1.0 / nodes) for node in range(nodes))


def test_it_sees_pods_placed_where_the_scheduler_would_not(pool: UsagePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scenario, "expected", anywhere)
    found = kinds(pool, range(150))
    assert found["predicate"] > 10
    assert found["capacity"] > 0


def test_it_sees_pods_that_need_the_room_of_others_of_their_wave(
    pool: UsagePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Turns, "needs", lambda self, unit, clear: frozenset())
    assert kinds(pool, range(10_000_000, 10_000_300))["room"] > 0


def test_it_sees_pods_that_take_the_room_of_nominated_ones(pool: UsagePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WhatIf, "_awaited", lambda self, pod=-1: ())
    assert kinds(pool, range(10_000_000, 10_000_300))["room"] > 0


def test_it_sees_torn_gangs(pool: UsagePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prover, "_gangs", lambda self, pods: None)
    monkeypatch.setattr(Prover, "_filters", lambda self, pods: None)
    assert kinds(pool, range(140, 160))["gang"] > 0


def test_it_sees_protected_pods_that_move(pool: UsagePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Prover, "_filters", lambda self, pods: None)
    monkeypatch.setattr(Crossings, "met", lambda self, accepted: None)
    # Where places are held the what-if state itself lets no pod leave twice.
    found = kinds(pool, (seed for seed in range(150) if landing_of(seed) is not LandingMode.RESERVED))
    assert found["protected"] > 10
    assert found["twice"] > 0


def test_it_sees_exceeded_budgets_and_limits(pool: UsagePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budgets, "charge", lambda self, pods, evicted=None: ())
    monkeypatch.setattr(
        Budgets, "waves", lambda self, bundles, after=None, apart=None, counted=None: [0] * len(bundles)
    )
    found = kinds(pool, range(300))
    assert found["budget"] > 0
    assert found["limit"] > 10


@pytest.mark.parametrize(
    ("which", "kind"),
    [("disruption.ledger_filters", "past"), ("build.window_filters", "past"), ("quota_filters", "quota")],
)
def test_it_sees_what_was_moved_too_soon_or_would_not_be_let_in_again(
    pool: UsagePool, monkeypatch: pytest.MonkeyPatch, which: str, kind: str
) -> None:
    room = "descheduler.planning.filters"
    if which == "quota_filters":
        others = tuple(one for one in FILTERS if one[0] is not quota_filters)
        monkeypatch.setattr(f"{room}.build.FILTERS", others)
    else:
        monkeypatch.setattr(f"{room}.{which}", lambda *_: ())
    assert kinds(pool, range(150))[kind] > 0


@pytest.fixture(scope="module")
def made(pool: UsagePool) -> tuple[PlanDocument, RandomCluster, PlanningSettings]:
    """A plan with several actions, and waves that must not be run together."""
    for seed in range(1000):
        cluster = random_cluster(seed, pool)
        rng = Random(seed ^ 0x5EED)
        settings, chosen = draw_settings(rng), draw_strategies(rng)
        plan = planned(cluster, settings, chosen)
        if plan.summary["waves"] > 1 and _crowded(at_once(plan), cluster, settings):
            return plan, cluster, settings
    raise AssertionError("no seed makes a plan of several waves")


def at_once(plan: PlanDocument) -> PlanDocument:
    return replace(plan, actions=tuple(replace(action, wave=0) for action in plan.actions))


def _crowded(plan: PlanDocument, cluster: RandomCluster, settings: PlanningSettings) -> bool:
    return any(violation.kind in ("budget", "limit", "room") for violation in check(plan, cluster, settings))


def complaints(plan: PlanDocument, made: tuple[PlanDocument, RandomCluster, PlanningSettings]) -> str:
    return "\n".join(f"{v.kind}: {v.detail}" for v in check(plan, made[1], made[2]))


def test_it_finds_nothing_in_the_plan_itself(made: tuple[PlanDocument, RandomCluster, PlanningSettings]) -> None:
    assert not complaints(made[0], made)


@pytest.mark.parametrize("key", ["moves", "waves", "restarts", "nodes", "hot_nodes_after", "whole_gpu_nodes_after"])
def test_it_sees_a_wrong_number_in_the_summary(
    made: tuple[PlanDocument, RandomCluster, PlanningSettings], key: str
) -> None:
    plan = replace(made[0], summary={**made[0].summary, key: made[0].summary[key] + 1})
    assert f"summary.{key}" in complaints(plan, made)


def test_it_sees_a_pod_that_moves_twice(made: tuple[PlanDocument, RandomCluster, PlanningSettings]) -> None:
    first = made[0].actions[0]
    plan = replace(made[0], actions=(*made[0].actions, replace(first, id="again")))
    assert "twice: " in complaints(plan, made)


def test_it_sees_a_gap_between_waves(made: tuple[PlanDocument, RandomCluster, PlanningSettings]) -> None:
    last = made[0].actions[-1]
    plan = replace(made[0], actions=(*made[0].actions[:-1], replace(last, wave=last.wave + 2)))
    assert "waves are" in complaints(plan, made)


def test_it_sees_waves_that_are_run_together(made: tuple[PlanDocument, RandomCluster, PlanningSettings]) -> None:
    assert _crowded(at_once(made[0]), made[1], made[2])
    assert not complaints(made[0], made)


def test_it_sees_what_is_steered_away_from_and_landed_on_in_one_wave(
    made: tuple[PlanDocument, RandomCluster, PlanningSettings],
) -> None:
    steered = [replace(a, wave=i, steer=tuple({m.source for m in a.pods})) for i, a in enumerate(made[0].actions)]
    landing = steered[0].pods[0].destination
    assert "steer" not in complaints(replace(made[0], actions=tuple(steered)), made)
    steered[1] = replace(steered[1], wave=0, steer=(*steered[1].steer, landing))
    assert "where " + steered[0].id in complaints(replace(made[0], actions=tuple(steered)), made)
    steered[1] = replace(steered[1], steer=())
    assert f"{steered[1].id} does not steer away" in complaints(replace(made[0], actions=tuple(steered)), made)


def test_it_sees_what_is_cordoned_and_landed_on_in_one_wave(
    made: tuple[PlanDocument, RandomCluster, PlanningSettings],
) -> None:
    actions = [replace(a, wave=i) for i, a in enumerate(made[0].actions)]
    landing = actions[0].pods[0].destination
    other = next(row.name for row in made[0].nodes if row.name != landing)
    elsewhere = tuple(replace(move, destination=other) for move in actions[1].pods)
    actions[1] = replace(actions[1], cordon=(landing,), pods=elsewhere)
    assert "cordons" not in complaints(replace(made[0], actions=tuple(actions)), made)
    actions[1] = replace(actions[1], wave=0)
    assert "where " + actions[0].id in complaints(replace(made[0], actions=tuple(actions)), made)


def test_it_sees_a_source_that_is_not_the_pods_node(made: tuple[PlanDocument, RandomCluster, PlanningSettings]) -> None:
    first = made[0].actions[0]
    pods = (replace(first.pods[0], source="elsewhere"), *first.pods[1:])
    plan = replace(made[0], actions=(replace(first, pods=pods), *made[0].actions[1:]))
    assert "written" in complaints(plan, made)


def test_it_sees_removals_without_a_place_or_beside_moves(pool: UsagePool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "descheduler.planning.removing._places", lambda _view, moves, _state: {m.pod: m.source for m in moves}
    )
    monkeypatch.setattr("descheduler.planning.apart.of_another_kind", lambda accepted: [frozenset()] * len(accepted))
    monkeypatch.setattr("descheduler.planning.filters.build.Filters.kept", lambda *_: None)
    found = Counter(v.kind for seed in range(120) for v in examine(seed, pool, removals=True).violations)
    assert min(found["predicate"], found["room"], found["protected"]) > 0
