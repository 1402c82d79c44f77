"""Each answer of the Eviction API is understood for what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from descheduler.apiwrite.rate_limit import RateLimit
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.executors.eviction import PodEvictor, read_answer, read_error
from descheduler.execution.executors.protocol import ActingTools, DisruptionAnswer, DisruptionVerdict
from descheduler.execution.limits import ExecutionLimits
from descheduler.model.errors import ClusterError, LeadershipLost, Unreachable
from descheduler.model.reasons import Blocked, Reason
from descheduler.policy.acting import ActingPolicy
from execution.fakes import Fence, Scripted, Time, refusal
from execution.plans import move


def status(message: str, code: int, *causes: str, retry_after: int | None = None) -> bytes:
    details: dict[str, object] = {"causes": [{"reason": c, "message": f"{c} said no"} for c in causes]}
    if retry_after is not None:
        details["retryAfterSeconds"] = retry_after
    answer = {"kind": "Status", "status": "Failure", "message": message, "code": code, "details": details}
    return json.dumps(answer).encode()


EVACUATED = (
    'admission webhook "virt-launcher-eviction-interceptor.kubevirt.io" denied the request: '
    'Eviction triggered evacuation of VMI "default/vm"'
)
OVER_BUDGET = status("Cannot evict pod as it would violate the budget.", 429, "DisruptionBudget", retry_after=10)
SEVERAL = status(
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.", 500
)


@pytest.mark.parametrize(
    ("error", "verdict", "reason", "retryable"),
    [
        (refusal(429, OVER_BUDGET), DisruptionVerdict.REFUSED, Reason.DISRUPTION_BUDGET, True),
        (refusal(429, status("too many requests", 429), "7"), DisruptionVerdict.THROTTLED, Reason.THROTTLED, True),
        (refusal(429, b"<html>slow down</html>"), DisruptionVerdict.THROTTLED, Reason.THROTTLED, True),
        (refusal(429, status(EVACUATED, 429)), DisruptionVerdict.DISRUPTED, None, False),
        (refusal(429, status("Evacuation in progress: it", 429)), DisruptionVerdict.DISRUPTED, None, False),
        (refusal(400, status(EVACUATED, 400)), DisruptionVerdict.REFUSED, Reason.API_REFUSED, False),
        (refusal(404, status("not found", 404)), DisruptionVerdict.GONE, None, False),
        (refusal(409, status("uid in precondition differs", 409)), DisruptionVerdict.REFUSED, Reason.CHANGED, False),
        (refusal(500, SEVERAL), DisruptionVerdict.REFUSED, Reason.SEVERAL_BUDGETS, False),
        (refusal(403, status("forbidden", 403)), DisruptionVerdict.REFUSED, Reason.API_REFUSED, False),
        (refusal(400, status("a webhook denied it", 400)), DisruptionVerdict.REFUSED, Reason.API_REFUSED, False),
        (
            refusal(504, status("couldn't update PodDisruptionBudget due to conflicts", 504)),
            DisruptionVerdict.REFUSED,
            Reason.API_REFUSED,
            True,
        ),
        (
            refusal(500, status("etcdserver: timed out", 500)),
            DisruptionVerdict.UNKNOWN,
            Reason.API_REFUSED,
            True,
        ),
        (refusal(503, b""), DisruptionVerdict.UNKNOWN, Reason.API_REFUSED, True),
        (Unreachable("timed out"), DisruptionVerdict.UNKNOWN, Reason.API_REFUSED, True),
    ],
)
def test_refusals_are_told_apart(
    error: ClusterError, verdict: DisruptionVerdict, reason: Reason | None, retryable: bool
) -> None:
    answer = read_error(error)
    assert (answer.verdict, answer.blocked and answer.blocked.reason, answer.retryable) == (verdict, reason, retryable)


def test_a_success_that_carries_a_failure_is_a_refusal() -> None:
    assert read_answer(json.dumps({"kind": "Status", "status": "Success", "code": 201}).encode()).disrupted
    answer = read_answer(SEVERAL)
    assert not answer.disrupted
    assert answer.blocked
    assert answer.blocked.reason is Reason.SEVERAL_BUDGETS


def evictor(transport: Scripted, time: Time, fence: Fence | None = None) -> PodEvictor:
    writer = ClusterWriter(transport, fence or Fence())
    return PodEvictor(tools(writer, RateLimit(50, 10, time.clock), time))


def tools(
    writer: ClusterWriter,
    rate: RateLimit,
    time: Time,
    closed: Blocked | None = None,
    acting: ActingPolicy | None = None,
) -> ActingTools:
    limits = ExecutionLimits.of(acting or ActingPolicy())
    return ActingTools(writer, rate, time.clock, Random(0), limits, lambda: closed, "descheduler")


@pytest.mark.parametrize("seconds", [None, 0, 60])
def test_pods_get_the_grace_period_of_the_policy_or_their_own(seconds: int | None) -> None:
    sent: list[bytes] = []

    class Recording(Scripted):
        def request(self, method: str, path: str, body: bytes | None = None, **more: Any) -> bytes:  # type: ignore[override]
            sent.append(body or b"")
            return super().request(method, path, body, **more)

    time, transport = Time(), Recording(lambda *_: b"{}")
    acting = ActingPolicy(grace_period_seconds=seconds)
    writer = ClusterWriter(transport, Fence())
    PodEvictor(tools(writer, RateLimit(50, 10, time.clock), time, acting=acting)).evict(move("a-1"))
    options = json.loads(sent[0])["deleteOptions"]
    assert options.get("gracePeriodSeconds") == seconds
    assert options["preconditions"]["uid"] == "uid-default-a-1"


def test_throttling_is_waited_out_as_long_as_the_server_says_and_slows_everybody_down() -> None:
    time = Time()
    answers: Iterator[bytes | ClusterError] = iter([refusal(429, b"", "30"), b"{}"])
    pace = RateLimit(50, 10, time.clock)
    transport = Scripted(lambda *_: next(answers))
    answer = PodEvictor(tools(ClusterWriter(transport, Fence()), pace, time)).evict(move("a-1"))
    assert answer == DisruptionAnswer(DisruptionVerdict.DISRUPTED, attempts=2)
    assert sum(time.slept) >= 30
    assert pace.rate < 50


def test_nothing_is_tried_again_once_acting_is_switched_off() -> None:
    time = Time()
    transport = Scripted(lambda *_: refusal(429, b"", "30"))
    writer, rate = ClusterWriter(transport, Fence()), RateLimit(50, 10, time.clock)
    off = Blocked(Reason.SWITCHED_OFF, "mode", "dry-run: the policy says dry-run")
    answer = PodEvictor(tools(writer, rate, time, closed=off)).evict(move("a-1"))
    assert answer.verdict is DisruptionVerdict.THROTTLED
    assert len(transport.asked) == 1


def test_a_budget_that_is_closed_is_not_hammered() -> None:
    transport = Scripted(lambda *_: refusal(429, OVER_BUDGET))
    answer = evictor(transport, Time()).evict(move("a-1"))
    assert answer.blocked
    assert answer.blocked.reason is Reason.DISRUPTION_BUDGET
    assert "DisruptionBudget said no" in answer.blocked.detail
    assert len(transport.asked) == 1


def test_a_write_that_timed_out_after_it_took_effect_is_seen_and_not_repeated() -> None:
    def answer(method: str, _: str) -> bytes | ClusterError:
        return Unreachable("timed out") if method == "POST" else refusal(404)

    transport = Scripted(answer)
    assert evictor(transport, Time()).evict(move("a-1")).verdict is DisruptionVerdict.DISRUPTED
    assert [method for method, *_ in transport.asked] == ["POST", "GET"]


def test_a_write_that_timed_out_without_effect_is_repeated_with_the_same_precondition() -> None:
    there = json.dumps({"metadata": {"name": "a-1", "uid": "uid-default-a-1"}}).encode()
    posts: Iterator[bytes | ClusterError] = iter([Unreachable("timed out"), b"{}"])
    transport = Scripted(lambda method, _: next(posts) if method == "POST" else there)
    assert evictor(transport, Time()).evict(move("a-1")) == DisruptionAnswer(DisruptionVerdict.DISRUPTED, attempts=2)


def test_every_write_carries_a_time_limit_shorter_than_what_the_lease_leaves() -> None:
    transport = Scripted(lambda *_: b"{}")
    evictor(transport, Time()).evict(move("a-1"), dry_run=True)
    assert transport.asked[0][2] == {"dryRun": "All", "timeout": "4s"}


def test_a_deposed_leader_sends_nothing() -> None:
    transport = Scripted(lambda *_: b"{}")
    with pytest.raises(LeadershipLost):
        evictor(transport, Time(), Fence(leading=False)).evict(move("a-1"))
    assert transport.asked == []
