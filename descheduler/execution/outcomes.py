"""What came of executing a plan, pod by pod."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from descheduler.model.plan import Action, PodMove
from descheduler.model.reasons import Blocked


class Result(StrEnum):
    """What became of an action. Only PARTIAL leaves anything half done; its intent then stays open."""

    DONE = "done"  # every pod is evicted
    REFUSED = "refused"  # nothing was touched
    PARTIAL = "partial"  # begun, not finished before the deadline
    NOT_REACHED = "not-reached"  # execution stopped before its turn; nothing was touched


@dataclass(frozen=True, slots=True)
class PodOutcome:
    """One pod of an action. `at` is unix seconds of the eviction, 0 without one.

    `landed` is the node of the pod that replaced it and `successor` that pod's uid, empty while unknown;
    `ready_seconds` from the eviction to the replacement being ready, None while it is not.
    """

    move: PodMove
    evicted: bool
    at: float = 0.0
    attempts: int = 0
    blocked: Blocked | None = None
    landed: str = ""
    successor: str = ""
    ready_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """`raced`: a budget closed between the first and the last eviction, so the unit had to be finished against it."""

    action: Action
    result: Result
    pods: tuple[PodOutcome, ...] = ()
    blocked: Blocked | None = None
    raced: bool = False
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """`stopped` says why execution ended before the last wave. Times are unix seconds."""

    plan: str
    started: float
    ended: float
    waves: int
    actions: tuple[ActionOutcome, ...]
    stopped: Blocked | None = None
    throttled: int = 0

    @property
    def evicted(self) -> int:
        """How many pods were evicted."""
        return sum(pod.evicted for action in self.actions for pod in action.pods)

    @property
    def raced(self) -> int:
        """How many units met a budget race and were finished."""
        return sum(action.raced for action in self.actions)
