"""Executes a plan: wave by wave, each validated again on fresh data, each waited for before the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import groupby
from random import Random
from typing import TypeAlias

from descheduler.apiwrite.clock import Clock
from descheduler.apiwrite.rate_limit import RateLimit
from descheduler.apiwrite.writer import ClusterWriter
from descheduler.execution.executors.eviction import PodEvictor
from descheduler.execution.intents import Intent, IntentStore
from descheduler.execution.limits import ExecutionLimits
from descheduler.execution.outcomes import ActionOutcome, ExecutionReport, Result
from descheduler.execution.recheck import budgets_of, recheck
from descheduler.execution.replacements import ReplacementWatch
from descheduler.execution.steering import Steering
from descheduler.execution.unit_run import UnitRun
from descheduler.execution.wave import Tools, finish, interrupted, run_wave
from descheduler.model.errors import ClusterError, DeschedulerError, LeadershipLost
from descheduler.model.plan import Action, PlanDocument
from descheduler.model.reasons import Blocked, Reason
from descheduler.model.snapshot import ClusterSnapshot
from descheduler.policy.acting import ActingPolicy

Revalidate: TypeAlias = Callable[[ClusterSnapshot, Sequence[Action]], Mapping[str, "Blocked | None"]]
"""For each action, by id, why it may not go ahead on this fresh snapshot; None when it may. A missing id may not."""

EVICT = "evict"


def _never() -> bool:
    return False


def _forget(_: str, __: Sequence[ActionOutcome]) -> None:
    return


def _ignore(_: ActionOutcome) -> None:
    return


@dataclass(slots=True)
class PlanRunner:
    """Executes plans and resumes what was interrupted. One call at a time.

    `observe` gives a fresh snapshot and raises DeschedulerError's kinds when there is none. `stopping` is asked
    between steps: a unit that is begun is finished, nothing new is. `keep` (plan, outcomes) must remember what was
    done, for it is called before the intents that say the same are closed; it may raise ClusterError's kinds and
    LeadershipLost. `notify` hears of every action once its evictions are over, before replacements are waited for.
    """

    writer: ClusterWriter
    intents: IntentStore
    observe: Callable[[], ClusterSnapshot]
    clock: Clock
    rng: Random
    limits: ExecutionLimits = field(default_factory=lambda: ExecutionLimits.of(ActingPolicy()))
    stopping: Callable[[], bool] = _never
    keep: Callable[[str, Sequence[ActionOutcome]], None] = _forget
    notify: Callable[[ActionOutcome], None] = _ignore

    @property
    def steering(self) -> Steering:
        return Steering(self.writer, self.intents)

    def execute(self, plan: PlanDocument, *, revalidate: Revalidate = recheck) -> ExecutionReport:
        """Do what the plan says, as far as it still holds. Never raises for a refusal or a failing server.

        `recheck` always runs; `revalidate` may refuse more.
        """
        run = _Run(self, plan.id, revalidate)
        if plan.acting_blocked:
            run.stopped = Blocked(Reason.DATA_MISSING, "plan", plan.acting_blocked)
        in_order = sorted(plan.actions, key=lambda a: a.wave)  # within a wave in the order in which they were proved
        for wave, actions in groupby(in_order, key=lambda a: a.wave):
            run.wave(wave, tuple(actions))
        return run.report()

    def resume(self) -> tuple[ActionOutcome, ...]:
        """Finish or drop what earlier executions announced and did not close.

        A unit of which nothing is evicted yet is dropped, for its plan is old; one that is begun is finished. Raises
        ClusterError when the cluster does not say how far things came, LeadershipLost.
        """
        outcomes: list[ActionOutcome] = []
        for intent in self.intents.load():
            pace = RateLimit(self.limits.rate, self.limits.burst, self.clock)
            with ThreadPoolExecutor(self.limits.max_parallel, "evict") as pool:
                unit = self._resume(self._tools(pool, pace), intent)
            if unit is not None:
                outcomes.append(unit.outcome())
                self.notify(outcomes[-1])
        return tuple(outcomes)

    def _resume(self, tools: Tools, intent: Intent) -> UnitRun | None:
        unit = interrupted(tools, intent)
        if unit.begun and unit.left:
            if self._recovered(intent):
                unit.refused = Blocked(Reason.CHANGED, intent.action.unit, "it has recovered by itself meanwhile")
            else:
                watch = self._watch(unit) if intent.action.steer else None
                finish(tools, [unit])
                if watch is not None:
                    self._until_bound(watch)
        if unit.begun:
            self.keep(intent.plan, [unit.outcome()])
        if unit.settled or unit.refused is not None:
            self.steering.close([intent])
        return unit if unit.begun else None

    def _watch(self, unit: UnitRun) -> ReplacementWatch | None:
        try:
            return ReplacementWatch(unit.left, self.observe())
        except ClusterError:
            return None  # finishing the unit does not depend on seeing where it lands

    def _until_bound(self, watch: ReplacementWatch) -> None:
        """Give the scheduler a moment to find nodes for the replacements, while the taints are still there."""
        began = self.clock.steady()
        while watch.unbound and self.clock.steady() - began < self.limits.finish_on_stop and not self.stopping():
            self.clock.sleep(self.limits.observe_every)
            self._look(watch)

    def _look(self, watch: ReplacementWatch) -> None:
        try:
            snapshot = self.observe()
        except ClusterError:
            return  # the next look may see; the deadline bounds how many there are
        watch.look(snapshot, self.clock.wall())

    def _recovered(self, intent: Intent) -> bool:
        """Whether an old interruption does no harm any more: its workloads have all the ready pods they want."""
        if self.clock.wall() - intent.at < self.limits.resume:
            return False
        snapshot = self.observe()
        wanted: dict[str, int] = {}
        for move in intent.action.pods:
            wanted[move.workload] = wanted.get(move.workload, 0) + 1
        for key, workload in snapshot.workloads.items():
            if str(key) in wanted:
                wanted[str(key)] = max(wanted[str(key)], workload.replicas)
        ready = dict.fromkeys(wanted, 0)
        for pod in snapshot.pods:
            if pod.ready and pod.deleting is None and (name := str(snapshot.root(pod))) in ready:
                ready[name] += 1
        return all(ready[name] >= count for name, count in wanted.items())

    def _tools(self, pool: ThreadPoolExecutor, pace: RateLimit, budgets: Mapping[str, str] | None = None) -> Tools:
        evictor = PodEvictor(self.writer, pace, self.clock, self.rng)
        return Tools(
            evictor,
            self.intents,
            self.steering,
            pool,
            self.clock,
            self.rng,
            self.limits,
            self.stopping,
            budgets or {},
        )


class _Run:
    """One execution of one plan."""

    def __init__(self, executor: PlanRunner, plan: str, revalidate: Revalidate) -> None:
        self._executor = executor
        self._plan = plan
        self._revalidate = revalidate
        self._started = executor.clock.wall()
        self._pace = RateLimit(executor.limits.rate, executor.limits.burst, executor.clock)
        self._outcomes: list[ActionOutcome] = []
        self._waves = 0
        self._steered: tuple[Intent, ...] = ()  # done but for their taints, which stay until replacements have a node
        self.stopped: Blocked | None = None

    def wave(self, number: int, actions: Sequence[Action]) -> None:
        """One wave, or, when something before it stopped the execution, the note that it was not reached."""
        if self.stopped is None and self._executor.stopping():
            self.stopped = Blocked(Reason.STOPPING)
        units = [UnitRun(action) for action in actions]
        before = None if self.stopped else self._check(units)
        if before is not None:
            self._waves += 1
            self._attempt([u for u in units if u.refused is None], before)
        outcomes = [u.outcome() for u in units]
        for outcome in outcomes:
            self._executor.notify(outcome)
        if before is not None:
            outcomes = self._land(outcomes, before, number)
        self._outcomes += outcomes

    def report(self) -> ExecutionReport:
        return ExecutionReport(
            self._plan,
            self._started,
            self._executor.clock.wall(),
            self._waves,
            tuple(self._outcomes),
            self.stopped,
            self._pace.throttled_count,
        )

    def _check(self, units: Sequence[UnitRun]) -> ClusterSnapshot | None:
        """Refuse what no longer holds; the fresh snapshot, or None when there is none to be had."""
        try:
            snapshot = self._executor.observe()
            actions = [u.action for u in units]
            verdicts = (recheck(snapshot, actions), self._revalidate(snapshot, actions))
        except DeschedulerError as error:
            self.stopped = Blocked(Reason.DATA_STALE, "second validation", str(error))
            return None
        missing = Blocked(Reason.DATA_MISSING, "second validation")
        for unit in units:
            if unit.action.executor != EVICT:
                unit.refused = Blocked(Reason.API_REFUSED, "executor", f"there is no executor {unit.action.executor!r}")
            unit.refused = unit.refused or self._forsaken(unit.action)
            for verdict in verdicts:
                unit.refused = unit.refused or verdict.get(unit.action.id, missing)
        return snapshot

    def _forsaken(self, action: Action) -> Blocked | None:
        """A stage is of no use when one before it was not carried out."""
        for outcome in self._outcomes:
            if action.bundle and outcome.action.bundle == action.bundle and outcome.result is not Result.DONE:
                earlier = f"{outcome.action.id}, a stage before it, was not carried out"
                return Blocked(Reason.SUPERSEDED, f"action/{action.bundle}", earlier)
        return None

    def _attempt(self, units: Sequence[UnitRun], before: ClusterSnapshot) -> None:
        """Evict them; when we do not lead any more, or what must be written down cannot be, the execution ends here."""
        try:
            self._evict(units, before)
        except LeadershipLost as error:
            self.stopped = Blocked(Reason.NOT_LEADING, "lease", str(error))
        except ClusterError as error:
            self.stopped = Blocked(Reason.API_REFUSED, "intents", str(error))

    def _evict(self, units: Sequence[UnitRun], before: ClusterSnapshot) -> None:
        executor = self._executor
        budgets = budgets_of(before, (move for unit in units for move in unit.action.pods))
        with ThreadPoolExecutor(executor.limits.max_parallel, "evict") as pool:
            intents = run_wave(executor._tools(pool, self._pace, budgets), self._plan, units)
        executor.keep(self._plan, [u.outcome() for u in units if u.begun])
        self._steered = tuple(i for i in intents if i.action.steer)
        executor.intents.close([i for i in intents if not i.action.steer])
        unsettled = next((u for u in units if not u.settled), None)
        if unsettled is not None:
            self.stopped = Blocked(Reason.UNFINISHED, unsettled.action.unit, "its intent stays open")

    def _land(self, outcomes: list[ActionOutcome], before: ClusterSnapshot, number: int) -> list[ActionOutcome]:
        """Wait until what was evicted is ready elsewhere; after the deadline the rest of the plan is given up.

        Taints go as soon as all have a node. A process that is to end waits no longer for the rest, and not long for
        that.
        """
        watch = ReplacementWatch([pod.move for outcome in outcomes for pod in outcome.pods if pod.evicted], before)
        executor = self._executor
        if self._steered and self.stopped is not None:
            executor._until_bound(watch)
        began = executor.clock.steady()
        while watch.waiting and self.stopped is None:
            waited = executor.clock.steady() - began
            if executor.stopping() and (not self._steered or waited > executor.limits.finish_on_stop):
                break
            if waited > executor.limits.ready:
                waiting = f"{watch.waiting} evicted pods of wave {number} have no ready replacement"
                self.stopped = Blocked(Reason.CIRCUIT_OPEN, "execution", waiting)
                break
            executor.clock.sleep(executor.limits.observe_every)
            executor._look(watch)
            if not watch.unbound:
                self._stop_steering()  # when it fails, the next round may manage
        failed = self._stop_steering()
        self.stopped = self.stopped or failed
        return [replace(o, pods=tuple(watch.fill(pod) for pod in o.pods)) for o in outcomes]

    def _stop_steering(self) -> Blocked | None:
        """Take the wave's taints away, and close the intents that name them; or say why it cannot be done."""
        try:
            if self._steered:
                self._executor.steering.close(self._steered)
        except LeadershipLost as error:
            return Blocked(Reason.NOT_LEADING, "lease", str(error))
        except ClusterError as error:
            return Blocked(Reason.API_REFUSED, "steering", str(error))
        self._steered = ()
        return None
