"""Each installed executor moves a unit, by the controller as a process, and the plan had said how before.

On the real control plane, under the rights of the executor's own overlay.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from controlplane.client import ApiClient
from controlplane.cluster import ControlPlane
from descheduler.apiwrite.writer import COMPONENT
from descheduler.contract import EXECUTORS
from e2e.leaving import APP, CASES, PODS, Case
from e2e.world import COMMAND, Pages, World
from execution.kill_points import leaked
from execution.live import Object, uids


def test_every_executor_has_a_case() -> None:
    assert {case.executor for case in CASES.values()} == set(EXECUTORS.available())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_executor_says_what_it_will_do_and_does_it(control_plane: ControlPlane, tmp_path: Path, case: Case) -> None:
    client = control_plane.client
    policy = tmp_path / "policy.yaml"
    policy.write_text(case.policy)
    world = World(control_plane, "", policy, tmp_path)
    account = world.install(case.overlay)
    with case.world(control_plane) as before:
        with world.running("dry-run", account) as pages:
            planned = planned_by(client, pages)
        assert uids(client, APP) == before
        says_how(planned, before, case.executor)
        if case.executor != "evict":  # the terminal takes an eviction for granted
            assert f"by {case.executor}: {manner(planned, case.executor)}" in terminal(planned, tmp_path)

        with world.running("active", account) as pages:
            plan, outcome = client.wait_for(pages.executed, timeout=60, what="a plan to be carried out")
        says_how(plan, before, case.executor)
        assert [action["result"] for action in outcome["actions"]] == ["done"] * len(plan["actions"]), outcome
        landed = {pod["move"]["uid"]: pod["landed"] for action in outcome["actions"] for pod in action["pods"]}
        assert landed == dict.fromkeys(before, "n2")
        assert not case.scene.wrong(client, APP, PODS)
        assert uids(client, APP).isdisjoint(before)
        assert not leaked(client)
    moved = "Evicted" if case.executor == "evict" else f"Moved by {case.executor}"
    events = told(client)
    assert events.keys() == before
    assert all(note.startswith(f"{moved} from n1, expected on n2") for note in events.values()), events


def planned_by(client: ApiClient, pages: Pages) -> Object:
    """The first plan that has something to do."""

    def found() -> Object:
        plans = (pages.json(f"/reports/{name}.json") for name in pages.reports())
        return next((plan for plan in plans if plan.get("actions")), {})

    return client.wait_for(found, timeout=60, what="a plan that moves something")


def says_how(plan: Object, pods: set[str], executor: str) -> None:
    """It names the executor of every pod, its steps, and where the pod goes."""
    assert {action["executor"] for action in plan["actions"]} == {executor}
    assert {move["uid"] for action in plan["actions"] for move in action["pods"]} == pods
    assert {move["destination"] for action in plan["actions"] for move in action["pods"]} == {"n2"}
    assert manner(plan, executor)


def manner(plan: Object, executor: str) -> str:
    """Its steps, and what is not lost by it, as the plan has them."""
    (row,) = (row for row in plan["executors"] if row["name"] == executor)
    assert row["steps"]
    return ", ".join(row["steps"]) + (f"; {row['kept']}" if row["kept"] else "")


def terminal(plan: Object, folder: Path) -> str:
    """What `descheduler show` says of it, in one line."""
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    words, wide = [*COMMAND, "show", str(path)], {**os.environ, "COLUMNS": "400"}
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env=wide)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def told(client: ApiClient) -> dict[str, str]:
    """The note of the event of each pod, by its uid."""
    events = client.list("Event", "default", api_version="events.k8s.io/v1")
    return {e["regarding"]["uid"]: e["note"] for e in events if e["reportingController"] == COMPONENT}
