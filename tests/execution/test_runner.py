"""What makes an execution hold back, stop, or go on, without a server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from builders import budget, cluster, node, pod
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.intents import Intent, IntentStore
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import Result
from descheduler.execution.recheck import recheck
from descheduler.execution.runner import PlanRunner
from descheduler.model.errors import BadAnswer, ClusterError, PolicyError, Unreachable
from descheduler.model.plan import Action, SeatRow
from descheduler.model.pods import Pod
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy.acting import ActingPolicy
from execution.fakes import Fence, Scripted, Time, refusal
from execution.plans import action, move, plan


class Server:
    """Pods that an eviction takes away, ConfigMaps with optimistic concurrency, and what it refuses."""

    def __init__(self, *uids: str) -> None:
        self.pods = set(uids)
        self.maps: dict[str, dict[str, Any]] = {}
        self.refuse: Callable[[str, str, Mapping[str, str]], ClusterError | None] = lambda *_: None
        self.evicted: list[str] = []
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        timeout: float = 60.0,
    ) -> bytes:
        error = self.refuse(method, path, query or {})
        if error is not None:
            raise error
        sent = json.loads(body) if body else {}
        with self._lock:
            if path.endswith("/eviction"):
                return self._evict(sent, "dryRun" in (query or {}))
            if "/configmaps" in path:
                return self._config_map(method, path, sent)
        name = path.rpartition("/")[2]
        if (uid := f"uid-default-{name}") in self.pods:
            return json.dumps({"metadata": {"name": name, "uid": uid}}).encode()
        raise refusal(404)

    def _evict(self, sent: dict[str, Any], dry_run: bool) -> bytes:
        uid = sent["deleteOptions"]["preconditions"]["uid"]
        if uid not in self.pods:
            raise refusal(404)
        if not dry_run:
            self.pods.remove(uid)
            self.evicted.append(uid)
        return b"{}"

    def _config_map(self, method: str, path: str, sent: dict[str, Any]) -> bytes:
        name = path.rpartition("/")[2] if method in ("GET", "DELETE") else sent["metadata"]["name"]
        if method == "DELETE":
            self.maps.pop(name)
            return b"{}"
        if method == "GET":
            if name not in self.maps:
                raise refusal(404)
            return json.dumps(self.maps[name]).encode()
        old = self.maps.get(name, {}).get("metadata", {}).get("resourceVersion", "")
        if sent["metadata"].get("resourceVersion", "") != old:
            raise refusal(409)
        sent["metadata"]["resourceVersion"] = str(int(old or 0) + 1)
        self.maps[name] = sent
        return json.dumps(sent).encode()


def world(*names: str, **more: Any) -> ClusterSnapshot:
    return cluster([node("n1"), node("n2")], [pod(name, node="n1", labels={"app": "a"}) for name in names], **more)


def acting(server: Server, snapshot: ClusterSnapshot, time: Time | None = None, **rest: Any) -> PlanRunner:
    clock = (time or Time()).clock
    writer = ClusterWriter(server, rest.pop("fence", Fence()))
    observe = rest.pop("observe", lambda: snapshot)
    limits = rest.pop("limits", replace(ExecutionLimits.of(ActingPolicy()), ready=0.0, finish=30.0))
    return PlanRunner(writer, IntentStore(writer, "default"), observe, clock, Random(0), limits=limits, **rest)


def ids(*names: str) -> list[str]:
    return [f"uid-default-{name}" for name in names]


def test_a_plan_that_may_not_be_acted_on_is_not() -> None:
    server = Server(*ids("a-1"))
    report = acting(server, world("a-1")).execute(plan(action(move("a-1")), acting_blocked="pods: 400 s old"))
    assert report.stopped == Blocked(Reason.DATA_MISSING, "plan", "pods: 400 s old")
    assert [a.result for a in report.actions] == [Result.NOT_REACHED]
    assert server.evicted == []


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        (world(), Reason.CHANGED),
        (cluster([node("n2")], [pod("a-1", node="n2")]), Reason.CHANGED),
        (cluster([node("n1")], [pod("a-1", node="n1", deleting=1.0)]), Reason.TERMINATING),
        (world("a-1", budgets=[budget("b", {"app": "a"}, allowed=0)]), Reason.DISRUPTION_BUDGET),
        (world("a-1", budgets=[budget("b", {"app": "a"}, generation=2)]), Reason.BUDGET_STALE),
        (world("a-1", budgets=[budget("b", {"app": "a"}), budget("c", {"app": "a"})]), Reason.SEVERAL_BUDGETS),
    ],
)
def test_what_changed_since_the_plan_is_left_alone(snapshot: ClusterSnapshot, reason: Reason) -> None:
    server = Server(*ids("a-1"))
    report = acting(server, snapshot).execute(plan(action(move("a-1"))))
    assert report.actions[0].blocked
    assert report.actions[0].blocked.reason is reason
    assert server.evicted == []


def test_budgets_are_shared_by_the_actions_of_a_wave() -> None:
    snapshot = world("a-1", "a-2", budgets=[budget("b", {"app": "a"}, allowed=1)])
    verdicts = recheck(snapshot, [action(move("a-1")), action(move("a-2"))])
    assert verdicts["a-a-1"] is None
    assert verdicts["a-a-2"]


@pytest.mark.parametrize("error", [Unreachable("no answer"), PolicyError(("no such priority class",))])
def test_without_a_fresh_picture_nothing_is_touched(error: Exception) -> None:
    def observe() -> ClusterSnapshot:
        raise error

    server = Server(*ids("a-1"))
    report = acting(server, world(), observe=observe).execute(plan(action(move("a-1"))))
    assert report.stopped
    assert report.stopped.reason is Reason.DATA_STALE
    assert server.evicted == []


def test_what_a_check_rests_on_is_renewed_before_the_picture_is_taken() -> None:
    order: list[str] = []

    def observe() -> ClusterSnapshot:
        order.append("observe")
        return world("a-1")

    server = Server(*ids("a-1"))
    runner = acting(server, world("a-1"), observe=observe)
    runner.renew = lambda: order.append("renew")
    runner.execute(plan(action(move("a-1"))))
    assert order[:2] == ["renew", "observe"]
    assert server.evicted == ids("a-1")


def test_when_it_cannot_be_renewed_nothing_is_touched() -> None:
    def renew() -> None:
        raise Unreachable("no answer")

    server = Server(*ids("a-1"))
    runner = acting(server, world("a-1"))
    runner.renew = renew
    report = runner.execute(plan(action(move("a-1"))))
    assert report.stopped
    assert report.stopped.reason is Reason.DATA_STALE
    assert server.evicted == []


def test_a_second_validation_that_forgets_an_action_refuses_it() -> None:
    def forgetful(_: ClusterSnapshot, __: Sequence[Action]) -> Mapping[str, Blocked | None]:
        return {}

    server = Server(*ids("a-1"))
    report = acting(server, world("a-1")).execute(plan(action(move("a-1"))), revalidate=forgetful)
    assert report.actions[0].blocked == Blocked(Reason.DATA_MISSING, "second validation")
    assert server.evicted == []


def test_a_stage_is_not_begun_when_one_before_it_was_refused() -> None:
    first, second = (replace(action(move(f"a-{i}"), wave=i), bundle="a-a-1", stage=i, stages=2) for i in (1, 2))
    alone = action(move("a-3"), wave=2)
    server = Server(*ids("a-1", "a-2", "a-3"))
    snapshot = world("a-2", "a-3")  # a-1 is gone by itself
    report = acting(server, snapshot).execute(plan(first, second, alone))
    assert [outcome.result for outcome in report.actions] == [Result.REFUSED, Result.REFUSED, Result.DONE]
    assert report.actions[1].blocked
    assert report.actions[1].blocked.reason is Reason.SUPERSEDED
    assert server.evicted == ids("a-3")


@pytest.mark.parametrize(
    "waiting", [(), (pod("big-0", node="n2"),), (pod("big-0", deleting=1.0),)], ids=["gone", "placed", "terminating"]
)
def test_no_room_is_made_for_a_pod_that_no_longer_waits(waiting: tuple[Pod, ...]) -> None:
    made = replace(action(move("a-1")), room_for=(SeatRow("default", "big-0", "n1"),))
    server = Server(*ids("a-1"))
    snapshot = cluster([node("n1"), node("n2")], [pod("a-1", node="n1"), *waiting])
    report = acting(server, snapshot).execute(plan(made))
    assert report.actions[0].blocked == Blocked(Reason.CHANGED, "default/big-0", "it no longer waits for room")
    assert server.evicted == []


def test_an_unknown_executor_does_nothing() -> None:
    server = Server(*ids("a-1"))
    report = acting(server, world("a-1")).execute(plan(action(move("a-1"), executor="surge")))
    assert report.actions[0].result is Result.REFUSED
    assert server.evicted == []


def test_intents_that_cannot_be_written_stop_everything_before_the_first_eviction() -> None:
    server = Server(*ids("a-1"))
    server.refuse = lambda method, path, _: refusal(403) if "configmaps" in path and method == "POST" else None
    report = acting(server, world("a-1")).execute(plan(action(move("a-1"))))
    assert report.stopped
    assert report.stopped.by == "intents"
    assert server.evicted == []


def test_what_cannot_be_remembered_keeps_its_intent() -> None:
    def forget(_: str, __: object) -> None:
        raise Unreachable("no answer")

    server = Server(*ids("a-1"))
    report = acting(server, world("a-1"), keep=forget).execute(plan(action(move("a-1"))))
    assert report.stopped
    assert report.evicted == 1
    assert len(server.maps["descheduler-intents"]["data"]) == 1

    kept: list[str] = []
    acting(server, world(), keep=lambda name, outcomes: kept.extend(o.action.id for o in outcomes)).resume()
    assert kept == ["a-a-1"]
    assert not server.maps["descheduler-intents"].get("data")


def test_when_asked_to_stop_what_is_begun_is_finished_and_nothing_new_is() -> None:
    server = Server(*ids("g-1", "g-2", "b-1"))
    gang = action(move("g-1"), move("g-2"), gang=True, wave=1)
    after = action(move("b-1"), wave=2)
    report = acting(server, world("g-1", "g-2", "b-1"), stopping=lambda: bool(server.evicted)).execute(
        plan(gang, after)
    )
    assert sorted(server.evicted) == ids("g-1", "g-2")
    assert [a.result for a in report.actions] == [Result.DONE, Result.NOT_REACHED]
    assert report.stopped
    assert report.stopped.reason is Reason.STOPPING


def test_a_unit_that_cannot_be_finished_in_time_stays_announced_and_ends_the_plan() -> None:
    server = Server(*ids("g-1", "g-2", "b-1"))

    def closed(_: str, path: str, query: Mapping[str, str]) -> ClusterError | None:
        body = b'{"code":429,"details":{"causes":[{"reason":"DisruptionBudget","message":"closed"}]}}'
        return refusal(429, body) if "g-2/eviction" in path and "dryRun" not in query else None

    server.refuse = closed
    time = Time()
    gang = action(move("g-1"), move("g-2"), gang=True, wave=1)
    report = acting(server, world("g-1", "g-2", "b-1"), time).execute(plan(gang, action(move("b-1"), wave=2)))
    assert [a.result for a in report.actions] == [Result.PARTIAL, Result.NOT_REACHED]
    assert report.actions[0].raced
    assert report.stopped
    assert report.stopped.reason is Reason.UNFINISHED
    assert sum(time.slept) >= 30
    assert len(server.maps["descheduler-intents"]["data"]) == 1

    server.refuse = lambda *_: None
    (resumed,) = acting(server, world("b-1")).resume()
    assert resumed.result is Result.DONE
    assert server.evicted == ids("g-1", "g-2")


def test_an_eviction_of_which_nobody_knows_is_not_forgotten() -> None:
    server = Server(*ids("a-1"))

    def silent(method: str, path: str, query: Mapping[str, str]) -> ClusterError | None:
        pod_read = method == "GET" and "/pods/" in path
        return Unreachable("timed out") if pod_read or ("eviction" in path and "dryRun" not in query) else None

    server.refuse = silent
    report = acting(server, world("a-1")).execute(plan(action(move("a-1"))))
    assert report.evicted == 0
    assert len(server.maps["descheduler-intents"]["data"]) == 1


def test_a_deposed_leader_ends_with_a_report_and_without_a_write() -> None:
    server = Server(*ids("a-1"))
    report = acting(server, world("a-1"), fence=Fence(leading=False)).execute(plan(action(move("a-1"))))
    assert report.stopped
    assert report.stopped.reason is Reason.NOT_LEADING
    assert server.evicted == []
    assert server.maps == {}


def test_an_old_interruption_that_healed_is_left_alone() -> None:
    server = Server(*ids("g-1"))  # its sibling g-2 was evicted long ago, and replaced
    time = Time()
    gang = action(move("g-1"), move("g-2"), gang=True)
    store = IntentStore(ClusterWriter(server, Fence()), "default")
    store.open([Intent.of("p", gang, time.clock.wall() - 3600)])
    whole = cluster([node("n1")], [pod("g-1", node="n1"), pod("g-new", node="n1")])
    (outcome,) = acting(server, whole, time).resume()
    assert outcome.blocked
    assert "recovered" in outcome.blocked.detail
    assert server.evicted == []
    assert store.load() == ()


@pytest.mark.parametrize("text", ["nonsense", '{"plan":"p","at":1}', '{"version":2}'])
def test_an_intent_that_cannot_be_read_is_an_error_not_nothing(text: str) -> None:
    answer = json.dumps({"metadata": {"resourceVersion": "1"}, "data": {"k": text}}).encode()
    store = IntentStore(ClusterWriter(Scripted(lambda *_: answer), Fence()), "default")
    with pytest.raises(BadAnswer, match="open intent k"):
        store.load()


def test_units_of_several_pods_are_tried_first_and_single_pods_are_not() -> None:
    server = Server(*ids("a-1", "g-1", "g-2"))
    tried: list[str] = []

    def note(_: str, path: str, query: Mapping[str, str]) -> None:
        if path.endswith("/eviction") and "dryRun" in query:
            tried.append(path.split("/")[-2])

    server.refuse = note
    gang = action(move("g-1"), move("g-2"), gang=True)
    report = acting(server, world("a-1", "g-1", "g-2")).execute(plan(action(move("a-1")), gang))
    assert [a.result for a in report.actions] == [Result.DONE, Result.DONE]
    assert sorted(tried) == ["g-1", "g-2"]
    assert sorted(server.evicted) == ids("a-1", "g-1", "g-2")


def test_a_pod_that_somebody_else_took_is_not_claimed() -> None:
    server = Server()  # it was there when the plan was checked again, and is not any more
    kept: list[str] = []
    runner = acting(server, world("a-1"), keep=lambda _, outcomes: kept.extend(o.action.id for o in outcomes))
    (outcome,) = runner.execute(plan(action(move("a-1")))).actions
    assert (outcome.result, outcome.blocked and outcome.blocked.reason) == (Result.REFUSED, Reason.CHANGED)
    assert not outcome.pods[0].evicted
    assert kept == []
    assert not server.maps["descheduler-intents"].get("data")
