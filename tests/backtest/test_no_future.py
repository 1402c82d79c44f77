"""A walk knows nothing of what comes: with noise in the place of the future it has planned and moved the same."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from builders import NOW
from descheduler.backtest.cluster import Cluster
from descheduler.backtest.contender import Maker
from descheduler.backtest.meter import Meter
from descheduler.backtest.oracle import Oracle
from descheduler.backtest.ours import Ours, Run
from descheduler.backtest.rivals import RIVALS
from descheduler.backtest.walk import Walk, rules_of, walk
from descheduler.backtest.world import World, world_of
from descheduler.policy.acting import LandingWish
from descheduler.report.serial import to_json
from replays import HOUR, histories, noisy_after, policy, snapshot

BEGIN, CUT, END = NOW - 25 * HOUR, NOW - 23 * HOUR, NOW - 22 * HOUR


@dataclass(frozen=True)
class Watched:
    """The product's own contender; every plan document that it decides by is kept."""

    maker: Ours
    plans: dict[float, bytes]

    @property
    def name(self) -> str:
        return self.maker.name

    def make(self, world: World, rng: np.random.Generator) -> _Watching:
        return _Watching(self.maker.make(world, rng), self.plans)


@dataclass(frozen=True)
class _Watching:
    run: Run
    plans: dict[float, bytes]

    @property
    def name(self) -> str:
        return self.run.name

    def act(self, cluster: Cluster, meter: Meter, now: float) -> None:
        self.run.act(cluster, meter, now)
        if self.run.last is not None:
            self.plans[now] = to_json(self.run.last)


def moves(done: Walk, until: float) -> list[tuple[int, float, int, int]]:
    return [(one.slot, one.at, one.source, one.target) for one in done.cluster.moves if one.at < until]


def worlds() -> tuple[World, World]:
    known = histories()
    noise = {name: noisy_after(one, CUT) for name, one in known.items()}
    return tuple(world_of(snapshot(), one, BEGIN, END) for one in (known, noise))  # type: ignore[return-value]


def test_plans_are_byte_for_byte_those_that_noise_in_the_future_gives() -> None:
    plans: list[dict[float, bytes]] = [{}, {}]
    ours = Ours("ours", policy(), LandingWish.DIRECTED)
    walks = [
        walk(world, Watched(ours, kept), rules_of(policy(), snapshot()))
        for world, kept in zip(worlds(), plans, strict=True)
    ]
    before = [{at: plan for at, plan in kept.items() if at <= CUT} for kept in plans]
    assert len(before[0]) > 20
    assert before[0] == before[1]
    assert moves(walks[0], CUT) == moves(walks[1], CUT) != []
    assert plans[0] != plans[1]  # the future that came was another one


@pytest.mark.parametrize("rival", RIVALS.values(), ids=list(RIVALS))
def test_other_rules_know_no_more(rival: Maker) -> None:
    first, second = (walk(world, rival, rules_of(policy(), snapshot())) for world in worlds())
    assert moves(first, CUT) == moves(second, CUT)


def test_the_oracle_does() -> None:
    """So that the comparison above would show it."""
    first, second = (walk(world, Oracle(), rules_of(policy(), snapshot())) for world in worlds())
    assert moves(first, CUT) != moves(second, CUT)


def test_what_single_pods_used_in_the_last_hour_changes_nothing_that_was_known_before() -> None:
    """The recording has it of its end; plans of days before are the same whatever stands in the columns there."""
    levels = {("default", f"web-{i}"): 0.2 + 0.1 * i for i in range(4)}
    known = {name: replace(one, pod_level=levels if name == "cpu" else {}) for name, one in histories().items()}
    noise = {name: noisy_after(one, CUT) for name, one in known.items()}
    first, second = (world_of(snapshot(), one, BEGIN, END) for one in (known, noise))
    assert (first.usage["cpu"].weight == second.usage["cpu"].weight).all()
    assert first.usage["cpu"].weight.mean() == pytest.approx(1)
    until = first.usage["cpu"].column(CUT) + 1
    assert np.array_equal(first.measured("cpu")[:, :until], second.measured("cpu")[:, :until], equal_nan=True)
