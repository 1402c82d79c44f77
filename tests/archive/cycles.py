"""Plans as a controller hands them to the archive, one after the other."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from descheduler.archive.place import Place, Session
from descheduler.archive.writing import Archive
from descheduler.execution.outcomes import ActionOutcome, ExecutionReport, PodOutcome, Result
from descheduler.model.plan import Action, PlanDocument, RefusalRow
from descheduler.model.reasons import EXPLANATION, Blocked, Reason
from descheduler.policy import Policy, policy_hash
from execution.plans import action, finding, move, plan

START = 1_760_000_400.0  # a full hour
HOUR = 3600.0


def policy(days: int = 30, mib: int = 512, keep: int = 24) -> Policy:
    return Policy.model_validate({"report": {"keep": keep, "archiveDays": days, "archiveMib": mib}})


def cycle(
    *actions: Action, at: float = START, name: str = "", hot: int = 1, refused: int = 3, by: Policy | None = None
) -> PlanDocument:
    made = plan(*actions, findings=[finding()], name=name or f"p-{at:.0f}", created=at)
    reason = Reason.NO_GAIN
    row = RefusalRow(reason.value, EXPLANATION[reason], "pod/default/web-9", "planner", "", count=refused)
    summary = {**made.summary, "hot_nodes_before": float(hot)}
    return replace(made, refusals=(row,), summary=summary, policy_hash=policy_hash(by or policy()))


def moving(*pods: str) -> Action:
    return action(*(move(pod) for pod in pods))


def done(made: PlanDocument, landed: str = "n2") -> ExecutionReport:
    """Every action of it is carried out."""
    outcomes = tuple(
        ActionOutcome(
            one,
            Result.DONE,
            tuple(PodOutcome(pod, True, at=made.created, landed=landed, ready_seconds=4.0) for pod in one.pods),
        )
        for one in made.actions
    )
    return ExecutionReport(made.id, made.created, made.created + 5, 1, outcomes)


def left(made: PlanDocument, reason: Reason = Reason.SWITCHED_OFF) -> ExecutionReport:
    """Nothing of it is carried out."""
    outcomes = tuple(ActionOutcome(one, Result.REFUSED, (), Blocked(reason, "mode")) for one in made.actions)
    pods = tuple(
        replace(outcome, pods=tuple(PodOutcome(pod, False) for pod in outcome.action.pods)) for outcome in outcomes
    )
    return ExecutionReport(made.id, made.created, made.created + 5, 1, pods)


class Tidied:
    """A place whose sessions end with the test."""

    def __init__(self, place: Place, ending: ExitStack) -> None:
        self._place, self._ending = place, ending

    @property
    def name(self) -> str:
        return self._place.name

    def open_to_read(self) -> Session:
        return self._place.open_to_read()

    def open_to_write(self) -> Session:
        session = self._place.open_to_write()
        self._ending.callback(session.close)
        return session


def write(place: Place, *plans: PlanDocument, by: Policy | None = None) -> Archive:
    archive = Archive(place)
    for one in plans:
        archive.planned(one, by or policy(), active=True)
    return archive
