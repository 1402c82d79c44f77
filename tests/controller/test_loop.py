"""One cycle after the other: what it does, and what makes it pause."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NoReturn

import pytest
from structlog.testing import capture_logs

from builders import cluster, key, node, pod
from controller.stages import POLICY, Stage, empty_server, value
from descheduler.apiwrite.lease import Elector
from descheduler.apiwrite.writer import LeaseWriter
from descheduler.learning.ledger import Ledger
from descheduler.learning.store import pack
from descheduler.model.errors import (
    ClusterError,
    DeschedulerError,
    HistoryPartial,
    HistoryUnreachable,
    Unreachable,
    UsageError,
)
from descheduler.model.plan import PlanDocument
from descheduler.model.reasons import Blocked, Reason
from descheduler.pipeline import Decision
from descheduler.planning.problems import Problem, ProblemKind
from execution.fakes import Fence, Scripted
from execution.plans import action, move, plan
from learning.moves import done


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path / "policy.yaml")


def writes(stage: Stage) -> list[str]:
    assert isinstance(stage.transport, Scripted)
    return [f"{method} {path.rpartition('/')[2]}" for method, path, _ in stage.transport.asked if method != "GET"]


def test_a_dry_run_plans_and_publishes_and_writes_nothing(stage: Stage) -> None:
    stage.plan = plan(action(move("web-1")))
    controller = stage.controller()
    assert controller.cycle() == "planned"
    assert [r.id for r in controller.reports.list()] == ["plan-1"]
    assert writes(stage) == []
    assert controller.status.ready.ok
    assert value(controller.metrics, "planned_moves", strategy="HotNodes") == 1
    assert value(controller.metrics, "cycles_total", result="planned") == 1


def test_active_mode_decides_the_same_and_carries_it_out(stage: Stage) -> None:
    stage.plan = plan(action(move("web-1")))
    stage.mode = "active"
    controller = stage.controller()
    assert controller.cycle() == "acted"
    # intent, eviction, ledger, intent closed, event, ledger again, and once more at the end
    assert writes(stage)[:3] == ["POST configmaps", "POST eviction", "POST configmaps"]
    assert "POST events" in writes(stage)
    assert controller.reports.list()[0].evicted == 1
    assert value(controller.metrics, "moves_total", strategy="HotNodes", result="evicted") == 1
    assert stage.memories[0].ledger is not None

    controller.cycle()
    assert stage.memories[1].moved_last_hour == 1
    assert "uid-default-web-1" in stage.memories[1].in_flight


@pytest.mark.parametrize(
    ("error", "reason", "says"),
    [
        (Unreachable("no answer from https://api"), Reason.DATA_MISSING, "no answer from https://api"),
        (ClusterError("missing permission: list pods"), Reason.DATA_MISSING, "missing permission: list pods"),
        (HistoryUnreachable("no answer from http://prometheus"), Reason.DATA_MISSING, "http://prometheus"),
        (HistoryPartial("a store is down"), Reason.DATA_PARTIAL, "a store is down"),
        (UsageError("no history: give --prometheus URL"), Reason.DATA_MISSING, "give --prometheus"),
    ],
)
def test_what_cannot_be_read_pauses_with_the_reason(
    stage: Stage, error: DeschedulerError, reason: Reason, says: str
) -> None:
    def fail(_: object) -> NoReturn:
        raise error

    stage.observe = fail
    controller = stage.controller()
    assert controller.cycle() == "paused"
    assert not controller.status.ready.ok
    assert says in controller.status.ready.text
    assert value(controller.metrics, "paused", reason=reason.value) == 1
    assert controller.status.alive.ok  # a restart would not help

    stage.observe = None
    assert controller.cycle() == "planned"
    assert controller.status.ready.ok
    assert value(controller.metrics, "paused", reason=reason.value) is None


def test_caches_that_are_not_synced_stop_everything(stage: Stage) -> None:
    stage.unsynced = Blocked(Reason.DATA_MISSING, "API server", "still reading pods")
    controller = stage.controller()
    assert controller.cycle() == "paused"
    assert "still reading pods" in controller.status.ready.text
    assert controller.reports.list() == ()


def test_a_plan_that_may_not_be_acted_on_is_shown_and_not_carried_out(stage: Stage) -> None:
    stage.plan = plan(action(move("web-1")), acting_blocked="pods: 400 s old")
    stage.mode = "active"
    controller = stage.controller()
    assert controller.cycle() == "paused"
    assert controller.reports.list()[0].moves == 1
    assert "400 s old" in controller.status.ready.text
    assert "POST eviction" not in writes(stage)


def test_an_error_that_nobody_expected_is_counted_and_the_loop_goes_on(stage: Stage) -> None:
    def fail(*_: object) -> NoReturn:
        raise ZeroDivisionError("division by zero")

    stage.decide = fail
    controller = stage.controller()
    assert controller.cycle() == "failed"
    assert "ZeroDivisionError" in controller.status.ready.text
    assert value(controller.metrics, "loop_errors_total") == 1
    stage.decide = None
    assert controller.cycle() == "planned"


def test_a_failed_strategy_is_said_and_stops_nothing(stage: Stage) -> None:
    stage.plan = plan(problems=["strategy HotNodes: division by zero"])
    controller = stage.controller()
    assert controller.cycle() == "planned"
    assert controller.status.ready.ok
    assert "HotNodes: division by zero" in controller.status.ready.text
    assert value(controller.metrics, "plan_problems") == 1


def test_an_object_that_cannot_be_read_is_logged_once_until_it_is_mended(stage: Stage) -> None:
    lines = [f"Pod shop/p-{i}: absurd" for i in range(120)]
    unreadable = ["PodGroup shop/g: nested", *lines]
    stage.decide = lambda *_: Decision(plan(), unreadable=tuple(unreadable))
    controller = stage.controller()
    with capture_logs() as logs:
        controller.cycle()
        controller.cycle()
    told = [one["problem"] for one in logs if one["event"] == "an object cannot be read"]
    assert told == unreadable[:100]
    assert [one["objects"] for one in logs if one["event"] == "more objects cannot be read"] == [21]
    assert value(controller.metrics, "unreadable_objects", kind="Pod") == 120
    assert value(controller.metrics, "unreadable_objects", kind="PodGroup") == 1
    unreadable.clear()
    controller.cycle()
    unreadable.append("PodGroup shop/g: nested")
    with capture_logs() as logs:
        controller.cycle()
    assert "PodGroup shop/g: nested" in [one.get("problem") for one in logs]


def test_strategies_that_lack_history_pause_the_controller_and_the_others_go_on(stage: Stage) -> None:
    stage.plan, stage.mode = plan(action(move("web-1"))), "active"
    stage.without_history = (Blocked(Reason.DATA_MISSING, "HotNodes", "no usable history of cpu"),)
    controller = stage.controller()
    assert controller.cycle() == "paused"
    assert "HotNodes cannot run: no usable history of cpu" in controller.status.ready.text
    assert "POST eviction" in writes(stage)

    why = Problem(ProblemKind.SIGNAL, "history of cpu is stale: newest point is 2000 s old", "cpu")
    stage.problems = (Problem(ProblemKind.OBJECT, "pod shop/odd: no containers"), why)
    assert controller.cycle() == "paused"
    assert f"HotNodes cannot run: {why.text}" in controller.status.ready.text

    stage.problems = stage.without_history = ()
    controller.cycle()
    assert controller.status.ready.ok


@pytest.mark.parametrize(
    ("kind", "judged"), [(ProblemKind.OBJECT, 1), (ProblemKind.SIGNAL, 0), (ProblemKind.STRATEGY, 0)]
)
def test_a_plan_that_lacks_data_proves_nothing_about_earlier_moves(
    stage: Stage, kind: ProblemKind, judged: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[PlanDocument] = []

    def judge(ledger: Ledger, found: PlanDocument, now: float) -> Ledger:
        seen.append(found)
        return ledger

    monkeypatch.setattr(Ledger, "judge", judge)
    stage.problems = (Problem(kind, "something is wrong"),)
    assert stage.controller().cycle() == "planned"
    assert len(seen) == judged


def test_a_bad_new_policy_keeps_the_old_one_and_says_so(stage: Stage) -> None:
    controller = stage.controller()
    controller.cycle()
    stage.path.write_text(POLICY.replace("interval", "intervall"))
    assert controller.watch.changed()
    assert controller.cycle() == "planned"
    assert controller.watch.policy is not None
    ready = controller.status.ready
    assert ready.ok
    assert "intervall" in ready.text
    assert "the former policy stays in force" in ready.text
    assert value(controller.metrics, "policy_reload_success") == 0

    stage.path.write_text(POLICY.replace("1m", "2m"))
    controller.cycle()
    assert controller.watch.policy.interval.total_seconds() == 120
    assert "not valid" not in controller.status.ready.text
    assert value(controller.metrics, "policy_reload_success") == 1


@pytest.mark.parametrize("text", ["kind: Nonsense", None], ids=["bad", "absent"])
def test_without_any_valid_policy_it_waits_and_says_why(stage: Stage, text: str | None) -> None:
    controller = stage.controller()
    stage.path.unlink()
    if text is not None:
        stage.path.write_text(text)
    assert controller.cycle() == "paused"
    assert value(controller.metrics, "paused", reason="PolicyInvalid") == 1
    assert str(stage.path) in controller.status.ready.text
    stage.path.write_text(POLICY)
    assert controller.cycle() == "planned"


def test_a_replica_that_does_not_lead_stands_by_and_is_ready(stage: Stage) -> None:
    lease = b'{"metadata":{"resourceVersion":"1"},"spec":{"holderIdentity":"other","leaseDurationSeconds":15}}'
    transport = Scripted(lambda *_: lease)
    stage.elector = Elector(LeaseWriter(transport, "default", "descheduler"), "me", stage.time.clock, Random(0))
    stage.elector.step()
    controller = stage.controller()
    assert controller.cycle() == "standby"
    assert controller.status.ready.ok
    assert "standing by; other leads" in controller.status.ready.text
    assert stage.memories == []
    assert value(controller.metrics, "leader") == 0


def test_leadership_lost_while_acting_ends_the_cycle_without_another_write(stage: Stage) -> None:
    fence = Fence(leading=False)
    stage.leadership = fence
    stage.plan = plan(action(move("web-1")))
    stage.mode = "active"
    controller = stage.controller()
    assert controller.cycle() == "standby"
    assert writes(stage) == []


def test_it_beats_while_it_waits_and_ends_when_asked(stage: Stage) -> None:
    controller = stage.controller(poll_seconds=0.01)
    stop = threading.Event()
    runner = threading.Thread(target=controller.run, args=(stop,))
    runner.start()
    try:
        deadline = threading.Event()
        for _ in range(500):
            if controller.reports.list():
                break
            deadline.wait(0.01)
        stage.time.pass_(30)
        deadline.wait(0.1)
        assert controller.status.alive.ok
        stage.time.pass_(601)
    finally:
        stop.set()
        runner.join(5)
    assert not runner.is_alive()


def test_a_loop_that_hangs_is_seen(stage: Stage) -> None:
    controller = stage.controller()
    controller.status.doing("observing")
    stage.time.pass_(700)
    assert not controller.status.alive.ok
    assert controller.status.alive.text == "the loop has been silent for 700 s while observing"


def test_the_circuit_stops_acting_and_not_planning(stage: Stage) -> None:
    stage.mode = "active"
    names = [f"web-{i}" for i in range(5)]
    stage.snapshot = cluster([node("n1")], [pod(n, node="n1") for n in names])
    stage.plan = plan(*(action(move(n)) for n in names))
    controller = stage.controller()
    assert controller.cycle() == "acted"
    stage.snapshot = cluster([node("n1")], [])
    stage.time.pass_(700)
    stage.plan = plan(action(move("web-9")), name="plan-2")
    assert controller.cycle() == "planned"
    assert "evicted pods have no ready replacement" in controller.status.ready.text
    assert value(controller.metrics, "circuit_open") == 1
    assert value(controller.metrics, "pending_after_eviction") == 5


def test_who_is_held_for_misses_is_told_and_reaches_the_next_plan(stage: Stage) -> None:
    """Five workloads whose pods come back, twice the first."""
    names = [*(f"web{i}-0" for i in range(5)), "web0-1"]
    ledger = Ledger()
    for i, name in enumerate(names):
        at = stage.time.clock.wall() - 7200 + 60 * i
        ledger = done(ledger, (move(name), "n1"), at=at)
    stage.transport = Scripted(kept(ledger))
    controller = stage.controller()
    controller.cycle()
    controller.cycle()
    assert "HotNodes: 0 of its last 5 actions reached their goal; until " in controller.status.ready.text
    assert controller.status.ready.ok
    (trial,) = stage.memories[-1].trials["HotNodes"]
    assert (trial.actions, trial.pool) == (2, "")
    held = stage.memories[-1].ledger
    assert held is not None
    blocked = held.blocked(key("ReplicaSet", "web0"), "", stage.time.clock.wall())
    assert blocked is not None
    assert blocked.reason is Reason.LANDS_ELSEWHERE
    assert value(controller.metrics, "held_workloads") == 1
    assert value(controller.metrics, "strategy_paused", strategy="HotNodes", pool="") == 1


def kept(ledger: Ledger) -> Callable[[str, str], bytes | ClusterError]:
    """An API server that has this ledger."""

    def answer(method: str, path: str) -> bytes | ClusterError:
        if method == "GET" and path.endswith("/descheduler-ledger"):
            data = {"ledger.json.z": base64.b64encode(pack(ledger)).decode()}
            meta = {"name": "descheduler-ledger", "namespace": "default", "uid": "u", "resourceVersion": "1"}
            return json.dumps({"metadata": meta, "binaryData": data}).encode()
        return empty_server(method, path)

    return answer
