"""A wave begins when those whom earlier waves evicted are gone, and not before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from builders import cluster, node, pod, spec
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import ExecutionReport
from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy.acting import ActingPolicy
from execution.fakes import Time
from execution.plans import action, move, plan
from execution.test_runner import Server, acting, ids

READY = 20.0
TWO_WAVES = plan(action(move("a-1"), wave=1), action(move("b-1"), wave=2))


class Cluster:
    """Pods a-1 and b-1 on n1. One that is evicted is replaced on n2 at once, and `remains` of it for `seconds`."""

    def __init__(
        self, seconds: float, grace: int = 30, remains: Callable[[Pod], Pod] = lambda pod: pod, *, after: bool = False
    ) -> None:
        self.server, self.time = Server(*ids("a-1", "b-1")), Time()
        self._after = after  # a replacement is made only once the pod is gone
        self.evicted_at: dict[str, float] = {}
        self._seconds, self._remains = seconds, remains
        self._of = spec(grace_seconds=grace)

    def observe(self) -> ClusterSnapshot:
        now = self.time.clock.steady()
        pods: list[Pod] = []
        for name in ("a-1", "b-1"):
            one = pod(name, of=self._of, node="n1")
            if one.uid not in self.server.evicted:
                pods.append(one)
                continue
            since = self.evicted_at.setdefault(name, now)
            there = now - since < self._seconds
            if there:
                pods.append(self._remains(replace(one, deleting=now)))
            if not (there and self._after):
                pods.append(pod(f"{name[0]}-2", of=self._of, node="n2"))
        return cluster([node("n1"), node("n2")], pods)

    def execute(self, document: Any = TWO_WAVES, **rest: Any) -> ExecutionReport:
        limits = replace(ExecutionLimits.of(ActingPolicy()), ready=READY)
        runner = acting(self.server, self.observe(), self.time, observe=self.observe, limits=limits, **rest)
        return runner.execute(document)


def test_the_next_wave_waits_until_who_was_evicted_is_gone() -> None:
    world = Cluster(seconds=25.0)
    report = world.execute()
    assert report.stopped is None
    assert world.server.evicted == ids("a-1", "b-1")
    assert world.evicted_at["b-1"] - world.evicted_at["a-1"] >= 25.0


def test_who_is_gone_at_once_or_has_finished_holds_nobody_up() -> None:
    gone = Cluster(seconds=0.0)
    gone.execute()
    ended = Cluster(seconds=10_000.0, remains=lambda pod: replace(pod, phase=Phase.SUCCEEDED))
    ended.execute()
    for world in (gone, ended):
        assert world.server.evicted == ids("a-1", "b-1")
        assert world.evicted_at["b-1"] - world.evicted_at["a-1"] < 5.0


def test_the_last_wave_waits_for_nobody() -> None:
    world = Cluster(seconds=10_000.0)
    report = world.execute(plan(action(move("a-1"))))
    assert report.stopped is None
    assert world.time.clock.steady() - world.evicted_at["a-1"] < 5.0


@pytest.mark.parametrize("grace", [0, 30, 600])
def test_who_outlives_his_grace_period_ends_the_plan(grace: int) -> None:
    world = Cluster(seconds=10_000.0, grace=grace)
    report = world.execute()
    assert report.stopped
    assert (report.stopped.reason, report.stopped.detail) == (
        Reason.CIRCUIT_OPEN,
        "evicted pods have not ended: default/a-1",
    )
    assert world.server.evicted == ids("a-1")
    waited = world.time.clock.steady() - world.evicted_at["a-1"]
    assert grace + READY - 2.0 <= waited <= grace + READY + 2.0


def test_a_long_grace_period_is_granted() -> None:
    world = Cluster(seconds=590.0, grace=600)
    assert world.execute().stopped is None
    assert world.server.evicted == ids("a-1", "b-1")


@pytest.mark.parametrize(("grace", "seconds", "whole"), [(600, 590.0, True), (600, 10_000.0, False), (30, 45.0, True)])
def test_a_replacement_that_is_made_only_then_is_waited_for(grace: int, seconds: float, whole: bool) -> None:
    world = Cluster(seconds, grace, after=True)
    report = world.execute()
    assert (report.stopped is None) is whole
    assert len(world.server.evicted) == (2 if whole else 1)
    waited = world.time.clock.steady() - world.evicted_at["a-1"]
    assert whole or grace + READY - 2.0 <= waited <= grace + READY + 2.0


def test_a_process_that_is_to_end_does_not_wait() -> None:
    world = Cluster(seconds=10_000.0)
    report = world.execute(stopping=lambda: world.time.clock.steady() > 1010.0)
    assert report.stopped
    assert report.stopped.reason is Reason.STOPPING
    assert world.server.evicted == ids("a-1")
    assert world.time.clock.steady() < 1020.0
