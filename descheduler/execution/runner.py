"""Carries out plans, and takes up what was interrupted: whatever the executor, by the same rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from random import Random

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.rate_limit import RateLimit
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.context import ExecutionContext
from descheduler.execution.executors.protocol import ActingTools, Sweeper
from descheduler.execution.executors.registry import ChosenExecutor, choose
from descheduler.execution.intents import IntentStore
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import ActionOutcome, ExecutionReport
from descheduler.execution.plan_run import PlanRun, Revalidate
from descheduler.execution.resumption import resume_unit
from descheduler.model.errors import ClusterError
from descheduler.model.plan import Action, PlanDocument
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy.acting import ActingPolicy


def _never() -> bool:
    return False


def _on() -> Blocked | None:
    return None


def _nothing() -> None:
    return


def _forget(_: str, __: Sequence[ActionOutcome]) -> None:
    return


def _ignore(_: ActionOutcome) -> None:
    return


def _no_more(_: ClusterSnapshot, actions: Sequence[Action]) -> Mapping[str, Blocked | None]:
    return {action.id: None for action in actions}


@dataclass(slots=True)
class PlanRunner:
    """Executes plans and resumes what was interrupted. One call at a time.

    `observe` gives a fresh snapshot and raises DeschedulerError's kinds when there is none. `executors` finds the
    executor that an action names, or raises ExecutorError. `stopping` (the process was asked to end) and `halted` (why
    acting is switched off) are asked between steps and before each unit: one that is begun is finished, nothing new is.
    `keep` (plan, outcomes) must remember what was done, for it is called before the intents that say the same are
    closed; it may raise ClusterError's kinds and LeadershipLost. `notify` hears of every action once its disruptions
    are over, before replacements are waited for. `renew` is called before the snapshot of each wave's check is taken,
    for what that check rests on besides; it may raise DeschedulerError's kinds.
    """

    writer: ClusterWriter
    intents: IntentStore
    observe: Callable[[], ClusterSnapshot]
    clock: Clock
    rng: Random
    limits: ExecutionLimits = field(default_factory=lambda: ExecutionLimits.of(ActingPolicy()))
    stopping: Callable[[], bool] = _never
    halted: Callable[[], Blocked | None] = _on
    keep: Callable[[str, Sequence[ActionOutcome]], None] = _forget
    notify: Callable[[ActionOutcome], None] = _ignore
    executors: Callable[[str], ChosenExecutor] = choose
    renew: Callable[[], None] = _nothing

    def execute(self, plan: PlanDocument, *, revalidate: Revalidate = _no_more) -> ExecutionReport:
        """Do what the plan says, as far as it still holds. Never raises for a refusal or a failing server.

        `recheck` always runs; `revalidate` may refuse more.
        """
        run = PlanRun(self.context(), plan.id, revalidate)
        if plan.acting_blocked:
            run.stopped = Blocked(Reason.DATA_MISSING, "plan", plan.acting_blocked)
        in_order = sorted(plan.actions, key=lambda a: a.wave)  # within a wave in the order in which they were proved
        for wave, actions in groupby(in_order, key=lambda a: a.wave):
            run.wave(wave, tuple(actions))
        return run.report()

    def resume(self) -> tuple[ActionOutcome, ...]:
        """Finish or drop what earlier executions announced and did not close.

        A unit of which nothing is disrupted yet is dropped, for its plan is old; one that is begun is finished. Raises
        ClusterError when the cluster does not say how far things came, LeadershipLost, and ExecutorError when the
        executor that was at it is not there any more.
        """
        outcomes: list[ActionOutcome] = []
        for intent in self.intents.load():
            unit = resume_unit(self.context(), intent)
            if unit is not None:
                outcomes.append(unit.outcome())
                self.notify(outcomes[-1])
        return tuple(outcomes)

    def sweep(self, executors: Iterable[str]) -> None:
        """Take away what these executors left behind for intents that are not open any more: where the server does not
        let us, the next cycle may. Raises ClusterError when the intents cannot be read, LeadershipLost, ExecutorError.
        """
        context = self.context()
        sweepers = [mover for name in executors if isinstance(mover := context.mover(name), Sweeper)]
        still_open = {intent.key for intent in self.intents.load()} if sweepers else set()
        for mover in sweepers:
            with suppress(ClusterError):
                mover.sweep(still_open)

    def context(self) -> ExecutionContext:
        """For one execution or one unit to be resumed; the rate of disruptions starts anew."""
        rate = RateLimit(self.limits.rate, self.limits.burst, self.clock)
        tools = ActingTools(self.writer, rate, self.clock, self.rng, self.limits, self._closed, self.intents.namespace)
        return ExecutionContext(
            tools, self.intents, self.observe, self.executors, self.keep, self.notify, self.stopping, self.renew
        )

    def _closed(self) -> Blocked | None:
        return Blocked(Reason.STOPPING) if self.stopping() else self.halted()
