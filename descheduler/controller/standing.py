"""How the controller stands, and what came of a plan, as people see it above a report: made when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median

from jinja2 import Environment
from markupsafe import Markup

from descheduler.controller.reports import Reports
from descheduler.controller.status import Status
from descheduler.execution.outcomes import ExecutionReport, PodOutcome, Result
from descheduler.learning.entry import LedgerEntry
from descheduler.model import format as fmt
from descheduler.report.pages import LIVE

_RESULTS = {
    Result.DONE: "done",
    Result.REFUSED: "refused",
    Result.PARTIAL: "half done",
    Result.NOT_REACHED: "not reached",
}


@dataclass(frozen=True, slots=True)
class Helped:
    """Of the pods that were moved for a plan, how many did what they were moved for, did not, or are not judged yet."""

    yes: int = 0
    no: int = 0
    open: int = 0

    @classmethod
    def of(cls, entries: Iterable[LedgerEntry]) -> Helped:
        verdicts = [entry.resolved for entry in entries]
        return cls(verdicts.count(True), verdicts.count(False), verdicts.count(None))

    @property
    def text(self) -> str:
        """`4 helped, 1 did not, 1 is not judged yet`; empty where nothing was moved."""
        parts = [f"{fmt.plural(self.yes, 'move')} helped"] if self.yes else []
        parts += [f"{fmt.number(self.no)} did not"] if self.no else []
        parts += [f"{fmt.number(self.open)} not judged yet"] if self.open else []
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Standing:
    """Fills in what reports cannot know: they are drawn once, and this changes. `wall` gives unix seconds."""

    status: Status
    reports: Reports
    template: Environment
    wall: Callable[[], float]

    def html(self, plan: str = "") -> Markup:
        """As a fragment; with what came of the plan of that id."""
        now, newest = self.wall(), next(iter(self.reports.list()), None)
        mode, _, decided = self.status.mode.partition(": ")
        execution = self.reports.execution(plan) if plan else None
        text = self.template.get_template("standing.html").render(
            now=now,
            fmt=fmt,
            mode=mode,
            decided=decided,
            status=self.status,
            paused=self.status.paused,
            newest=newest,
            old=bool(plan) and newest is not None and newest.id != plan,
            execution=execution,
            carried_out=_carried_out(execution) if execution is not None else "",
            helped=Helped.of(self.reports.moved(plan)).text if execution is not None else "",
            results=_RESULTS,
        )
        return Markup(text)

    def within(self, page: bytes, plan: str) -> bytes:
        """The page of a plan with it."""
        return page.replace(LIVE.encode(), self.html(plan).encode(), 1)


def _carried_out(report: ExecutionReport) -> str:
    """`6 of 8 pods evicted, 5 replacements ready after 40 s (median), 4 of them on the node that was expected`."""
    pods = [pod for action in report.actions for pod in action.pods]
    planned = sum(len(action.action.pods) for action in report.actions)
    ready = [pod.ready_seconds for pod in pods if pod.ready_seconds is not None]
    told = [f"{fmt.number(report.evicted)} of {fmt.plural(planned, 'pod')} evicted"]
    if ready:
        told.append(f"{fmt.plural(len(ready), 'replacement')} ready after {fmt.span(median(ready))} (median)")
        told.append(f"{fmt.number(sum(map(_as_expected, pods)))} of them on the node that was expected")
    return ", ".join(told)


def _as_expected(pod: PodOutcome) -> bool:
    return pod.ready_seconds is not None and pod.landed == pod.move.destination
