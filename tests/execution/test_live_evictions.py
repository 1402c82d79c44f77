"""Evicting, against a real API server, scheduler, and disruption controller."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.transport import Unelected
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.executors.eviction import read_answer, read_error
from descheduler.execution.outcomes import Result
from descheduler.model.errors import ClusterError
from descheduler.model.reasons import Reason
from execution.live import QUICK, REAL, Racing, client_of, run_deployment, runner, serial, uids, with_budget
from execution.plans import action, move_of, plan


@pytest.fixture
def client(control_plane: ControlPlane) -> ApiClient:
    client = control_plane.client
    client.create_node("n1")
    client.wait_for_nodes("n1")
    return client


def two_nodes(client: ApiClient) -> None:
    client.create_node("n2")
    client.wait_for_nodes("n2")


def test_a_pod_is_evicted_and_its_replacement_seen(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "web", 2)
    two_nodes(client)
    moved = move_of(pods[0], "default/Deployment/web")
    report = runner(control_plane).execute(plan(action(moved)))
    (done,) = report.actions
    assert (done.result, report.stopped, report.evicted) == (Result.DONE, None, 1)
    (pod,) = done.pods
    assert pod.evicted
    assert pod.landed in ("n1", "n2")
    assert pod.successor in uids(client, "web")
    assert pod.ready_seconds is not None
    assert moved.uid not in uids(client, "web")
    assert not client.get("ConfigMap", "descheduler-intents").get("data")


def test_a_successor_of_the_same_name_is_left_alone(control_plane: ControlPlane, client: ApiClient) -> None:
    (pod,) = run_deployment(client, "web", 1)
    writer = ClusterWriter(client_of(control_plane), Unelected())
    with pytest.raises(ClusterError) as refused:
        writer.evict("default", pod["metadata"]["name"], "00000000-0000-0000-0000-000000000000")
    answer = read_error(refused.value)
    assert answer.blocked
    assert answer.blocked.reason is Reason.CHANGED
    assert uids(client, "web") == {pod["metadata"]["uid"]}


def test_several_budgets_are_named_as_the_reason(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "web", 2)
    with_budget(client, "one", "web", 1, allowed=1)
    with_budget(client, "two", "web", 1, allowed=1)
    writer = ClusterWriter(client_of(control_plane), Unelected())
    meta = pods[0]["metadata"]
    try:
        answer = read_answer(writer.evict("default", meta["name"], meta["uid"]))
    except ClusterError as error:
        answer = read_error(error)
    assert answer.blocked
    assert answer.blocked.reason is Reason.SEVERAL_BUDGETS
    report = runner(control_plane).execute(plan(action(move_of(pods[0], "default/Deployment/web"))))
    assert report.actions[0].blocked
    assert report.actions[0].blocked.reason is Reason.SEVERAL_BUDGETS
    assert meta["uid"] in uids(client, "web")


def test_a_closed_budget_refuses_the_unit_before_anything_is_touched(
    control_plane: ControlPlane, client: ApiClient
) -> None:
    pods = run_deployment(client, "web", 3)
    with_budget(client, "web", "web", 2, allowed=1)
    moves = [move_of(p, "default/Deployment/web") for p in pods[:2]]
    report = runner(control_plane).execute(plan(action(*moves, gang=True)))
    (refused,) = report.actions
    assert refused.result is Result.REFUSED
    assert refused.blocked
    assert refused.blocked.reason is Reason.DISRUPTION_BUDGET
    assert refused.blocked.detail == "2 needed, 1 left"
    assert uids(client, "web") == {p["metadata"]["uid"] for p in pods}


def test_the_servers_own_dry_run_refuses_a_unit_whole(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "web", 2)
    closed = run_deployment(client, "db", 1)
    moves = [move_of(pods[0], "default/Deployment/web"), move_of(closed[0], "default/Deployment/db")]
    acting = runner(control_plane)
    before = acting.observe()
    with_budget(client, "db", "db", 1, allowed=0)
    acting.observe = lambda: before  # a cache that has not seen the budget yet
    report = acting.execute(plan(action(*moves, gang=True)))
    assert report.actions[0].blocked
    assert report.actions[0].blocked.reason is Reason.DISRUPTION_BUDGET
    assert report.evicted == 0
    assert moves[0].uid in uids(client, "web")


def test_a_gang_broken_by_a_budget_race_is_finished(control_plane: ControlPlane, client: ApiClient) -> None:
    pods = run_deployment(client, "gang", 3)
    with_budget(client, "gang", "gang", 0, allowed=3)

    def close() -> None:
        client.patch("PodDisruptionBudget", "gang", {"spec": {"minAvailable": 3}})
        client.wait_for(
            lambda: client.get("PodDisruptionBudget", "gang")["status"]["disruptionsAllowed"] == 0, what="a race"
        )

    transport = Racing(client_of(control_plane), 1, close)
    moves = [move_of(p, "default/Deployment/gang") for p in pods]
    waits = 0

    def open_at_the_second_wait(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 2:
            client.patch("PodDisruptionBudget", "gang", {"spec": {"minAvailable": 0}})
        REAL.sleep(seconds)

    acting = runner(control_plane, transport, limits=serial())
    acting.clock = replace(REAL, sleep=open_at_the_second_wait)
    report = acting.execute(plan(action(*moves, gang=True)))
    (done,) = report.actions
    assert (done.result, done.raced, report.raced) == (Result.DONE, True, 1)
    assert uids(client, "gang").isdisjoint(m.uid for m in moves)


def test_a_replacement_that_does_not_come_up_ends_the_plan(control_plane: ControlPlane, client: ApiClient) -> None:
    bad = run_deployment(client, "bad", 1)
    good = run_deployment(client, "good", 1)
    client.patch("Node", "n1", {"spec": {"unschedulable": True}})
    first = action(move_of(bad[0], "default/Deployment/bad"), wave=1)
    second = action(move_of(good[0], "default/Deployment/good"), wave=2)
    report = runner(control_plane, limits=replace(QUICK, ready=0.5)).execute(plan(first, second))
    assert report.stopped
    assert report.stopped.reason is Reason.CIRCUIT_OPEN
    assert [a.result for a in report.actions] == [Result.DONE, Result.NOT_REACHED]
    assert report.actions[0].pods[0].ready_seconds is None
    assert uids(client, "good") == {good[0]["metadata"]["uid"]}
