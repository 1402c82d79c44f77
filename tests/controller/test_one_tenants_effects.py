"""What one tenant's pods do after they were moved holds that tenant, and the controller says whom and until when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from builders import cluster, key, node, owner, pod
from controller.stages import Stage, value
from descheduler.controller.loop import Controller
from descheduler.execution.outcomes import ActionOutcome, PodOutcome, Result
from descheduler.execution.runner import PlanRunner
from descheduler.model.plan import Action, PlanDocument
from descheduler.model.pods import Pod
from descheduler.model.reasons import Reason
from execution.fakes import Scripted
from execution.plans import action, move, plan


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "policy.yaml", mode="active")


def acted(stage: Stage, late: Sequence[str], up: Sequence[str]) -> Controller:
    """After a plan moved these pods ("namespace/name"): replacements of the first never come, of the second at once."""
    moved = {k: pod(k.split("/")[1], namespace=k.split("/")[0], node="n1") for k in (*late, *up)}
    stage.snapshot = cluster([node("n1"), node("n2")], moved.values())
    stage.plan = plan(*(_of(k) for k in moved))
    controller = stage.controller()
    assert controller.cycle() == "acted"
    made = stage.time.clock.wall()
    stage.time.pass_(700)
    stage.snapshot = cluster([node("n1"), node("n2")], [_replacement(k, made) for k in up])
    return controller


def _replacement(key_: str, made: float) -> Pod:
    namespace, name = key_.split("/")
    of = name.rpartition("-")[0]
    return pod(f"{of}-new", namespace=namespace, node="n2", owners=(owner("ReplicaSet", of),), created=made)


def _of(key_: str) -> Action:
    namespace, name = key_.split("/")
    return action(move(name, namespace=namespace), name=key_)


def next_plan(stage: Stage) -> PlanDocument:
    stage.snapshot = cluster(stage.snapshot.nodes, [*stage.snapshot.pods, pod("web-9", namespace="shop", node="n1")])
    stage.plan = plan(action(move("web-9", namespace="shop")), name="plan-2")
    return stage.plan


MALLORY = [f"mallory/w{i}-1" for i in range(6)]
OTHERS = [f"team-{i}/api{i}-1" for i in range(3)]


def test_a_tenant_whose_pods_never_become_ready_does_not_stop_the_others(stage: Stage) -> None:
    controller = acted(stage, MALLORY, OTHERS)
    next_plan(stage)
    assert controller.cycle() == "acted"
    assert value(controller.metrics, "circuit_open") == 0
    until = value(controller.metrics, "circuit_open_until_timestamp_seconds", scope="namespace", whom="mallory")
    assert until
    assert until > stage.time.clock.wall()
    assert controller.status.ready.ok
    assert "namespace/mallory" in controller.status.ready.text
    assert "UTC" in controller.status.ready.text
    report = controller.reports.list()[0]
    assert any("namespace/mallory" in line for line in controller.reports.plan(report.id).problems)
    assert isinstance(stage.transport, Scripted)
    told = [path for method, path, _ in stage.transport.asked if method == "POST" and path.endswith("/events")]
    assert any("/namespaces/mallory/" in path for path in told)
    ledger = stage.memories[-1].ledger
    assert ledger
    now = stage.time.clock.wall()
    blocked = ledger.blocked(key("ReplicaSet", "other", "mallory"), "uid", now)
    assert blocked
    assert blocked.reason is Reason.CIRCUIT_OPEN
    assert ledger.blocked(key("ReplicaSet", "other", "shop"), "uid", now) is None


def test_replacements_that_are_late_in_many_namespaces_stop_everybody(stage: Stage) -> None:
    controller = acted(stage, [f"team-{i}/api-{j}" for i in range(3) for j in (1, 2)], [])
    next_plan(stage)
    assert controller.cycle() == "planned"
    assert value(controller.metrics, "circuit_open") == 1
    assert "evicted pods have no ready replacement" in controller.status.ready.text


def half_moved(*namespaces: str) -> list[ActionOutcome]:
    """A unit in each of them of which one pod was evicted and another may not be."""
    out = []
    for namespace in namespaces:
        moves = [move(f"g-{i}", namespace=namespace) for i in (1, 2)]
        pods = (PodOutcome(moves[0], True, at=1.0), PodOutcome(moves[1], False))
        out.append(ActionOutcome(action(*moves, gang=True), Result.PARTIAL, pods, resumed=True))
    return out


def test_a_unit_that_one_tenants_budget_keeps_half_moved_holds_his_namespace_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlanRunner, "resume", lambda _: tuple(half_moved("mallory")))
    controller = stage.controller()
    next_plan(stage)
    assert controller.cycle() == "acted"
    assert "native:mallory/gang is half moved" in controller.status.ready.text
    ledger = stage.memories[-1].ledger
    assert ledger
    blocked = ledger.blocked(key("ReplicaSet", "other", "mallory"), "uid", 0.0)
    assert blocked
    assert blocked.reason is Reason.UNFINISHED
    monkeypatch.setattr(PlanRunner, "resume", lambda _: ())
    controller.cycle()
    assert "half moved" not in controller.status.ready.text


def test_units_that_are_half_moved_in_several_namespaces_stop_everybody(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PlanRunner, "resume", lambda _: tuple(half_moved("mallory", "shop")))
    controller = stage.controller()
    assert controller.cycle() == "paused"
    assert value(controller.metrics, "paused", reason="Unfinished") == 1
