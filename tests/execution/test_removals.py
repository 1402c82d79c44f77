"""Removals as they are carried out: by what the pod was like, with nothing awaited that nobody makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builders import budget, cluster, node, pod
from descheduler.execution.intents import NAME
from descheduler.execution.outcomes import Result
from descheduler.execution.recheck import recheck
from descheduler.execution.replacements import ReplacementWatch
from descheduler.model.pods import Phase, Pod
from descheduler.model.reasons import Reason
from descheduler.model.snapshot import ClusterSnapshot
from execution.fakes import refusal
from execution.plans import plan, removal
from execution.test_runner import Server, acting


def one(phase: Phase = Phase.FAILED, ready: bool = False, name: str = "web-0") -> Pod:
    return pod(name, node="n1", phase=phase, ready=ready, labels={"app": "a"})


def world(*pods: Pod, budgets: int = 0) -> ClusterSnapshot:
    of = [budget(f"b{i}", {"app": "a"}, allowed=0) for i in range(budgets)]
    return cluster([node("n1"), node("n2")], pods, budgets=of)


@pytest.mark.parametrize(
    ("state", "now", "refused"),
    [
        ("Failed", one(), None),
        ("Running", one(Phase.RUNNING, ready=True), None),
        ("Running, not ready", one(Phase.RUNNING), None),
        ("Pending, not ready", one(Phase.PENDING), None),
        ("Running, not ready", one(Phase.RUNNING, ready=True), Reason.CHANGED),  # it has recovered
        ("Running", one(Phase.SUCCEEDED), Reason.CHANGED),
        ("Failed", replace(one(), uid="another"), Reason.CHANGED),
        ("Failed", replace(one(), deleting=1.0), Reason.TERMINATING),
        ("Failed", replace(one(), node="n2"), Reason.CHANGED),
    ],
)
def test_a_pod_is_removed_while_it_is_as_it_was_seen(state: str, now: Pod, refused: Reason | None) -> None:
    action = removal("web-0", state)
    blocked = recheck(world(now), [action])[action.id]
    assert (blocked and blocked.reason) is refused


@pytest.mark.parametrize(
    ("state", "now", "refused"),
    [
        ("Failed", one(), None),
        ("Pending, not ready", one(Phase.PENDING), None),
        ("Running", one(Phase.RUNNING, ready=True), Reason.SEVERAL_BUDGETS),
    ],
)
def test_budgets_are_asked_only_where_the_eviction_api_asks_them(state: str, now: Pod, refused: Reason | None) -> None:
    action = removal("web-0", state)
    blocked = recheck(world(now, budgets=2), [action])[action.id]
    assert (blocked and blocked.reason) is refused


def again(ready: bool, on: str = "n2") -> Pod:
    return replace(pod("web-1", node=on, ready=ready), uid="new", created=2e9)


@pytest.mark.parametrize(
    ("state", "seen", "waiting"),
    [
        ("Failed", (), 0),
        ("Succeeded", (), 0),
        ("Running", (again(ready=False),), 1),
        ("Running", (again(ready=True),), 0),
        ("Running, not ready", (), 1),
        ("Running, not ready", (again(ready=False, on=""),), 1),
        ("Running, not ready", (again(ready=False),), 0),  # as well as the one before it
    ],
)
def test_no_more_is_awaited_than_there_was(state: str, seen: tuple[Pod, ...], waiting: int) -> None:
    watch = ReplacementWatch([removal("web-0", state).pods[0]], world(one(Phase.RUNNING)))
    watch.look(world(*seen), 1.0)
    assert watch.waiting == waiting


def test_finished_pods_go_in_one_wave_without_intents_or_waiting() -> None:
    names = [f"job-{i}" for i in range(3)]
    server = Server(*(f"uid-default-{name}" for name in names))
    snapshot = world(*(one(name=name) for name in names))
    report = acting(server, snapshot).execute(plan(*(removal(name) for name in names)))
    assert [outcome.result for outcome in report.actions] == [Result.DONE] * 3
    assert report.stopped is None
    assert NAME not in server.maps


def test_a_running_pod_is_announced_before_it_is_removed() -> None:
    server = Server("uid-default-web-0")
    report = acting(server, world(one(Phase.RUNNING, ready=True))).execute(plan(removal("web-0", "Running")))
    assert report.evicted == 1
    assert server.maps[NAME]


def test_one_that_is_refused_leaves_the_others_alone() -> None:
    server = Server("uid-default-job-0", "uid-default-job-1")
    server.refuse = lambda method, path, _: refusal(403) if path.endswith("job-0/eviction") else None
    snapshot = world(one(name="job-0"), one(name="job-1"))
    report = acting(server, snapshot).execute(plan(removal("job-0"), removal("job-1")))
    assert [outcome.result for outcome in report.actions] == [Result.REFUSED, Result.DONE]
