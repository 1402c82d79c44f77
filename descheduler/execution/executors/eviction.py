"""What the Eviction API's answers mean (kubernetes pkg/registry/core/pod/storage/eviction.go), and one pod's eviction.

| answer                                     | meaning                                   |
|--------------------------------------------|-------------------------------------------|
| 2xx                                        | evicted (with dryRun: would be)           |
| any that says "more than one … Budget"     | several PodDisruptionBudgets match        |
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

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.rate_limit import RateLimit
from descheduler.apiwrite.writer import ClusterWriter, read_pod
from descheduler.kube.client.answers import DISRUPTION_BUDGET, ApiStatus, parse_status
from descheduler.model.errors import ClusterError, Conflict, Forbidden, NotFound, Throttled, Unauthorized
from descheduler.model.plan import PodMove
from descheduler.model.reasons import Blocked, Reason

PERMISSIONS = "permissions"
"""Who refuses when a right is missing, which no other pod would be spared."""

_NO_RIGHT = " cannot create resource "  # kubernetes apiserver pkg/endpoints/handlers/responsewriters/errors.go
_SEVERAL = "more than one PodDisruptionBudget"
_FIRST_WAIT = 0.5  # seconds before the second attempt; doubles, with jitter
_LONGEST_WAIT = 15.0


class EvictionVerdict(StrEnum):
    EVICTED = "evicted"
    GONE = "gone"
    REFUSED = "refused"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"  # the write may or may not have taken effect


@dataclass(frozen=True, slots=True)
class EvictionAnswer:
    """`blocked` says why when it is not evicted; `retryable`: the same request may succeed later."""

    verdict: EvictionVerdict
    blocked: Blocked | None = None
    retryable: bool = False
    retry_after: float = 0.0
    attempts: int = 1

    @property
    def disrupted(self) -> bool:
        """The pod is, or is about to be, no more."""
        return self.verdict in (EvictionVerdict.EVICTED, EvictionVerdict.GONE)


def read_answer(body: bytes) -> EvictionAnswer:
    """Judge the body of a 2xx: a refusal because of several budgets is a `Status` that may come inside a success."""
    status = parse_status(body)
    if status.code >= 400:
        return _by_message(status)
    return EvictionAnswer(EvictionVerdict.EVICTED)


def read_error(error: ClusterError) -> EvictionAnswer:
    """Judge an answer that is no success, or none at all."""
    status = parse_status(error.body)
    if _SEVERAL in status.message:
        return _by_message(status)
    match error:
        case NotFound():
            return EvictionAnswer(EvictionVerdict.GONE)
        case Conflict():
            return EvictionAnswer(EvictionVerdict.REFUSED, Blocked(Reason.CHANGED, "Eviction API", status.message))
        case Throttled():
            said = Blocked(Reason.THROTTLED, "API server", status.message)
            return EvictionAnswer(EvictionVerdict.THROTTLED, said, retryable=True, retry_after=error.retry_after)
        case Forbidden() if _NO_RIGHT in status.message:
            return EvictionAnswer(EvictionVerdict.REFUSED, Blocked(Reason.API_REFUSED, PERMISSIONS, str(error)))
        case Forbidden():  # admission, which may refuse one pod and let another go
            return EvictionAnswer(
                EvictionVerdict.REFUSED, Blocked(Reason.API_REFUSED, "admission", status.message or str(error))
            )
        case Unauthorized():
            return EvictionAnswer(EvictionVerdict.REFUSED, Blocked(Reason.API_REFUSED, "API server", str(error)))
    if status.over_budget:
        budgets = "; ".join(c.message for c in status.causes if c.reason == DISRUPTION_BUDGET)
        blocked = Blocked(Reason.DISRUPTION_BUDGET, "Eviction API", budgets or status.message)
        return EvictionAnswer(EvictionVerdict.REFUSED, blocked, retryable=True, retry_after=status.retry_after or 0.0)
    blocked = Blocked(Reason.API_REFUSED, "API server", str(error))
    if 400 <= error.status < 500 or "due to conflicts" in status.message:
        return EvictionAnswer(EvictionVerdict.REFUSED, blocked, retryable=error.status >= 500)
    return EvictionAnswer(EvictionVerdict.UNKNOWN, blocked, retryable=True)


def _by_message(status: ApiStatus) -> EvictionAnswer:
    if _SEVERAL in status.message:
        return EvictionAnswer(EvictionVerdict.REFUSED, Blocked(Reason.SEVERAL_BUDGETS, "Eviction API", status.message))
    detail = f"{status.message or status.reason} (HTTP {status.code})"
    return EvictionAnswer(EvictionVerdict.REFUSED, Blocked(Reason.API_REFUSED, "Eviction API", detail))


class PodEvictor:
    """Evicts single pods: keeps the pace, waits out throttling, and looks before it repeats a doubtful write.

    A budget's refusal is an answer, not retried here: whether to insist depends on the unit.
    """

    def __init__(
        self, writer: ClusterWriter, pace: RateLimit, clock: Clock, rng: Random, max_attempts: int = 5
    ) -> None:
        self._writer = writer
        self._pace = pace
        self._clock = clock
        self._rng = rng
        self._max_attempts = max_attempts

    def evict(self, move: PodMove, *, dry_run: bool = False) -> EvictionAnswer:
        """Raises LeadershipLost; every other outcome is an Answer."""
        answer = self._once(move, dry_run)
        for attempt in range(2, self._max_attempts + 1):
            if answer.verdict not in (EvictionVerdict.THROTTLED, EvictionVerdict.UNKNOWN):
                break
            self._clock.sleep(self._wait(attempt, answer.retry_after))
            if answer.verdict is EvictionVerdict.UNKNOWN and not dry_run and self._took_effect(move):
                return EvictionAnswer(EvictionVerdict.EVICTED, attempts=attempt - 1)
            answer = replace(self._once(move, dry_run), attempts=attempt)
        return answer

    def is_there(self, move: PodMove) -> bool:
        """Whether exactly this pod exists and is not on its way out. Raises ClusterError: the server does not say."""
        there = read_pod(self._writer.transport, move.namespace, move.pod)
        return there is not None and there.uid == move.uid and there.deletion_timestamp is None

    def _took_effect(self, move: PodMove) -> bool:
        try:
            return not self.is_there(move)
        except ClusterError:
            return False  # the uid precondition of the next attempt protects a successor

    def _once(self, move: PodMove, dry_run: bool) -> EvictionAnswer:
        self._pace.take(0.0 if dry_run else 1.0)  # the rate is that of disruptions; max_parallel bounds both
        try:
            answer = read_answer(self._writer.evict(move.namespace, move.pod, move.uid, dry_run=dry_run))
        except ClusterError as error:
            answer = read_error(error)
        if answer.verdict is EvictionVerdict.THROTTLED:
            self._pace.throttled(answer.retry_after)
        else:
            self._pace.answered()
        return answer

    def _wait(self, attempt: int, retry_after: float) -> float:
        backed_off = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** (attempt - 2))
        return max(retry_after, backed_off) * self._rng.uniform(1.0, 1.25)
