"""Why a cycle could not be: errors as the reasons that readiness, metrics and pages show."""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.execution.outcomes import ExecutionReport
from descheduler.model.errors import (
    ClusterError,
    DeschedulerError,
    ExecutorError,
    HistoryError,
    HistoryPartial,
    LeadershipLost,
    PolicyError,
    UsageError,
)
from descheduler.model.reasons import Blocked, Reason, Unprepared
from descheduler.model.rights import MissingRight
from descheduler.model.snapshot import Freshness
from descheduler.observe.freshness import unread
from descheduler.pipeline import Decision
from descheduler.planning.problems import ProblemKind


class Paused(DeschedulerError):
    """A cycle ends here; `why` stands until a later one gets further."""

    def __init__(self, why: Blocked) -> None:
        self.why = why
        super().__init__(str(why))


def pause_of(error: DeschedulerError) -> Blocked:
    """The reason that an error amounts to."""
    match error:
        case Paused():
            return error.why
        case LeadershipLost():
            return Blocked(Reason.NOT_LEADING, "lease", str(error))
        case PolicyError():
            return Blocked(Reason.POLICY_INVALID, "policy", str(error))
        case HistoryPartial():
            return Blocked(Reason.DATA_PARTIAL, "history", str(error))
        case HistoryError():
            return Blocked(Reason.DATA_MISSING, "history", str(error))
        case ExecutorError():
            return Blocked(Reason.EXECUTOR, f"executor/{error.executor}", str(error))
        case UsageError():
            return Blocked(Reason.DATA_MISSING, "configuration", str(error))
        case ClusterError():
            return Blocked(Reason.DATA_MISSING, "API server", str(error))
    return Blocked(Reason.INTERNAL, "controller", str(error))


def unsynced(freshness: Mapping[str, Freshness]) -> Blocked | None:
    """Why the caches cannot be relied on yet; None when they can. How old they may be is the plan's to judge."""
    why = unread(freshness.values())
    return Unprepared(Reason.DATA_MISSING, "API server", why) if why else None


def without_history(decision: Decision) -> Blocked | None:
    """Why strategies could not run for want of usable history; None when all had what they need."""
    if not decision.without_history:
        return None
    names = ", ".join(dict.fromkeys(one.by for one in decision.without_history))
    problems = "; ".join(one.text for one in decision.problems if one.kind is ProblemKind.SIGNAL)
    detail = problems or decision.without_history[0].detail
    return Blocked(Reason.DATA_MISSING, "history", f"{names} cannot run: {detail}")


def without_right(report: ExecutionReport | None) -> Blocked | None:
    """The right that acting lacked, None when it lacked none."""
    actions = report.actions if report is not None else ()
    refusals = (b for a in actions for b in (a.blocked, *(pod.blocked for pod in a.pods)) if b is not None)
    return next((b for b in refusals if isinstance(b, MissingRight)), None)
