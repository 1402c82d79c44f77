"""What the Eviction API's answers mean (kubernetes pkg/registry/core/pod/storage/eviction.go), and one pod's eviction.

| answer                                     | meaning                                   |
|--------------------------------------------|-------------------------------------------|
| 2xx                                        | evicted (with dryRun: would be)           |
| any that says "more than one … Budget"     | several PodDisruptionBudgets match        |
| 429 "Eviction triggered evacuation …",     | taken over: KubeVirt migrates the machine |
| "Evacuation in progress …"                 | and ends the pod when that is done        |
| 429 with the cause DisruptionBudget        | a budget forbids it now                   |
| 429 otherwise                              | the server sheds load: slow down          |
| 404                                        | gone already                              |
| 409                                        | another pod of that name, or it changed   |
| 403                                        | a permission is missing, or admission     |
| 401                                        | our credentials are not accepted          |
| 504 "due to conflicts"                     | not done, try again                       |
| other 5xx, no answer                       | perhaps done: look before trying again    |
| other 4xx                                  | refused, by an admission webhook perhaps  |
"""

from __future__ import annotations

from dataclasses import replace

from descheduler.apiwrite.writer import read_pod
from descheduler.execution.executors.protocol import ActingTools, DisruptionAnswer, DisruptionVerdict
from descheduler.kube.client.answers import DISRUPTION_BUDGET, ApiStatus, missing_right, parse_status
from descheduler.kube.client.backoff import Backoff
from descheduler.model.errors import ClusterError, Conflict, Forbidden, NotFound, Throttled, Unauthorized
from descheduler.model.plan import PodMove
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.rights import Right
from descheduler.planning.in_flight import EVICTION_IN_PROGRESS

EVICTING = (Right("", "pods/eviction", "create"), Right("", "pods", "get"))
"""What every executor needs that evicts: to do it, and to look whether it was done where no answer came."""

_TOO_MANY = 429
_SEVERAL = "more than one PodDisruptionBudget"
_TAKEN_OVER = ("Eviction triggered evacuation", "Evacuation in progress")
"""What KubeVirt says when it migrates instead (pkg/virt-api/webhooks/.../pod-eviction-admitter.go); others that take an
eviction over say the first (kubernetes-sigs/descheduler KEP-1397)."""


def read_answer(body: bytes) -> DisruptionAnswer:
    """Judge the body of a 2xx: a refusal because of several budgets is a `Status` that may come inside a success."""
    status = parse_status(body)
    if status.code >= 400:
        return _by_message(status)
    return DisruptionAnswer(DisruptionVerdict.DISRUPTED)


def read_error(error: ClusterError) -> DisruptionAnswer:
    """Judge an answer that is no success, or none at all."""
    status = parse_status(error.body)
    if _SEVERAL in status.message:
        return _by_message(status)
    if error.status == _TOO_MANY and any(text in status.message for text in _TAKEN_OVER):
        return DisruptionAnswer(DisruptionVerdict.DISRUPTED)
    match error:
        case NotFound():
            return DisruptionAnswer(DisruptionVerdict.GONE)
        case Conflict():
            return DisruptionAnswer(DisruptionVerdict.REFUSED, Blocked(Reason.CHANGED, "Eviction API", status.message))
        case Throttled():
            blocked = Blocked(Reason.THROTTLED, "API server", status.message)
            return DisruptionAnswer(DisruptionVerdict.THROTTLED, blocked, retryable=True, retry_after=error.retry_after)
        case Forbidden():  # admission may refuse one pod and let another go
            admission = Blocked(Reason.API_REFUSED, "admission", status.message or str(error))
            return DisruptionAnswer(DisruptionVerdict.REFUSED, missing_right(error) or admission)
        case Unauthorized():
            return DisruptionAnswer(DisruptionVerdict.REFUSED, Blocked(Reason.API_REFUSED, "API server", str(error)))
    if status.over_budget:
        budgets = "; ".join(c.message for c in status.causes if c.reason == DISRUPTION_BUDGET)
        blocked = Blocked(Reason.DISRUPTION_BUDGET, "Eviction API", budgets or status.message)
        return DisruptionAnswer(
            DisruptionVerdict.REFUSED, blocked, retryable=True, retry_after=status.retry_after or 0.0
        )
    blocked = Blocked(Reason.API_REFUSED, "API server", str(error))
    if error.refused or "due to conflicts" in status.message:
        return DisruptionAnswer(DisruptionVerdict.REFUSED, blocked, retryable=error.status >= 500)
    return DisruptionAnswer(DisruptionVerdict.UNKNOWN, blocked, retryable=True)


