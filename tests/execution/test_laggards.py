"""One tenant's pods that end or come up late hold up nobody but that tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from builders import cluster, node, pod, spec
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import ExecutionReport
from descheduler.model.plan import Action, PodMove
from descheduler.model.pods import Pod
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy.acting import ActingPolicy
from execution.fakes import Time
from execution.plans import action, move, plan
from execution.test_runner import Server, acting

READY = 20.0


@dataclass(frozen=True)
class Habits:
    """What pods of a namespace do when they are evicted: how long they stay, and whether a replacement is ready."""

    ends_after: float = 0.0
    comes_up: bool = True
    grace: int = 30


class World:
    """Pods "namespace/name" on n1; each is replaced on n2, as its namespace does."""

    def __init__(self, pods: Mapping[str, int], habits: Mapping[str, Habits]) -> None:
        self.time, self.pods, self.habits = Time(), pods, habits
        self.server = Server(*(_move(key).uid for key in pods))
        self.evicted_at: dict[str, float] = {}

    def observe(self) -> ClusterSnapshot:
        return cluster([node("n1"), node("n2")], [one for key in self.pods for one in self._of(key)])

    def _of(self, key: str) -> list[Pod]:
        namespace, name = key.split("/")
        does = self.habits.get(namespace, Habits())
        one = pod(name, namespace=namespace, node="n1", of=spec(grace_seconds=does.grace))
        if one.uid not in self.server.evicted:
            return [one]
        since = self.evicted_at.setdefault(key, self.time.clock.steady())
        there = self.time.clock.steady() - since < does.ends_after
        new = pod(f"{name.partition('-')[0]}-new", namespace=namespace, node="n2")
        return [*([replace(one, deleting=since)] if there else ()), replace(new, ready=does.comes_up)]

    def execute(self) -> ExecutionReport:
        limits = replace(ExecutionLimits.of(ActingPolicy()), ready=READY)
        runner = acting(self.server, self.observe(), self.time, observe=self.observe, limits=limits)
        return runner.execute(plan(*(_action(key, wave) for key, wave in self.pods.items())))

    def evicted(self) -> list[str]:
        return [key for key in self.pods if _move(key).uid in self.server.evicted]


def _move(key: str) -> PodMove:
    namespace, name = key.split("/")
    return move(name, namespace=namespace)


def _action(key: str, wave: int) -> Action:
    return action(_move(key), wave=wave, name=key)


PODS = {"mallory/a-1": 1, "shop/b-1": 1, "mallory/c-1": 2, "shop/d-1": 2}
TRICKS = {
    "replacements that never become ready": Habits(comes_up=False),
    "a finalizer that keeps pods from ending": Habits(ends_after=1e9),
    "a grace period of years": Habits(ends_after=1e9, grace=10**9),
    "a grace period of years, and no replacement before its end": Habits(ends_after=1e9, grace=10**9, comes_up=False),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_one_tenants_pods_do_not_end_the_plan_of_the_others(trick: str) -> None:
    world = World(PODS, {"mallory": TRICKS[trick]})
    report = world.execute()
    assert report.stopped is None
    assert world.evicted() == ["mallory/a-1", "shop/b-1", "shop/d-1"]
    blocked = next(o.blocked for o in report.actions if o.action.id == "mallory/c-1")
    assert blocked
    assert (blocked.reason, blocked.by) == (Reason.CIRCUIT_OPEN, "namespace/mallory")
    assert world.time.clock.steady() - 1000.0 < 2 * READY


@pytest.mark.parametrize("trick", TRICKS)
def test_where_several_namespaces_are_late_the_plan_ends(trick: str) -> None:
    world = World(PODS, dict.fromkeys(("mallory", "shop"), TRICKS[trick]))
    report = world.execute()
    assert report.stopped
    assert report.stopped.reason is Reason.CIRCUIT_OPEN
    assert world.evicted() == ["mallory/a-1", "shop/b-1"]
    assert world.time.clock.steady() - 1000.0 < 3600.0 + 2 * READY


def test_where_nobody_else_was_moved_the_plan_ends() -> None:
    world = World({"mallory/a-1": 1, "shop/b-1": 2}, {"mallory": Habits(comes_up=False)})
    assert world.execute().stopped
    assert world.evicted() == ["mallory/a-1"]


def test_a_long_grace_period_of_one_is_no_reason_to_leave_the_others() -> None:
    world = World(PODS, {"mallory": Habits(ends_after=READY / 2, grace=600)})
    assert world.execute().stopped is None
    assert world.evicted() == list(PODS)
