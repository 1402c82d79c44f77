"""Live migration on a real API server, with a stand-in for KubeVirt's controllers (`controlplane.machines`)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from controlplane.machines import API_VERSION, MACHINE, MigratingController, migrations, run_machines
from descheduler.execution.executors.migrate.executor import LiveMigrateArgs
from descheduler.execution.executors.registry import choose
from descheduler.execution.outcomes import Result
from descheduler.execution.runner import PlanRunner
from descheduler.model.plan import Action
from execution.kill_points import PROTOCOLS, points_of
from execution.live import QUICK, budget, runner
from execution.plans import action, move_of, plan
from execution.scenes.migrating import Migrating

Object = dict[str, Any]


@pytest.fixture
def controller(control_plane: ControlPlane) -> Iterator[MigratingController]:
    """n1, where all machines start; `more_nodes` adds n2."""
    control_plane.client.create_node("n1", cpu=8)
    control_plane.client.wait_for_nodes("n1")
    with Migrating().world(control_plane) as found:
        assert isinstance(found, MigratingController)
        yield found


def migrating(plane: ControlPlane, **args: Any) -> PlanRunner:
    return runner(plane, limits=QUICK, executors=lambda name: choose(name, LiveMigrateArgs(**args)))


def units(client: ApiClient, count: int, to: str = "n2", room: str = "8") -> list[Action]:
    """Machines that run on n1, each to go to `to`, which is made now."""
    pods = run_machines(client, "vm", count)
    client.create_node(to, cpu=room)
    client.wait_for_nodes()
    names = [pod["metadata"]["labels"]["vm.kubevirt.io/name"] for pod in pods]
    moves = [move_of(p, f"default/{MACHINE}/{n}", to) for p, n in zip(pods, names, strict=True)]
    return [replace(action(one), executor="live-migrate") for one in moves]


def node_of(client: ApiClient, name: str) -> str:
    return str(client.get(MACHINE, name, api_version=API_VERSION)["status"]["nodeName"])


def test_machines_move_past_the_budget_that_kubevirt_gives_them_and_nothing_stays_behind(
    control_plane: ControlPlane, controller: MigratingController
) -> None:
    client = control_plane.client
    wanted = units(client, 3)
    client.apply(budget("kubevirt-disruption-budget-x", "vm", 3))
    report = migrating(control_plane).execute(plan(*wanted))
    assert [one.result for one in report.actions] == [Result.DONE] * 3, report
    assert {one.pods[0].landed for one in report.actions} == {"n2"}
    assert {node_of(client, f"vm-{i}") for i in range(3)} == {"n2"}
    assert controller.most <= 2  # KubeVirt lets no more leave one node at once
    assert migrations(client) == []


def test_a_migration_that_fails_leaves_the_machine_where_it_is(
    control_plane: ControlPlane, controller: MigratingController
) -> None:
    client = control_plane.client
    controller.failing = {"vm-0"}
    (unit,) = units(client, 1)
    (outcome,) = migrating(control_plane).execute(plan(unit)).actions
    assert outcome.result is Result.REFUSED
    assert "it did not converge" in str(outcome.blocked)
    assert (node_of(client, "vm-0"), migrations(client)) == ("n1", [])


def test_one_that_finds_no_room_is_cancelled(control_plane: ControlPlane, controller: MigratingController) -> None:
    client = control_plane.client
    (unit,) = units(client, 1, room="50m")
    (outcome,) = migrating(control_plane, patience=timedelta(seconds=1)).execute(plan(unit)).actions
    assert outcome.result is Result.REFUSED
    assert "found no place on n2" in str(outcome.blocked)
    assert (node_of(client, "vm-0"), migrations(client)) == ("n1", [])


def test_whoever_dies_at_any_write_leaves_no_machine_stuck(control_plane: ControlPlane) -> None:
    """The first of its protocols here, all of them in `benchmarks/kill_points.py`."""
    protocol = next(one for one in PROTOCOLS if one.executor == "live-migrate")
    found = [stuck for point in points_of(control_plane, protocol) for stuck in protocol.die_at(control_plane, point)]
    assert found == []