def _by_message(status: ApiStatus) -> DisruptionAnswer:
    blocked = Blocked(Reason.SEVERAL_BUDGETS, "Eviction API", status.message)
    if _SEVERAL not in status.message:
        detail = f"{status.message or status.reason} (HTTP {status.code})"
        blocked = Blocked(Reason.API_REFUSED, "Eviction API", detail)
    return DisruptionAnswer(DisruptionVerdict.REFUSED, blocked)


class PodEvictor:
    """Evicts single pods: waits out throttling, keeps the rate then, and looks before it repeats a doubtful write.

    A budget's refusal is an answer, not retried here: whether to insist depends on the unit. Nor is anything repeated
    once nothing new may be begun.
    """

    def __init__(self, tools: ActingTools, max_attempts: int = 5) -> None:
        self._writer = tools.writer
        self._rate = tools.rate
        self._clock = tools.clock
        self._rng = tools.rng
        self._closed = tools.closed
        self._grace = tools.limits.grace
        self._max_attempts = max_attempts

    def evict(self, move: PodMove, *, dry_run: bool = False) -> DisruptionAnswer:
        """Raises LeadershipLost; every other outcome is an answer."""
        backoff = Backoff(self._rng, first=0.5, longest=15.0, jitter=(1.0, 1.25))
        answer = self._once(move, dry_run)
        for attempt in range(2, self._max_attempts + 1):
            if answer.verdict not in (DisruptionVerdict.THROTTLED, DisruptionVerdict.UNKNOWN):
                break
            self._clock.sleep(backoff.failure(answer.retry_after))
            if answer.verdict is DisruptionVerdict.UNKNOWN and not dry_run and self._took_effect(move):
                return DisruptionAnswer(DisruptionVerdict.DISRUPTED, attempts=attempt - 1)
            tokens = 0.0 if dry_run else 1.0  # the rate is that of disruptions; max_parallel bounds both
            self._rate.take(tokens)
            if not dry_run and self._closed() is not None:
                break
            answer = replace(self._once(move, dry_run), attempts=attempt)
        return answer

    def is_there(self, move: PodMove) -> bool:
        """Whether exactly this pod exists and is not on its way out, by whoever took its eviction over either. Raises
        ClusterError: the server does not say."""
        there = read_pod(self._writer.transport, move.namespace, move.pod)
        if there is None or there.uid != move.uid or there.deletion_timestamp is not None:
            return False
        return EVICTION_IN_PROGRESS not in (there.annotations or {})

    def _took_effect(self, move: PodMove) -> bool:
        try:
            return not self.is_there(move)
        except ClusterError:
            return False  # the uid precondition of the next attempt protects a successor

    def _once(self, move: PodMove, dry_run: bool) -> DisruptionAnswer:
        self._rate.take(0.0)  # not while the server takes no requests
        try:
            answer = read_answer(
                self._writer.evict(move.namespace, move.pod, move.uid, grace=self._grace, dry_run=dry_run)
            )
        except ClusterError as error:
            answer = read_error(error)
        if answer.verdict is DisruptionVerdict.THROTTLED:
            self._rate.throttled(answer.retry_after)
        else:
            self._rate.answered()
        return answer
