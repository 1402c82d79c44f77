"""One plan under way: wave by wave, each validated again on fresh data, each waited for before the next.

Waited for is that what was disrupted is ready elsewhere, and that it is gone where it was: the next wave may need its
place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from descheduler.execution.context import ExecutionContext
from descheduler.execution.departures import Departures
from descheduler.execution.intents import Intent
from descheduler.execution.laggards import Laggards
from descheduler.execution.outcomes import ActionOutcome, ExecutionReport, Result
from descheduler.execution.recheck import budgets_of, recheck
from descheduler.execution.replacements import ReplacementWatch
from descheduler.execution.seats import unseated
from descheduler.execution.unit_run import UnitRun
from descheduler.execution.wave import Workers, run_wave
from descheduler.model.errors import ClusterError, DeschedulerError, ExecutorError, LeadershipLost
from descheduler.model.plan import Action
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot

Revalidate: TypeAlias = Callable[[ClusterSnapshot, Sequence[Action]], Mapping[str, "Blocked | None"]]
"""For each action, by id, why it may not go ahead on this fresh snapshot; None when it may. A missing id may not."""


class PlanRun:
    """One execution of one plan; `stopped` says why the waves that follow are not reached."""

    def __init__(self, context: ExecutionContext, plan: str, revalidate: Revalidate) -> None:
        self._context = context
        self._plan = plan
        self._revalidate = revalidate
        self._started = context.clock.wall()
        self._outcomes: list[ActionOutcome] = []
        self._waves = 0
        self._departures = Departures(context.limits.ready, context.limits.grace)
        self._laggards = Laggards()
        self._held: tuple[Intent, ...] = ()  # done but for what was prepared, until replacements have a node
        self.stopped: Blocked | None = None

    def wave(self, number: int, actions: Sequence[Action]) -> None:
        """One wave, or, when something before it stopped the execution, the note that it was not reached."""
        self.stopped = self.stopped or self._context.closed
        self._until_gone()
        units = [UnitRun(action) for action in actions]
        before = None if self.stopped else self._check(units)
        if before is not None:
            self._waves += 1
            self._attempt([u for u in units if u.refused is None], before)
        outcomes = [u.outcome() for u in units]
        for outcome in outcomes:
            self._context.notify(outcome)
        if before is not None:
            outcomes = self._land(outcomes, before, number)
            self._until_seated(outcomes)
        self._outcomes += outcomes

    def _until_seated(self, outcomes: Sequence[ActionOutcome]) -> None:
        """Wait until those have a node for whom others let go of theirs; where they get none in time, the plan ends."""
        for action in (one.action for one in outcomes if one.result is Result.DONE):
            waiting = unseated(self._context.tools, action, self._context.limits.ready) if self.stopped is None else ()
            if waiting:
                text = f"{waiting[0].namespace}/{waiting[0].pod}, for which it let go, has no node yet"
                self.stopped = Blocked(Reason.UNFINISHED, action.unit, text)

    def _until_gone(self) -> None:
        """Wait until what earlier waves evicted has ended.

        What outlives its grace period by far ends the execution, or, where only one namespace's pods do, no more of
        that namespace is moved. Such pods keep their room, as the check of each wave sees; nor do others wait for their
        grace period, however long they asked for.
        """
        context, departures = self._context, self._departures
        if self.stopped is None and departures.waiting:
            context.look(departures)
        while self.stopped is None and departures.waiting:
            now, there = context.clock.steady(), sorted(departures.keys)
            if (closed := context.closed) is not None:
                self.stopped = closed
            elif departures.overdue(now) or (departures.slow(now) and self._laggards.confined(there)):
                why = f"evicted pods have not ended: {', '.join(there)}"
                self.stopped = self._laggards.late(there, why)
                departures.forget()
            else:
                context.clock.sleep(context.limits.observe_every)
                context.look(departures)

    def report(self) -> ExecutionReport:
        """What came of it so far."""
        return ExecutionReport(
            self._plan,
            self._started,
            self._context.clock.wall(),
            self._waves,
            tuple(self._outcomes),
            self.stopped,
            self._context.rate.throttled_count,
        )

    def _check(self, units: Sequence[UnitRun]) -> ClusterSnapshot | None:
        """Refuse what no longer holds; the fresh snapshot, or None when there is none to be had."""
        try:
            self._context.renew()
            snapshot = self._context.observe()
            actions = [u.action for u in units]
            in_full = {name for name in {a.executor for a in actions} if self._context.in_full(name)}
            own = recheck(snapshot, actions, in_full)
            verdicts = (own, self._revalidate(snapshot, actions))
        except DeschedulerError as error:
            self.stopped = Blocked(Reason.DATA_STALE, "second validation", str(error))
            return None
        missing = Blocked(Reason.DATA_MISSING, "second validation")
        for unit in units:
            unit.refused = self._unable(unit.action, snapshot) or self._forsaken(unit.action)
            unit.refused = unit.refused or self._laggards.blocked(unit.action)
            for verdict in verdicts:
                unit.refused = unit.refused or verdict.get(unit.action.id, missing)
        return snapshot

    def _unable(self, action: Action, snapshot: ClusterSnapshot) -> Blocked | None:
        """Set where there is nobody who could move the unit."""
        try:
            return self._context.executor(action.executor).unserved(snapshot)
        except ExecutorError as error:
            return Blocked(Reason.EXECUTOR, f"executor/{action.executor}", str(error))

    def _forsaken(self, action: Action) -> Blocked | None:
        """A stage is of no use when one before it was not carried out."""
        for outcome in self._outcomes:
            if action.bundle and outcome.action.bundle == action.bundle and outcome.result is not Result.DONE:
                earlier = f"{outcome.action.id}, a stage before it, was not carried out"
                return Blocked(Reason.SUPERSEDED, f"action/{action.bundle}", earlier)
        return None

    def _attempt(self, units: Sequence[UnitRun], before: ClusterSnapshot) -> None:
        """Move them; when we do not lead any more, or what must be written down cannot be, the execution ends here."""
        try:
            self._move(units, before)
        except LeadershipLost as error:
            self.stopped = Blocked(Reason.NOT_LEADING, "lease", str(error))
        except ClusterError as error:
            self.stopped = Blocked(Reason.API_REFUSED, "intents", str(error))

    def _move(self, units: Sequence[UnitRun], before: ClusterSnapshot) -> None:
        context = self._context
        budgets = budgets_of(before, (move for unit in units for move in unit.action.pods))
        with Workers(context.limits.max_parallel, budgets) as workers:
            intents = run_wave(context, workers, self._plan, units)
        context.keep(self._plan, [u.outcome() for u in units if u.begun])
        begun = {u.action.id for u in units if u.begun}
        self._held = tuple(i for i in intents if i.action.id in begun and context.holds(i))
        context.close([i for i in intents if i not in self._held])
        unsettled = next((u for u in units if not u.settled), None)
        if unsettled is not None:
            self.stopped = Blocked(Reason.UNFINISHED, unsettled.action.unit, "its intent stays open")

    def _land(self, outcomes: list[ActionOutcome], before: ClusterSnapshot, number: int) -> list[ActionOutcome]:
        """Wait until what was disrupted is ready elsewhere; after the deadline the rest of the plan is given up, or,
        where only one namespace is late, the rest of that namespace.

        Its time counts from when nothing is waited for that is made only once a pod has ended, and that may still end.
        What was prepared goes as soon as all have a node. A process that is to end waits no longer for the rest, and
        not long for that.
        """
        context = self._context
        evicted = [pod.move for outcome in outcomes for pod in outcome.pods if pod.evicted]
        self._departures.add(evicted, before, context.clock.steady())
        watch = ReplacementWatch(evicted, before)
        if self._held and self.stopped is not None:
            context.until_bound(watch)
        began = since = context.clock.steady()
        while watch.waiting and self.stopped is None:
            now = context.clock.steady()
            if context.stopping() and (not self._held or now - began > context.limits.finish_on_stop):
                break
            if now - since > context.limits.ready:
                why = f"{watch.waiting} evicted pods of wave {number} have no ready replacement"
                self.stopped = self._laggards.late(watch.late, why)
                break
            context.clock.sleep(context.limits.observe_every)
            context.look(watch, self._departures)
            self._laggards.came_up(watch.ready)
            if watch.held_up(self._departures.waiting) and self._may_wait(watch):
                since = context.clock.steady()
            if not watch.unbound:
                self._release()  # when it fails, the next round may manage
        failed = self._release()
        self.stopped = self.stopped or failed
        return [replace(o, pods=tuple(watch.fill(pod) for pod in o.pods)) for o in outcomes]

    def _may_wait(self, watch: ReplacementWatch) -> bool:
        """Whether pods that are still there may take their time."""
        now = self._context.clock.steady()
        slow = self._departures.slow(now) and self._laggards.confined(watch.late)
        return self._departures.in_time(now) and not slow

    def _release(self) -> Blocked | None:
        """Take away what was prepared for the wave, and close the intents that name it; or say why it cannot be."""
        try:
            if self._held:
                self._context.close(self._held)
        except LeadershipLost as error:
            return Blocked(Reason.NOT_LEADING, "lease", str(error))
        except ClusterError as error:
            return Blocked(Reason.API_REFUSED, self._held[0].action.executor, str(error))
        self._held = ()
        return None
